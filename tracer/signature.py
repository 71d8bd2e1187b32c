"""Wrappers with the very signature of what they wrap, generated once, at decoration.

So a wrong call raises Python's own TypeError at the call, `inspect` sees the truth, and naming the arguments costs one
dict display instead of a bind. `op` is the only caller; the templates hold what happens at every call.

An exception may be thrown in at any instruction at which Python looks for signals: where a function begins, at a loop's
end, after a call of C. So no `try` begins later than the span, and each is guarded by one more, since `fail` (which may
be called twice) begins with such an instruction itself; and no loop is the first thing in a `try`: what is thrown in as
it goes back to its beginning would be outside of it (CPython 3.11). A call for whose record no stack is left goes
unrecorded.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from weft.tracer.capture import OWN_CODE
from weft.tracking.faults import let_through
from weft.tracking.payloads.objects import type_name

FUNCTION = """
def {name}({params}):
    _weft_rt = _weft_runtime._active or _weft_start()
    if not _weft_rt.recording:
        return _weft_func({call})
    try:
        _weft_span = _weft_open(_weft_rt, {inputs})
    except RecursionError:
        _weft_span = None
    if _weft_span is None:
        return _weft_func({call})
    try:
        try:
            return _weft_close(_weft_span, _weft_func({call}))
        except BaseException as _weft_error:
            _weft_fail(_weft_span, _weft_error)
            raise
    except BaseException as _weft_error:
        _weft_fail(_weft_span, _weft_error)
        raise
"""
COROUTINE = """
async def {name}({params}):
    _weft_rt = _weft_runtime._active or _weft_start()
    if not _weft_rt.recording:
        return await _weft_func({call})
    try:
        _weft_span = _weft_open(_weft_rt, {inputs})
    except RecursionError:
        _weft_span = None
    if _weft_span is None:
        return await _weft_func({call})
    try:
        try:
            return _weft_close(_weft_span, await _weft_func({call}))
        except BaseException as _weft_error:
            _weft_fail(_weft_span, _weft_error)
            raise
    except BaseException as _weft_error:
        _weft_fail(_weft_span, _weft_error)
        raise
"""
GENERATOR = """
def {name}({params}):
    _weft_rt = _weft_runtime._active or _weft_start()
    _weft_steps = _weft_drive(_weft_rt, {inputs}, _weft_func({call}))
    try:
        _weft_sent = None
        while True:
            try:
                _weft_item = _weft_steps.step(_weft_sent)
            except StopIteration as _weft_stop:
                return _weft_stop.value
            try:
                _weft_sent = yield _weft_item
            except BaseException as _weft_error:
                _weft_sent = None
                _weft_steps.thrown = _weft_error
    except BaseException as _weft_error:
        _weft_steps.abandon(_weft_error)
        raise
"""
ASYNC_GENERATOR = """
async def {name}({params}):
    _weft_rt = _weft_runtime._active or _weft_start()
    _weft_steps = _weft_adrive(_weft_rt, {inputs}, _weft_func({call}))
    try:
        _weft_sent = None
        while True:
            try:
                _weft_item = await _weft_steps.step(_weft_sent)
            except StopAsyncIteration:
                return
            try:
                _weft_sent = yield _weft_item
            except BaseException as _weft_error:
                _weft_sent = None
                _weft_steps.thrown = _weft_error
    except BaseException as _weft_error:
        _weft_steps.abandon(_weft_error)
        raise
"""
BIND = """
def {name}({params}):
    return {inputs}
"""


class Shape(NamedTuple):
    """A signature as pieces of source."""

    params: str
    call: str
    inputs: str
    exact: bool
    """False: the callable has no code of its own to read (a builtin, a partial): each call binds its arguments."""


def shape_of(func: Callable[..., Any]) -> Shape:
    """The signature that the callable itself enforces: what a decorator around it claims does not count."""
    if not isinstance(func, types.FunctionType):
        return _LOOSE
    parameters = list(inspect.signature(func, follow_wrapped=False).parameters.values())
    if hasattr(func, "__wrapped__") and all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return _LOOSE  # a decorator's (*args, **kwargs): the names are those of what it wraps
    if any(parameter.name.startswith("_weft_") for parameter in parameters):
        return _LOOSE
    return _exact(parameters, is_method=takes_itself(func))


_LOOSE = Shape("*args, **kwargs", "*args, **kwargs", "_weft_names(args, kwargs)", exact=False)


def takes_itself(func: Callable[..., Any]) -> bool:
    """Whether this is a method, by its looks: at decoration the class is not there yet."""
    if not isinstance(func, types.FunctionType) or "." not in func.__qualname__:
        return False
    code = func.__code__
    return code.co_argcount > 0 and code.co_varnames[0] in ("self", "cls")


def _exact(parameters: list[inspect.Parameter], *, is_method: bool) -> Shape:
    params: list[str] = []
    call: list[str] = []
    inputs: list[str] = []
    spread = ""
    positional_only = any(parameter.kind is parameter.POSITIONAL_ONLY for parameter in parameters)
    starred = False
    for index, parameter in enumerate(parameters):
        name = parameter.name
        default = "" if parameter.default is parameter.empty else "=None"
        if parameter.kind is parameter.VAR_POSITIONAL:
            params.append(f"*{name}")
            call.append(f"*{name}")
            starred = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            params.append(f"**{name}")
            call.append(f"**{name}")
            # Given names stand beside the declared ones, unless one could hide a positional-only argument.
            spread = f"{name!r}: {name}" if positional_only else f"**{name}"
            continue
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if not starred:
                params.append("*")
                starred = True
            params.append(name + default)
            call.append(f"{name}={name}")
        else:
            if positional_only and parameter.kind is not parameter.POSITIONAL_ONLY and "/" not in params:
                params.append("/")
            params.append(name + default)
            call.append(name)
        inputs.append(f"{name!r}: {f'_weft_owner({name})' if is_method and index == 0 else name}")
    if positional_only and "/" not in params:
        last = max(i for i, parameter in enumerate(parameters) if parameter.kind is parameter.POSITIONAL_ONLY)
        params.insert(last + 1, "/")
    if spread:
        inputs.append(spread)
    return Shape(", ".join(params), ", ".join(call), "{" + ", ".join(inputs) + "}", exact=True)


def generate(template: str, shape: Shape, func: Callable[..., Any], names: Mapping[str, Any]) -> Callable[..., Any]:
    """A function by this template that stands for `func`: its name, signature, defaults, annotations and attributes.

    Args:
        names: what the template refers to beside `_weft_func`.
    """
    name = getattr(func, "__name__", type(func).__name__)
    source = template.format(name="_weft_wrapper", params=shape.params, call=shape.call, inputs=shape.inputs)
    scope: dict[str, Any] = {
        "_weft_func": func,
        "_weft_owner": owner,
        "_weft_names": _namer(func),
        "__name__": getattr(func, "__module__", __name__),
        **names,
    }
    exec(compile(source, f"{OWN_CODE}{name}>", "exec"), scope)
    made = scope["_weft_wrapper"]
    functools.update_wrapper(made, func)
    made.__code__ = made.__code__.replace(co_name=str(name), co_qualname=str(getattr(made, "__qualname__", name)))
    if shape.exact:
        made.__defaults__ = func.__defaults__
        made.__kwdefaults__ = func.__kwdefaults__
    return made  # type: ignore[no-any-return]


def again(made: Callable[..., Any], names: Mapping[str, Any]) -> Any:
    """A generated function again, which refers to other things: what `generate` does, without compiling."""
    assert isinstance(made, types.FunctionType)
    twin = types.FunctionType(made.__code__, {**made.__globals__, **names}, made.__name__, made.__defaults__)
    twin.__kwdefaults__ = made.__kwdefaults__
    return functools.update_wrapper(twin, made.__wrapped__)  # type: ignore[attr-defined]


_owners: dict[type, tuple[str, tuple[str, ...]]] = {}
_OWNERS_KEPT = 4096
_SCALARS = (str, int, float, bool, type(None))
_OWNER_TEXT = 1000
"""Longer texts of an owner are told by their length."""


def owner(value: object) -> object:
    """What is recorded for `self` or `cls`: a class by its name, a model by its plain fields, else by its class's name.

    It is recorded at every call: what is large in it (an index, a corpus) is told by type and length; no repr runs.
    """
    if isinstance(value, type):
        return type_name(value)
    kind = type(value)
    known = _owners.get(kind)
    if known is None:
        if len(_owners) >= _OWNERS_KEPT:
            _owners.clear()
        known = _owners[kind] = (f"<{type_name(kind)} object>", _fields(kind))
    name, fields = known
    if not fields:
        return name
    try:
        return {"class": name[1:-8], **{field: _brief(getattr(value, field, None)) for field in fields}}
    except Exception as error:
        let_through(error)
        return name  # a field whose reading fails: the call goes on


def _fields(kind: type) -> tuple[str, ...]:
    """Names of a dataclass's, pydantic model's or attrs class's public fields."""
    try:
        found: Any = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "model_fields", None)
        if not isinstance(found, Mapping):
            found = [attribute.name for attribute in getattr(kind, "__attrs_attrs__", ())]
    except Exception as error:  # a metaclass that answers nothing
        let_through(error)
        return ()
    return tuple(name for name in found if not name.startswith("_"))


def _brief(value: object) -> object:
    if isinstance(value, _SCALARS) and not (isinstance(value, str) and len(value) > _OWNER_TEXT):
        return value
    size = len(value) if isinstance(value, str | bytes | list | tuple | dict | set | frozenset) else None
    return f"<{type_name(type(value))} of {size}>" if size is not None else f"<{type_name(type(value))} object>"


def _namer(func: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]:
    """Names for arguments that no code tells: by the declared signature where it fits, else by position."""
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):
        signature = None

    def names(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if signature is not None:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                pass  # the call itself will say so, or the declared signature is not the true one
            else:
                bound.apply_defaults()
                arguments = dict(bound.arguments)
                for parameter in signature.parameters.values():
                    if (
                        parameter.kind is parameter.VAR_KEYWORD
                        and not arguments.keys() & arguments[parameter.name].keys()
                    ):
                        arguments.update(arguments.pop(parameter.name))
                return arguments
        return {"args": list(args), **kwargs} if args else dict(kwargs)

    return names
