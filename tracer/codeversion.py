"""Which code an op is: a digest of its normalised syntax tree and of everything of the program's own that it uses.

Comments, whitespace and line breaks make no new version; a changed helper, global or closure constant does. `op` asks
once an op, at its first recorded call. The code is kept as an artifact of type "op" whose digest is the version.
"""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import inspect
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from weft.tracking import names
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.recording import log_version
from weft.tracking.faults import let_through
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import Redaction, clean_name, redact_source, redact_text
from weft.tracking.payloads.secretnames import is_secret_name
from weft.tracking.runtime import Runtime

ARTIFACT_TYPE = "op"
CODE_FILE = "code.py"
"""The normalised code: what the digest is of."""
MAX_PARTS = 300
"""Definitions and values that one version takes in; who uses more is told apart by these."""
MAX_VALUE_BYTES = 4 << 10
"""Of a longer constant its first bytes are shown; all of it counts, by its hash."""
MAX_SOURCE_BYTES = 256 << 10
_CONSTANTS = (str, bytes, int, float, complex, bool, type(None))
_OUTSIDE = tuple(
    str(Path(path).resolve())
    for key in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_path(key))
)
"""Folders of code that is not the program's own."""


class Code(NamedTuple):
    """An op's code."""

    normalised: str
    """The op, then what it uses, sorted: no comments, one way to write each thing, secrets out."""
    source: str
    """The op as it was written, secrets out; empty where there is no source."""
    file: str
    line: int


def record_version(rt: Runtime, func: Callable[..., Any], name: str, project: str) -> str | None:
    """The version of an op's code, kept as an artifact of the project. None: it has no code that Python could show.

    Returns:
        sha256 hex: the artifact's digest.
    """
    artifact = artifact_of(func, name, rt.settings.redact)
    if artifact is None:
        return None
    log_version(rt, artifact, project=project, aliases=[])
    return artifact.digest


def artifact_of(func: Callable[..., Any], name: str, rules: bool | Redaction = True) -> Artifact | None:
    """The code as an artifact, not yet logged; its metadata, which is no part of the digest, shows it as written."""
    code = code_of(func)
    if code is None:
        return None
    shown = {"op": name, "source": redact_source("source", code.source, rules), "file": code.file, "line": code.line}
    artifact = Artifact(names.artifact_name(name), ARTIFACT_TYPE, metadata=shown)
    artifact.add_bytes(redact_source("source", code.normalised, rules).encode("utf-8", "backslashreplace"), CODE_FILE)
    return artifact


def code_of(func: Callable[..., Any]) -> Code | None:
    """The code behind a callable, normalised; None for builtins and the like."""
    target = _function_of(func)
    if target is None:
        return None
    parts = _Parts()
    parts.take_function(target)
    for bound in _bound_arguments(func):
        parts.texts.setdefault(("bound argument", str(len(parts.texts))), _value(bound))
    own = (target.__module__ or "", target.__qualname__)
    first = parts.texts.pop(own)
    # By name, without the module: the same file is another module when it is run as a script.
    rest = (f"# {what}\n{text}" for what, text in sorted((what, text) for (_, what), text in parts.texts.items()))
    code = target.__code__
    return Code(
        normalised="\n\n".join((first, *rest)) + "\n",
        source=redact_text(_source(target.__code__) or "")[:MAX_SOURCE_BYTES],
        file=_shown(code.co_filename),
        line=code.co_firstlineno,
    )


class _Parts:
    """What a function's behaviour rests on, found by walking from name to name."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}
        """By (module, name): normalised source, or the value."""

    def take_function(self, func: types.FunctionType) -> None:
        key = (func.__module__ or "", func.__qualname__)
        if key in self.texts or len(self.texts) >= MAX_PARTS:
            return
        self.texts[key] = _normalised(func.__code__)
        for name, value in _defaults(func):
            self._take((key[0], f"{key[1]}({name}=)"), name, value)
        self._take_names(key, func)

    def take_class(self, cls: type) -> None:
        key = (cls.__module__, cls.__qualname__)
        if key in self.texts or len(self.texts) >= MAX_PARTS:
            return
        self.texts[key] = _normalised(cls)
        for member in vars(cls).values():
            inner = _function_of(member)
            if inner is not None and inner.__module__ == cls.__module__:
                self._take_names(key, inner)

    def _take_names(self, key: tuple[str, str], func: types.FunctionType) -> None:
        cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=False))
        for name, cell in sorted(cells.items()):
            try:
                self._take((key[0], f"{key[1]}.{name}"), name, cell.cell_contents)
            except ValueError:  # not set yet: a function that is defined further down
                continue
        for path in sorted(_globals_used(func.__code__)):
            self._take_global(key, func, path)

    def _take_global(self, key: tuple[str, str], func: types.FunctionType, path: tuple[str, ...]) -> None:
        """`name`, or `module.name...`: followed through the program's own modules and the op's own class."""
        name, *attributes = path
        if name == _METHOD:
            owner = _class_of(func)
            member = _function_of(inspect.getattr_static(owner, attributes[0], None)) if owner is not None else None
            if member is not None and _is_own(member):
                self.take_function(member)
            return
        if name not in func.__globals__:
            return
        where, value = func.__module__ or "", func.__globals__[name]
        while isinstance(value, types.ModuleType) and attributes and _is_own(value):
            where, name = value.__name__, attributes.pop(0)
            value = getattr(value, name, None)
        self._take((where, name), name, value)

    def _take(self, key: tuple[str, str], name: str, value: object) -> None:
        inner = _function_of(value)
        if inner is not None:
            if _is_own(inner):
                self.take_function(inner)
            return
        if isinstance(value, types.ModuleType):
            return
        cls = value if isinstance(value, type) else type(value)
        if _is_own(cls) and not _is_enum(value):
            self.take_class(cls)
        if not isinstance(value, type) and len(self.texts) < MAX_PARTS:
            self.texts[key] = "<secret>" if is_secret_name(name) else _value(value)


_METHOD = "."
"""Stands first in a path for an attribute that may be a method of the op's own class."""


def _globals_used(code: types.CodeType) -> Iterator[tuple[str, ...]]:
    """Names of globals that the code and the functions inside it load, each with the attributes asked of it."""
    path: list[str] = []
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            yield (_METHOD, str(step.argval))
            if path:
                path.append(str(step.argval))
            continue
        if path and step.opname not in _TRANSPARENT:
            yield tuple(path)
            path = []
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            if path:
                yield tuple(path)
            path = [str(step.argval)]
    if path:
        yield tuple(path)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_used(constant)


_TRANSPARENT = ("CACHE", "EXTENDED_ARG", "NOP")


def _function_of(value: object) -> types.FunctionType | None:
    """The function with the code behind an op, a method, a partial, a property, an instance with `__call__`."""
    for _ in range(20):  # of wrapper upon wrapper
        if isinstance(value, functools.partial | functools.partialmethod):
            value = value.func
        elif isinstance(value, types.MethodType | staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        elif isinstance(value, types.FunctionType):
            if not isinstance(inner := value.__dict__.get("__wrapped__"), Callable):  # type: ignore[arg-type]
                return value
            if not _is_ours(value):
                return value  # a decorator of the program's own: what it does counts, what it wraps is in its closure
            value = inner
        elif isinstance(value, type) or value is None:
            return None
        else:
            owners = type(value).__mro__ if _is_own(type(value)) else ()  # not getattr: a metaclass has one as well
            value = next((vars(owner)["__call__"] for owner in owners if "__call__" in vars(owner)), None)
    return None


def _is_ours(func: types.FunctionType) -> bool:
    """A wrapper that `op` made."""
    return func.__code__.co_filename.startswith("<weft op ")


def _bound_arguments(func: object) -> Iterator[object]:
    if isinstance(func, functools.partial):
        yield from func.args
        for name, value in sorted(func.keywords.items()):
            yield "<secret>" if is_secret_name(name) else (name, value)


def _class_of(func: types.FunctionType) -> type | None:
    """The class that a method was defined in, where its module can name it."""
    found: Any = sys.modules.get(func.__module__ or "")
    *owners, _ = func.__qualname__.split(".")
    for name in owners:
        found = getattr(found, name, None)
    return found if owners and isinstance(found, type) else None


def _is_own(value: Any) -> bool:
    """Whether it is the program's own code: no library's, and not ours."""
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None) or ""
    if name.startswith("weft.") and not name.startswith("weft.demo"):
        return False
    file = value.__code__.co_filename if isinstance(value, types.FunctionType) else None
    file = file or getattr(sys.modules.get(name), "__file__", None)
    return name == "__main__" if file is None else _is_own_file(file)


@functools.cache
def _is_own_file(file: str) -> bool:
    if file.startswith("<"):
        return not file.startswith("<frozen")  # a notebook's cell is the program's own
    path = Path(file).resolve()
    return not {"site-packages", "dist-packages"}.intersection(path.parts) and not str(path).startswith(_OUTSIDE)


def _shown(file: str) -> str:
    """The file below the working directory where it is there, else its name: no user's home goes into a record."""
    try:
        return Path(file).resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError) as error:
        let_through(error)
        return Path(file).name


def _defaults(func: types.FunctionType) -> Iterator[tuple[str, object]]:
    code = func.__code__
    positional = code.co_varnames[: code.co_argcount]
    given = func.__defaults__ or ()
    yield from zip(positional[len(positional) - len(given) :], given, strict=True)
    yield from sorted((func.__kwdefaults__ or {}).items())


def _source(target: types.CodeType | type) -> str | None:
    try:
        return textwrap.dedent(inspect.getsource(target))
    except (OSError, TypeError, IndentationError) as error:
        let_through(error)
        return None


@functools.lru_cache(maxsize=1024)
def _normalised(target: types.CodeType | type) -> str:
    """The source as the parser sees it; of what has none, the bytecode."""
    source = _source(target)
    if source is not None:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):  # a lambda in the middle of a line
            tree = None
        if tree is not None and len(tree.body) == 1:
            _without_op(tree.body[0])
            return redact_text(ast.unparse(tree))
    if isinstance(target, type):
        return f"class {target.__qualname__}  # no source"
    return redact_text(f"{target.co_qualname}  # no source: bytecode\n{_bytecode(target)}")


def _without_op(node: ast.stmt) -> None:
    """`@op(...)` itself is no part of the code: how a call is recorded changes nothing that it does."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.decorator_list = [item for item in node.decorator_list if not _names_op(item)]
    elif isinstance(node, ast.ClassDef):
        for member in node.body:
            _without_op(member)


def _names_op(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr == "op" and isinstance(target.value, ast.Name) and target.value.id == "weft"
    return isinstance(target, ast.Name) and target.id == "op"


def _bytecode(code: types.CodeType) -> str:
    steps = [f"{step.opname} {_constant(step.argval)}" for step in dis.get_instructions(code) if step.opname != "CACHE"]
    inner = [_bytecode(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return "\n".join([*steps, *inner])


def _constant(value: object) -> str:
    return f"<code {value.co_name}>" if isinstance(value, types.CodeType) else repr(value)


def _value(value: object) -> str:
    """A constant by its content, anything else by its type: objects hold connections, caches and keys."""
    if not _is_constant(value, 0):
        return f"<{type(value).__qualname__} object>"
    data = encode(_ordered(value))
    text = clean_name(data[:MAX_VALUE_BYTES].decode("utf-8", "replace"), True)
    if len(data) <= MAX_VALUE_BYTES:
        return text
    return f"{text}... ({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})"


def _is_constant(value: object, depth: int) -> bool:
    if type(value) in _CONSTANTS:
        return True
    if depth > 8:
        return False
    if isinstance(value, Mapping) and type(value) in (dict, types.MappingProxyType):
        return all(_is_constant(item, depth + 1) for pair in value.items() for item in pair)
    if type(value) in (list, tuple, set, frozenset):
        return all(_is_constant(item, depth + 1) for item in value)  # type: ignore[attr-defined]
    return type(value).__module__ in ("datetime", "decimal", "uuid", "re", "pathlib") or _is_enum(value)


def _is_enum(value: object) -> bool:
    return any(base.__module__ == "enum" for base in type(value).__mro__)


def _ordered(value: Any) -> Any:
    """Sets in a fixed order: theirs changes with every process. Keys that name a secret lose their value."""
    if isinstance(value, Mapping):
        return {
            key: "<secret>" if isinstance(key, str) and is_secret_name(key) else _ordered(item)
            for key, item in value.items()
        }
    if isinstance(value, set | frozenset):
        return {"set": sorted((_ordered(item) for item in value), key=repr)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if type(value).__module__ == "re":
        return {"pattern": getattr(value, "pattern", ""), "flags": int(getattr(value, "flags", 0))}
    return value
