"""Short plain text of an encoded payload, for list views. On the ingester's path: bounded time whatever the size."""

from __future__ import annotations

import re
from typing import Any

import orjson

LIMIT = 300
PARSE_BYTES = 64 << 10
"""Larger payloads are never parsed: the text is taken from their bytes."""

_USER = b'"role":"user","content":"'
_string = re.compile(rb'(?:[^"\\]|\\(?:u[0-9a-f]{4}|[^u]))*')
"""What of a JSON string lies in a piece of it, no escape cut in two."""


def preview(data: bytes | str, limit: int = LIMIT) -> str:
    """At most `limit` characters of what a reader wants to see first.

    The only argument, or all of them joined where they are plain; the last user message of a chat request; the
    assistant's text of a chat response; else compact JSON.
    """
    if len(data) > PARSE_BYTES:
        return _large(data.encode() if isinstance(data, str) else data, limit)
    try:
        return _cut(_text(orjson.loads(data)), limit)
    except (ValueError, RecursionError):  # no JSON, or deeper than what we write
        return _cut(data if isinstance(data, str) else data.decode("utf-8", "replace"), limit)


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is dict:
        return _object(value)
    if value is None:
        return "None"
    if kind is list:
        return _list(value)
    return str(value)


def _object(value: dict[str, Any]) -> str:
    if "$weft" in value:
        return _tagged(value)
    if "messages" in value and type(messages := value["messages"]) is list:
        found = _last_user(messages)
        if found is not None:
            return found
    elif "choices" in value and type(choices := value["choices"]) is list and choices:
        found = _choice(choices[0])
        if found is not None:
            return found
    elif "role" in value and "content" in value:
        return _content(value["content"])
    if "self" in value and len(value) > 1:
        value = {key: item for key, item in value.items() if key != "self"}
    if len(value) > 1:  # an object that has no JSON (a client, a callback) tells a reader nothing
        value = {key: item for key, item in value.items() if not _is_opaque(item)} or value
    if len(value) == 1:
        return _text(next(iter(value.values())))
    parts = []
    for item in value.values():
        if type(item) is list or (type(item) is dict and "$weft" not in item):
            return orjson.dumps(_named(value)).decode()
        if item is not None:
            parts.append(item if type(item) is str else _text(item))
    return ", ".join(parts)


def _is_opaque(item: Any) -> bool:
    return type(item) is dict and item.get("$weft") == "repr"


def _named(value: Any, levels: int = 20) -> Any:
    """With what has no JSON as `[image]` and the like; a preview does not show what lies deeper."""
    if type(value) is dict:
        if "$weft" in value:
            return _tagged(value)
        return {key: _named(item, levels - 1) for key, item in value.items()} if levels else "…"
    if type(value) is list:
        return [_named(item, levels - 1) for item in value] if levels else "…"
    return value


def _list(value: list[Any]) -> str:
    if value and type(value[0]) is dict and "role" in value[0]:
        found = _last_user(value)
        if found is not None:
            return found
    return orjson.dumps(_named(value)).decode()


def _last_user(messages: list[Any]) -> str | None:
    for message in reversed(messages):
        if type(message) is dict and message.get("role") == "user":
            return _content(message.get("content"))
    return None


def _choice(choice: Any) -> str | None:
    message = choice.get("message") if type(choice) is dict else None
    if type(message) is not dict:
        return None
    if message.get("content"):
        return _content(message["content"])
    calls = message.get("tool_calls")
    if type(calls) is list and calls:
        return ", ".join(_call(call) for call in calls)
    return message.get("refusal") or None


def _call(call: Any) -> str:
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict:
        return "tool call"
    return f"{function.get('name')}({function.get('arguments') or ''})"


def _content(content: Any) -> str:
    """Text of a message's content, which may be a list of parts."""
    if type(content) is str:
        return content
    if type(content) is list:
        texts = [part.get("text") or f"[{part.get('type')}]" for part in content if type(part) is dict]
        return " ".join(text for text in texts if type(text) is str)
    return _text(content)


def _tagged(value: dict[str, Any]) -> str:
    kind, content = value["$weft"], value.get("v")
    if type(content) is not dict:
        return str(content) if kind in ("float", "int", "str") else f"[{kind}]"
    for name in ("preview", "text", "message"):
        if type(content.get(name)) is str:
            return content[name]  # type: ignore[no-any-return]
    shape = content.get("shape") or content.get("n_rows")
    return f"[{kind} {shape}]" if shape else f"[{kind}]"


def _large(data: bytes, limit: int) -> str:
    at = data.rfind(_USER)
    start = at + len(_USER) if at >= 0 else 0
    piece = data[start : start + 8 * limit]
    if at >= 0 and (whole := _string.match(piece)) is not None:
        try:
            return _cut(orjson.loads(b'"' + whole[0] + b'"'), limit)
        except ValueError:
            pass  # cut inside a character: shown as it stands
    return _cut(piece.decode("utf-8", "ignore"), limit)


def _cut(text: str, limit: int) -> str:
    head = text[: limit + 64]
    if "\n" in head or "\t" in head or "  " in head or "\r" in head:
        head = " ".join(head.split())
    if len(head) <= limit and len(text) <= limit + 64:
        return head
    return head[: limit - 1] + "…"
