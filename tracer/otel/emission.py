"""A span's facts as attributes by OpenTelemetry's GenAI conventions, newest names; what these do not know as `weft.*`.

Pure. The exporters, `otel="share"` and `weft traces export` write what this says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from weft.tracer import semconv
from weft.tracer.otel import messageparts
from weft.tracking.payloads.encoding import encode

AttributeValue = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]

MISSING: Final = object()
"""No output was recorded; None is an output."""

OPERATIONS: Final[Mapping[str, str]] = {
    "llm": "chat",
    "embedding": "embeddings",
    "tool": "execute_tool",
    "agent": "invoke_agent",
    "retriever": "retrieval",
}
"""`gen_ai.operation.name` of a span's kind, unless its attributes say it."""

USAGE: Final[Mapping[str, str]] = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
    "input_image_tokens": "gen_ai.usage.image.input_tokens",
}
"""Inclusive on both sides. A count that the conventions have no name for goes out as `weft.usage.<name>`."""

KIND: Final = "weft.kind"
INPUTS: Final = "weft.inputs"
OUTPUT: Final = "weft.output"
TAGS: Final = "weft.tags"
USAGE_PREFIX: Final = "weft.usage."

_PLAIN = (str, bool, int, float)
_LARGEST = 1 << 63


def attributes_of(
    *,
    kind: str,
    name: str,
    model: str | None = None,
    provider: str | None = None,
    usage: Mapping[str, int] | None = None,
    inputs: object = None,
    output: object = MISSING,
    attributes: Mapping[str, Any] | None = None,
    thread_id: str | None = None,
    user_id: str | None = None,
    tags: Sequence[str] = (),
    error: Mapping[str, Any] | None = None,
) -> dict[str, AttributeValue]:
    """What an OpenTelemetry span of this call says. Its own attributes win over what is derived.

    Args:
        kind: op, llm, tool, ...
        usage: token counts by weft's inclusive names.
        inputs: the recorded arguments by name, decoded; None: none were recorded.
        output: the recorded output, decoded.
        attributes: the span's own, any plain values: what OpenTelemetry has no type for goes out as JSON.
        error: {type, message, stacktrace}.
    """
    found: dict[str, AttributeValue] = {}
    for key, value in (attributes or {}).items():
        found[str(key)] = attribute_value(value)
    add = found.setdefault
    add(KIND, kind)
    if kind in OPERATIONS:
        add(semconv.OPERATION, OPERATIONS[kind])
    if provider:
        add(semconv.PROVIDER, provider)
    if model:
        add(semconv.REQUEST_MODEL, model)
        if usage or output is not MISSING:  # it answered: the model of the usage is the one that served
            add(semconv.RESPONSE_MODEL, model)
    for counted, tokens in (usage or {}).items():
        add(USAGE.get(counted, USAGE_PREFIX + counted), tokens)
    if thread_id:
        add("gen_ai.conversation.id", thread_id)
    if user_id:
        add("user.id", user_id)
    if tags:
        add(TAGS, [str(tag) for tag in tags])
    if error is not None:
        add(semconv.ERROR_TYPE, str(error.get("type") or "_OTHER"))
    for key, content in _content(kind, name, inputs, output).items():
        add(key, content)
    if inputs is not None:
        add(INPUTS, as_json(inputs))
    if output is not MISSING:
        add(OUTPUT, as_json(output))
    return found


def attribute_value(value: object) -> AttributeValue:
    """The value itself where OpenTelemetry has its type (64 bits of integer, lists of one type), else its JSON."""
    if isinstance(value, _PLAIN):
        fits = not isinstance(value, int) or -_LARGEST <= value < _LARGEST
        return value if fits else str(value)
    if isinstance(value, (list, tuple)) and value and type(value[0]) in _PLAIN:
        first = type(value[0])
        if all(type(item) is first and (first is not int or -_LARGEST <= item < _LARGEST) for item in value):
            return list(value)
    return as_json(value)


def as_json(value: object) -> str:
    """JSON in the tagged form of `docs/format.md`."""
    return encode(value).decode()


def _content(kind: str, name: str, inputs: object, output: object) -> dict[str, str]:
    """What goes in and comes out, in the conventions' own schema, by the span's kind."""
    found: dict[str, str] = {}
    if kind == "tool":
        found["gen_ai.tool.name"] = name
        if inputs is not None:
            found["gen_ai.tool.call.arguments"] = as_json(inputs)
        if output is not MISSING:
            found["gen_ai.tool.call.result"] = as_json(output)
    elif kind == "retriever":
        if isinstance(inputs, Mapping) and isinstance(query := inputs.get("query"), str):
            found["gen_ai.retrieval.query.text"] = query
        if isinstance(output, (list, tuple)):
            found["gen_ai.retrieval.documents"] = as_json(output)
    elif kind in ("llm", "agent"):
        if kind == "agent":
            found["gen_ai.agent.name"] = name
        parts = {
            "gen_ai.system_instructions": messageparts.system_instructions(inputs),
            "gen_ai.input.messages": messageparts.input_messages(inputs),
            "gen_ai.output.messages": None if output is MISSING else messageparts.output_messages(output),
            "gen_ai.tool.definitions": messageparts.tool_definitions(inputs),
        }
        found |= {key: as_json(value) for key, value in parts.items() if value is not None}
    return found
