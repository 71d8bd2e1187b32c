"""Streamed chunks of OpenAI's protocols, put together to the object that the same call without streaming returns.

Pure. It takes what servers send, the odd ones too: ids repeated in every chunk, fields that OpenAI does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.tracer.integrations.assembly import copied

_SET_ONCE = frozenset({"id", "type", "role", "index", "name", "object", "created", "model", "finish_reason"})
"""Text that names something: repeated, it is not appended."""
_DONE = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Choices:
    """What answers of several choices have in common."""

    def __init__(self) -> None:
        self.content_seen = False
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    @property
    def complete(self) -> bool:
        """Every choice has said why it ends."""
        return bool(self._choices) and all(choice.get("finish_reason") for choice in self._choices.values())


class ChatAssembly(_Choices):
    """Of a chat completion: chunks with deltas."""

    def add(self, chunk: Mapping[str, Any]) -> None:
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


class ResponseAssembly:
    """Of a Responses call: typed events, the last of which holds the whole response."""

    def __init__(self) -> None:
        self.content_seen = self.complete = False
        self._whole: dict[str, Any] | None = None
        self._items: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        kind, index = str(chunk.get("type")), chunk.get("output_index")
        if isinstance(chunk.get("response"), Mapping):
            self._whole = dict(chunk["response"])
            self.complete = kind in _DONE
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._items[index or 0] = copied(chunk.get("item") or {})
        elif kind.endswith(".delta"):
            self.content_seen = True
            item = self._items.setdefault(index or 0, {})
            if kind == "response.function_call_arguments.delta":
                item["arguments"] = f"{item.get('arguments') or ''}{chunk.get('delta')}"
            elif kind == "response.output_text.delta":
                parts = item.setdefault("content", [])
                while len(parts) <= (chunk.get("content_index") or 0):
                    parts.append({"type": "output_text", "text": ""})
                part = parts[chunk.get("content_index") or 0]
                part["text"] = f"{part.get('text') or ''}{chunk.get('delta')}"

    def result(self) -> dict[str, Any] | None:
        if self._whole is None and not self._items:
            return None
        whole = self._whole or {}
        # A stream that was left early has only the response as it began: what came since is in the items.
        return whole | {"output": whole.get("output") or [item for _, item in sorted(self._items.items())]}


def _merge(into: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta: text is appended, lists are joined (by their items' `index` where they have one)."""
    for key, value in delta.items():
        held = into.get(key)
        if value is None:
            into.setdefault(key, None)
        elif held is None or key in _SET_ONCE:
            into[key] = copied(value) if held is None or value else held
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
            held.append(copied(item))


class TextAssembly(_Choices):
    """Of a text completion, the API before chat."""

    def add(self, chunk: Mapping[str, Any]) -> None:
        self._head.update({key: value for key, value in chunk.items() if key != "choices" and value is not None})
        for given in chunk.get("choices") or ():
            self.content_seen = self.content_seen or bool(given.get("text"))
            choice = self._choices.setdefault(given.get("index") or 0, {"index": given.get("index") or 0, "text": ""})
            _merge(choice, {key: value for key, value in given.items() if key != "index"})

    def result(self) -> dict[str, Any] | None:
        if not self._head and not self._choices:
            return None
        return self._head | {"choices": [choice for _, choice in sorted(self._choices.items())]}
