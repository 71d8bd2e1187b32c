"""Promises of `weft.tracer.otel.emission`: a span by OpenTelemetry's newest GenAI names, the rest as `weft.*`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracer.otel.emission import attribute_value, attributes_of
from weft.tracking.payloads.encoding import decode

CHAT = {
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
    ],
}
LOOK = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": "it"}}


def emitted(kind: str = "llm", name: str = "n", **more: Any) -> dict[str, Any]:
    return attributes_of(kind=kind, name=name, **more)


def parsed(attributes: dict[str, Any], key: str) -> Any:
    return json.loads(attributes[key])


def test_a_chat_completion_speaks_the_parts_schema() -> None:
    """Text, images inside and by URL, tool calls with parsed arguments, results, definitions, the finish reason."""
    answer = {
        "choices": [{"finish_reason": "tool_calls", "message": {**CHAT["messages"][2], "content": "Let me see."}}]
    }  # type: ignore[dict-item]
    out = emitted(inputs=CHAT, output=answer)
    assert parsed(out, "gen_ai.input.messages") == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is this?"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
                {"type": "uri", "modality": "image", "uri": "https://example.org/a.png"},
            ],
        },
        {"role": "assistant", "parts": [LOOK]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}]},
    ]
    assert parsed(out, "gen_ai.output.messages") == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Let me see."}, LOOK],
            "finish_reason": "tool_call",
        }
    ]
    assert parsed(out, "gen_ai.tool.definitions") == [
        {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    ]


def test_the_responses_api_speaks_the_parts_schema() -> None:
    inputs = {
        "model": "gpt-x",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": "it"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
        ],
    }
    output = {
        "status": "completed",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "A cat, then."}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A cat."}]},
            {"type": "web_search_call", "id": "w1"},
        ],
    }
    out = emitted(inputs=inputs, output=output)
    assert parsed(out, "gen_ai.system_instructions") == [{"type": "text", "content": "Be brief."}]
    assert parsed(out, "gen_ai.input.messages") == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {"role": "assistant", "parts": [LOOK]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}]},
    ]
    assert parsed(out, "gen_ai.output.messages") == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "A cat, then."},
                {"type": "text", "content": "A cat."},
                {"type": "web_search_call", "id": "w1"},
            ],
            "finish_reason": "stop",
        }
    ]


def test_anthropic_messages_speak_the_parts_schema() -> None:
    inputs = {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    {"type": "tool_result", "tool_use_id": "c1", "content": "a cat"},
                ],
            }
        ],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    }
    output = {
        "role": "assistant",
        "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "Hm."},
            {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "it"}},
        ],
    }
    out = emitted(inputs=inputs, output=output)
    assert parsed(out, "gen_ai.system_instructions") == [{"type": "text", "content": "Be brief."}]
    assert parsed(out, "gen_ai.input.messages")[0]["parts"] == [
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
        {"type": "tool_call_response", "id": "c1", "response": "a cat"},
    ]
    assert parsed(out, "gen_ai.output.messages") == [
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}, LOOK], "finish_reason": "tool_call"}
    ]
    assert parsed(out, "gen_ai.tool.definitions") == [
        {"type": "function", "name": "look", "parameters": {"type": "object"}}
    ]


def test_tokens_keep_inclusive_names_and_what_has_none_is_ours() -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_tokens": 30,
        "cache_write_tokens": 20,
        "reasoning_tokens": 7,
        "input_audio_tokens": 3,
        "cache_write_1h_tokens": 5,
    }
    out = emitted(usage=usage, model="m-1", provider="openai")
    assert {key: value for key, value in out.items() if "usage" in key} == {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.cache_write.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 7,
        "gen_ai.usage.audio.input_tokens": 3,
        "weft.usage.cache_write_1h_tokens": 5,
    }
    assert out["gen_ai.provider.name"] == "openai"
    assert (out["gen_ai.request.model"], out["gen_ai.response.model"]) == ("m-1", "m-1")


def test_a_model_that_did_not_answer_has_not_served() -> None:
    out = emitted(model="m-1", error={"type": "openai.APITimeoutError", "message": "late"})
    assert out["gen_ai.request.model"] == "m-1"
    assert "gen_ai.response.model" not in out
    assert out["error.type"] == "openai.APITimeoutError"


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("llm", "chat"),
        ("embedding", "embeddings"),
        ("tool", "execute_tool"),
        ("agent", "invoke_agent"),
        ("retriever", "retrieval"),
        ("op", None),
        ("my own", None),
    ],
)
def test_the_kind_is_the_operation(kind: str, operation: str | None) -> None:
    out = emitted(kind)
    assert out.get("gen_ai.operation.name") == operation
    assert out["weft.kind"] == kind


def test_what_the_span_says_itself_wins() -> None:
    mine = {"gen_ai.operation.name": "text_completion", "gen_ai.request.model": "asked", "gen_ai.usage.input_tokens": 1}
    out = emitted(attributes=mine, model="served", usage={"input_tokens": 2})
    assert out | mine == out
    assert out["gen_ai.response.model"] == "served"


def test_a_tool_says_arguments_and_result() -> None:
    out = emitted("tool", "look", inputs={"at": "it"}, output=0)
    assert out["gen_ai.tool.name"] == "look"
    assert parsed(out, "gen_ai.tool.call.arguments") == {"at": "it"}
    assert parsed(out, "gen_ai.tool.call.result") == 0


def test_conversation_user_and_tags_have_their_names() -> None:
    out = emitted("op", thread_id="t", user_id="u", tags=["a", "b"])
    assert (out["gen_ai.conversation.id"], out["user.id"], out["weft.tags"]) == ("t", "u", ["a", "b"])


@pytest.mark.parametrize("output", [None, 0, False, "", [], {}])
def test_falsy_outputs_are_said_and_no_output_is_not(output: Any) -> None:
    out = emitted("op", output=output)
    assert type(parsed(out, "weft.output")) is type(output)
    assert "weft.output" not in emitted("op")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, True),
        (1.5, 1.5),
        (["a"], ["a"]),
        ((1, 2), [1, 2]),
        ([1, "a"], '[1,"a"]'),
        ([], "[]"),
        ({"a": 1}, '{"a":1}'),
        (None, "null"),
        (1 << 63, str(1 << 63)),
        ([1 << 63], f"[{1 << 63}]"),
    ],
)
def test_an_attribute_has_a_type_of_opentelemetry(value: Any, said: Any) -> None:
    assert attribute_value(value) == said


NAMES = [
    "role",
    "content",
    "parts",
    "messages",
    "input",
    "output",
    "choices",
    "message",
    "type",
    "tool_calls",
    "function",
    "arguments",
    "image_url",
    "url",
    "source",
    "system",
    "tools",
    "name",
    "text",
    "finish_reason",
]
chat_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=5),
            inner
            | st.sampled_from(["user", "tool", "text", "image", "image_url", "function_call", "reasoning", "file"]),
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(chat_like, chat_like)
def test_whatever_a_payload_looks_like_it_is_said_and_none_of_it_lost(inputs: Any, output: Any) -> None:
    """No shape raises; inputs and output read back as they were."""
    out = emitted(inputs={"it": inputs} if not isinstance(inputs, dict) else inputs, output=output)
    assert decode(out["weft.output"]) == output
    assert all(isinstance(value, (str, bool, int, float, list)) for value in out.values())
