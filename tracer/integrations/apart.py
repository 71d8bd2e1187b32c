"""Generators of other people's instrumentors, whose spans stay current in whoever reads them: read without that."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from opentelemetry.context import Context

from weft.tracer.context import attach, detach, get_current


class Apart:
    """A generator that is read, its body in a context of its own: what it makes current is not so for its reader."""

    def __init__(self) -> None:
        self.context: Context | None = None
        """The body's, as its last step left it; None before the first."""

    def _enter(self) -> Any:
        return attach(get_current() if self.context is None else self.context)

    def _leave(self, token: Any) -> None:
        self.context = get_current()
        detach(token)

    def read(self, source: Generator[Any, Any, Any]) -> Generator[Any, None, None]:
        """Its items."""
        try:
            while True:
                token = self._enter()
                try:
                    item = next(source)
                except StopIteration:
                    return
                finally:
                    self._leave(token)
                yield item
        finally:
            token = self._enter()
            try:
                source.close()
            finally:
                detach(token)

    async def read_async(self, source: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, None]:
        """Its items."""
        try:
            while True:
                token = self._enter()
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
                finally:
                    self._leave(token)
                yield item
        finally:
            token = self._enter()
            try:
                await source.aclose()
            finally:
                detach(token)
