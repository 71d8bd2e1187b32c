"""`@op`: every call of a function, coroutine, generator or method as a span. What can be is decided at decoration.

The wrapper's body is generated (`signature`); what it calls at each call is here, in `Recorder`.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from weft.tracer import signature
from weft.tracer.capture import capture
from weft.tracer.context import Attributes, attach, detach, get_current, with_span
from weft.tracer.span import Span, start
from weft.tracer.streams import AsyncDrive, AsyncStream, Collected, Flow, Stream, drive, drive_async
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.payloads.payload import unrecorded
from weft.tracking.payloads.redaction import clean_name
from weft.tracking.runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])

_CONTAINERS = (str, bytes, bytearray, list, tuple, dict, set, frozenset, type(None))


class Recorder:
    """What one op knows, and what its wrapper calls."""

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        name: str | None,
        kind: str,
        display_name: str | Callable[[Mapping[str, Any]], str] | None,
        attributes: Mapping[str, Any] | None,
        capture_inputs: bool,
        capture_output: bool,
        accumulator: Callable[[Any, Any], Any] | None,
        postprocess_inputs: Callable[[dict[str, Any]], Any] | None,
        postprocess_output: Callable[[Any], Any] | None,
    ) -> None:
        self.func = func
        self.name = name or _name_of(func)
        self.kind = kind
        self.display_name = display_name
        shown = {**(attributes or {})}
        if display_name is not None:
            shown["weft.op"] = self.name
        self.attributes = Attributes.of(shown) if shown else None
        self.capture_inputs = capture_inputs
        self.capture_output = capture_output
        self.accumulator = accumulator
        self.postprocess_inputs = postprocess_inputs
        self.postprocess_output = postprocess_output
        self.plain = capture_inputs and postprocess_inputs is None and display_name is None
        """The usual op: its inputs are captured as they are, its name is fixed."""

    def open(self, rt: Runtime, inputs: dict[str, Any]) -> Span | None:
        """Open the span and make it current. None, with the fault noted, where that failed."""
        try:
            if self.plain:
                span = start(rt, self.name, self.kind, capture(rt, inputs), self.attributes)
            else:
                span = self._begin(rt, inputs)
            span._token = attach(with_span(get_current(), span))
        except Exception as error:
            rt.faults.note("open a span", error)
            return None
        return span

    def close(self, span: Span, result: Any) -> Any:
        """The call returned: write the output, end the span. Answers the very result, or a proxy of a stream."""
        if span._token is not None:
            detach(span._token)
            span._token = None
        rt = span._runtime
        assert rt is not None
        try:
            if (self.accumulator is not None or type(result) in _GENERATORS) and (
                stream := self._stream(rt, span, result)
            ) is not None:
                return stream
            if self.capture_output:
                span.output_json = self._output(rt, result)
        except Exception as error:
            rt.faults.note("record an output", error)
        span.end()
        return result

    def fail(self, span: Span, error: BaseException) -> None:
        """The call raised."""
        if span._token is not None:
            detach(span._token)
            span._token = None
        span.end(error=error)

    def drive(self, rt: Runtime, inputs: dict[str, Any], source: Any, span: Span | None = None) -> Any:
        """A generator op began: its first step."""
        return drive(self._flow(rt, inputs, span), source)

    def drive_async(self, rt: Runtime, inputs: dict[str, Any], source: Any) -> AsyncDrive:
        """An async generator op began: its first step."""
        return AsyncDrive(self._flow(rt, inputs) if rt.recording else None, source)

    def _begin(self, rt: Runtime, inputs: dict[str, Any], span: Span | None = None) -> Span:
        name = self.name
        if self.display_name is not None:
            name = self._display_name(rt, inputs)
        data = self._inputs(rt, inputs) if self.capture_inputs else None
        return start(rt, name, self.kind, data, self.attributes, span)

    def _display_name(self, rt: Runtime, inputs: dict[str, Any]) -> str:
        shown = self.display_name
        if callable(shown):
            try:
                shown = clean_name(str(shown(inputs)), rt.settings.redact)
            except Exception as error:
                rt.faults.note(f"name a call of {self.name}", error)
                shown = None
        return shown or self.name

    def _inputs(self, rt: Runtime, inputs: dict[str, Any]) -> bytes:
        if self.postprocess_inputs is None:
            return capture(rt, inputs)
        try:
            changed = self.postprocess_inputs(inputs)
            return capture(rt, changed if isinstance(changed, Mapping) else {"value": changed})
        except Exception as error:
            rt.faults.note(f"postprocess the inputs of {self.name}", error)
            return unrecorded(f"postprocess_inputs raised {type(error).__name__}")

    def _output(self, rt: Runtime, result: Any) -> bytes:
        if self.postprocess_output is None:
            return capture(rt, result)
        try:
            return capture(rt, self.postprocess_output(result))
        except Exception as error:
            rt.faults.note(f"postprocess the output of {self.name}", error)
            return unrecorded(f"postprocess_output raised {type(error).__name__}")

    def _flow(self, rt: Runtime, inputs: dict[str, Any], span: Span | None = None) -> Flow | None:
        try:
            return Flow(self._begin(rt, inputs, span), self._collected(rt))
        except Exception as error:
            rt.faults.note("open a span", error)
            return None

    def _collected(self, rt: Runtime) -> Collected:
        accumulate = self.accumulator
        if accumulate is None and self.postprocess_output is not None:
            accumulate = _listed
        return Collected(rt, accumulate, self._output, self.capture_output)

    def _stream(self, rt: Runtime, span: Span, result: Any) -> Any:
        """A proxy where the result is a stream; None where it is not."""
        flow = Flow(span, self._collected(rt))
        if isinstance(result, types.GeneratorType):
            return flow.until_dropped(drive(flow, result))
        if isinstance(result, types.AsyncGeneratorType):
            return flow.until_dropped(drive_async(lambda: flow, result))
        if isinstance(result, _CONTAINERS):
            return None
        if hasattr(result, "__anext__") or hasattr(result, "__aiter__"):
            return AsyncStream(result, flow)
        if hasattr(result, "__next__") or hasattr(result, "__iter__"):
            return Stream(result, flow)
        return None


def _listed(state: list[Any] | None, item: Any) -> list[Any]:
    """All items, for an op that postprocesses its output."""
    if state is None:
        return [item]
    state.append(item)
    return state


_GENERATORS = frozenset({types.GeneratorType, types.AsyncGeneratorType})


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
) -> Callable[[F], F]: ...
def op(func: Any = _NOT_GIVEN, /, **options: Any) -> Any:
    """Record every call of a function as a span: inputs, output, error, time, and what it calls.

    Works on functions, coroutine functions, generators, async generators, methods, class and static methods (either
    decorator first). The function behaves as before; only the record is new. `f.call(...)` answers `(result, span)`
    and keeps an Exception in `span.error`.

    Args:
        name: what it is called; default the qualified name (`Class.method`).
        kind: op, agent, llm, tool, retriever, embedding, guardrail, scorer, chain, or your own word.
        display_name: shown for a call in place of the name: a text, or made from the inputs.
        attributes: recorded with every call.
        capture_inputs: False records none.
        capture_output: False records none.
        accumulator: `(state or None, item) -> state`: what a stream's output is; default the list of its items.
        postprocess_inputs: what is recorded of the inputs; the function gets the true ones.
        postprocess_output: what is recorded of the output; the caller gets the true one.

    Raises:
        UsageError: it is no function, or an option has the wrong type.

    Example:
        >>> @weft.op
        ... def answer(question: str) -> str:
        ...     return "It depends."
    """
    settings = {**_DEFAULTS, **options}
    _check(settings)
    if func is _NOT_GIVEN:
        return functools.partial(_decorate, settings=settings)
    return _decorate(func, settings=settings)


_DEFAULTS: dict[str, Any] = {
    "name": None,
    "kind": "op",
    "display_name": None,
    "attributes": None,
    "capture_inputs": True,
    "capture_output": True,
    "accumulator": None,
    "postprocess_inputs": None,
    "postprocess_output": None,
}


def _check(settings: Mapping[str, Any]) -> None:
    unknown = settings.keys() - _DEFAULTS.keys()
    if unknown:
        raise TypeError(f"op() has no option {sorted(unknown)[0]!r}; it takes {', '.join(_DEFAULTS)}")
    for name in ("name", "kind"):
        value = settings[name]
        if (not isinstance(value, str) or not value) and not (name == "name" and value is None):
            raise UsageError(f"{name} of @op must be a text, not {value!r}")
    if settings["attributes"] is not None and not isinstance(settings["attributes"], Mapping):
        raise UsageError(f"attributes of @op must be a mapping of names to values, not {settings['attributes']!r}")
    for name in ("accumulator", "postprocess_inputs", "postprocess_output"):
        if settings[name] is not None and not callable(settings[name]):
            raise UsageError(f"{name} of @op must be a function, not {settings[name]!r}")
    shown = settings["display_name"]
    if shown is not None and not isinstance(shown, str) and not callable(shown):
        raise UsageError(f"display_name of @op must be a text or a function of the inputs, not {shown!r}")


def _decorate(func: Any, *, settings: Mapping[str, Any]) -> Any:
    if isinstance(func, staticmethod | classmethod):
        return type(func)(_decorate(func.__func__, settings=settings))
    if isinstance(func, type):
        raise UsageError(f"@op records calls of functions and methods; {func!r} is none. Decorate its methods.")
    if not callable(func):
        raise UsageError(f"@op records calls of functions and methods; {func!r} is none. Give it the function.")
    recorder = Recorder(func, **settings)
    shape = signature.shape_of(func)
    names = {
        "_weft_runtime": runtime,
        "_weft_start": runtime.active,
        "_weft_open": recorder.open,
        "_weft_fail": recorder.fail,
        "_weft_close": recorder.close,
        "_weft_drive": recorder.drive,
        "_weft_adrive": recorder.drive_async,
    }
    template, caller = _templates(func)
    wrapper = signature.generate(template, shape, func, names)
    bind = signature.generate(signature.BIND, shape, func, names)
    made: Any = wrapper
    made.name = recorder.name
    made.kind = recorder.kind
    made.call = functools.partial(caller, recorder, bind)
    return wrapper


def _templates(func: Callable[..., Any]) -> tuple[str, Callable[..., Any]]:
    for target in (func, inspect.getattr_static(type(func), "__call__", None)):
        if inspect.iscoroutinefunction(target):
            return signature.COROUTINE, _call_async
        if inspect.isasyncgenfunction(target):
            return signature.ASYNC_GENERATOR, _call_async_generator
        if inspect.isgeneratorfunction(target):
            return signature.GENERATOR, _call_generator
    return signature.FUNCTION, _call


def _call(recorder: Recorder, bind: Callable[..., Any], /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    """`f.call(...)`: the result and its span; an Exception is in `span.error` and the result None."""
    rt = runtime.active()
    inputs = bind(*args, **kwargs)
    span = (recorder.open(rt, inputs) if rt.recording else None) or Span()
    try:
        result = recorder.func(*args, **kwargs)
    except BaseException as error:
        _failed(recorder, span, error)
        return None, span
    return (recorder.close(span, result) if span._runtime is not None else result), span


async def _call_async(recorder: Recorder, bind: Callable[..., Any], /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    rt = runtime.active()
    inputs = bind(*args, **kwargs)
    span = (recorder.open(rt, inputs) if rt.recording else None) or Span()
    try:
        result = await recorder.func(*args, **kwargs)
    except BaseException as error:
        _failed(recorder, span, error)
        return None, span
    return (recorder.close(span, result) if span._runtime is not None else result), span


def _failed(recorder: Recorder, span: Span, error: BaseException) -> None:
    if span._runtime is not None:
        recorder.fail(span, error)
    span.error = error
    if not isinstance(error, Exception):
        raise error


def _call_generator(recorder: Recorder, bind: Callable[..., Any], /, *args: Any, **kwargs: Any) -> tuple[Any, Span]:
    """The generator and the span that it opens at its first step."""
    inputs = bind(*args, **kwargs)
    span = Span()

    def generate() -> Any:
        rt = runtime.active()
        source = recorder.func(*args, **kwargs)
        return (yield from (recorder.drive(rt, inputs, source, span) if rt.recording else source))

    return generate(), span


def _call_async_generator(
    recorder: Recorder, bind: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> tuple[Any, Span]:
    inputs = bind(*args, **kwargs)
    span = Span()

    def begin() -> Flow | None:
        rt = runtime.active()
        return recorder._flow(rt, inputs, span) if rt.recording else None

    return drive_async(begin, recorder.func(*args, **kwargs)), span


def _name_of(func: Any) -> str:
    inner = func
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return str(name).rpartition("<locals>.")[2]
