"""LangChain and LangGraph, by OpenInference's callbacks. With the face of an instrumentor.

Those make spans and leave the context as it is, so that nothing would ever be inside them: not the client's call under
a model's, not an op that a tool runs. What is run in a chain, a graph's node or a tool gets its span made current here,
in the context that LangChain copies for it anyway; a model's call is announced to weft's clients.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from opentelemetry.context import create_key, set_value
from opentelemetry.trace import get_current_span, set_span_in_context

from weft.tracer.context import attach, get_current
from weft.tracer.integrations.enclosing import announce
from weft.tracking import runtime

RUN_KEY: Final = create_key("weft-langchain-run")
"""The span of the chain, node or tool that this context runs."""
_RUNNERS: Final = ("langchain_core.runnables.config", "langgraph._internal._runnable")
"""Modules with the function that readies the copied context for what is run in it."""
_READIES: Final = "_set_config_context"
_BESIDE: Final = "What runs in chains, tools and models stands beside their spans, not in them."


class LangChain:
    """OpenInference's instrumentor, its spans made current."""

    def __init__(self) -> None:
        self._theirs = import_module("openinference.instrumentation.langchain").LangChainInstrumentor()
        self._seen: set[str] = set()
        self._originals: dict[str, Callable[..., Any]] = {}

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether the program has switched it on itself."""
        return bool(self._theirs.is_instrumented_by_opentelemetry)

    def instrument(self, *, tracer_provider: Any) -> None:
        """Send the spans to this provider."""
        self._theirs.instrument(tracer_provider=tracer_provider)
        callbacks = getattr(self._theirs, "_tracer", None)
        if callbacks is None:
            runtime.active().faults.note("find the callbacks of LangChainInstrumentor", hint=_BESIDE)
            return
        callbacks.run_inline = True  # as LangChain's own: else async calls begin in a thread that shares no context
        callbacks._tracer = _Nearest(callbacks._tracer)
        begin = callbacks._start_trace

        def begun(run: Any) -> None:
            begin(run)
            self._make_current(callbacks)  # LangGraph may have been imported since
            if run.run_type in ("llm", "chat_model") and (span := callbacks.get_span(run.id)) is not None:
                announce(span)

        callbacks._start_trace = begun
        self._make_current(callbacks)

    def uninstrument(self) -> None:
        """No spans any more, and LangChain as it was."""
        self._theirs.uninstrument()
        for module, original in self._originals.items():
            setattr(sys.modules[module], _READIES, original)
        self._originals.clear()
        self._seen.clear()

    def _make_current(self, callbacks: Any) -> None:
        for name in _RUNNERS:
            module = sys.modules.get(name)
            if module is None or name in self._seen:
                continue
            self._seen.add(name)
            original = getattr(module, _READIES, None)
            if original is None:
                runtime.active().faults.note(f"find {_READIES} in {name}", hint=_BESIDE)
            else:
                self._originals[name] = original
                setattr(module, _READIES, self._readied(original, callbacks.get_span))

    def _readied(self, original: Callable[..., Any], span_of: Callable[[Any], Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def ready(config: Any, *args: Any, **kwargs: Any) -> Any:
            token = original(config, *args, **kwargs)
            try:
                span = span_of(getattr(config.get("callbacks"), "parent_run_id", None))
                if span is not None:
                    attach(set_value(RUN_KEY, span, set_span_in_context(span, get_current())))
            except Exception as error:
                runtime.active().faults.note("make a span of LangChain current", error)
            return token

        return ready


class _Nearest:
    """A tracer whose spans begin inside an op that runs in a chain, where LangChain itself only knows of the chain."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def start_span(self, name: str, context: Any = None, **kwargs: Any) -> Any:
        """As a tracer does."""
        here = get_current()
        if context is not None and get_current_span(context) is here.get(RUN_KEY):
            context = here
        return self._tracer.start_span(name=name, context=context, **kwargs)
