"""Anthropic's Messages protocol as data: a message, its stream of events, its errors. Pure; `provider` serves them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from weft.testing.wire import ChatReply, pieces

_ids = itertools.count(1)
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error(status: int, message: str) -> dict[str, Any]:
    """Anthropic's error envelope."""
    return {"type": "error", "error": {"type": _ERRORS.get(status, "api_error"), "message": message}}


def messages_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The request's messages, the system prompt first."""
    system = body.get("system")
    first = [{"role": "system", "content": system}] if system else []
    return [*first, *body.get("messages", ())]


def message(reply: ChatReply) -> dict[str, Any]:
    """A `message` object of a counted reply: thinking, text, and the tools that it asks for."""
    content: list[dict[str, Any]] = []
    if reply.thinking is not None:
        content.append({"type": "thinking", "thinking": reply.thinking, "signature": "c2lnbmVk"})
    if reply.content is not None:
        content.append({"type": "text", "text": reply.content, "citations": None})
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments or "{}")}
        for call in reply.tool_calls
    ]
    return {
        "id": f"msg_{next(_ids):08d}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": _STOPS.get(reply.finish_reason or "stop", reply.finish_reason),
        "stop_sequence": None,
        "usage": usage_of(reply),
    }


def usage_of(reply: ChatReply) -> dict[str, Any]:
    """Anthropic's usage: `input_tokens` without those that the cache served or took."""
    written = reply.cache_write_tokens
    return {
        "input_tokens": (reply.prompt_tokens or 0) - reply.cached_tokens - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": reply.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - reply.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": reply.cache_write_1h_tokens,
        },
        "output_tokens": reply.completion_tokens or 0,
        "service_tier": "standard",
    }


def events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The stream of a message: its start, each block with its deltas, its end with the output's tokens."""
    begun = {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    yield {"type": "message_start", "message": {**whole, **begun}}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        at = {"index": index}
        yield {"type": "content_block_start", **at, "content_block": _begun(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", **at, "delta": delta}
        yield {"type": "content_block_stop", **at}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _begun(block: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    return block | empty[str(block["type"])]


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        text = json.dumps(block["input"])
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(text)))
