"""Streams put together to the object that the same call without streaming returns: what every kind of them offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Assembly(Protocol):
    """Collects what one stream brings."""

    content_seen: bool
    """Whether anything but a beginning has come."""

    @property
    def complete(self) -> bool:
        """Whether the model has said that it is done."""

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk, as plain data."""

    def result(self) -> dict[str, Any] | None:
        """The object so far; None before the first chunk."""


def copied(value: Any) -> Any:
    """A copy of what would be added to later: the chunk itself belongs to the user."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value
