"""Attribute names of OpenTelemetry's GenAI conventions (semantic-conventions-genai, state of 2026-09), in one place."""

from __future__ import annotations

from collections.abc import Mapping

OPERATION = "gen_ai.operation.name"
PROMPT_NAME = "gen_ai.prompt.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
"""Seconds."""
EMBEDDING_DIMENSIONS = "gen_ai.embeddings.dimension.count"
ERROR_TYPE = "error.type"
HTTP_STATUS = "http.response.status_code"
OPENAI_API = "openai.api.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"

SERVICE_NAME = "service.name"
SCOPE_NAME = "otel.scope.name"
SCOPE_VERSION = "otel.scope.version"
SPAN_KIND = "otel.span.kind"
DROPPED = "otel.dropped_{}_count"
"""OpenTelemetry's own names for what formats other than OTLP have no field for; `{}`: attributes, events, links."""
RESOURCE = "otel.resource"
"""What else a file's resource says of whoever made a span."""

OPENAI_REQUEST: Mapping[str, str] = {
    "model": REQUEST_MODEL,
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "n": "gen_ai.request.choice.count",
    "stream": "gen_ai.request.stream",
    "dimensions": EMBEDDING_DIMENSIONS,
    "previous_response_id": "openai.request.previous_response_id",
    "service_tier": "openai.request.service_tier",
}
"""Request parameters of OpenAI's API."""

OPENAI_RESPONSE: Mapping[str, str] = {
    "id": RESPONSE_ID,
    "model": RESPONSE_MODEL,
    "service_tier": "openai.response.service_tier",
    "system_fingerprint": "openai.response.system_fingerprint",
}

PROVIDER_OF_HOST: Mapping[str, str] = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "openrouter.ai": "openrouter",
}
"""Whose OpenAI-compatible API a host, or a subdomain of it, is."""


def provider_of(host: str) -> str:
    """The provider's name by its API's host; the host itself where it is nobody's we know."""
    known = (name for known, name in PROVIDER_OF_HOST.items() if host == known or host.endswith(f".{known}"))
    return next(known, host)
