"""Pydantic AI makes OpenTelemetry spans itself: it is told to send them to weft. With the face of an instrumentor."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class PydanticAI:
    """Switches on the spans of all agents that do not say otherwise themselves."""

    def __init__(self) -> None:
        self._agent = import_module("pydantic_ai").Agent

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether the program has set it up itself."""
        return bool(getattr(self._agent, "_instrument_default", False))

    def instrument(self, *, tracer_provider: Any) -> None:
        """Send them to this provider."""
        settings = import_module("pydantic_ai.models.instrumented").InstrumentationSettings
        self._agent.instrument_all(settings(tracer_provider=tracer_provider))

    def uninstrument(self) -> None:
        """No spans any more."""
        self._agent.instrument_all(False)
