"""Bedrock's clients of boto3, by OpenInference's wrappers. With the face of an instrumentor.

Those leave the span of a stream that the server refuses open for ever: here it ends with the error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from opentelemetry.trace import Span, get_current_span

from weft.tracer.integrations.patches import Patches


class Bedrock:
    """OpenInference's instrumentor, each of its spans ended."""

    def __init__(self) -> None:
        self._theirs = import_module("openinference.instrumentation.bedrock").BedrockInstrumentor()
        self._patches = Patches("openinference-instrumentation-bedrock")

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether the program has switched it on itself."""
        return bool(self._theirs.is_instrumented_by_opentelemetry)

    def instrument(self, *, tracer_provider: Any) -> None:
        """Send the spans to this provider."""
        self._theirs.instrument(tracer_provider=tracer_provider)
        if self.is_instrumented_by_opentelemetry:  # else it knows no such version
            wrappers = import_module("openinference.instrumentation.bedrock._wrappers")
            self._patches.wrap(wrappers._ConverseStream, "_sync_call", _ended)

    def uninstrument(self) -> None:
        """No spans any more, and the wrappers as they were."""
        self._theirs.uninstrument()
        self._patches.restore()


def _ended(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(wrapper: Any, ask: Callable[..., Any], *args: Any) -> Any:
        around = get_current_span()
        begun: list[Span] = []

        def asked(*asked_args: Any, **asked_kwargs: Any) -> Any:
            begun.append(get_current_span())
            return ask(*asked_args, **asked_kwargs)

        try:
            return original(wrapper, asked, *args)
        except BaseException:
            for span in begun:
                if span is not around and span.is_recording():  # has the error already
                    span.end()
            raise

    return call
