"""Streamed chunks of OpenAI's chat protocol, put together to the object that the same call without streaming returns.

Pure. It takes what servers send, the odd ones too: ids repeated in every chunk, fields that OpenAI does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SET_ONCE = frozenset({"id", "type", "role", "index", "name", "object", "created", "model", "finish_reason"})
"""Text that names something: repeated, it is not appended."""


class ChatAssembly:
    """Collects the chunks of one stream."""

    def __init__(self) -> None:
        self.content_seen = False
        """Whether anything but a role has come."""
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk, as plain data."""
        for key, value in chunk.items():
            if key != "choices" and value is not None:
                self._head[key] = value
        for given in chunk.get("choices") or ():
            choice = self._choices.setdefault(given.get("index") or 0, {"delta": {}})
            delta = given.get("delta") or {}
            if not self.content_seen:
                self.content_seen = any(value for key, value in delta.items() if key != "role")
            _merge(choice["delta"], delta)
            _merge(choice, {key: value for key, value in given.items() if key != "delta"})

    def result(self) -> dict[str, Any] | None:
        """The `chat.completion` so far; None before the first chunk."""
        if not self._head and not self._choices:
            return None
        choices = []
        for index, choice in sorted(self._choices.items()):
            message = {"role": "assistant", "content": None} | choice["delta"]
            for call in message.get("tool_calls") or ():
                call.pop("index", None)
            rest = {key: value for key, value in choice.items() if key not in ("delta", "index")}
            choices.append({"index": index, "message": message} | rest)
        return self._head | {"object": "chat.completion", "choices": choices}


def _merge(into: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta: text is appended, lists are joined (by their items' `index` where they have one)."""
    for key, value in delta.items():
        held = into.get(key)
        if value is None:
            into.setdefault(key, None)
        elif held is None or key in _SET_ONCE:
            into[key] = _copy(value) if held is None or value else held
        elif isinstance(value, str) and isinstance(held, str):
            into[key] = held + value
        elif isinstance(value, Mapping) and isinstance(held, dict):
            _merge(held, value)
        elif isinstance(value, list) and isinstance(held, list):
            _join(held, value)
        else:
            into[key] = value


def _join(held: list[Any], more: list[Any]) -> None:
    for item in more:
        index = item.get("index") if isinstance(item, dict) else None
        same = [one for one in held if index is not None and isinstance(one, dict) and one.get("index") == index]
        if same:
            _merge(same[0], item)
        else:
            held.append(_copy(item))


def _copy(value: Any) -> Any:
    """A copy of what would be added to later: the chunk itself belongs to the user."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
