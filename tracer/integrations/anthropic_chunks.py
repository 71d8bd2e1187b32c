"""Streamed events of Anthropic's Messages, put together to the message that the same call without streaming returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from weft.tracer.integrations.assembly import copied

_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
"""A delta's type, and the field of it and of its block that holds the text."""


class MessageAssembly:
    """Of a message: its start, blocks with their deltas, its end."""

    def __init__(self) -> None:
        self.content_seen = self.complete = False
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._json: dict[int, str] = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        kind, index = chunk.get("type"), chunk.get("index") or 0
        if kind == "message_start":
            self._message = copied(chunk.get("message") or {})
        elif kind == "content_block_start":
            self._blocks[index] = copied(chunk.get("content_block") or {})
        elif kind == "content_block_delta":
            self.content_seen = True
            self._grow(index, chunk.get("delta") or {})
        elif kind == "message_delta":
            self._message = (self._message or {}) | {
                name: value for name, value in (chunk.get("delta") or {}).items() if value is not None
            }
            self.complete = bool(self._message.get("stop_reason"))
            # Counts of the end are those of the whole message; those that it does not repeat stand.
            told = {name: value for name, value in (chunk.get("usage") or {}).items() if value is not None}
            self._message["usage"] = {**(self._message.get("usage") or {}), **told}
        elif kind == "message_stop":
            self.complete = True

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._blocks.setdefault(index, {})
        kind = str(delta.get("type"))
        if kind in _TEXTS:
            name = _TEXTS[kind]
            block[name] = f"{block.get(name) or ''}{delta.get(name) or ''}"
        elif kind == "input_json_delta":
            self._json[index] = self._json.get(index, "") + str(delta.get("partial_json") or "")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), copied(delta.get("citation"))]
        else:  # what a later version of the protocol adds
            block.setdefault("deltas", []).append(copied(delta))

    def result(self) -> dict[str, Any] | None:
        if self._message is None and not self._blocks:
            return None
        content = [
            block | ({"input": _arguments(self._json[index])} if self._json.get(index) else {})
            for index, block in sorted(self._blocks.items())
        ]
        message = dict(self._message or {})
        if not self.complete and isinstance(message.get("usage"), dict):
            # What the start says of the output is a beginning, not a count: it stays unknown.
            message["usage"] = {name: value for name, value in message["usage"].items() if name != "output_tokens"}
        return message | {"content": content}


def _arguments(text: str) -> Any:
    """A tool's arguments; the text as it came where the stream was left in the middle of them."""
    try:
        return json.loads(text)
    except ValueError:
        return text
