"""The live span: an OpenTelemetry API `Span` that writes its records to the journal itself.

`weft.tracer.span` opens it; OpenTelemetry code nests under it and sets attributes on it. It never raises because
recording failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Token
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, Status, StatusCode, TraceFlags

from weft.tracer.capture import capture, capture_error, message_of, stacktrace, status_of
from weft.tracking.errors import UsageError
from weft.tracking.faults import let_through, thrown_in
from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanUpdated
from weft.tracking.payloads.objects import type_name
from weft.tracking.payloads.redaction import clean_name
from weft.tracking.runtime import Runtime

if TYPE_CHECKING:
    from weft.tracer.money.amounts import Cost

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)

_TIER: Final = "service_tier"
"""How the names of the attributes that say it end, with every sender."""
MAX_EVENTS: Final = 10_000
"""Events and links that are kept of one span. Attributes, inputs, output and usage have no such bound."""
DROPPED_EVENTS: Final = "weft.dropped_events"
"""Attribute of a span that had more."""


CLOCK_SET_NS = 1_000_000_000
"""A call starts on its parent's time line, which leaves out what writing took, so that its bar lies within its
parent's; from so far off the wall clock on (it was set, the machine slept) by the wall clock."""


class Span(otel.Span):
    """A call that is running. Made by `start`; ends exactly once.

    What is added (attributes, events, names) is in the journal when the call that adds it returns; output, usage and
    status are written at the end.
    """

    # Defaults of what most spans never set: making a span costs only what it needs.
    name: str = ""
    kind: str = "op"
    project: str = ""
    run_uid: bytes | None = None
    parent_bytes: bytes | None = None
    thread: str | None = None
    turn: str | None = None
    error: BaseException | None = None
    """What the call raised: kept by `f.call()` alone, since an exception that knows its span would know itself."""
    version: str | None = None
    """Digest of its op's code: told on the span of `f.call()`, and by `weft.Api` of every call."""
    output_json: bytes | None = None
    """The output as recorded."""
    _runtime: Runtime | None = None
    _trace: bytes = bytes(16)
    _id: bytes = bytes(8)
    _start_ns: int = 0
    """Where its time line begins, in Unix time: its end is this and the duration, its children start on this line."""
    _start_mono: int = 0
    """The monotonic clock at that time, read once the opening is written: what that took is no part of the call."""
    left_out: bytes | None = None
    """The trace that sampling left out with this call as its root, or below: the span records nothing."""
    _token: Token[Context] | None = None
    """Of the context it was made current in, where its op made it so."""
    _ended: bool = False
    _noted: int = 0
    """Events and links so far."""
    _status: str | None = None
    _description: str | None = None
    _usage: dict[str, int] | None = None
    _model: str | None = None
    _provider: str | None = None
    tiers: Mapping[str, Any] = MappingProxyType({})
    """Those of its attributes that name a service tier, asked for or given: a tier has a price of its own."""
    _heard: Callable[[Any], None] | None = None

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return self._trace.hex()

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return self._id.hex()

    @property
    def parent_id(self) -> str | None:
        """16 hex digits; None for a root."""
        return None if self.parent_bytes is None else self.parent_bytes.hex()

    @property
    def thread_id(self) -> str | None:
        """The conversation it belongs to."""
        return self.thread

    @property
    def usage(self) -> Mapping[str, int] | None:
        """Token counts, as far as they are known."""
        return self._usage

    @property
    def model(self) -> str | None:
        """The model that the usage is of."""
        return self._model

    @property
    def provider(self) -> str | None:
        """Who runs that model."""
        return self._provider

    @property
    def cost(self) -> Cost | None:
        """What its usage costs by now; None: no usage was set, or no price is known. The first one asked for in a
        process loads the price table, which takes 0.2 s.
        """
        if not self._usage or self._model is None:
            return None
        from weft.tracer.money.billing import cost_now  # who records must not pay for loading the prices

        return cost_now(self._usage, self._provider, self._model, self.tiers)

    @property
    def status(self) -> str:
        """running, ok, error or cancelled; so, too, of a call that is not recorded."""
        return (self._status or "ok") if self._ended else "running"

    def get_span_context(self) -> SpanContext:
        """For OpenTelemetry: ids and the sampled flag."""
        if self._runtime is None:
            return INVALID_SPAN_CONTEXT
        return SpanContext(int.from_bytes(self._trace, "big"), int.from_bytes(self._id, "big"), False, _SAMPLED)

    def is_recording(self) -> bool:
        """False once ended, and where nothing is recorded (mode disabled)."""
        return not self._ended and self._runtime is not None

    def set_attribute(self, key: str, value: Any) -> None:
        """Add one attribute, of any type that can be encoded.

        Raises:
            UsageError: its name is no text.
        """
        if not isinstance(key, str):
            raise UsageError(f"an attribute's name is a text, not {key!r:.80}")
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes; a later value of the same name wins.

        Raises:
            UsageError: they are no mapping.
        """
        _check_mapping("attributes", attributes)
        self.note_tiers(attributes)
        self._update("add attributes", attributes=dict(attributes))

    def note_tiers(self, attributes: Mapping[str, Any]) -> None:
        """Keep what these attributes say of the service tier, for `cost`."""
        for name, value in attributes.items():
            if isinstance(name, str) and name.endswith(_TIER):
                self.tiers = {**self.tiers, name: value}

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        """Add something that happened.

        Of one span `MAX_EVENTS` events and links are kept; how many more there were is said in its attributes.

        Args:
            timestamp: when, in nanoseconds since 1970; default now.

        Raises:
            UsageError: the name is no text, the attributes no mapping, or the timestamp no whole number.
        """
        _check_text("an event's name", name)
        _check_mapping("an event's attributes", attributes or {})
        _check_time(timestamp)
        if self._has_room():
            self._update("add an event", event={"name": name, "at_ns": timestamp, "attributes": dict(attributes or {})})

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Add a link to another span, also of another trace. One that names no span is not kept.

        Raises:
            UsageError: it is no SpanContext, or the attributes are no mapping.
        """
        if not isinstance(context, SpanContext):
            raise UsageError(f"a link is to a SpanContext (span.get_span_context()), not {context!r:.80}")
        _check_mapping("a link's attributes", attributes or {})
        if context.is_valid and self._has_room():
            other = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
            self._update("add a link", link={**other, "attributes": dict(attributes or {})})

    def update_name(self, name: str) -> None:
        """Call it otherwise.

        Raises:
            UsageError: the name is no text, or empty.
        """
        _check_text("a span's name", name)
        if self._runtime is not None:
            name = clean_name(name, self._runtime.settings.redact)
        self.name = name
        self._update("rename a span", name=name)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an exception as an event, by OpenTelemetry's names; the span's status stays as it is."""
        details = {
            "exception.type": type_name(type(exception)),
            "exception.message": message_of(exception),
            "exception.stacktrace": stacktrace(exception),
            "exception.escaped": escaped,
        }
        self.add_event("exception", {**details, **(attributes or {})}, timestamp)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set how it ends, unless an exception says otherwise. By OpenTelemetry's rule OK is final.

        Raises:
            UsageError: it is neither a Status nor a StatusCode.
        """
        code = status.status_code if isinstance(status, Status) else status
        if not isinstance(code, StatusCode):
            raise UsageError(f"a status is a Status or a StatusCode of OpenTelemetry, not {status!r:.80}")
        if code is not StatusCode.UNSET and not self._ended and self._status != "ok":
            self._status = "error" if code is StatusCode.ERROR else "ok"
            self._description = status.description if isinstance(status, Status) else description

    def set_inputs(self, inputs: Mapping[str, Any]) -> None:
        """Record these inputs in place of those at the start.

        Raises:
            UsageError: they are no mapping.
        """
        _check_mapping("inputs", inputs)
        self._update("set inputs", inputs=dict(inputs))

    def set_output(self, value: Any) -> None:
        """The output, encoded now, so that later changes to the value do not reach it."""
        rt = self._runtime
        if rt is not None and not self._ended:
            try:
                self.output_json = capture(rt, value)
            except Exception as error:
                rt.faults.note("record an output", error)

    def set_usage(self, usage: Mapping[str, int], *, model: str | None = None, provider: str | None = None) -> None:
        """Token counts by OpenTelemetry's inclusive names (input_tokens, output_tokens, cache_read_tokens, ...).

        Raises:
            UsageError: a count is no integer, or model or provider no text.
        """
        _check_mapping("usage", usage)
        for what, value in (("model", model), ("provider", provider)):
            if value is not None and not isinstance(value, str):
                raise UsageError(f"{what} of set_usage() must be a text, not {value!r:.80}")
        for name, count in usage.items():
            if not isinstance(name, str) or isinstance(count, bool) or not isinstance(count, int):
                raise UsageError(f"usage maps names to whole numbers of tokens; {name!r} is {count!r}")
        if usage:  # without counts they are not known, which is not 0
            self._usage = {**(self._usage or {}), **usage}
        if self._runtime is not None:  # names that come from anywhere: a proxy's route may hold its key
            rules = self._runtime.settings.redact
            model, provider = model and clean_name(model, rules), provider and clean_name(provider, rules)
        self._model = model or self._model
        self._provider = provider or self._provider

    def end(self, end_time: int | None = None, *, error: BaseException | None = None) -> None:
        """End it; a second call does nothing.

        Args:
            end_time: nanoseconds since 1970; default now.
            error: what the call raised.

        Raises:
            UsageError: the time is no whole number.
        """
        if end_time is not None:
            _check_time(end_time)
        rt = self._runtime
        if self._ended or rt is None:
            if error is not None and not self._ended:
                self._status = status_of(error)
            self._ended = True
            return
        duration_ns = 0
        try:
            self._ended = True
            duration_ns = rt.ids.mono_ns() - self._start_mono
            details: bytes | None = None
            if error is not None:
                self._status = status_of(error)
                if self._status != "ok":
                    details = capture_error(rt, error)
            elif self._status == "error":
                details = capture(rt, {"type": "", "message": self._description or "", "stacktrace": ""})
            rt.journal.append(self._closed(rt, end_time, duration_ns, details))
            if self._heard is not None:
                self._heard(self)
            if _cut_off:
                _end_cut_off()
        except RecursionError:
            _cut_off.append((self, duration_ns))  # no stack left, not even to count a fault
        except BaseException as failure:
            self._ended = False
            if (thrown := thrown_in(failure)) is not None:
                # Whether the end is in the journal nobody knows: it is written once more, and the later one stands.
                self.end(error=thrown)
                del thrown, error  # it must not hold a frame that holds it
                let_through(failure)
            self._ended = True
            rt.faults.note("end a span", failure)

    def _closed(self, rt: Runtime, end_ns: int | None, duration_ns: int, error: bytes | None) -> SpanClosed:
        if end_ns is None:
            end_ns = self._start_ns + duration_ns
        else:
            duration_ns = max(0, end_ns - self._start_ns)
        return SpanClosed(
            SCHEMA,
            self._trace,
            self._id,
            end_ns,
            duration_ns,
            self._status or "ok",
            self.output_json,
            error,
            self._model,
            self._provider,
            self._usage,
            None if self._noted <= MAX_EVENTS else capture(rt, {DROPPED_EVENTS: self._noted - MAX_EVENTS}),
        )

    def reopen(self) -> None:
        """Take the end back: what had been left (a stream) goes on. Of several ends the last one stands."""
        self._ended = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As OpenTelemetry's spans: leaving the block ends it (and does not make it current; `weft.span` does)."""
        self.end(error=error)

    def _has_room(self) -> bool:
        """Count an event or a link; False, said once, where a span has had too many: a loop that ran away."""
        if self._runtime is None:
            return False
        self._noted += 1
        if self._noted > MAX_EVENTS:
            self._runtime.faults.note(
                f"keep more than {MAX_EVENTS:,} events of one span",
                hint="The span says how many more there were; what belongs to many calls is better a span each.",
            )
        return self._noted <= MAX_EVENTS

    def _update(
        self,
        cause: str,
        *,
        name: str | None = None,
        attributes: dict[str, Any] | None = None,
        event: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        link: dict[str, Any] | None = None,
    ) -> None:
        rt = self._runtime
        if rt is None:
            return
        try:
            now = self._start_ns + rt.ids.mono_ns() - self._start_mono
            events = None
            if event is not None:
                event["at_ns"] = event["at_ns"] or now
                events = capture(rt, [event])
            encoded = None if attributes is None else capture(rt, attributes)
            bound = None if inputs is None else capture(rt, inputs)
            links = None if link is None else capture(rt, [link])
            rt.journal.append(
                SpanUpdated(
                    SCHEMA, self._trace, self._id, now, name, encoded, events, bound, None, None, None, None, links
                )
            )
        except Exception as error:
            rt.faults.note(cause, error)


def on_line_of(ours: Span, wall_ns: int, mono_ns: int) -> int:
    """A moment as the time line of a span says it, which is where everything below it stands: others' spans too."""
    if ours._runtime is None:
        return wall_ns
    told = ours._start_ns + mono_ns - ours._start_mono
    return told if -CLOCK_SET_NS < wall_ns - told < CLOCK_SET_NS else wall_ns


class UnsampledSpan(Span):
    """In a trace that the program's own sampler, or its caller's, left out. Weft records it all the same; spans of the
    SDK under it are left out as they would be without weft.
    """

    def get_span_context(self) -> SpanContext:
        """As every span's, without the sampled flag."""
        if self._runtime is None:
            return INVALID_SPAN_CONTEXT
        return SpanContext(int.from_bytes(self._trace, "big"), int.from_bytes(self._id, "big"), False)


def _check_mapping(what: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} of a span must be a mapping of names to values, not {value!r:.80}")


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{what} is a text of at least one character, not {value!r:.80}")


def _check_time(value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise UsageError(f"a time of a span is a whole number of nanoseconds since 1970, not {value!r:.80}")


_cut_off: list[tuple[Span, int]] = []
"""Spans that ended at the recursion limit, with their durations: the next span to end, further up, writes their end."""


def _end_cut_off() -> None:
    while _cut_off:
        span, duration_ns = _cut_off.pop()
        rt = span._runtime
        assert rt is not None
        span._status = "error"
        cause = {"type": "RecursionError", "message": "at the recursion limit: no stack was left to record the end"}
        details = capture(rt, {**cause, "stacktrace": ""})
        rt.journal.append(span._closed(rt, None, duration_ns, details))
        if span._heard is not None:
            span._heard(span)
