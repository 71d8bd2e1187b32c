"""Opening spans: under whatever is current, as a block (`with weft.span(...)`) or by hand (`start_span`).

`@op` calls `start`; programs and the integrations call `span` and `start_span`.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import Any, NoReturn

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, StatusCode

from weft.tracer.capture import capture
from weft.tracer.context import (
    NO_SCOPE,
    SCOPE_KEY,
    SPAN_KEY,
    WEFT_KEY,
    Attributes,
    Owner,
    Scope,
    attach,
    detach,
    get_current,
    inside,
    merged,
    merged_once,
    shared_by_all,
)
from weft.tracer.livespan import CLOCK_SET_NS, UnsampledSpan, on_line_of
from weft.tracer.livespan import Span as Span
from weft.tracer.otel.exporting import attend, current_provider
from weft.tracer.sampling import decide
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.faults import thrown_in
from weft.tracking.journal.records import SCHEMA, SpanOpened
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name
from weft.tracking.runtime import Runtime

_new = Span.__new__


def start(
    rt: Runtime,
    name: str,
    kind: str,
    inputs: bytes | None,
    own: Attributes | None = None,
    span: Span | None = None,
    call: Attributes | None = None,
    context: Context | None = None,
    trace: bytes | None = None,
    version: str | None = None,
) -> Span:
    """Open a span under whatever is current, foreign or ours, and write it. It is not made current here.

    Args:
        inputs: as captured.
        own: its op's attributes, which win over those of `weft.configure`; those of the scope win over both.
        span: an empty one to open; default a new one.
        call: this very call's attributes, which win over all.
        context: what is current, where that was asked already.
        trace: the id of a new root's trace, where sampling drew it.
        version: digest of its op's code.
    """
    if context is None:
        context = get_current()
    if span is None:
        span = _new(Span)
    ids = rt.ids
    span._runtime = rt
    span.name = name
    span.kind = kind
    span._id = ids.span_id().to_bytes(8, "big")
    mono = ids.mono_ns()
    start_ns = ids.wall_ns()
    parent = context.get(SPAN_KEY)
    above: object = parent
    if type(parent) is Span and parent._runtime is not None:
        told = parent._start_ns + mono - parent._start_mono
        if -CLOCK_SET_NS < start_ns - told < CLOCK_SET_NS:
            start_ns = told
        span._trace = parent._trace
        span.parent_bytes = parent._id
        span.project = parent.project
        span.run_uid = parent.run_uid
    else:
        above = _under_foreign(span, rt, parent, context, trace)
        if above is not None:
            start_ns = on_line_of(above, start_ns, mono)
    scope = context.get(SCOPE_KEY)
    span._start_ns = start_ns
    if scope is None and call is None and rt.attributes is None:
        encoded = None if own is None else own.clean if rt.settings.redact is True else own.by(rt)
        opened = SpanOpened(
            SCHEMA,
            span._trace,
            span._id,
            span.parent_bytes,
            name,
            kind,
            start_ns,
            span.project,
            span.run_uid,
            inputs,
            encoded,
            None,
            None,
            None,
            version,
        )
    else:
        own = merged_once(shared_by_all(rt), own, None if scope is None else scope.attributes)  # type: ignore[attr-defined]
        if call is not None:
            own = merged(own, call)
        opened = _opened_in(scope or NO_SCOPE, span, rt, above, inputs, own, start_ns, version)  # type: ignore[arg-type]
    try:
        rt.journal.append(opened)
        span._start_mono = ids.mono_ns()
    except BaseException as error:
        if thrown_in(error) is not None:
            _thrown_into(rt, span, opened, error)
        raise
    return span


def _thrown_into(rt: Runtime, span: Span, opened: SpanOpened, error: BaseException) -> None:
    """Whether the opening is in the journal nobody knows: it is written once more, and ended."""
    rt.journal.append(opened)
    span._start_mono = rt.ids.mono_ns()
    span.end(error=error)


def _under_foreign(span: Span, rt: Runtime, parent: object, context: Context, trace: bytes | None) -> Span | None:
    """Under somebody else's span, or none: a root takes project and run here. Answers the nearest span of ours."""
    if rt.provider is not current_provider():  # nobody has looked yet, or the program has set one meanwhile
        attend(rt)
    ours = context.get(WEFT_KEY)
    if parent is not None and isinstance(parent, otel.Span) and (remote := parent.get_span_context()).is_valid:
        span._trace = remote.trace_id.to_bytes(16, "big")
        span.parent_bytes = remote.span_id.to_bytes(8, "big")
        if not remote.trace_flags.sampled:
            span.__class__ = UnsampledSpan
            if not (remote.is_remote or parent.is_recording()):
                _without(span, ours, remote)
        if isinstance(ours, Span) and ours._trace == span._trace:
            span.project = ours.project
            span.run_uid = ours.run_uid
            return ours
    else:
        span._trace = trace or rt.ids.trace_id().to_bytes(16, "big")
    scope = context.get(SCOPE_KEY)
    run: Owner | None = rt.run
    if type(scope) is Scope:
        run = scope.run or run or scope.callers_run
    if run is None:
        span.project = rt.settings.project
    else:
        span.project = run.project
        span.run_uid = run.uid
    return None


def _without(span: Span, ours: object, unrecorded: SpanContext) -> None:
    """Under a span of this process that the program's own sampler left out, which is nowhere: the nearest of ours is
    the parent in its place, else there is none.
    """
    if not isinstance(ours, Span) or ours._trace != span._trace:
        span.parent_bytes = None
    elif unrecorded.span_id != int.from_bytes(ours._id, "big"):
        span.parent_bytes = ours._id


def _opened_in(
    scope: Scope,
    span: Span,
    rt: Runtime,
    above: object,
    inputs: bytes | None,
    own: Attributes | None,
    start_ns: int,
    version: str | None,
) -> SpanOpened:
    """The record of a span in a scope: conversation and link of the scope, and all its attributes."""
    span._heard = scope.heard
    if scope.thread_id is not None:
        span.thread = scope.thread_id
        same = isinstance(above, Span) and above.thread == scope.thread_id
        span.turn = above.turn if same else scope.turn_id or span._id.hex()  # type: ignore[attr-defined]
    links = None
    if scope.link is not None and span.parent_bytes is None:
        links = encode([{"trace_id": scope.link.trace_id, "span_id": scope.link.span_id, "attributes": {}}])
    return SpanOpened(
        SCHEMA,
        span._trace,
        span._id,
        span.parent_bytes,
        span.name,
        span.kind,
        start_ns,
        span.project,
        span.run_uid,
        inputs,
        None if own is None else own.clean if rt.settings.redact is True else own.by(rt),
        span.thread,
        span.turn,
        scope.user_id,
        version,
        links,
    )


def start_span(
    name: str,
    kind: str = "op",
    inputs: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Span:
    """A started span that is not current: for calls that outlive a block. Its owner calls `.end()`.

    Where nothing is recorded (mode disabled, a trace that sampling leaves out, or opening failed) the span that comes
    back records nothing.
    """
    if not isinstance(name, str) or not name:
        raise UsageError(f"a span's name is a text of at least one character, not {name!r}")
    _check_kind(kind)
    rt = runtime.active()
    if not rt.recording:
        return Span()
    span: Span | None = None
    try:
        context = get_current()
        parent = context.get(SPAN_KEY)
        decided = None if type(parent) is Span else decide(rt, context, parent, None)
        if isinstance(decided, Span):
            return decided
        encoded = None if inputs is None else capture(rt, dict(inputs))
        name = clean_name(name, rt.settings.redact)
        own = None if attributes is None else Attributes.of(attributes)
        span = start(rt, name, kind, encoded, call=own, context=context, trace=decided)
        if attributes is not None:
            span.note_tiers(attributes)
        return span
    except BaseException as error:
        if span is not None:
            span.end(error=error)
        rt.faults.note("open a span", error)
        return Span()


class SpanBlock:
    """`with weft.span(...)` or `async with`: the span is open and current inside."""

    __slots__ = ("__weakref__", "_arguments", "_left", "_span", "_token")

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments
        self._span: Span | None = None
        self._token: Token[Context] | None = None
        self._left: weakref.finalize[..., SpanBlock] | None = None
        """Ends the span where `__exit__` was thrown out of at its first instruction, once the exception is dropped."""

    def __call__(self, func: object) -> NoReturn:
        """It is no decorator.

        Raises:
            UsageError: always.
        """
        name, kind = self._arguments[:2]
        raise UsageError(
            f"weft.span({name!r:.80}) is a block: with weft.span(...). "
            f"To record a function's calls decorate it with @weft.op(name={name!r:.80}, kind={kind!r:.80})"
        )

    def __enter__(self) -> Span:
        context = get_current()
        try:
            name, kind, inputs, attributes = self._arguments
            # Not (*arguments): after such a call Python looks for signals, before the span is kept.
            self._span = span = start_span(name, kind, inputs, attributes)
            if span._runtime is not None or span.left_out is not None:
                current = inside(context, span)
                self._token = token = attach(current)
                self._left = weakref.finalize(self, _left_open, span, current, token)
                self._left.atexit = False  # then it was not left at all
        except BaseException as error:
            if get_current() is not context:
                attach(context)
            if self._left is not None:
                self._left.detach()
            if self._span is not None:
                self._span.end(error=error)
            raise
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._leave(error)
        except BaseException as thrown:
            self._leave(thrown)
            raise

    def _leave(self, error: BaseException | None) -> None:
        if self._token is not None:
            detach(self._token)
            self._token = None
        if self._left is not None:
            self._left.detach()
        if self._span is not None:
            self._span.end(error=error)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _left_open(span: Span, current: Context, token: Token[Context]) -> None:
    if get_current() is current:
        detach(token)
    span.set_status(StatusCode.ERROR, "an exception was thrown in as its block ended, or nobody kept the block")
    span.end()


def span(
    name: str,
    kind: str = "op",
    inputs: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> SpanBlock:
    """A block as a span of its own, sync or async.

    Args:
        name: what it is called.
        kind: op, agent, llm, tool, retriever, embedding, guardrail, scorer, chain, or your own word.
        inputs: what goes in, by name.
        attributes: whatever else is worth keeping.

    Raises:
        UsageError: name or kind is no text, or inputs or attributes are no mapping.

    Example:
        >>> with weft.span("rank", kind="retriever", inputs={"query": query}) as s:
        ...     s.set_output(hits := index.search(query))
    """
    for what, value in (("inputs", inputs), ("attributes", attributes)):
        if value is not None and not isinstance(value, Mapping):
            raise UsageError(f"{what} of weft.span({name!r}) must be a mapping of names to values, not {value!r}")
    if not isinstance(name, str) or not name:
        raise UsageError(f"a span's name is a text of at least one character, not {name!r}")
    _check_kind(kind)
    return SpanBlock(name, kind, inputs, attributes)


def _check_kind(kind: object) -> None:
    if not isinstance(kind, str) or not kind:
        raise UsageError(f"a span's kind is a text (op, llm, tool, ...), not {kind!r:.80}")
