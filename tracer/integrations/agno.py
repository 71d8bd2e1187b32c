"""Agno, by OpenInference's wrappers. With the face of an instrumentor.

Those keep the spans of a streamed run current in whoever reads it: here the reader stays outside of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from weft.tracer.integrations.apart import Apart

_RUNS: Final = ("agno.agent._run", "agno.team._run")
_STREAMS: Final = ("_run_stream", "_arun_stream", "_continue_run_stream", "_acontinue_run_stream")


class Agno:
    """OpenInference's instrumentor, its streams read apart."""

    def __init__(self) -> None:
        self._theirs = import_module("openinference.instrumentation.agno").AgnoInstrumentor()
        self._wrapped: list[tuple[ModuleType, str, Any]] = []

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether the program has switched it on itself."""
        return bool(self._theirs.is_instrumented_by_opentelemetry)

    def instrument(self, *, tracer_provider: Any) -> None:
        """Send the spans to this provider."""
        self._theirs.instrument(tracer_provider=tracer_provider)
        if not self.is_instrumented_by_opentelemetry:
            return  # it knows no such version
        for module in map(import_module, _RUNS):
            for name in _STREAMS:
                if (original := getattr(module, name, None)) is not None:
                    self._wrapped.append((module, name, original))
                    setattr(module, name, _read_apart(original))

    def uninstrument(self) -> None:
        """No spans any more, and Agno as it was."""
        for module, name, original in self._wrapped:
            setattr(module, name, original)
        self._wrapped.clear()
        self._theirs.uninstrument()


def _read_apart(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        if inspect.isgenerator(found):
            return Apart().read(found)
        return Apart().read_async(found) if inspect.isasyncgen(found) else found

    return run
