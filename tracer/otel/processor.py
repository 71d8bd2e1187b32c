"""Everybody else's spans: an OpenTelemetry SDK span processor that writes them to the journal, as they begin and end.

For the program's own provider (`provider.add_span_processor(weft.SpanProcessor())`), or for ours (`provider()`), which
instrumentors get. The one module beside `sharing` that needs opentelemetry-sdk; nothing imports it at start-up.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from opentelemetry import trace as otel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanProcessor as SdkSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode

from weft.tracer import foreign, semconv
from weft.tracer.capture import capture
from weft.tracer.context import NO_SCOPE, SAMPLED_OUT_KEY, SCOPE_KEY, WEFT_KEY, Heard, Scope, merged, shared_by_all
from weft.tracer.integrations.enclosing import announce
from weft.tracer.livespan import Span, on_line_of
from weft.tracer.otel import dialects
from weft.tracer.otel.exporting import attend, current_provider, outlet_of
from weft.tracer.otel.sharing import NO_LIMITS, SCOPE, resource_of, sdk_provider
from weft.tracer.sampling import keeps
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.journal import Journal
from weft.tracking.journal.records import SCHEMA, Record, ScoreLogged, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.runtime import Runtime

SPANS_KEPT: Final = 50_000
"""Open spans remembered, and ended ones: of a span that was forgotten everything is written at its end."""
SERVICE: Final = "service.name"
SCOPE_NAME: Final = "otel.scope.name"
SCOPE_VERSION: Final = "otel.scope.version"
KIND: Final = "otel.span.kind"
PLAIN: Final = ("http.", "net.", "network.", "url.", "server.", "client.", "user_agent.", "code.", "thread.", "rpc.")
"""Beginnings of names that no dialect of model calls knows."""
ANSWERED_LATER: Final = frozenset(("openinference.instrumentation.llama_index",))
"""Instrumentations that leave the context of a stream's span before the stream is asked for."""
_NOTHING: Final = dialects.Translated()
DROPPED: Final = "otel.dropped_{}_count"
"""Attributes by OpenTelemetry's own names for what formats other than OTLP have no field for."""


class Whose(NamedTuple):
    """What a span takes on from what is around it."""

    project: str
    run_uid: bytes | None
    thread_id: str | None
    turn_id: str | None
    user_id: str | None


@dataclass(slots=True)
class Begun:
    """An open span of the SDK's."""

    whose: Whose
    attributes: Mapping[str, Any]
    """As they were at the start: these are written already."""
    links: int
    """How many there were, likewise."""
    told: dialects.Translated
    """What they say."""
    heard: Callable[[Heard], None] | None
    """Who wants to hear of its end."""
    shift_ns: int = 0
    """From its own clock to the time line that it stands on."""


class Ended(NamedTuple):
    """What `listening` is told of it."""

    span_id: str
    parent_bytes: bytes | None
    kind: str
    usage: Mapping[str, int] | None
    model: str | None
    provider: str | None
    tiers: Mapping[str, Any]


class SpanProcessor(SdkSpanProcessor):
    """Records the spans of an OpenTelemetry SDK provider: LLM calls with messages and tokens, everything else by name.

    They nest under open ops and ops nest under them, in one trace. A span is in the journal when it begins, so that
    one that never ends shows as interrupted; its end adds the rest. What the program's own sampler leaves out is not
    recorded; weft's sampling (`weft.configure(sample_rate=...)`) and OpenTelemetry's `suppress_instrumentation` hold.

    Example:
        >>> provider = TracerProvider()
        >>> provider.add_span_processor(weft.SpanProcessor())
    """

    of_our_provider = False

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, int], Begun] = OrderedDict()
        self._ended: OrderedDict[tuple[int, int], None] = OrderedDict()

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """A span began: what is known of it is written."""
        rt = runtime.active()
        try:
            context = get_current() if parent_context is None else parent_context
            key = _key(span)
            if key is None or not rt.recording or _is_own(span):
                return
            if _is_silent(rt, context, span):
                _keep(self._ended, key, None)  # its end may come in another context, and is none of ours either
            else:
                _keep(self._open, key, self._begin(rt, span, context))
        except Exception as error:
            rt.faults.note("record the start of an OpenTelemetry span", error)

    def on_end(self, span: ReadableSpan) -> None:
        """A span ended: the rest is written. A second end is none."""
        rt = runtime.active()
        try:
            key = _key(span)
            if key is None or not rt.recording or _is_own(span) or key in self._ended:
                return
            begun = self._open.pop(key, None)
            if begun is None:  # it began before this processor was there
                begun = self._begin(rt, span, get_current())
            _keep(self._ended, key, None)
            _finish(rt, span, begun)
            if (outlet := outlet_of(rt)) is not None:
                outlet.foreign(span, of_our_provider=self.of_our_provider)
        except Exception as error:
            rt.faults.note("record an OpenTelemetry span", error)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Everything is in the journal already; this asks the disk to keep it."""
        runtime.active().journal.sync()
        return True

    def _begin(self, rt: Runtime, span: ReadableSpan, context: Context) -> Begun:
        if rt.provider is not current_provider():
            attend(rt)
        ids, parent = _ids(span), span.parent
        attributes = dict(span.attributes or {})
        above = None if parent is None else self._open.get((parent.trace_id, parent.span_id))
        scope = context.get(SCOPE_KEY)
        scope = scope if type(scope) is Scope else NO_SCOPE
        whose = _whose(rt, scope, context.get(WEFT_KEY), above, ids)
        told = _told(span, attributes, ())
        around = merged(shared_by_all(rt), scope.attributes)
        shift_ns = _shift_ns(rt, context.get(WEFT_KEY), ids)
        _write(
            rt,
            SpanOpened(
                SCHEMA,
                ids.trace,
                ids.span,
                None if parent is None else parent.span_id.to_bytes(8, "big"),
                told.name or span.name,
                told.kind or "op",
                (span.start_time or rt.ids.wall_ns()) + shift_ns,
                whose.project,
                whose.run_uid,
                None if told.inputs is dialects.MISSING else capture(rt, told.inputs),
                capture(rt, {**({} if around is None else around.values), **attributes, **_origin(span)}),
                whose.thread_id,
                whose.turn_id,
                whose.user_id,
                None,
                _links(rt, span.links),
            ),
        )
        return Begun(whose, attributes, len(span.links), told, scope.heard, shift_ns)


class OurProcessor(SpanProcessor):
    """Of the provider that weft makes: its spans are unknown to the program's own backend."""

    of_our_provider = True

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """As any; a model's call that is answered by a generator is announced to the client that it will call."""
        super().on_start(span, parent_context)
        scope = span.instrumentation_scope
        if scope is not None and scope.name in ANSWERED_LATER:
            announce(span)


class Ids(NamedTuple):
    """As records hold them."""

    trace: bytes
    span: bytes


def _key(span: ReadableSpan) -> tuple[int, int] | None:
    context = span.get_span_context()
    return None if context is None or not context.is_valid else (context.trace_id, context.span_id)


def _ids(span: ReadableSpan) -> Ids:
    context = span.get_span_context()
    assert context is not None
    return Ids(context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big"))


def _keep(kept: OrderedDict[tuple[int, int], Any], key: tuple[int, int], value: object) -> None:
    kept[key] = value
    while len(kept) > SPANS_KEPT:
        kept.popitem(last=False)


def _is_own(span: ReadableSpan) -> bool:
    """Of ours already: handed to the program's processors (`sharing`)."""
    return span.instrumentation_scope == SCOPE


def _is_silent(rt: Runtime, context: Context, span: ReadableSpan) -> bool:
    """Where instrumentation is suppressed, or weft's sampling leaves the trace out: decided as a root op decides it."""
    if context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get(SAMPLED_OUT_KEY) is not None:
        return True
    rate, scope = rt.settings.sample_rate, context.get(SCOPE_KEY)
    if rate >= 1.0 or WEFT_KEY in context or (type(scope) is Scope and scope.run is not None):
        return False
    return not keeps(int.from_bytes(_ids(span).trace, "big"), rate)


def _whose(rt: Runtime, scope: Scope, ours: object, above: Begun | None, ids: Ids) -> Whose:
    """Project and run from the nearest span of the same trace that is recorded, as an op under it would take them."""
    thread_id, turn_id = scope.thread_id, scope.turn_id
    nearest: Span | Whose | None = None
    if isinstance(ours, Span) and ours._trace == ids.trace:
        nearest = ours
    elif above is not None:
        nearest = above.whose
    if nearest is None:
        run = scope.run or rt.run or scope.callers_run
        project, run_uid = (rt.settings.project, None) if run is None else (run.project, run.uid)
    else:
        project, run_uid = nearest.project, nearest.run_uid
    if thread_id is not None:
        turn = above.whose if above is not None else nearest
        same = turn is not None and turn.thread_id == thread_id
        turn_id = _turn_of(turn) if same else turn_id or ids.span.hex()
    return Whose(project, run_uid, thread_id, turn_id, scope.user_id)


def _shift_ns(rt: Runtime, ours: object, ids: Ids) -> int:
    """From the wall clock to the time line of the span of ours that it lies below, so that siblings stay in order."""
    if not isinstance(ours, Span) or ours._trace != ids.trace:
        return 0
    wall_ns = rt.ids.wall_ns()
    return on_line_of(ours, wall_ns, rt.ids.mono_ns()) - wall_ns


def _turn_of(span: Span | Whose | None) -> str | None:
    return span.turn if isinstance(span, Span) else None if span is None else span.turn_id


def _finish(rt: Runtime, span: ReadableSpan, begun: Begun) -> None:
    """What was not known at the start, and the end."""
    ids, attributes = _ids(span), dict(span.attributes or {})
    start_ns = span.start_time or 0
    end_ns = max(span.end_time or rt.ids.wall_ns(), start_ns)  # a clock was set back meanwhile
    events = [_event(event) for event in span.events]
    told = begun.told if not events and attributes == begun.attributes else _told(span, attributes, events)
    duration_ns, end_ns = end_ns - start_ns, end_ns + begun.shift_ns
    _amend(rt, ids, end_ns, told, begun.whose)
    added = {key: value for key, value in attributes.items() if begun.attributes.get(key, dialects.MISSING) != value}
    neutral = {
        "cost_usd": None if told.cost_usd is None else str(told.cost_usd),  # these two the ingester bills by
        "service_tier": told.service_tier,
        semconv.TIME_TO_FIRST_CHUNK: told.time_to_first_chunk_s,
    }
    added |= {key: value for key, value in neutral.items() if value is not None and key not in attributes}
    status, error = _ending(span, events, told.error)
    closed = SpanClosed(
        SCHEMA,
        ids.trace,
        ids.span,
        end_ns,
        duration_ns,
        status,
        None if told.output is dialects.MISSING else capture(rt, told.output),
        None if error is None else capture(rt, error),
        told.model,
        told.provider,
        dict(told.usage) if told.usage else None,
        capture(rt, {**added, **_losses(span)}),
        capture(rt, [{**event, "at_ns": event["at_ns"] + begun.shift_ns} for event in events]) if events else None,
        told.kind or "op",
        told.name or span.name,
        _links(rt, span.links[begun.links :]),
    )
    _write(rt, closed)
    if begun.heard is not None:
        above = None if span.parent is None else span.parent.span_id.to_bytes(8, "big")
        tiers = {key: value for key, value in {**attributes, **added}.items() if key.endswith("service_tier")}
        begun.heard(
            Ended(ids.span.hex(), above, told.kind or "op", told.usage or None, told.model, told.provider, tiers)
        )
    for score in told.scores:
        _write(rt, _score(rt, score, ids, end_ns, begun.whose.project))


def _told(
    span: ReadableSpan, attributes: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> dialects.Translated:
    """What the dialects make of it; of the usual HTTP span nothing, without looking for each of their fields."""
    if not events and all(name.startswith(PLAIN) for name in attributes):
        return _NOTHING
    return dialects.translate(attributes, events, span.start_time)


def _write(rt: Runtime, record: Record) -> None:
    """Past those who listen to the journal: exporters get the SDK's own span."""
    Journal.append(rt.journal, foreign.clean(record, rt.settings.redact))


def _amend(rt: Runtime, ids: Ids, at_ns: int, told: dialects.Translated, whose: Whose) -> None:
    """What a closing has no field for. The conversation that the program said wins over the one in attributes."""
    thread_id = None if whose.thread_id is not None else told.thread_id
    user_id = None if whose.user_id is not None else told.user_id
    if told.inputs is dialects.MISSING and thread_id is None and user_id is None and not told.tags:
        return
    _write(
        rt,
        SpanUpdated(
            SCHEMA,
            ids.trace,
            ids.span,
            at_ns,
            inputs=None if told.inputs is dialects.MISSING else capture(rt, told.inputs),
            thread_id=thread_id,
            user_id=user_id,
            tags=capture(rt, list(told.tags)) if told.tags else None,
        ),
    )


def _ending(
    span: ReadableSpan, events: Sequence[Mapping[str, Any]], said: Mapping[str, Any] | None
) -> tuple[str, Mapping[str, Any] | None]:
    """The status, and {type, message, stacktrace} of what went wrong: the last exception, else the status's words."""
    if span.status.status_code is not StatusCode.ERROR:
        return "ok", None
    raised = [event["attributes"] for event in events if event["name"] == "exception"]
    last = raised[-1] if raised else {}
    error = {name: str(last.get(f"exception.{name}") or "") for name in ("type", "message", "stacktrace")}
    error = {name: text or str((said or {}).get(name) or "") for name, text in error.items()}
    error["message"] = error["message"] or span.status.description or ""
    return ("cancelled" if error["type"].rpartition(".")[2] == "CancelledError" else "error"), error


def _event(event: Any) -> dict[str, Any]:
    return {"name": event.name, "at_ns": event.timestamp, "attributes": dict(event.attributes or {})}


def _links(rt: Runtime, links: Iterable[Link]) -> bytes | None:
    found = [
        {
            "trace_id": f"{link.context.trace_id:032x}",
            "span_id": f"{link.context.span_id:016x}",
            "attributes": dict(link.attributes or {}),
        }
        for link in links
        if isinstance(link.context, SpanContext)
    ]
    return capture(rt, found) if found else None


def _origin(span: ReadableSpan) -> dict[str, Any]:
    """Who made it: the library, its version, the service, and which side of a call it is."""
    scope = span.instrumentation_scope
    found = {
        SCOPE_NAME: scope.name if scope is not None else None,
        SCOPE_VERSION: scope.version if scope is not None else None,
        SERVICE: span.resource.attributes.get(SERVICE),
        KIND: span.kind.name.lower() if span.kind is not SpanKind.INTERNAL else None,
    }
    return {key: value for key, value in found.items() if value}


def _losses(span: ReadableSpan) -> dict[str, int]:
    """How much the SDK's limits threw away before we could see it."""
    counts = {"attributes": span.dropped_attributes, "events": span.dropped_events, "links": span.dropped_links}
    return {DROPPED.format(what): count for what, count in counts.items() if count}


def _score(rt: Runtime, score: dialects.Judgement, ids: Ids, at_ns: int, project: str) -> ScoreLogged:
    """A session has no scores of its own: what is said of one is kept with the span that said it."""
    return ScoreLogged(
        SCHEMA,
        rt.ids.uid(),
        "trace" if score.target == "trace" else "span",
        at_ns,
        score.name,
        project,
        score.value,
        score.label,
        score.reason,
        ids.trace,
        None if score.target == "trace" else ids.span,
        error=score.error,
    )


_provider: TracerProvider | None = None
_lock = threading.Lock()  # guards making _provider


def provider() -> TracerProvider:
    """Weft's own SDK provider, made at first use: for instrumentors that need one. It is not the program's.

    It has no limits (the SDK's 128 attributes lose the model and the tokens of a long conversation) and leaves
    nothing out.
    """
    global _provider
    with _lock:
        if _provider is None:
            _provider = TracerProvider(
                ALWAYS_ON, resource_of(runtime.active().settings), shutdown_on_exit=False, span_limits=NO_LIMITS
            )
            _provider.add_span_processor(OurProcessor())
        return _provider


def make_global() -> None:
    """Make weft's own provider the program's (`weft.configure(otel="global")`).

    Raises:
        UsageError: the program has one already.
    """
    current = current_provider()
    if current is not None and current is not provider():
        way = "provider.add_span_processor(weft.SpanProcessor())" if sdk_provider(current) else "otel='share'"
        raise UsageError(
            f"otel='global' was asked for, but this program has set an OpenTelemetry provider already "
            f"({type(current).__module__}.{type(current).__name__}). To record its spans: {way}"
        )
    if current is None:
        otel.set_tracer_provider(provider())
