"""What is current, sent to a child process: `pack` here, `unpack` there, when a `wrap_context` function is pickled.

The child then records where this program was told to (`weft.configure`), unless its own code has configured weft, and
its calls nest under a stand-in for the span that is open here. It reads no secret and opens no connection.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from opentelemetry import baggage
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from weft.tracer.context import SAMPLED_OUT_KEY, SCOPE_KEY, SPAN_KEY, WEFT_KEY, Attributes, Owner, Scope
from weft.tracer.span import Span
from weft.tracer.workers import Carrying, wrap_context
from weft.tracking import runtime
from weft.tracking.errors import Error
from weft.tracking.faults import let_through
from weft.tracking.payloads.encoding import decode, encode_object
from weft.tracking.runtime import Runtime
from weft.tracking.settings import Settings

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SpanRef:
    """A span of ours that is open in another process."""

    trace: bytes
    id: bytes
    parent: bytes | None
    name: str
    kind: str
    project: str
    run_uid: bytes | None
    thread: str | None
    turn: str | None

    @classmethod
    def of(cls, span: Span) -> SpanRef:
        """What a child needs to know of it."""
        return cls(
            span._trace,
            span._id,
            span.parent_bytes,
            span.name,
            span.kind,
            span.project,
            span.run_uid,
            span.thread,
            span.turn,
        )

    def stand_in(self, rt: Runtime) -> Span:
        """A span to nest under. What is added to it (attributes, events) is recorded; its end is its owner's."""
        span = Span()
        span._runtime = rt if rt.recording else None
        span._trace, span._id, span.parent_bytes = self.trace, self.id, self.parent
        span.name, span.kind, span.project, span.run_uid = self.name, self.kind, self.project, self.run_uid
        span.thread, span.turn = self.thread, self.turn
        span._ended = True
        return span


@dataclass(frozen=True, slots=True)
class ForeignRef:
    """Somebody else's OpenTelemetry span."""

    trace_id: int
    span_id: int
    flags: int
    tracestate: str

    @classmethod
    def of(cls, context: SpanContext) -> ForeignRef:
        """What a child needs to know of it."""
        return cls(context.trace_id, context.span_id, int(context.trace_flags), context.trace_state.to_header())

    def span(self) -> otel.Span:
        """A span to nest under."""
        state = TraceState.from_header([self.tracestate])
        return NonRecordingSpan(SpanContext(self.trace_id, self.span_id, True, TraceFlags(self.flags), state))


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run of another process."""

    project: str
    uid: bytes

    @classmethod
    def of(cls, run: Owner | None) -> RunRef | None:
        """What a child needs to know of it."""
        return None if run is None else cls(run.project, run.uid)


@dataclass(frozen=True, slots=True)
class NotCarried:
    """Stands in a child for a hook that cannot be pickled: it fails, so what it would have hidden is not recorded."""

    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise Error(
            f"{self.name} of weft.configure() is a function that cannot be sent to a child process; "
            "define it at the top of a module"
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """All that travels; plain values alone."""

    span: SpanRef | None
    foreign: ForeignRef | None
    """The current span, where that is not ours."""
    scope: Scope
    """Without what has no form elsewhere: attributes, run, link and listener are apart."""
    attributes: bytes | None
    run: RunRef | None
    callers_run: RunRef | None
    link: SpanRef | None
    tracestate: str | None
    sampled_out: object
    """What `SAMPLED_OUT_KEY` holds."""
    baggage: Mapping[str, Any]
    settings: Mapping[str, bytes] | None
    """What the program was configured with, each value pickled apart; None: by the environment, which is inherited."""


def pack(context: Context) -> Carried | None:
    """What is current, ready to be pickled; None, with the fault noted, where that failed."""
    rt = runtime.active()
    try:
        return _packed(rt, context)
    except Exception as error:
        rt.faults.note("carry the context to a process", error, hint="Calls there start traces of their own. ")
        return None


def _packed(rt: Runtime, context: Context) -> Carried:
    ours, current = context.get(WEFT_KEY), context.get(SPAN_KEY)
    scope = context.get(SCOPE_KEY)
    if not isinstance(scope, Scope):
        scope = Scope()
    foreign = None
    if current is not ours and isinstance(current, otel.Span) and current.get_span_context().is_valid:
        foreign = ForeignRef.of(current.get_span_context())
    return Carried(
        span=SpanRef.of(ours) if isinstance(ours, Span) else None,
        foreign=foreign,
        scope=Scope(thread_id=scope.thread_id, user_id=scope.user_id, turn_id=scope.turn_id),
        attributes=None if scope.attributes is None else scope.attributes.encoded,
        run=RunRef.of(scope.run),
        callers_run=RunRef.of(rt.run or scope.callers_run),
        link=None if scope.link is None else SpanRef.of(scope.link),
        tracestate=None if scope.tracestate is None else scope.tracestate.to_header(),
        sampled_out=context.get(SAMPLED_OUT_KEY),
        baggage={name: value for name, value in baggage.get_all(context).items() if isinstance(value, str)},
        settings=None if rt.origin == "environment" else _pack_settings(rt.settings),
    )


_latest: tuple[Settings, Mapping[str, bytes]] | None = None
"""The settings that were packed last: they are the same for every task."""


def _pack_settings(settings: Settings) -> Mapping[str, bytes]:
    global _latest
    latest = _latest
    if latest is None or latest[0] is not settings:
        packed = {}
        for field in fields(settings):
            value = getattr(settings, field.name)
            if field.name == "exporters":
                continue  # connections of this process
            if field.name == "attributes":  # of any type, as they would be recorded
                value = decode(encode_object(value))
            try:
                packed[field.name] = pickle.dumps(value)
            except Exception as error:
                let_through(error)
                if callable(value):
                    packed[field.name] = pickle.dumps(NotCarried(field.name))
        _latest = latest = settings, packed
    return latest[1]


def unpack(func: Callable[..., Any], carried: Carried | None) -> Carrying:
    """In the child: the function, to run under what was current where it was packed."""
    if carried is None:
        return Carrying(func, Context())
    if carried.settings is not None:
        _adopt(carried.settings)
    rt = runtime.active()
    try:
        return Carrying(func, _unpacked(rt, carried))
    except Exception as error:
        rt.faults.note("take over the context of another process", error)
        return Carrying(func, Context())


def _unpacked(rt: Runtime, carried: Carried) -> Context:
    scope = Scope(
        attributes=None if carried.attributes is None else Attributes.of(decode(carried.attributes)),
        thread_id=carried.scope.thread_id,
        user_id=carried.scope.user_id,
        turn_id=carried.scope.turn_id,
        run=carried.run,
        callers_run=carried.callers_run,
        link=None if carried.link is None else carried.link.stand_in(rt),
        tracestate=None if carried.tracestate is None else TraceState.from_header([carried.tracestate]),
    )
    values: dict[str, Any] = {} if scope == Scope() else {SCOPE_KEY: scope}
    if carried.span is not None:
        values[SPAN_KEY] = values[WEFT_KEY] = carried.span.stand_in(rt)
    if carried.foreign is not None:
        values[SPAN_KEY] = carried.foreign.span()
    if carried.sampled_out is not None:
        values[SAMPLED_OUT_KEY] = carried.sampled_out
    context = Context(values)
    for name, value in carried.baggage.items():
        context = baggage.set_baggage(name, value, context)
    return context


_adopted: Mapping[str, bytes] | None = None
"""What this process was configured with by another."""


def _adopt(packed: Mapping[str, bytes]) -> None:
    """Record with the settings of the program that sent the work, unless this one's own code has chosen others."""
    global _adopted
    rt = runtime.active_or_none()
    if rt is not None and (rt.origin == "code" or (rt.origin == "parent" and packed == _adopted)):
        return
    values = {}
    for name, data in packed.items():
        try:
            values[name] = pickle.loads(data)  # from our own parent, which could run anything here anyway
        except Exception as error:  # a function of a module that is not here: fails closed, at each use
            let_through(error)
            values[name] = NotCarried(name)
    settings = Settings(**values)
    if rt is None or rt.settings != settings:
        runtime.configure(settings, origin="parent")
    _adopted = packed


class ContextProcessPoolExecutor(ProcessPoolExecutor):
    """A pool of processes whose tasks (`submit`, `map`) nest under what is current where they are handed in.

    Example:
        >>> with weft.ContextProcessPoolExecutor(4) as pool:
        ...     pages = list(pool.map(fetch, urls))
    """

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """As `ProcessPoolExecutor.submit`."""
        return super().submit(wrap_context(fn), *args, **kwargs)
