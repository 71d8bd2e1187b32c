"""Spans of ours in the SDK's own form, told to SDK processors: the program's (`otel="share"`), or exporters of weft.

Called on the thread of a feed (`exporting`), never on the program's. The one file beside `processor` that needs
opentelemetry-sdk; both are imported late.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from weft import __version__
from weft.tracer.otel.finished import FinishedSpan, plain_attributes
from weft.tracking.settings import Settings

SCOPE = InstrumentationScope("weft", __version__)
"""Whose spans these are: `processor` leaves them alone, since they are recorded already."""

NO_LIMITS = SpanLimits(*[SpanLimits.UNSET] * 8)
"""Nothing is evicted: OpenTelemetry's default keeps the last 128 attributes, and loses the model and the tokens."""

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class HandedSpan(SdkSpan):
    """One of ours, going through the SDK's own life: `start` tells processors, which may add to it, then `end`."""


def hand(span: FinishedSpan, resource: Resource, processor: SpanProcessor, *, obeys_sampler: bool) -> None:
    """Tell a processor of a span as if it had just begun and ended, with its own times.

    Its parent context is the one it was opened in: what processors read there (baggage) is what was there.

    Args:
        obeys_sampler: in a trace that the program's sampler left out it has no sampled flag, so that processors which
            export leave it out as well.
    """
    opened, closed = span.opened, span.closed
    trace_id, span_id = int.from_bytes(opened.trace_id, "big"), int.from_bytes(opened.span_id, "big")
    around = otel.get_current_span(span.context).get_span_context()
    flags = TraceFlags(around.trace_flags) if obeys_sampler and around.trace_id == trace_id else _SAMPLED
    parent = None
    if opened.parent_id is not None:
        parent_id = int.from_bytes(opened.parent_id, "big")
        # Where the parent was current it knows itself whether it is remote.
        parent = around if around.span_id == parent_id else SpanContext(trace_id, parent_id, False, flags)
    made = HandedSpan(
        name=span.name,
        context=SpanContext(trace_id, span_id, False, flags),
        parent=parent,
        resource=resource,
        attributes=span.attributes(),
        links=tuple(_links(span)),
        kind=SpanKind.CLIENT if span.kind in ("llm", "embedding") else SpanKind.INTERNAL,
        span_processor=processor,
        limits=NO_LIMITS,
        instrumentation_scope=SCOPE,
    )
    above = otel.INVALID_SPAN if parent is None else NonRecordingSpan(parent)
    made.start(opened.start_ns, parent_context=otel.set_span_in_context(above, span.context))
    _add_events(made, span)
    if closed.status in ("error", "cancelled"):
        error = span.error() or {}
        made.set_status(Status(StatusCode.ERROR, str(error.get("message") or closed.status)))
    made.end(max(closed.end_ns, opened.start_ns))


def _links(span: FinishedSpan) -> Iterator[Link]:
    for link in span.links():
        try:
            trace_id, span_id = int(str(link.get("trace_id")), 16), int(str(link.get("span_id")), 16)
        except ValueError:
            continue  # no link: it names nothing
        yield Link(SpanContext(trace_id, span_id, False, _SAMPLED), plain_attributes(link.get("attributes")))


def _add_events(made: HandedSpan, span: FinishedSpan) -> None:
    told = False
    for event in span.events():
        at_ns = event.get("at_ns")
        told = told or event.get("name") == "exception"
        made.add_event(
            str(event.get("name")), plain_attributes(event.get("attributes")), at_ns if isinstance(at_ns, int) else None
        )
    error = span.error()
    if error is not None and not told:
        details = {f"exception.{name}": str(error.get(name) or "") for name in ("type", "message", "stacktrace")}
        made.add_event("exception", details, span.closed.end_ns)


class ProviderOf:
    """Where the program's own spans go: its provider's processors, whatever is added to it later too."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.name = "the program's own OpenTelemetry processors"

    @property
    def _processor(self) -> SpanProcessor:
        found: SpanProcessor = self._provider._active_span_processor  # it has no public name
        return found

    def tell(self, span: FinishedSpan | ReadableSpan) -> None:
        """One that finished: ours, or of the SDK's that this provider has not made."""
        if isinstance(span, FinishedSpan):
            hand(span, self._provider.resource, self._processor, obeys_sampler=True)
        else:
            self._processor.on_end(span)

    def deliver(self) -> None:
        """Processors were told already."""

    def flush(self, timeout_s: float) -> bool:
        """One after another: asked for all of them the SDK stops at the first that answers None, as many do (its own
        base class, too, up to 1.30)."""
        until, done = time.monotonic() + timeout_s, True
        for processor in getattr(self._processor, "_span_processors", (self._processor,)):
            left_ms = max(0, int((until - time.monotonic()) * 1000))
            done = processor.force_flush(left_ms) is not False and done
        return done

    def close(self) -> None:
        """The provider is the program's, to shut down when it likes."""

    def after_fork(self) -> None:
        """The SDK sees to its own."""


class Attached:
    """An exporter or a processor that was given to `weft.configure(exporters=...)`."""

    def __init__(self, given: SpanExporter | SpanProcessor, resource: Resource) -> None:
        self.name = type(given).__name__
        self._resource = resource
        self._exporter = given if isinstance(given, SpanExporter) else None
        self._batch = _Batch()
        self._processor: SpanProcessor = given if isinstance(given, SpanProcessor) else self._batch

    def tell(self, span: FinishedSpan | ReadableSpan) -> None:
        """One that finished, ours or the SDK's: whatever weft records, the program's sampler notwithstanding."""
        if isinstance(span, FinishedSpan):
            hand(span, self._resource, self._processor, obeys_sampler=False)
        else:
            self._processor.on_end(span)

    def deliver(self) -> None:
        """Export what was collected.

        Raises:
            RuntimeError: the exporter says that it failed.
        """
        spans, self._batch.spans = self._batch.spans, []
        if self._exporter is not None and spans:
            result = self._exporter.export(spans)
            if result is not SpanExportResult.SUCCESS:
                raise RuntimeError(f"it answered {getattr(result, 'name', result)} to {len(spans)} spans")

    def flush(self, timeout_s: float) -> bool:
        target = self._exporter or self._processor
        return target.force_flush(int(timeout_s * 1000)) is not False  # many exporters answer None

    def close(self) -> None:
        (self._exporter or self._processor).shutdown()

    def after_fork(self) -> None:
        """In the child: what was collected is the parent's to export."""
        self._batch.spans = []


class _Batch(SpanProcessor):
    """Collects what an exporter gets at once."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def resource_of(settings: Settings, provider: Any = None) -> Resource:
    """The program's own resource, else OpenTelemetry's by environment; the project is the service that has no name."""
    if provider is not None:
        found: Resource = provider.resource
        return found
    made = Resource.create()
    if str(made.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        made = made.merge(Resource({SERVICE_NAME: settings.project}))
    return made


def is_exporter(value: object) -> bool:
    """Whether this can be fed."""
    return isinstance(value, SpanExporter | SpanProcessor)


def sdk_provider(provider: object) -> Any:
    """The SDK's provider that this is, or that it stands for (a proxy's `provider`); None where it is neither."""
    for found in (provider, getattr(provider, "provider", None)):
        if isinstance(getattr(found, "_active_span_processor", None), SpanProcessor) and hasattr(found, "resource"):
            return found
    return None
