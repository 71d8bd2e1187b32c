"""The recorder: `@op`, spans and their context, costs, tokens, integrations. Stands on `weft.tracking` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.tracer.otel.processor import SpanProcessor as SpanProcessor

__all__ = ["SpanProcessor"]


def __getattr__(name: str) -> Any:
    """`SpanProcessor` at its first use: it brings OpenTelemetry's SDK, which programs that only record never load."""
    if name != "SpanProcessor":
        raise AttributeError(f"module 'weft.tracer' has no attribute {name!r}")
    from weft.tracer.otel.processor import SpanProcessor

    return SpanProcessor
