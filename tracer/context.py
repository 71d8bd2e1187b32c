"""What is current: the span in the OpenTelemetry context, and the scope (attributes, thread, run) of spans inside.

Everything travels in the OpenTelemetry context, so whatever carries that (asyncio, instrumentors) carries weft too. The
tracer reads it at every call; programs use the context managers. Into threads and processes: `workers`; over HTTP and
MCP: `propagation`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, TraceState, set_span_in_context

from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.faults import let_through
from weft.tracking.payloads.encoding import decode, encode_object
from weft.tracking.payloads.redaction import clean_name, redact
from weft.tracking.runtime import Runtime

if TYPE_CHECKING:
    from weft.tracer.span import Span


def _variable() -> ContextVar[Context]:
    token = otel_context.attach(Context())
    otel_context.detach(token)
    return token.var


_current = _variable()
attach = _current.set
"""OpenTelemetry's own, without the two calls around it: every span pays them twice."""
get_current = _current.get

SPAN_KEY: str = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Where OpenTelemetry keeps the current span; asked of it, since the name is its own."""
WEFT_KEY = create_key("weft-span")
"""The nearest span of ours, under foreign ones too: a child takes its root's project and run from it."""
SCOPE_KEY = create_key("weft-scope")
SAMPLED_OUT_KEY = create_key("weft-sampled-out")
"""Below a root call that sampling left out: the id of its trace, 16 bytes. Nothing of ours is recorded there, whatever
its own rate. OpenTelemetry's trace flags stay as they are: foreign spans still go to the program's own backend."""


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """Attributes that many spans share, encoded once. Compared by identity."""

    values: Mapping[str, Any]
    """As they were when they were encoded."""
    encoded: bytes
    """As JSON."""
    clean: bytes
    """The same, redacted."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Attributes:
        """Encoded now: later changes to the values do not reach them."""
        encoded = encode_object(values)
        return cls(decode(encoded), encoded, redact(encoded))

    def by(self, rt: Runtime) -> bytes:
        """As JSON, redacted by other rules than the default."""
        return redact(self.encoded, rt.faults, rt.settings.redact)


def merged(*layers: Attributes | None) -> Attributes | None:
    """All of them in one; a later layer wins."""
    given = [layer for layer in layers if layer is not None]
    if len(given) < 2:
        return given[0] if given else None
    return Attributes.of({name: value for layer in given for name, value in layer.values.items()})


merged_once = functools.lru_cache(maxsize=64)(merged)
"""The same for layers that many calls share: those of the program, of an op, of a context."""


def shared_by_all(rt: Runtime) -> Attributes | None:
    """`weft.configure(attributes=...)`, encoded at first use."""
    found = rt.attributes
    if found is None or isinstance(found, Attributes):
        return found
    rt.attributes = encoded = Attributes.of(found)
    return encoded


class Heard(Protocol):
    """A span that has ended, of ours or of the SDK's: what `listening` is told."""

    @property
    def span_id(self) -> str:
        """16 hex digits."""

    @property
    def parent_bytes(self) -> bytes | None:
        """Its parent's 8 bytes."""

    @property
    def kind(self) -> str:
        """llm, tool, ..."""

    @property
    def usage(self) -> Mapping[str, int] | None:
        """Token counts, as far as they are known."""

    @property
    def model(self) -> str | None:
        """The model that the usage is of."""

    @property
    def provider(self) -> str | None:
        """Who runs it."""

    @property
    def tiers(self) -> Mapping[str, Any]:
        """Its attributes that name a service tier."""


class Owner(Protocol):
    """What a root call belongs to: a run of this process, or the name of one of another."""

    @property
    def project(self) -> str:
        """Its project."""

    @property
    def uid(self) -> bytes:
        """Its 16 bytes."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What spans that start inside take on."""

    attributes: Attributes | None = None
    thread_id: str | None = None
    user_id: str | None = None
    turn_id: str | None = None
    """The turn that a caller in another process has open; the outermost calls here belong to it."""
    run: Owner | None = None
    """Root calls inside belong to this run, not to the process's."""
    callers_run: Owner | None = None
    """The active run of the process that handed this work in: for root calls where this one has none."""
    link: Span | None = None
    """What was open around `recording_into`: its roots are linked to it."""
    heard: Callable[[Heard], None] | None = None
    """Told of every span inside when it ends (`listening`)."""
    tracestate: TraceState | None = None
    """What other vendors sent along with the trace that calls inside belong to: handed on by `propagation.inject`."""


NO_SCOPE = Scope()


def current_scope() -> Scope:
    """The scope here, empty where nothing was set."""
    scope = get_current().get(SCOPE_KEY)
    return scope if type(scope) is Scope else NO_SCOPE


def current_span() -> Span | None:
    """The innermost open weft span here; None outside of any call. A foreign span on top of it does not hide it.

    In a call that is not recorded (sampled out, mode disabled) it is a span that takes everything and keeps nothing.
    """
    context = get_current()
    span = context.get(WEFT_KEY)
    if span is None and (SAMPLED_OUT_KEY in context or not runtime.active().recording):
        from weft.tracer.livespan import Span  # late: it needs this module

        return Span()
    return span  # type: ignore[return-value]


def with_span(context: Context, span: Span) -> Context:
    """The context with this span as the current one."""
    return (
        Context({**context, SPAN_KEY: span, WEFT_KEY: span}) if context else Context({SPAN_KEY: span, WEFT_KEY: span})
    )


def inside(context: Context, span: Span) -> Context:
    """The same, also for a span that records nothing: below one that sampling left out nothing is recorded."""
    if span._runtime is not None:
        if SAMPLED_OUT_KEY in context:  # a recorded span was made current again below a call that was left out
            context = Context({key: value for key, value in context.items() if key != SAMPLED_OUT_KEY})
        return with_span(context, span)
    return context if span.left_out is None else Context({**context, SAMPLED_OUT_KEY: span.left_out})


def detach(token: Token[Context]) -> None:
    """Make current what was before `attach`."""
    try:
        token.var.reset(token)
    except (ValueError, RuntimeError) as error:
        # Closed from elsewhere (a generator collected in another task): that context is not ours to restore. Or
        # detached already, before something was thrown in.
        let_through(error)


@contextmanager
def attached(context: Context) -> Iterator[None]:
    """The context is the current one inside."""
    before = get_current()
    token = None
    try:
        token = attach(context)
        yield
    except GeneratorExit:
        if get_current() is not context:  # dropped late, with the exception that kept it: all is restored already
            token = None
        raise
    finally:
        # No function of Python's is called here: one begins with a look for signals, before it does anything.
        try:
            if token is not None:
                token.var.reset(token)
            elif get_current() is context:  # something was thrown in before the token was kept
                attach(before)
        except (ValueError, RuntimeError) as error:  # as in detach()
            let_through(error)


@contextmanager
def _scoped(**changes: Any) -> Iterator[None]:
    context = get_current()
    with attached(Context({**context, SCOPE_KEY: replace(current_scope(), **changes)})):
        yield


@contextmanager
def attributes(values: Mapping[str, Any]) -> Iterator[None]:
    """Every span that starts inside gets these attributes, as they are now; the inner of two wins.

    They win over an op's own and those of `weft.configure`; a single call's own win over them.

    Raises:
        UsageError: they are no mapping of names to values.

    Example:
        >>> with weft.attributes({"release": "2026-07"}):
        ...     answer("What is a closure?")
    """
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"weft.attributes() takes a dict with text keys, not {values!r}")
    outer = current_scope().attributes
    with _scoped(attributes=Attributes.of({**outer.values, **values} if outer is not None else values)):
        yield


@contextmanager
def thread(id: str | None = None, *, user_id: str | None = None) -> Iterator[str]:  # noqa: A002 - weave's name for it
    """Calls inside belong to this conversation (session); each outermost one is a turn of it.

    Inside another thread the calls are turns of the inner one; back in the outer one the next call is a new turn.

    Args:
        id: the conversation's id; default a new one of 32 hex digits.
        user_id: whose it is.

    Returns:
        The id.

    Raises:
        UsageError: an id is no text, or empty.

    Example:
        >>> with weft.thread("session-17", user_id="joe"):
        ...     answer("Hello")             # a turn
        ...     answer("And in French?")    # another one
    """
    conversation = runtime.active().ids.uid().hex() if id is None else _named("a conversation", id)
    changes = {"thread_id": conversation, "turn_id": None}
    if user_id is not None:
        changes["user_id"] = _named("a user", user_id)
    with _scoped(**changes):
        yield conversation


def _named(what: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"weft.thread() takes the id of {what}, a text of at least one character; not {value!r:.80}")
    return clean_name(value, runtime.active().settings.redact)


@contextmanager
def recording_into(run: Owner) -> Iterator[None]:
    """Calls inside start traces of their own, which belong to this run and are linked to what is open here."""
    outer = (SPAN_KEY, WEFT_KEY, SAMPLED_OUT_KEY)  # sampling does not apply to evaluations
    context = {key: value for key, value in get_current().items() if key not in outer}
    link: Any = get_current().get(WEFT_KEY)
    context[SCOPE_KEY] = replace(current_scope(), run=run, link=link, turn_id=None, tracestate=None)
    with attached(Context(context)):
        yield


@contextmanager
def listening(heard: Callable[[Heard], None]) -> Iterator[None]:
    """Each span inside is told to `heard` when it ends, in whatever thread; inner hides outer. Also those of the
    OpenTelemetry SDK that `weft.SpanProcessor` sees."""
    with _scoped(heard=heard):
        yield


@contextmanager
def as_current(span: Span) -> Iterator[Span]:
    """Calls inside nest under this span, which stays open: for spans that outlive a block (streams)."""
    with attached(inside(get_current(), span)):
        yield span
