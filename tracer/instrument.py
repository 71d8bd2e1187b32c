"""Which libraries are traced by themselves: those that are imported already, and those that are imported later.

`weft.init()` and `weft.instrument()` call it; importing weft never does. What it cannot patch stays as it is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from weft.tracer.integrations import instrumentors, openai_settings
from weft.tracking import runtime
from weft.tracking.errors import UsageError

OURS: Mapping[str, str] = {
    "openai": "weft.tracer.integrations.openai",
    "anthropic": "weft.tracer.integrations.anthropic",
}
"""Libraries that weft traces itself: the module with their `install()` and `uninstall()`, which imports them."""

_lock = threading.RLock()  # guards _wanted, _installed and the finder's place
_wanted: dict[str, str] = {}
"""Module that is to be traced once it is imported: the library's name."""
_installed: set[str] = set()


def instrument(*libraries: str, exclude: Sequence[str] = (), stream_usage: Sequence[str] = ()) -> None:
    """Trace calls to LLM libraries from now on; without names, all that weft knows. Harmless when repeated.

    `openai` and `anthropic` are weft's own; the others are traced by their OpenTelemetry instrumentors where those are
    installed (docs/integrations.md lists them). A library that is not imported yet is traced as soon as it is.

    Args:
        libraries: only these. One that has no instrumentor installed says what to install.
        exclude: not these.
        stream_usage: hosts of OpenAI-compatible servers that take `stream_options.include_usage`: their streams are
            asked for token counts as those of OpenAI are, and the extra chunk is hidden from the program.

    Raises:
        UsageError: weft knows no such library; says which it knows.

    Example:
        >>> weft.instrument()
        >>> openai.OpenAI().chat.completions.create(...)    # is a span now
        >>> weft.instrument(exclude=["langchain"], stream_usage=["vllm.internal"])
    """
    if isinstance(stream_usage, str) or not all(isinstance(host, str) for host in stream_usage):
        raise UsageError(f"stream_usage takes a list of hosts, not {stream_usage!r:.80}")
    left_out = _known((exclude,) if isinstance(exclude, str) else exclude)
    names = [name for name in _known(libraries) or known() if name not in left_out]
    openai_settings.stream_usage_hosts.update(stream_usage)
    modules = {found: name for name in names if (found := _module(name, asked=bool(libraries))) is not None}
    with _lock:
        _wanted.update(modules)
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
    for module_name in modules:
        module: ModuleType | None = sys.modules.get(module_name)
        # A module that is in the middle of being imported is patched by its loader, once it is whole.
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            _install(module_name)


def uninstrument(*libraries: str) -> None:
    """Leave these libraries (without names: all) as they were before `instrument`.

    Raises:
        UsageError: weft knows no such library.
    """
    names = _known(libraries) or known()
    with _lock:
        for module in [module for module, name in _wanted.items() if name in names]:
            del _wanted[module]
        if not _wanted and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        undo = [name for name in names if name in _installed]
        _installed.difference_update(undo)
    for name in undo:
        try:
            if name in OURS:
                import_module(OURS[name]).uninstall()
            else:
                instrumentors.uninstall(instrumentors.libraries()[name])
        except Exception as error:
            runtime.active().faults.note(f"leave {name} as it was", error)


def known() -> tuple[str, ...]:
    """Names of all libraries that can be traced."""
    return (*OURS, *instrumentors.libraries())


def _known(names: Sequence[str]) -> tuple[str, ...]:
    """The names, an alias as the library's own."""
    unknown = [name for name in names if name not in known()]
    if unknown:
        raise UsageError(f"weft cannot instrument {', '.join(map(str, unknown))}; it knows {', '.join(known())}")
    return tuple(name if name in OURS else instrumentors.libraries()[name].name for name in names)


def _module(name: str, *, asked: bool) -> str | None:
    """The module that is to be traced; None: nothing here can trace it."""
    if name in OURS:
        return name
    library = instrumentors.libraries()[name]
    if library.instrumentor is not None:
        return library.module
    if asked:
        instrumentors.say_what_is_missing(library)
    return None


def _install(module: str) -> None:
    with _lock:
        name = _wanted.get(module)
        if name is None or name in _installed:
            return
        _installed.add(name)
    try:
        if name in OURS:
            import_module(OURS[name]).install()
        else:
            instrumentors.install(instrumentors.libraries()[name])
    except Exception as error:
        with _lock:
            _installed.discard(name)
        hint = "Its calls are not traced; they work as ever."
        runtime.active().faults.note(f"instrument {name} {_version(name)}", error, hint=hint)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"


class _Finder(MetaPathFinder):
    """Hands out the module's own spec, with a loader that patches the module once it is loaded."""

    def __init__(self) -> None:
        self._asking = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _wanted or getattr(self._asking, "now", False):
            return None
        self._asking.now = True
        try:
            for finder in sys.meta_path:
                found = None if finder is self else finder.find_spec(fullname, path, target)
                if found is not None:
                    if found.loader is not None:
                        found.loader = _PatchingLoader(found.loader)
                    return found
        finally:
            self._asking.now = False
        return None


class _PatchingLoader(Loader):
    """The real loader, and then the patch. The module keeps the real one."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _install(module.__name__)


_finder = _Finder()
