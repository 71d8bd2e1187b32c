"""What is recorded of an OpenAI call: its request as inputs, its response as output, tokens, attributes. Pure.

`openai.py` calls it with what went in and what came out; it never talks to a server and changes nothing it is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weft.tracer import semconv
from weft.tracer.integrations.openai_chunks import Assembly, ChatAssembly, ResponseAssembly

_ABSENT = frozenset({"NotGiven", "Omit"})
"""Classes of openai's own words for "not given", in both majors."""
_TRANSPORT = frozenset({"extra_headers", "extra_query", "timeout"})
"""Arguments that say how to send, not what: the headers may hold secrets."""
_ITERABLES = frozenset({"messages", "tools", "functions", "input", "stop"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One traced method of the client."""

    name: str
    """OpenTelemetry's `gen_ai.operation.name`."""
    kind: str
    """The span's."""
    assembly: Callable[[], Assembly] | None = None
    """What puts its streams together."""
    api: str | None = None
    """OpenTelemetry's `openai.api.type`."""


CHAT = Operation("chat", "llm", ChatAssembly, "chat_completions")
RESPONSES = Operation("chat", "llm", ResponseAssembly, "responses")
EMBEDDINGS = Operation("embeddings", "embedding")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a client sends to."""

    host: str
    port: int | None

    @classmethod
    def of(cls, resource: Any) -> Server:
        """Of a resource of a client (`client.chat.completions`); unknown where it has no base URL."""
        url = getattr(getattr(resource, "_client", None), "base_url", None)
        return cls(str(getattr(url, "host", "") or "unknown"), getattr(url, "port", None))

    @property
    def provider(self) -> str:
        """OpenTelemetry's name, or the host."""
        return semconv.provider_of(self.host)

    @property
    def takes_stream_options(self) -> bool:
        """Whether asking for usage at the end of a stream is safe: OpenAI's own API, and servers on this machine (all
        the common ones take it). Others may refuse a request with a field that they do not know.
        """
        return self.provider == "openai" or self.host in ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it begins."""

    name: str
    kind: str
    inputs: Mapping[str, Any]
    attributes: Mapping[str, Any]
    model: str | None
    provider: str


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were given, iterators among them drawn into lists: what is recorded can still be sent."""
    return {
        name: list(value) if name in _ITERABLES and _is_iterator(value) else value
        for name, value in arguments.items()
        if type(value).__name__ not in _ABSENT
    }


def _is_iterator(value: Any) -> bool:
    return hasattr(value, "__next__")


def call_of(operation: Operation, arguments: Mapping[str, Any], server: Server) -> Call:
    """What a span says when the call begins."""
    inputs = {name: value for name, value in arguments.items() if name not in _TRANSPORT and value is not None}
    inputs.update(inputs.pop("extra_body", None) or {})
    attributes: dict[str, Any] = {semconv.OPERATION: operation.name, semconv.PROVIDER: server.provider}
    for name, attribute in semconv.OPENAI_REQUEST.items():
        value = inputs.get(name)
        if isinstance(value, (str, int, float)) or (name == "stop" and isinstance(value, (list, tuple))):
            attributes[attribute] = [value] if name == "stop" and isinstance(value, str) else value
    if operation.api is not None:
        attributes[semconv.OPENAI_API] = operation.api
    attributes[semconv.SERVER_ADDRESS] = server.host
    if server.port is not None:
        attributes[semconv.SERVER_PORT] = server.port
    for name in ("response_format", "text_format"):
        if isinstance(inputs.get(name), type):
            inputs[name] = inputs[name].__name__  # what `parse` was given: a class
    model = inputs.get("model")
    name = f"{operation.name} {model}" if isinstance(model, str) else operation.name
    return Call(name, operation.kind, inputs, attributes, model if isinstance(model, str) else None, server.provider)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a response says."""

    output: Any
    usage: Mapping[str, int] | None
    """By OpenTelemetry's inclusive names; None: none was reported, which is not zero."""
    model: str | None
    """That served."""
    attributes: Mapping[str, Any]
    failure: str | None = None
    """The model failed, and the server said so in a sound answer (Responses)."""


def outcome_of(operation: Operation, response: Mapping[str, Any]) -> Outcome:
    """Read a response, or a stream's assembled one, as plain data. Vectors are recorded by their length alone."""
    attributes = {
        attribute: response[name]
        for name, attribute in semconv.OPENAI_RESPONSE.items()
        if isinstance(response.get(name), str)
    }
    choices = response.get("choices")
    reasons = [choice.get("finish_reason") for choice in choices or () if isinstance(choice, Mapping)]
    if any(reasons):
        attributes[semconv.FINISH_REASONS] = reasons
    output: Any = response
    if operation is EMBEDDINGS:
        output = dict(response) | {"data": [_vector(item) for item in response.get("data") or ()]}
    model, failure = response.get("model"), response.get("error")
    return Outcome(
        output,
        usage_of(response.get("usage")),
        model if isinstance(model, str) else None,
        attributes,
        str(failure.get("message") or failure) if isinstance(failure, Mapping) else None,
    )


def _vector(item: Any) -> Any:
    """An embedding with its length in place of its numbers: thousands of floats that asking again gives again."""
    vector = item.get("embedding") if isinstance(item, Mapping) else None
    if isinstance(vector, list):
        return dict(item) | {"embedding": {"dimensions": len(vector)}}
    if isinstance(vector, str):
        return dict(item) | {"embedding": {"base64_chars": len(vector)}}
    return item


_USAGE = (
    ("input_tokens", ("prompt_tokens",)),
    ("output_tokens", ("completion_tokens",)),
    ("input_tokens", ("input_tokens",)),
    ("output_tokens", ("output_tokens",)),
    ("cache_read_tokens", ("prompt_tokens_details", "cached_tokens")),
    ("cache_read_tokens", ("prompt_cache_hit_tokens",)),
    ("cache_write_tokens", ("prompt_tokens_details", "cache_write_tokens")),
    ("input_audio_tokens", ("prompt_tokens_details", "audio_tokens")),
    ("reasoning_tokens", ("completion_tokens_details", "reasoning_tokens")),
    ("output_audio_tokens", ("completion_tokens_details", "audio_tokens")),
    ("cache_read_tokens", ("input_tokens_details", "cached_tokens")),
    ("cache_write_tokens", ("input_tokens_details", "cache_write_tokens")),
    ("reasoning_tokens", ("output_tokens_details", "reasoning_tokens")),
)
"""Our name, and the path in a usage object (chat, DeepSeek's, Responses); of several the first that is there."""


def usage_of(usage: Any) -> dict[str, int] | None:
    """Token counts of a usage object; details that are 0 are left out, the totals are kept."""
    if not isinstance(usage, Mapping):
        return None
    found: dict[str, int] = {}
    for name, path in _USAGE:
        value: Any = usage
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool) and (value or len(path) == 1):
            found.setdefault(name, value)
    return found or None


def plain(response: Any) -> dict[str, Any] | None:
    """A response object of the client as plain data; None where it is none.

    `parse` methods' extra fields (`parsed`) are kept.
    """
    dump = getattr(response, "to_dict", None)
    if dump is None:
        return dict(response) if isinstance(response, Mapping) else None
    # `warnings=False`: servers that answer with other types than OpenAI's would make pydantic warn at the user.
    found = dump(mode="python", exclude_unset=True, warnings=False)
    return found if isinstance(found, dict) else None


def error_attributes(error: BaseException) -> dict[str, Any]:
    """What a failed call's span says beyond the exception."""
    found: dict[str, Any] = {semconv.ERROR_TYPE: type(error).__qualname__}
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        found[semconv.HTTP_STATUS] = status
    body = getattr(error, "body", None)
    if isinstance(body, Mapping):
        found["openai.error"] = json.loads(json.dumps(dict(body), default=str))
    request_id = getattr(error, "request_id", None)
    if isinstance(request_id, str):
        found["openai.request_id"] = request_id
    return found
