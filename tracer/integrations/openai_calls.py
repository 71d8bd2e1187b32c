"""What is recorded of calls of the openai client: which operations there are, and how their answers are read. Pure.

`openai.py` says which methods they are of; it never talks to a server and changes nothing it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from weft.tracer import semconv
from weft.tracer.integrations import openai_settings
from weft.tracer.integrations.openai_chunks import ChatAssembly, ResponseAssembly, TextAssembly
from weft.tracer.integrations.openai_media import (
    ImageAssembly,
    TranscriptAssembly,
    audio_of,
    upload_inputs,
)
from weft.tracer.integrations.operations import Operation, Outcome, Server, address_of, count_at, response_attributes

_USAGE_HOSTS = frozenset({"openai", "deepseek", "groq", "openrouter"})
"""Providers whose servers are known to take `stream_options.include_usage`."""
_AZURE_SINCE = "2024-09-01"
"""The version of Azure's API that began to take it."""


def server_of(resource: Any) -> Server:
    """Where a resource of a client sends to."""
    host, port = address_of(resource)
    client = getattr(resource, "_client", None)
    provider = semconv.provider_of(host)
    if "Azure" in type(client).__name__:  # behind a gateway the host does not tell
        provider = "azure.ai.openai"
    return Server(host, port, provider, _takes_stream_options(host, provider, getattr(client, "_api_version", None)))


def _takes_stream_options(host: str, provider: str, api_version: object) -> bool:
    """Whether asking for usage at the end of a stream is safe: others may refuse a request with a field that they do
    not know, and the user's call must not fail for our sake. Servers on this machine take it, the common ones all.
    """
    if provider == "azure.ai.openai":
        # Without a version it is Azure's v1 API, which is OpenAI's own.
        return not isinstance(api_version, str) or not api_version[:1].isdigit() or api_version >= _AZURE_SINCE
    return (
        provider in _USAGE_HOSTS
        or host in ("127.0.0.1", "localhost", "::1")
        or host in openai_settings.stream_usage_hosts
    )


def _read(response: Mapping[str, Any]) -> Outcome:
    """Any answer of this API: they name alike what they have in common."""
    attributes = response_attributes(response, semconv.OPENAI_RESPONSE)
    choices = response.get("choices")
    reasons = [choice.get("finish_reason") for choice in choices or () if isinstance(choice, Mapping)]
    if any(reasons):
        attributes[semconv.FINISH_REASONS] = reasons
    model, failure = response.get("model"), response.get("error")
    return Outcome(
        response,
        usage_of(response.get("usage")),
        model if isinstance(model, str) else None,
        attributes,
        str(failure.get("message") or failure) if isinstance(failure, Mapping) else None,
    )


def _read_vectors(response: Mapping[str, Any]) -> Outcome:
    """Embeddings are recorded by their length alone: thousands of floats that asking again gives again."""
    found = _read(response)
    return replace(found, output=dict(response) | {"data": [_vector(item) for item in response.get("data") or ()]})


def _vector(item: Any) -> Any:
    vector = item.get("embedding") if isinstance(item, Mapping) else None
    if isinstance(vector, list):
        return dict(item) | {"embedding": {"dimensions": len(vector)}}
    if isinstance(vector, str):
        return dict(item) | {"embedding": {"base64_chars": len(vector)}}
    return item


def _read_secret(response: Mapping[str, Any]) -> Outcome:
    """A key for a browser's realtime session: everything but the key."""
    found = dict(response)
    for name in ("value", "client_secret"):
        if name in found:
            found[name] = "[REDACTED]"
    return Outcome(found, None, None, {})


def _read_fetched(response: Mapping[str, Any]) -> Outcome:
    """A stored response, looked at again: its tokens were counted when it was made, or are now for the first time."""
    found = _read(response)
    waited = found.attributes.get(semconv.RESPONSE_ID) in background
    if not waited or response.get("status") in ("queued", "in_progress"):
        return replace(found, usage=None)
    background.pop(found.attributes[semconv.RESPONSE_ID], None)
    return found


def _read_response(response: Mapping[str, Any]) -> Outcome:
    found = _read(response)
    if response.get("background") is True and response.get("status") in ("queued", "in_progress"):
        background[str(response.get("id"))] = None
        while len(background) > _BACKGROUND:
            del background[next(iter(background))]
    return found


_BACKGROUND = 10_000
background: dict[str, None] = {}
"""Ids of responses that were begun in the background here and have not been seen whole: the fetch that first brings
one whole brings its tokens."""

_USAGE = (
    ("input_tokens", ("prompt_tokens",)),
    ("output_tokens", ("completion_tokens",)),
    ("input_tokens", ("input_tokens",)),
    ("output_tokens", ("output_tokens",)),
    ("cache_read_tokens", ("prompt_tokens_details", "cached_tokens")),
    ("cache_read_tokens", ("prompt_cache_hit_tokens",)),
    ("cache_read_tokens", ("input_tokens_details", "cached_tokens")),
    ("cache_write_tokens", ("prompt_tokens_details", "cache_write_tokens")),
    ("cache_write_tokens", ("input_tokens_details", "cache_write_tokens")),
    ("reasoning_tokens", ("completion_tokens_details", "reasoning_tokens")),
    ("reasoning_tokens", ("output_tokens_details", "reasoning_tokens")),
    ("input_audio_tokens", ("prompt_tokens_details", "audio_tokens")),
    ("input_audio_tokens", ("input_tokens_details", "audio_tokens")),
    ("input_audio_tokens", ("input_token_details", "audio_tokens")),
    ("output_audio_tokens", ("completion_tokens_details", "audio_tokens")),
    ("output_audio_tokens", ("output_tokens_details", "audio_tokens")),
    ("input_image_tokens", ("input_tokens_details", "image_tokens")),
    ("output_image_tokens", ("output_tokens_details", "image_tokens")),
)
"""Our name, and the path in a usage object (chat, DeepSeek's, Responses, images, transcriptions); of several the first
that is there. A report that contradicts itself is kept as it is: who prices it flags it."""


def usage_of(usage: Any) -> dict[str, int] | None:
    """Token counts of a usage object; details that are 0 are left out, the totals are kept."""
    found: dict[str, int] = {}
    for name, path in _USAGE:
        value = count_at(usage, path)
        if value is not None and (value or len(path) == 1):
            found.setdefault(name, value)
    return found or None


def _operation(
    name: str, kind: str = "llm", read: Callable[[Mapping[str, Any]], Outcome] = _read, **more: Any
) -> Operation:
    return Operation(name, kind, read, semconv.OPENAI_REQUEST, **more)


CHAT = _operation("chat", assembly=ChatAssembly, attributes={semconv.OPENAI_API: "chat_completions"}, asks_usage=True)
COMPLETION = _operation("text_completion", assembly=TextAssembly, asks_usage=True)
RESPONSES = _operation(
    "chat", read=_read_response, assembly=ResponseAssembly, attributes={semconv.OPENAI_API: "responses"}
)
COMPACT = _operation("chat", attributes={semconv.OPENAI_API: "responses"})
FETCH = _operation("fetch_response", "tool", read=_read_fetched, assembly=ResponseAssembly)
EMBEDDINGS = _operation("embeddings", "embedding", read=_read_vectors)
MODERATION = _operation("moderation", "guardrail")
IMAGE = _operation(
    "image_generation",
    assembly=ImageAssembly,
    attributes={"gen_ai.output.type": "image"},
    inputs=upload_inputs,
)
SPEECH = _operation("speech", attributes={"gen_ai.output.type": "speech"}, binary=audio_of)
TRANSCRIPTION = _operation(
    "transcription", assembly=TranscriptAssembly, attributes={"gen_ai.output.type": "text"}, inputs=upload_inputs
)
REALTIME_SECRET = _operation("realtime_session", "tool", read=_read_secret)
BATCH = _operation("batch", "tool")
