"""What is recorded of calls of the anthropic client, and how its answers are read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.tracer import semconv
from weft.tracer.integrations.anthropic_chunks import MessageAssembly
from weft.tracer.integrations.operations import Operation, Outcome, Server, address_of, count_at, response_attributes

_REQUEST: Mapping[str, str] = {
    "model": semconv.REQUEST_MODEL,
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "stop_sequences": "gen_ai.request.stop_sequences",
    "stream": "gen_ai.request.stream",
    "service_tier": "anthropic.request.service_tier",
    "speed": "anthropic.request.speed",
}
_RESPONSE: Mapping[str, str] = {"id": semconv.RESPONSE_ID, "model": semconv.RESPONSE_MODEL}
_PLATFORMS = (("Bedrock", "aws.bedrock"), ("Vertex", "gcp.vertex_ai"), ("Foundry", "azure.ai.inference"))
"""Words in the names of the package's other clients: these platforms have prices and hosts of their own."""


def server_of(resource: Any) -> Server:
    """Where a resource of a client sends to."""
    host, port = address_of(resource)
    client = type(getattr(resource, "_client", None)).__name__
    platform = next((provider for word, provider in _PLATFORMS if word in client), None)
    return Server(host, port, platform or semconv.provider_of(host))


def _read(response: Mapping[str, Any]) -> Outcome:
    attributes = response_attributes(response, _RESPONSE)
    usage, reason, model = response.get("usage"), response.get("stop_reason"), response.get("model")
    if isinstance(reason, str):
        attributes[semconv.FINISH_REASONS] = [reason]
    if isinstance(usage, Mapping):
        attributes |= response_attributes(
            usage, {"service_tier": "anthropic.response.service_tier", "speed": "anthropic.response.speed"}
        )
        for name, value in (usage.get("server_tool_use") or {}).items():
            if isinstance(value, int) and value:
                attributes[f"anthropic.usage.server_tool_use.{name}"] = value
    return Outcome(response, usage_of(usage), model if isinstance(model, str) else None, attributes)


def usage_of(usage: Any) -> dict[str, int] | None:
    """Token counts of a usage object, made inclusive: Anthropic's `input_tokens` leave out what the cache served and
    took, OpenTelemetry's do not.
    """
    plain, output = count_at(usage, ("input_tokens",)), count_at(usage, ("output_tokens",))
    if plain is None and output is None:
        return None
    read = count_at(usage, ("cache_read_input_tokens",)) or 0
    hour = count_at(usage, ("cache_creation", "ephemeral_1h_input_tokens")) or 0
    minutes = count_at(usage, ("cache_creation", "ephemeral_5m_input_tokens")) or 0
    written = count_at(usage, ("cache_creation_input_tokens",))
    if written is None:
        written = hour + minutes
    found = {} if output is None else {"output_tokens": output}
    if plain is not None:
        found["input_tokens"] = plain + read + written
    details = {
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": hour,
        "reasoning_tokens": count_at(usage, ("output_tokens_details", "thinking_tokens")) or 0,
    }
    return found | {name: value for name, value in details.items() if value}


MESSAGES = Operation("chat", "llm", _read, _REQUEST, MessageAssembly)
COMPLETION = Operation("text_completion", "llm", _read, _REQUEST)
BATCH = Operation("batch", "tool", _read, _REQUEST)
