"""What one op knows, and what its generated wrapper calls at every call: open, close, fail, drive."""

from __future__ import annotations

import functools
import os
import threading
import types
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

from opentelemetry.context import Context

from weft.tracer.capture import capture
from weft.tracer.context import (
    SAMPLED_OUT_KEY,
    SPAN_KEY,
    Attributes,
    attach,
    detach,
    get_current,
    inside,
    with_span,
)
from weft.tracer.options import DISPLAY_NAME_CHARS, Options
from weft.tracer.sampling import decide
from weft.tracer.span import Span, start
from weft.tracer.streams import (
    AsyncDrive,
    AsyncStream,
    BlockFlow,
    Collected,
    Drive,
    Flow,
    Stream,
    drive,
    drive_async,
)
from weft.tracking import runtime
from weft.tracking.payloads.payload import unrecorded
from weft.tracking.payloads.redaction import clean_name
from weft.tracking.runtime import Runtime

_CONTAINERS = (str, bytes, bytearray, list, tuple, dict, set, frozenset, type(None))
_imports = threading.RLock()
"""Held while a first call imports. A fork waits for it: a child would find the module's own lock taken for ever."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_imports.acquire, after_in_parent=_imports.release, after_in_child=_imports.release)
_loading: list[bool] = []
"""Not empty while this happens."""
_LAZY = frozenset({types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType})
"""Results whose work is still to come, in the span's context."""
_NO_STACK = unrecorded("at the recursion limit: no stack was left to read it")
D = TypeVar("D", Drive, AsyncDrive)


class Recorder:
    """One op: its options as its wrapper needs them.

    Args:
        origin: the op whose call has other options than it (`f.options(...)`).
        block: the function is the body of a context manager (`contextlib`).
    """

    def __init__(
        self, func: Callable[..., Any], options: Options, *, origin: Recorder | None = None, block: bool = False
    ) -> None:
        self.func = func
        self.options = options
        self.block = block
        self.name = options.name or name_of(func)
        self.kind = options.kind
        self.display_name = options.display_name
        own = options.attributes if origin is None else origin.options.attributes
        shown = {**(own or {})}
        if options.display_name is not None:
            shown["weft.op"] = self.name
        self.attributes = Attributes.of(shown) if shown else None
        given = None if origin is None or options.attributes is own else options.attributes
        self.call_attributes = Attributes.of(given) if given else None
        """Of the calls with these options alone: they win over those of the context, which win over the op's."""
        self.sample_rate = options.sample_rate
        self.capture_inputs = options.capture_inputs
        self.capture_output = options.capture_output
        self.accumulator = options.accumulator
        self.version: str | None = None
        """Digest of the op's code, once a call of it was recorded."""
        self._origin = origin
        self._runtime: Runtime | None = None
        """The one that what follows is for."""
        self._input_hooks: tuple[Callable[[Any], Any], ...] = ()
        self._output_hooks: tuple[Callable[[Any], Any], ...] = ()
        self._plain_for: Runtime | None = None
        """The same, for the usual op: its inputs are captured as they are, its name is fixed."""

    def open(self, rt: Runtime, inputs: dict[str, Any]) -> Span | None:
        """Open the span and make it current. None, with the fault noted, where that failed.

        Where sampling leaves the call out the span is one that records nothing, and what is below inherits that.
        """
        context = get_current()
        span: Span | None = None
        try:
            parent = context.get(SPAN_KEY)
            trace: bytes | None = None
            if type(parent) is not Span:
                decided = decide(rt, context, parent, self.sample_rate)
                if type(decided) is Span:
                    if SAMPLED_OUT_KEY not in context:
                        decided._token = attach(inside(context, decided))
                    return decided
                trace = decided  # type: ignore[assignment]
            if rt is self._plain_for:
                span = start(
                    rt,
                    self.name,
                    self.kind,
                    capture(rt, inputs),
                    self.attributes,
                    None,
                    self.call_attributes,
                    context,
                    trace,
                    self.version,
                )
            else:
                span = self._begin(rt, context, parent, inputs, trace, None)
            span._token = attach(with_span(context, span))
        except RecursionError:  # no stack is left: the call itself may just fit
            return None
        except BaseException as error:
            _not_opened(rt, context, span, error)
            return None
        return span

    def close(self, span: Span, result: Any) -> Any:
        """The call returned: write the output, end the span. Answers the very result, or a proxy of a stream."""
        if span._token is not None:
            detach(span._token)
            span._token = None
        rt = span._runtime
        if rt is None:  # sampled out
            if self.accumulator is None and type(result) not in _LAZY:
                span._ended = True
                return result
            rt = runtime.active()
        try:
            if (self.accumulator is not None or type(result) in _LAZY) and (
                stream := self._stream(rt, span, result)
            ) is not None:
                return stream
            if self.capture_output and span._runtime is not None:
                span.output_json = self._output(rt, result) if self._output_hooks else capture(rt, result)
        except RecursionError:
            span.output_json = _NO_STACK
        except Exception as error:
            rt.faults.note("record an output", error)
        span.end()
        return result

    def fail(self, span: Span, error: BaseException) -> None:
        """The call raised, or something was thrown into `close`, or into `fail`: whatever is left to do is done."""
        if span._token is not None:
            detach(span._token)
            span._token = None
        span.end(error=error)

    def drive(self, rt: Runtime, inputs: dict[str, Any], source: Any) -> Drive:
        """A generator op began: its first step."""
        return self._driven(Drive, rt, inputs, source)

    def drive_async(self, rt: Runtime, inputs: dict[str, Any], source: Any) -> AsyncDrive:
        """An async generator op began: its first step."""
        return self._driven(AsyncDrive, rt, inputs, source)

    def _driven(self, kind: type[D], rt: Runtime, inputs: dict[str, Any], source: Any) -> D:
        flow = self.flow(rt, inputs) if rt.recording else None
        try:
            return kind(flow, source)
        except BaseException as error:
            if flow is not None:
                flow.finish(error)
            raise

    def flow(self, rt: Runtime, inputs: dict[str, Any], span: Span | None = None) -> Flow | None:
        """The running stream of a generator op. None, with the fault noted, where opening its span failed."""
        context = get_current()
        opened: Span | None = None
        try:
            parent = context.get(SPAN_KEY)
            decided = None if type(parent) is Span else decide(rt, context, parent, self.sample_rate)
            if isinstance(decided, Span):
                opened = decided
                if span is not None:
                    span.left_out = decided.left_out
            else:
                opened = self._begin(rt, context, parent, inputs, decided, span)
            if self.block:
                return BlockFlow(opened, Collected(rt, _latest, self._output, self.capture_output))
            return Flow(opened, self._collected(rt, opened))
        except BaseException as error:
            _not_opened(rt, context, opened, error)
            return None

    def _begin(
        self,
        rt: Runtime,
        context: Context,
        parent: object,
        inputs: dict[str, Any],
        trace: bytes | None,
        span: Span | None,
    ) -> Span:
        """The span, written but not yet current."""
        if rt is not self._runtime:
            self._prepare(rt, parent)
        name = self.name if self.display_name is None else self._display_name(rt, inputs)
        data = self._inputs(rt, inputs) if self.capture_inputs else None
        return start(
            rt, name, self.kind, data, self.attributes, span, self.call_attributes, context, trace, self.version
        )

    def _prepare(self, rt: Runtime, parent: object) -> None:
        """The first call under these settings: what they add to the op's options, and the version of its code."""
        options, settings = self.options, rt.settings
        hooks = (options.postprocess_inputs, settings.postprocess_inputs)
        self._input_hooks = tuple(hook for hook in hooks if hook is not None)
        hooks_out = (options.postprocess_output, settings.postprocess_output)
        self._output_hooks = tuple(hook for hook in hooks_out if hook is not None)
        if _loading:  # a signal handler's first call, in the middle of another's: the next one finds out
            return
        if self._origin is not None:
            if self._origin._runtime is not rt:
                self._origin._prepare(rt, parent)
            self.version = self._origin.version
        else:
            self.version = self._code_version(rt, parent) if settings.capture_code else None
        self._runtime = rt
        plain = self.capture_inputs and not self._input_hooks and self.display_name is None
        self._plain_for = rt if plain else None

    def _code_version(self, rt: Runtime, parent: object) -> str | None:
        project = parent.project if isinstance(parent, Span) else (rt.run or rt.settings).project
        try:
            version: str | None = _codeversion().record_version(rt, self.func, self.name, project)
        except Exception as error:
            rt.faults.note("read an op's code", error)
            return None
        return version

    def _display_name(self, rt: Runtime, inputs: dict[str, Any]) -> str:
        shown = self.display_name
        if callable(shown):
            try:
                shown = str(shown(inputs))
            except Exception as error:
                rt.faults.note(f"name a call of {self.name}", error)
                shown = None
        shown = clean_name(shown, rt.settings.redact) if shown else self.name
        return shown if len(shown) <= DISPLAY_NAME_CHARS else shown[: DISPLAY_NAME_CHARS - 1] + "…"

    def _inputs(self, rt: Runtime, inputs: dict[str, Any]) -> bytes:
        recorded: Any = inputs
        for hook in self._input_hooks:
            try:
                recorded = hook(recorded)
                if not isinstance(recorded, Mapping):
                    recorded = {"value": recorded}
            except Exception as error:
                rt.faults.note(f"postprocess the inputs of {self.name}", error)
                return unrecorded(f"postprocess_inputs raised {type(error).__name__}")
        return capture(rt, recorded)

    def _output(self, rt: Runtime, result: Any) -> bytes:
        for hook in self._output_hooks:
            try:
                result = hook(result)
            except Exception as error:
                rt.faults.note(f"postprocess the output of {self.name}", error)
                return unrecorded(f"postprocess_output raised {type(error).__name__}")
        return capture(rt, result)

    def _collected(self, rt: Runtime, span: Span) -> Collected:
        accumulate = self.accumulator
        if accumulate is None and self._output_hooks:
            accumulate = _listed
        return Collected(rt, accumulate, self._output, self.capture_output and span._runtime is not None)

    def _stream(self, rt: Runtime, span: Span, result: Any) -> Any:
        """A proxy where the result is a stream, or a coroutine to await; None where it is neither."""
        if isinstance(result, _CONTAINERS):
            return None
        flow = Flow(span, self._collected(rt, span))
        if isinstance(result, types.CoroutineType):
            return self._followed(span, flow, result)
        if isinstance(result, types.GeneratorType):
            return flow.until_dropped(drive(lambda: flow, result))
        if isinstance(result, types.AsyncGeneratorType):
            return flow.until_dropped(drive_async(lambda: flow, result))
        if hasattr(result, "__anext__") or hasattr(result, "__aiter__"):
            return AsyncStream(result, flow)
        if hasattr(result, "__next__") or hasattr(result, "__iter__"):
            return Stream(result, flow)
        return None

    def _followed(self, span: Span, flow: Flow, coroutine: types.CoroutineType[Any, Any, Any]) -> Any:
        """The coroutine that a plain function returned (as decorators do), awaited inside its span."""

        async def followed() -> Any:
            token = flow.enter()
            try:
                try:
                    result = await coroutine
                except BaseException as error:
                    flow.leave(token)
                    span.end(error=error)
                    raise
                flow.leave(token)
                return self.close(span, result)
            except BaseException as error:  # thrown in meanwhile; else all this is done
                detach(token)
                self.fail(span, error)
                raise

        made: Any = followed()
        inner: Any = coroutine  # typeshed knows coroutines without names
        made.__name__, made.__qualname__ = inner.__name__, inner.__qualname__
        weakref.finalize(made, _drop, span, coroutine)
        return made


def _not_opened(rt: Runtime, context: Context, span: Span | None, error: BaseException) -> None:
    """Nothing of it is left current or open; the error is noted, or raised where the program threw it in."""
    if get_current() is not context:
        attach(context)
    if span is not None:
        span.end(error=error)
    try:
        rt.faults.note("open a span", error)
    finally:
        del error  # it must not hold a frame that holds it


def _drop(span: Span, coroutine: types.CoroutineType[Any, Any, Any]) -> None:
    """Python says of the outer one that it was never awaited; once is enough."""
    coroutine.close()
    span.end()


def _codeversion() -> ModuleType:
    """What reads code: `ast`, `dis` and the artifacts are for first calls alone."""
    with _imports:
        _loading.append(True)
        try:
            return import_module("weft.tracer.codeversion")
        finally:
            _loading.pop()


def _listed(state: list[Any] | None, item: Any) -> list[Any]:
    """All items, for an op that postprocesses its output."""
    if state is None:
        return [item]
    state.append(item)
    return state


def _latest(state: Any, item: Any) -> Any:
    """What a context manager gave: its output."""
    return item


def name_of(func: Any) -> str:
    """The qualified name, without the functions that it was defined in."""
    inner = func
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return str(name).rpartition("<locals>.")[2]
