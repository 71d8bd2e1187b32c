"""What is current: the span in the OpenTelemetry context, and the scope (attributes, thread, run) of spans inside.

Everything travels in the OpenTelemetry context, so whatever carries that (asyncio, instrumentors) carries weft too. The
tracer reads it at every call; programs use the context managers and the helpers for threads.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Token
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from opentelemetry.context import Context, create_key
from opentelemetry.context import attach as attach
from opentelemetry.context import get_current as get_current
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from weft.tracking.errors import UsageError
from weft.tracking.payloads.encoding import encode_object
from weft.tracking.payloads.redaction import redact

if TYPE_CHECKING:
    from weft.tracer.span import Span
    from weft.tracking.run import Run

P = ParamSpec("P")
R = TypeVar("R")

SPAN_KEY: str = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Where OpenTelemetry keeps the current span; asked of it, since the name is its own."""
WEFT_KEY = create_key("weft-span")
"""The nearest span of ours, under foreign ones too: a child takes its root's project and run from it."""
SCOPE_KEY = create_key("weft-scope")


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes that many spans share, encoded once."""

    values: Mapping[str, Any]
    encoded: bytes
    """As JSON."""
    clean: bytes
    """The same, redacted."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Attributes:
        """Encoded now: later changes to the values do not reach them."""
        encoded = encode_object(values)
        return cls(dict(values), encoded, redact(encoded))


@dataclass(frozen=True, slots=True)
class Scope:
    """What spans that start inside take on."""

    attributes: Attributes | None = None
    thread_id: str | None = None
    user_id: str | None = None
    run: Run | None = None
    """Root calls inside belong to this run, not to the process's."""
    link: Span | None = None
    """What was open around `recording_into`: its roots are linked to it."""
    heard: Callable[[Span], None] | None = None
    """Told of every span inside that ends with usage, when it does (`listening`)."""


_EMPTY = Scope()


def current_scope() -> Scope:
    """The scope here, empty where nothing was set."""
    scope = get_current().get(SCOPE_KEY)
    return scope if type(scope) is Scope else _EMPTY


def current_span() -> Span | None:
    """The innermost open weft span here; None outside of any. A foreign span on top of it does not hide it."""
    return get_current().get(WEFT_KEY)  # type: ignore[return-value]


def with_span(context: Context, span: Span) -> Context:
    """The context with this span as the current one."""
    return (
        Context({**context, SPAN_KEY: span, WEFT_KEY: span}) if context else Context({SPAN_KEY: span, WEFT_KEY: span})
    )


def detach(token: Token[Context]) -> None:
    """Make current what was before `attach`."""
    try:
        token.var.reset(token)
    except (ValueError, RuntimeError):
        # Closed from elsewhere (a generator collected in another task): that context is not ours to restore.
        pass


@contextmanager
def _attached(context: Context) -> Iterator[None]:
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


@contextmanager
def _scoped(**changes: Any) -> Iterator[None]:
    context = get_current()
    with _attached(Context({**context, SCOPE_KEY: replace(current_scope(), **changes)})):
        yield


@contextmanager
def attributes(values: Mapping[str, Any]) -> Iterator[None]:
    """Every span that starts inside gets these attributes; the inner of two wins.

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
def thread(id: str, *, user_id: str | None = None) -> Iterator[str]:  # noqa: A002 - wandb's and weave's name for it
    """Calls inside belong to this conversation; each outermost one is a turn of it.

    Args:
        id: the conversation's (session's) id.
        user_id: whose it is.

    Raises:
        UsageError: the id is no text, or empty.
    """
    if not isinstance(id, str) or not id:
        raise UsageError(f"weft.thread() takes the id of a conversation, a text; not {id!r}")
    changes = {"thread_id": id} if user_id is None else {"thread_id": id, "user_id": user_id}
    with _scoped(**changes):
        yield id


@contextmanager
def recording_into(run: Run) -> Iterator[None]:
    """Calls inside start traces of their own, which belong to this run and are linked to what is open here."""
    context = {key: value for key, value in get_current().items() if key not in (SPAN_KEY, WEFT_KEY)}
    context[SCOPE_KEY] = replace(current_scope(), run=run, link=current_span())
    with _attached(Context(context)):
        yield


@contextmanager
def listening(heard: Callable[[Span], None]) -> Iterator[None]:
    """Each span inside that ends with usage is told to `heard`, in whatever thread it ends; inner hides outer."""
    with _scoped(heard=heard):
        yield


@contextmanager
def as_current(span: Span) -> Iterator[Span]:
    """Calls inside nest under this span, which stays open: for spans that outlive a block (streams)."""
    with _attached(with_span(get_current(), span)):
        yield span


def wrap_context(func: Callable[P, R]) -> Callable[P, R]:
    """The function, run under what is current now, wherever it is called: for threads, executors and callbacks.

    Example:
        >>> executor.submit(weft.wrap_context(fetch), url)
    """
    context = get_current()
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            token = attach(context)
            try:
                return await func(*args, **kwargs)
            finally:
                detach(token)

        return run_async  # type: ignore[return-value]

    @functools.wraps(func)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        token = attach(context)
        try:
            return func(*args, **kwargs)
        finally:
            detach(token)

    return run


class ContextThread(threading.Thread):
    """A thread whose calls nest under what is current where it is started."""

    _context: Context | None = None

    def start(self) -> None:
        """Begin; see `threading.Thread`."""
        self._context = get_current()
        super().start()

    def run(self) -> None:
        """The thread's work, under the starter's context."""
        with _attached(self._context or Context()):
            super().run()


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A pool whose tasks (`submit`, `map`) nest under what is current where they are handed in."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """As `ThreadPoolExecutor.submit`."""
        return super().submit(wrap_context(fn), *args, **kwargs)
