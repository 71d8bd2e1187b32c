"""OpenAI's protocol as data: what a request asks, what a reply holds, and the JSON of both directions.

Pure functions; `provider.py` is the server that speaks them. The token counts are this server's own: words and marks.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import itertools
import json
import math
import re
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

EMBEDDING_DIMENSIONS = 1536
_token = re.compile(r"\s?\w{1,8}|\s?[^\w\s]|\s+")
_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat request as the server read it."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    body: Mapping[str, Any]
    """The whole JSON body: temperature, response_format, ..."""

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        return self.body.get("tools") or ()

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def last_user_text(self) -> str:
        """The text of the last user message, "" where there is none."""
        return next((text_of(m) for m in reversed(self.messages) if m.get("role") == "user"), "")


@dataclass(frozen=True, slots=True, init=False)
class ToolCall:
    """A call that the model asks for."""

    name: str
    arguments: str
    """JSON text, as on the wire."""
    id: str

    def __init__(self, name: str, arguments: str | Mapping[str, Any] = "{}", id: str | None = None) -> None:  # noqa: A002
        """
        Args:
            arguments: a mapping is encoded; text goes out as it is, so that a test can send what is no JSON.
            id: default the next of `call_00000001`, ...

        Raises:
            TypeError: the mapping holds what JSON cannot.
        """
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "arguments", arguments if isinstance(arguments, str) else json.dumps(dict(arguments)))
        object.__setattr__(self, "id", f"call_{next(_ids):08d}" if id is None else id)


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What the model answers. Counts left None are counted by the server."""

    content: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: str | None = None
    """None: `tool_calls` where there are any, else `stop`."""
    refusal: str | None = None
    model: str | None = None
    """The model that served, where it is not the one asked for (`gpt-4o-mini-2024-07-18`)."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    """Of prompt_tokens, a part."""
    reasoning_tokens: int = 0
    """Of completion_tokens, a part."""
    cache_write_tokens: int = 0
    """Of prompt_tokens, a part; only Anthropic's protocol tells it."""
    cache_write_1h_tokens: int = 0
    """Of cache_write_tokens, a part."""
    thinking: str | None = None
    """What the model thought first; only Anthropic's protocol tells it."""

    def counted(self, request: ChatRequest) -> ChatReply:
        """The same with every count filled in, cut at the request's token limit."""
        reply = self
        limit = request.body.get("max_completion_tokens") or request.body.get("max_tokens")
        if reply.content is not None and isinstance(limit, int):
            tokens = pieces(reply.content)
            if len(tokens) > limit:
                reply = replace(reply, content="".join(tokens[:limit]), finish_reason="length")
        produced = count(reply.content or "") + count(reply.refusal or "") + reply.reasoning_tokens
        produced += sum(count(call.name) + count(call.arguments) for call in reply.tool_calls)
        asked = sum(4 + count(text_of(message)) for message in request.messages)
        asked += sum(count(json.dumps(tool)) for tool in request.tools)
        return replace(
            reply,
            finish_reason=reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop"),
            model=reply.model or request.model,
            prompt_tokens=asked if reply.prompt_tokens is None else reply.prompt_tokens,
            completion_tokens=produced if reply.completion_tokens is None else reply.completion_tokens,
        )


def reply_of(answer: object) -> ChatReply:
    """What a responder returned, as a reply.

    Raises:
        TypeError: it is none; says what a responder must return.
    """
    if isinstance(answer, str):
        return ChatReply(content=answer)
    if isinstance(answer, ToolCall):
        return ChatReply(tool_calls=(answer,))
    must = "a responder must return a str, a ToolCall or a ChatReply(content=..., tool_calls=[ToolCall(...)])"
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{must}, and must not be async: it is called in the server's threads")
    if not isinstance(answer, ChatReply):
        raise TypeError(f"{must}; this one returned {type(answer).__name__}: {answer!r:.80}")
    calls = answer.tool_calls
    if not isinstance(calls, Sequence) or not all(isinstance(call, ToolCall) for call in calls):
        raise TypeError(f"{must}; the tool_calls of this one are no ToolCalls: {calls!r:.80}")
    if not isinstance(answer.content, str | None):
        raise TypeError(f"{must}; the content of this one is no text: {answer.content!r:.80}")
    return answer


def pieces(text: str) -> list[str]:
    """The text cut into this server's tokens; joined, they are the text."""
    return _token.findall(text)


def count(text: str) -> int:
    """How many tokens this server counts in a text."""
    return len(pieces(text))


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text, its parts joined."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.get("text", "") for part in parts if isinstance(part, dict))


def error(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def usage_of(reply: ChatReply) -> dict[str, Any]:
    """The usage object of a counted reply."""
    prompt, completion = reply.prompt_tokens or 0, reply.completion_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(reply: ChatReply, *, choices: int = 1) -> dict[str, Any]:
    """A `chat.completion` object."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
    choice = {"message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    return _head("chat.completion", reply) | {
        "choices": [{"index": index, **choice} for index in range(choices)],
        "usage": usage_of(reply),
        "service_tier": "default",
    }


def chunks(reply: ChatReply, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """The `chat.completion.chunk` objects of a streamed reply, tool arguments in pieces as OpenAI sends them."""
    head = _head("chat.completion.chunk", reply) | ({"usage": None} if include_usage else {})

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": None if reply.tool_calls else "", "refusal": None})
    for piece in pieces(reply.content or ""):
        yield chunk({"content": piece})
    for piece in pieces(reply.refusal or ""):
        yield chunk({"refusal": piece})
    for index, call in enumerate(reply.tool_calls):
        yield chunk({"tool_calls": [{"index": index, **_tool_call(replace(call, arguments=""))}]})
        for piece in pieces(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, reply.finish_reason)
    if include_usage:
        yield head | {"choices": [], "usage": usage_of(reply)}


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The `/v1/embeddings` answer: hashed bags of words, so that texts which share words are near each other."""
    given = body["input"]
    one = isinstance(given, str) or (isinstance(given, list) and bool(given) and isinstance(given[0], int))
    inputs = [given] if one else given
    size = body.get("dimensions") or EMBEDDING_DIMENSIONS
    texts = [item if isinstance(item, str) else " ".join(map(str, item)) for item in inputs]
    vectors = [embed(text, size) for text in texts]
    packed = body.get("encoding_format") == "base64"
    tokens = sum(count(text) for text in texts)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if packed else vector,
            }
            for index, vector in enumerate(vectors)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def embed(text: str, size: int = EMBEDDING_DIMENSIONS) -> list[float]:
    """A unit vector: each word adds one at the place and with the sign that its hash says."""
    vector = [0.0] * size
    for word in re.findall(r"\w+", text.lower()) or [text]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
        vector[digest % size] += 1.0 if digest >> 63 else -1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]


def response(reply: ChatReply, body: Mapping[str, Any]) -> dict[str, Any]:
    """A `/v1/responses` object: the message, or the function calls, of a counted reply."""
    number = next(_ids)
    output: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": f"fc_{number:08d}_{index}",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for index, call in enumerate(reply.tool_calls)
    ]
    if reply.content is not None:
        part = {"type": "output_text", "text": reply.content, "annotations": [], "logprobs": []}
        message = {"type": "message", "id": f"msg_{number:08d}", "role": "assistant", "status": "completed"}
        output.append(message | {"content": [part]})
    usage = usage_of(reply)
    return {
        "id": f"resp_{number:08d}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "metadata": body.get("metadata", {}),
        "temperature": body.get("temperature", 1.0),
        "top_p": body.get("top_p", 1.0),
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": reply.cached_tokens},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": usage["total_tokens"],
        },
    }


def response_events(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The stream of a response: created, each item with its deltas, completed."""
    numbers = itertools.count()

    def event(kind: str, **values: Any) -> dict[str, Any]:
        return {"type": kind, "sequence_number": next(numbers), **values}

    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    for index, item in enumerate(whole["output"]):
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part, text = item["content"][0], item["content"][0]["text"]
            yield event("response.output_item.added", output_index=index, item=item | {"content": []})
            yield event("response.content_part.added", **where, content_index=0, part=part | {"text": ""})
            for piece in pieces(text):
                yield event("response.output_text.delta", **where, content_index=0, delta=piece, logprobs=[])
            yield event("response.output_text.done", **where, content_index=0, text=text, logprobs=[])
            yield event("response.content_part.done", **where, content_index=0, part=part)
        else:
            yield event("response.output_item.added", output_index=index, item=item | {"arguments": ""})
            for piece in pieces(item["arguments"]):
                yield event("response.function_call_arguments.delta", **where, delta=piece)
            done = {"arguments": item["arguments"], "name": item["name"]}
            yield event("response.function_call_arguments.done", **where, **done)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=whole)


def messages_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A Responses input as chat messages, instructions first."""
    given = body.get("input") or ""
    items: list[Mapping[str, Any]] = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    if body.get("instructions"):
        items.insert(0, {"role": "system", "content": body["instructions"]})
    return items


def _head(kind: str, reply: ChatReply) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{next(_ids):08d}",
        "object": kind,
        "created": int(time.time()),
        "model": reply.model,
        "system_fingerprint": "fp_loopback",
    }


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
