"""`@op`: every call of a function, coroutine, generator or method as a span. What can be is decided at decoration.

The wrapper's body is generated (`signature`); what it calls at each call is in `recorder`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, overload

from weft.tracer import signature
from weft.tracer.options import Options
from weft.tracer.recorder import Recorder
from weft.tracer.span import Span
from weft.tracer.streams import Flow, drive, drive_async
from weft.tracking import runtime
from weft.tracking.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_NOT_GIVEN = object()
"""Stands for the function where `@op(...)` has only options: None may be somebody's mistake."""


@overload
def op(func: F, /) -> F: ...
@overload
def op(
    *,
    name: str | None = None,
    kind: str = "op",
    display_name: str | Callable[[Mapping[str, Any]], str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    capture_inputs: bool = True,
    capture_output: bool = True,
    accumulator: Callable[[Any, Any], Any] | None = None,
    postprocess_inputs: Callable[[dict[str, Any]], Any] | None = None,
    postprocess_output: Callable[[Any], Any] | None = None,
    sample_rate: float | None = None,
) -> Callable[[F], F]: ...
def op(func: Any = _NOT_GIVEN, /, **options: Any) -> Any:
    """Record every call of a function as a span: inputs, output, error, time, and what it calls.

    Works on functions, coroutine functions, generators, async generators, context managers (`contextlib`), methods,
    class and static methods (either decorator first), partials and callable objects. The function behaves as before;
    only the record is new.

    `f.call(...)` answers `(result, span)` and keeps an Exception in `span.error`; `f.options(...)` is the same function
    with other options, for single calls. Of a method both take the object first: `shop.total.call(shop, 3)`.

    Args:
        name: what it is called; default the qualified name (`Class.method`).
        kind: op, agent, llm, tool, retriever, embedding, guardrail, scorer, chain, or your own word.
        display_name: shown for a call in place of the name: a text, or made from the inputs; up to 1024 characters.
        attributes: recorded with every call. Those of `weft.attributes` around a call win over them.
        capture_inputs: False records none.
        capture_output: False records none.
        accumulator: `(state or None, item) -> state`: what a stream's output is; default the list of its items. With
            one, any iterator that the function returns is followed as a stream.
        postprocess_inputs: what is recorded of the inputs; the function gets the true ones.
        postprocess_output: what is recorded of the output; the caller gets the true one.
        sample_rate: the share of calls that are recorded, 0 to 1, where the call begins a trace; all below it goes
            with it. Decided by the trace id. Default that of the settings (`WEFT_SAMPLE_RATE`).

    An op that is decorated again is one op with the options of both, the later ones winning: a call is one span.

    Raises:
        UsageError: it is no function, or an option has the wrong type.

    Example:
        >>> @weft.op
        ... def answer(question: str) -> str:
        ...     return "It depends."
    """
    _DEFAULTS.but(options)  # what is wrong with them is said here
    if func is _NOT_GIVEN:
        return functools.partial(_decorate, options=options)
    return _decorate(func, options=options)


_DEFAULTS = Options()


def _decorate(func: Any, *, options: Mapping[str, Any]) -> Any:
    if isinstance(func, staticmethod | classmethod):
        return type(func)(_decorate(func.__func__, options=options))
    if isinstance(func, functools.partialmethod):
        return functools.partialmethod(_decorate(func.func, options=options), *func.args, **func.keywords)
    if isinstance(func, property | functools.cached_property):
        raise UsageError(f"@op records calls of functions; {type(func).__name__} goes above it: @property, then @op.")
    if isinstance(func, type):
        raise UsageError(f"@op records calls of functions and methods; {func!r} is none. Decorate its methods.")
    if not callable(func):
        raise UsageError(f"@op records calls of functions and methods; {func!r} is none. Give it the function.")
    known = _op_of(func)
    if known is None:
        return _made(func, _DEFAULTS.but(options))
    recorder, body = known
    if not options:
        return func
    original = body.func if body.block is None else body.block(body.func)
    return _made(original, recorder.options.but(options))


class _Body(NamedTuple):
    """What of an op does not change with its options."""

    func: Callable[..., Any]
    """What is recorded: of a context manager its generator function."""
    block: Callable[..., Any] | None
    """What makes a context manager of it: `contextlib`'s decorator."""
    wrapper: Callable[..., Any]
    """Generated; with other names in its scope it records for another recorder."""
    bind: Callable[..., Any]
    caller: Callable[..., Any]
    recorder: Recorder


def _made(func: Callable[..., Any], options: Options) -> Any:
    block = _block_of(func)
    inner = func if block is None else func.__wrapped__  # type: ignore[attr-defined]
    recorder = Recorder(inner, options, block=block is not None)
    shape = signature.shape_of(inner)
    template, caller = _templates(inner)
    wrapper = signature.generate(template, shape, inner, _names(recorder))
    bind = signature.generate(signature.BIND, shape, inner, {})
    body = _Body(inner, block, wrapper, bind, caller, recorder)
    return _equipped(body, wrapper, recorder)


def _equipped(body: _Body, wrapper: Callable[..., Any], recorder: Recorder) -> Any:
    """The op that the user gets: with name, kind, `call` and `options`."""
    made: Any = wrapper if body.block is None else body.block(wrapper)
    made.name = recorder.name
    made.kind = recorder.kind
    made.call = functools.partial(body.caller, recorder, body)
    made.options = functools.partial(_with_options, recorder, body)
    return made


def _op_of(func: Any) -> tuple[Recorder, _Body] | None:
    """What an op is made of; None: it is none, though a decorator may have copied an op's attributes onto it."""
    call = getattr(func, "call", None) if isinstance(func, types.FunctionType) else None
    if not (isinstance(call, functools.partial) and len(call.args) == 2 and isinstance(call.args[1], _Body)):
        return None
    recorder, body = call.args
    wrapper = func if body.block is None else getattr(func, "__wrapped__", None)
    return (recorder, body) if getattr(wrapper, "__code__", None) is body.wrapper.__code__ else None


def _with_options(recorder: Recorder, body: _Body, /, **changes: Any) -> Any:
    """`f.options(...)`: the op with these options in place of its own, of the same shape; costs some microseconds.

    Attributes given here win over all others; those of the op are recorded as well. It is made for single calls: it
    cannot be pickled, its op can.

    Raises:
        TypeError: there is no such option.
        UsageError: one has the wrong type.
    """
    options = recorder.options.but(changes, "options")
    changed = Recorder(body.func, options, origin=body.recorder, block=body.block is not None)
    return _equipped(body, signature.again(body.wrapper, _names(changed)), changed)


def _names(recorder: Recorder) -> dict[str, Any]:
    return {
        "_weft_runtime": runtime,
        "_weft_start": runtime.active,
        "_weft_open": recorder.open,
        "_weft_fail": recorder.fail,
        "_weft_close": recorder.close,
        "_weft_drive": recorder.drive,
        "_weft_adrive": recorder.drive_async,
    }


def _templates(func: Callable[..., Any]) -> tuple[str, Callable[..., Any]]:
    for target in (func, inspect.getattr_static(type(func), "__call__", None)):
        if inspect.iscoroutinefunction(target):
            return signature.COROUTINE, _call_async
        if inspect.isasyncgenfunction(target):
            return signature.ASYNC_GENERATOR, _call_async_generator
        if inspect.isgeneratorfunction(target):
            return signature.GENERATOR, _call_generator
    return signature.FUNCTION, _call


def _empty() -> Any:
    yield


_BLOCKS: dict[types.CodeType, Callable[..., Any]] = {
    decorator(_empty).__code__: decorator for decorator in (contextlib.contextmanager, contextlib.asynccontextmanager)
}
"""Code of the functions that `contextlib` makes: they say nothing of what happens inside the block."""


def _block_of(func: Callable[..., Any]) -> Callable[..., Any] | None:
    if not isinstance(func, types.FunctionType) or func.__code__ not in _BLOCKS:
        return None
    inner = getattr(func, "__wrapped__", None)
    if inspect.getclosurevars(func).nonlocals.get("func") is not inner:
        return None  # another decorator has put its own in between
    return _BLOCKS[func.__code__]


def _call(recorder: Recorder, body: _Body, /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    """`f.call(...)`: the result and its span; an Exception is in `span.error` and the result None."""
    rt = runtime.active()
    inputs = _bound(body, args, kwargs)
    span = (recorder.open(rt, inputs) if rt.recording else None) or Span()
    span.version = recorder.version
    try:
        try:
            return recorder.close(span, recorder.func(*args, **kwargs)), span
        except BaseException as error:
            recorder.fail(span, error)
            raise
    except BaseException as error:
        _failed(recorder, span, error)
        return None, span


async def _call_async(recorder: Recorder, body: _Body, /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    rt = runtime.active()
    inputs = _bound(body, args, kwargs)
    span = (recorder.open(rt, inputs) if rt.recording else None) or Span()
    span.version = recorder.version
    try:
        try:
            return recorder.close(span, await recorder.func(*args, **kwargs)), span
        except BaseException as error:
            recorder.fail(span, error)
            raise
    except BaseException as error:
        _failed(recorder, span, error)
        return None, span


def _failed(recorder: Recorder, span: Span, error: BaseException) -> None:
    recorder.fail(span, error)
    span.error = error
    if not isinstance(error, Exception):
        raise error


def _call_generator(recorder: Recorder, body: _Body, /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    """The generator, or context manager, and the span that it opens at its first step."""
    inputs = _bound(body, args, kwargs)
    span = Span()

    def begin() -> Flow | None:
        rt = runtime.active()
        flow = recorder.flow(rt, inputs, span) if rt.recording else None
        span.version = recorder.version
        return flow

    def generate() -> Any:
        return drive(begin, recorder.func(*args, **kwargs))

    return (generate() if body.block is None else body.block(generate)()), span


def _call_async_generator(recorder: Recorder, body: _Body, /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    inputs = _bound(body, args, kwargs)
    span = Span()

    def begin() -> Flow | None:
        rt = runtime.active()
        flow = recorder.flow(rt, inputs, span) if rt.recording else None
        span.version = recorder.version
        return flow

    def generate() -> Any:
        return drive_async(begin, recorder.func(*args, **kwargs))

    return (generate() if body.block is None else body.block(generate)()), span


def _bound(body: _Body, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The inputs by name.

    Raises:
        TypeError: they do not fit; Python's own.
    """
    try:
        inputs: dict[str, Any] = body.bind(*args, **kwargs)
    except TypeError as error:
        if signature.takes_itself(body.func):
            name = body.func.__name__
            error.add_note(f"Of a method, `call` takes the object first: obj.{name}.call(obj, ...)")
        raise
    return inputs
