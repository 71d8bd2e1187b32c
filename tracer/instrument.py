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
from types import ModuleType
from typing import Any

from weft.tracking import runtime
from weft.tracking.errors import UsageError

INTEGRATIONS: Mapping[str, str] = {"openai": "weft.tracer.integrations.openai"}
"""Module that is traced: the module with its `install()` and `uninstall()`, which imports it."""

_lock = threading.RLock()  # guards _wanted, _installed and the finder's place
_wanted: set[str] = set()
_installed: set[str] = set()


def instrument(*libraries: str) -> None:
    """Trace calls to LLM libraries from now on; without names, all that weft knows. Harmless when repeated.

    Args:
        libraries: `openai`. One that is not imported yet is traced as soon as it is.

    Raises:
        UsageError: weft knows no such library.

    Example:
        >>> weft.instrument()
        >>> openai.OpenAI().chat.completions.create(...)    # is a span now
    """
    names = _known(libraries)
    with _lock:
        _wanted.update(names)
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
    for name in names:
        module = sys.modules.get(name)
        # A module that is in the middle of being imported is patched by its loader, once it is whole.
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            _install(name)


def uninstrument(*libraries: str) -> None:
    """Leave these libraries (without names: all) as they were before `instrument`.

    Raises:
        UsageError: weft knows no such library.
    """
    names = _known(libraries)
    with _lock:
        _wanted.difference_update(names)
        if not _wanted and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        undo = [name for name in names if name in _installed]
        _installed.difference_update(undo)
    for name in undo:
        import_module(INTEGRATIONS[name]).uninstall()


def _known(libraries: Sequence[str]) -> Sequence[str]:
    unknown = [name for name in libraries if name not in INTEGRATIONS]
    if unknown:
        raise UsageError(f"weft cannot instrument {', '.join(unknown)}; it knows {', '.join(INTEGRATIONS)}")
    return libraries or tuple(INTEGRATIONS)


def _install(name: str) -> None:
    with _lock:
        if name in _installed or name not in _wanted:
            return
        _installed.add(name)
    try:
        import_module(INTEGRATIONS[name]).install()
    except Exception as error:
        with _lock:
            _installed.discard(name)
        runtime.active().faults.note(f"instrument {name}", error, hint="Its calls are not traced; they work as ever.")


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
