"""What is current, carried along: into threads, executors and child processes, and back into callbacks.

`wrap_context` is what the rest is made of. Plain threads and pools carry nothing, which is Python's own rule.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from types import CodeType
from typing import Any, ParamSpec, TypeVar, cast

from opentelemetry.context import Context

from weft.tracer.context import attach, attached, detach, get_current
from weft.tracking.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


def wrap_context(func: Callable[P, R]) -> Callable[P, R]:
    """The function, run under what is current now, wherever it is called: threads, executors, callbacks, processes.

    Current are the open span, the conversation, attributes, run and baggage. What comes back can be pickled where the
    function can; in a child process its calls nest under the span that is open here, and are recorded where
    `weft.configure` told this program to record. Coroutine functions and generators stay what they are.

    Example:
        >>> executor.submit(weft.wrap_context(fetch), url)
        >>> multiprocessing.Pool().map(weft.wrap_context(fetch), urls)
        >>> carried = joblib.delayed(weft.wrap_context(fetch))    # not inside the generator: a thread of joblib runs it
        >>> joblib.Parallel(n_jobs=4)(carried(url) for url in urls)

    Raises:
        UsageError: it is no function.
    """
    if not callable(func):
        raise UsageError(f"weft.wrap_context() takes a function, not {func!r:.80}")
    return cast(Callable[P, R], Carrying(func, get_current()))


class Carrying:
    """A function with the context that its calls run under. An object and no closure, so that it can be pickled."""

    def __init__(self, func: Callable[..., Any], context: Context) -> None:
        functools.update_wrapper(self, func)
        self._func = func
        self._context = context
        code = _code(func)
        if code is not None:
            # By these `inspect` sees what a call answers: a coroutine, a generator, or a value.
            self.__code__ = code
            self.__name__ = getattr(func, "__name__", code.co_name)  # a partial has none
            self.__defaults__ = None
            self.__kwdefaults__ = None
        self._run = _way(func)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(self._context, self._func, args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> tuple[Any, ...]:
        from weft.tracer.processes import pack, unpack  # needed only where something is sent to a process

        return unpack, (self._func, pack(self._context))


def _code(func: Any) -> CodeType | None:
    """The code that runs at a call, under partials and methods."""
    while isinstance(func, functools.partial) or inspect.ismethod(func):
        func = func.func if isinstance(func, functools.partial) else func.__func__
    return func.__code__ if inspect.isfunction(func) else None


def _way(func: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(func):
        return _await
    if inspect.isasyncgenfunction(func):
        return _generate_async
    if inspect.isgeneratorfunction(func):
        return lambda context, func, args, kwargs: _generate(context, func(*args, **kwargs))
    return _call


def _call(context: Context, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    token = attach(context)
    try:
        return func(*args, **kwargs)
    finally:
        detach(token)


async def _await(context: Context, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    token = attach(context)
    try:
        return await func(*args, **kwargs)
    finally:
        detach(token)


def _generate(context: Context, source: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Each step under the context as the step before left it; between them the consumer's own is current."""
    step: Callable[[Any], Any] = source.send
    value: Any = None
    while True:
        token = attach(context)
        try:
            item = step(value)
        except StopIteration as stop:
            return stop.value
        finally:
            context = get_current()
            detach(token)
        try:
            step, value = source.send, (yield item)
        except GeneratorExit:
            with attached(context):
                source.close()
            raise
        except BaseException as error:
            step, value = source.throw, error


async def _generate_async(
    context: Context, func: Callable[..., AsyncGenerator[Any, Any]], args: Any, kwargs: Any
) -> AsyncGenerator[Any, Any]:
    source = func(*args, **kwargs)
    step: Callable[[Any], Any] = source.asend
    value: Any = None
    while True:
        token = attach(context)
        try:
            item = await step(value)
        except StopAsyncIteration:
            return
        finally:
            context = get_current()
            detach(token)
        try:
            step, value = source.asend, (yield item)
        except GeneratorExit:
            with attached(context):
                await source.aclose()
            raise
        except BaseException as error:
            step, value = source.athrow, error


class ContextThread(threading.Thread):
    """A thread whose calls nest under what is current where it is started.

    Example:
        >>> worker = weft.ContextThread(target=fetch, args=(url,))
    """

    _context: Context | None = None

    def start(self) -> None:
        """Begin; see `threading.Thread`."""
        self._context = get_current()
        super().start()

    def run(self) -> None:
        """The thread's work, under the starter's context."""
        with attached(self._context or Context()):
            super().run()


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A pool whose tasks (`submit`, `map`) nest under what is current where they are handed in.

    Example:
        >>> with weft.ContextThreadPoolExecutor(8) as pool:
        ...     pages = list(pool.map(fetch, urls))
    """

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """As `ThreadPoolExecutor.submit`."""
        return super().submit(wrap_context(fn), *args, **kwargs)
