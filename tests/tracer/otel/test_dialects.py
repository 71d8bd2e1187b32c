"""Dialects: what each library's spans say becomes the same neutral fields, and nothing a sender writes does harm."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracer.otel.dialects import MISSING, Translated, provider_name, table, translate
from weft.tracer.otel.emission import attributes_of
from weft.tracer.otel.messageparts import input_messages, output_messages
from weft.tracking.payloads.encoding import Tagged
from weft.ui.messages import conversation

PARTS_IN = [{"role": "user", "parts": [{"type": "text", "content": "Rain in Paris?"}]}]
PARTS_OUT = [{"role": "assistant", "parts": [{"type": "text", "content": "Yes."}], "finish_reason": "stop"}]
CALLED = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}

OTEL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
    "gen_ai.input.messages": json.dumps(PARTS_IN),
    "gen_ai.output.messages": json.dumps(PARTS_OUT),
    "gen_ai.usage.input_tokens": 17_903,
    "gen_ai.usage.output_tokens": 850,
    "gen_ai.usage.cache_read.input_tokens": 17_817,
    "gen_ai.usage.reasoning.output_tokens": 700,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.conversation.id": "t1",
    "user.id": "u1",
}


def chat(told: Translated) -> list[tuple[str, str]]:
    """Role and text of every message, as the app shows them."""
    return [
        (message["role"], " ".join(str(part.get("text", part.get("name"))) for part in message["parts"]))
        for message in conversation(told.inputs, None if told.output is MISSING else told.output)
    ]


# ---- the seven dialects ----


def test_opentelemetry_in_its_newest_names() -> None:
    told = translate(OTEL)

    assert (told.kind, told.model, told.provider) == ("llm", "gpt-4o-2024-08-06", "openai")
    assert told.usage == {
        "input_tokens": 17_903,
        "output_tokens": 850,
        "cache_read_tokens": 17_817,
        "reasoning_tokens": 700,
    }
    assert chat(told) == [("system", "Be brief."), ("user", "Rain in Paris?"), ("assistant", "Yes.")]
    assert (told.thread_id, told.user_id, told.time_to_first_chunk_s) == ("t1", "u1", 0.25)
    assert not told.flags
    assert not told.aggregated


def test_opentelemetry_structured_values_say_the_same_as_their_json() -> None:
    structured = {**OTEL, "gen_ai.input.messages": PARTS_IN, "gen_ai.output.messages": PARTS_OUT}

    assert translate(structured).inputs == translate(OTEL).inputs
    assert translate(structured).output == translate(OTEL).output


def test_opentelemetry_before_136_with_messages_in_events() -> None:
    told = translate(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "xai",
            "gen_ai.request.model": "grok-4",
            "gen_ai.usage.prompt_tokens": 9,
            "gen_ai.usage.completion_tokens": 0,
        },
        [
            {"name": "gen_ai.system.message", "attributes": {"content": "Be brief."}},
            {"name": "gen_ai.user.message", "attributes": {"content": "Rain?"}},
            {"name": "gen_ai.assistant.message", "attributes": {"tool_calls": json.dumps([CALLED])}},
            {"name": "gen_ai.tool.message", "attributes": {"content": "dry", "id": "c1"}},
            {
                "name": "gen_ai.choice",
                "attributes": {"index": 0, "finish_reason": "stop", "message": '{"content": "No."}'},
            },
        ],
    )

    assert told.provider == "x_ai"
    assert told.usage == {"input_tokens": 9, "output_tokens": 0}
    assert chat(told) == [
        ("system", "Be brief."),
        ("user", "Rain?"),
        ("assistant", "weather"),
        ("tool", "dry"),
        ("assistant", "No."),
    ]
    assert told.output["choices"][0]["finish_reason"] == "stop"


def test_opentelemetry_details_and_evaluations_come_as_events() -> None:
    told = translate(
        {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1},
        [
            {"name": "gen_ai.client.inference.operation.details", "attributes": OTEL},
            {
                "name": "gen_ai.evaluation.result",
                "attributes": {
                    "gen_ai.evaluation.name": "relevance",
                    "gen_ai.evaluation.score.value": 0,
                    "gen_ai.evaluation.score.label": "off",
                    "gen_ai.evaluation.explanation": "no rain in it",
                },
            },
        ],
    )

    assert told.usage is not None
    assert told.usage["input_tokens"] == 1, "the span's own attributes win"
    assert chat(told)[-1] == ("assistant", "Yes.")
    (score,) = told.scores
    assert (score.name, score.value, score.label, score.reason) == ("relevance", 0.0, "off", "no rain in it")


def test_openinference_flattened_messages_in_the_order_of_their_numbers() -> None:
    attributes: dict[str, Any] = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.provider": "azure",
        "llm.token_count.prompt": 30,
        "llm.token_count.completion": 5,
        "llm.token_count.prompt_details.cache_read": 10,
        "llm.token_count.completion_details.reasoning": 2,
        "llm.cost.total": 0.0005,
        "session.id": "s",
        "tag.tags": ["a", "b"],
        "input.value": '{"raw": true}',
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "weather",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city":"Paris"}',
        "llm.tools.0.tool.json_schema": '{"type":"function","function":{"name":"weather"}}',
        "annotations.0.annotation.name": "good",
        "annotations.0.annotation.score": 1,
        "llm.input_messages.999999999.message.content": "a bomb",
    }
    for index in (10, 9, 1, 0):
        attributes[f"llm.input_messages.{index}.message.role"] = "user"
        attributes[f"llm.input_messages.{index}.message.content"] = f"number {index}"

    told = translate(attributes)

    assert [text for _, text in chat(told)] == ["number 0", "number 1", "number 9", "number 10", "weather"]
    assert told.output["choices"][0]["message"]["tool_calls"] == [CALLED]
    assert told.inputs["tools"] == [{"type": "function", "function": {"name": "weather"}}]
    assert told.usage == {"input_tokens": 30, "output_tokens": 5, "cache_read_tokens": 10, "reasoning_tokens": 2}
    assert (told.kind, told.provider, told.thread_id) == ("llm", "azure.ai.openai", "s")
    assert (told.cost_usd, told.tags, told.scores[0].name) == (Decimal("0.0005"), ("a", "b"), "good")


def test_openinference_images_and_retrieved_documents() -> None:
    seen = translate(
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "What is it?",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": "https://a.test/b.png",
        },
    )
    found = translate(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "rain",
            "retrieval.documents.0.document.content": "It rains.",
            "retrieval.documents.0.document.score": 0.0,
        },
    )

    assert seen.inputs["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}},
    ]
    assert (found.kind, found.inputs) == ("retriever", {"query": "rain"})
    assert found.output == [{"content": "It rains.", "score": 0.0}]


def test_openinference_of_anthropic_says_a_tool_call_twice_and_it_is_one() -> None:
    call = {"id": "c1", "function.name": "weather", "function.arguments": '{"city":"Paris"}'}
    blocks = "llm.output_messages.0.message.contents"
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.finish_reason": "tool_use",
        "llm.output_messages.0.message.role": "assistant",
        f"{blocks}.0.message_content.type": "text",
        f"{blocks}.0.message_content.text": "Let me look.",
        f"{blocks}.1.message_content.type": "tool_use",
        **{f"{blocks}.1.tool_call.{name}": value for name, value in call.items()},
    }
    calls = {f"llm.output_messages.0.message.tool_calls.0.tool_call.{name}": value for name, value in call.items()}
    expected = {
        "role": "assistant",
        "content": [{"type": "text", "text": "Let me look."}],
        "tool_calls": [CALLED],
    }

    for said in (attributes, attributes | calls):
        assert translate(said).output == {"choices": [{"index": 0, "message": expected, "finish_reason": "tool_use"}]}


def test_openinference_of_a_call_that_failed_names_the_model_among_its_parameters_only() -> None:
    failed = {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "gpt-4o", "n": 1}'}
    empty = {"llm.output_messages.0.message.role": "assistant", "output.value": '{"generations": [[]]}'}
    told = translate(failed | empty)

    assert (told.kind, told.model) == ("llm", "gpt-4o")
    assert told.output is MISSING  # an answer that says nothing is none


def test_openinferences_thoughts_are_no_part_of_the_answer() -> None:
    parts = [{"type": "reasoning", "text": "Hm.", "signature": "s"}, {"type": "text", "text": "Yes."}]
    flat = {
        f"llm.output_messages.0.message.contents.{number}.message_content.{name}": value
        for number, part in enumerate(parts)
        for name, value in part.items()
    }
    message = translate({"llm.output_messages.0.message.role": "assistant", **flat}).output["choices"][0]["message"]

    assert message["reasoning_content"] == "Hm."
    assert message["content"] == [{"type": "text", "text": "Yes."}]


@pytest.mark.parametrize(
    ("said", "model"),
    [
        ("projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("publishers/google/models/", "publishers/google/models/"),
        ("projects/p/locations/l/endpoints/42", "projects/p/locations/l/endpoints/42"),
        ("accounts/fireworks/models/llama", "accounts/fireworks/models/llama"),
    ],
)
def test_a_publishers_model_of_vertex_ai_goes_by_its_name(said: str, model: str) -> None:
    assert translate({"llm.model_name": said}).model == model


def test_what_an_agent_of_openinferences_was_told_is_a_users_message() -> None:
    said = {"openinference.span.kind": "AGENT", "input.value": "hi", "llm.output_messages.0.message.content.0": "done"}
    told = translate(said | {"input.mime_type": "text/plain", "llm.output_messages.0.message.role": "assistant"})

    assert told.inputs == {"messages": [{"role": "user", "content": "hi"}]}
    assert told.output["choices"][0]["message"]["content"] == [{"type": "text", "text": "done"}]
    assert translate({"openinference.span.kind": "AGENT", "input.value": "hi"}).inputs == "hi"


def test_what_gemini_calls_the_model_is_the_assistant() -> None:
    flat = {"llm.output_messages.0.message.role": "model", "llm.output_messages.0.message.content": "Yes."}
    parts = [{"role": "model", "parts": [{"type": "text", "content": "Yes."}]}]

    for said in (flat, {"gen_ai.output.messages": json.dumps(parts)}):
        assert translate(said).output["choices"][0]["message"] == {"role": "assistant", "content": "Yes."}


def test_the_texts_of_an_embedding_wherever_they_are() -> None:
    openinference = {
        "openinference.span.kind": "EMBEDDING",
        "input.value": "['a', 'b']",  # as Python writes a list
        "embedding.embeddings.0.embedding.text": "a",
        "embedding.embeddings.1.embedding.text": "b",
    }
    parts = [{"role": "user", "parts": [{"type": "text", "content": text}]} for text in "ab"]
    traceloop = {"gen_ai.operation.name": "embeddings", "gen_ai.input.messages": json.dumps(parts)}

    assert translate(openinference).inputs == ["a", "b"]
    assert translate(traceloop).inputs == ["a", "b"]
    assert translate(openinference | {"input.value": '{"input": ["a", "b"]}'}).inputs == {"input": ["a", "b"]}


def test_traceloop() -> None:
    told = translate(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Rain?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "weather",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"city":"Paris"}',
            "gen_ai.usage.prompt_tokens": 8,
            "gen_ai.usage.completion_tokens": 4,
            "gen_ai.usage.cache_read_input_tokens": 3,
            "traceloop.association.properties.session_id": "s",
            "traceloop.association.properties.user_id": "u",
        },
    )
    tool = translate(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": '{"city":"Paris"}',
            "traceloop.entity.output": "0",
        },
    )

    assert (told.kind, told.provider, told.thread_id, told.user_id) == ("llm", "openai", "s", "u")
    assert told.usage == {"input_tokens": 8, "output_tokens": 4, "cache_read_tokens": 3}
    assert chat(told) == [("user", "Rain?"), ("assistant", "weather")]
    assert told.output["choices"][0]["finish_reason"] == "tool_calls"
    assert (tool.kind, tool.name, tool.inputs, tool.output) == ("tool", "weather", {"city": "Paris"}, 0)
    assert translate({"traceloop.span.kind": "workflow"}).kind == "chain"


def test_pydantic_ai_agents_do_not_count_what_their_calls_used() -> None:
    agent = translate(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "weather",
            "gen_ai.aggregated_usage.input_tokens": 100,
            "gen_ai.aggregated_usage.output_tokens": 20,
            "pydantic_ai.all_messages": json.dumps([*PARTS_IN, *PARTS_OUT]),
            "final_result": "Yes.",
            "logfire.msg": "weather run",
            "logfire.tags": ["prod"],
            "operation.cost": 0.01,
        },
    )
    tool = translate(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "w",
            "tool_arguments": "{}",
            "tool_response": "no",
        },
    )

    assert (agent.kind, agent.name, agent.aggregated) == ("agent", "weather", True)
    assert agent.usage == {"input_tokens": 100, "output_tokens": 20}
    assert agent.output == "Yes."
    assert chat(agent)[0] == ("user", "Rain in Paris?")
    assert (agent.tags, agent.cost_usd) == (("prod",), Decimal("0.01"))
    assert (tool.kind, tool.name, tool.inputs, tool.output) == ("tool", "w", {}, "no")


def test_pydantic_ai_says_its_result_once() -> None:
    told = [{"role": "user", "parts": [{"type": "text", "content": "Rain?"}]}]
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "Yes."}]}
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "pydantic_ai.all_messages": json.dumps([*told, answer]),
        "final_result": "Yes.",
    }

    assert chat(translate(attributes)) == [("user", "Rain?"), ("assistant", "Yes.")]


def test_pydantic_ai_events_written_as_one_attribute() -> None:
    events = [
        {"event.name": "gen_ai.user.message", "role": "user", "content": "Rain?"},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "No."}},
    ]

    assert chat(translate({"gen_ai.operation.name": "chat", "events": json.dumps(events)})) == [
        ("user", "Rain?"),
        ("assistant", "No."),
    ]


def test_vercel_ai_sdk() -> None:
    metadata = {
        "anthropic": {"usage": {"input_tokens": 86, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 10}}
    }
    inner = translate(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.model.provider": "anthropic.messages",
            "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": "Rain?"}]}]),
            "ai.response.text": "Let me look.",
            "ai.response.toolCalls": json.dumps(
                [{"toolCallType": "function", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Paris"}}]
            ),
            "ai.response.finishReason": "tool-calls",
            "ai.usage.promptTokens": 86,
            "ai.usage.completionTokens": 12,
            "ai.response.providerMetadata": json.dumps(metadata),
            "ai.response.msToFirstChunk": 250,
            "ai.telemetry.metadata.sessionId": "s",
            "ai.telemetry.functionId": "ask",
        },
    )
    outer = translate(
        {
            "ai.operationId": "ai.generateText",
            "ai.telemetry.functionId": "ask",
            "ai.prompt": json.dumps({"system": "Be brief.", "prompt": "Rain?"}),
            "ai.response.text": "No.",
            "ai.usage.promptTokens": 86,
        },
    )

    assert (inner.kind, inner.name, inner.provider, inner.model) == ("llm", None, "anthropic", "claude-sonnet-4-5")
    assert inner.usage == {
        "input_tokens": 1096,  # the SDK hands on Anthropic's count, which leaves out what is cached
        "output_tokens": 12,
        "cache_read_tokens": 1000,
        "cache_write_tokens": 10,
    }
    assert inner.output["choices"][0]["message"]["tool_calls"] == [CALLED]
    assert (inner.time_to_first_chunk_s, inner.thread_id) == (0.25, "s")
    assert (outer.kind, outer.name, outer.aggregated) == ("agent", "ask", True)
    assert chat(outer) == [("system", "Be brief."), ("user", "Rain?"), ("assistant", "No.")]


def test_mlflow_writes_json_in_every_attribute() -> None:
    told = translate(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": json.dumps({"messages": [{"role": "user", "content": "Rain?"}]}),
            "mlflow.spanOutputs": "false",
            "mlflow.llm.model": '"gpt-4o"',
            "mlflow.llm.provider": '"openai"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 1}',
            "mlflow.llm.cost": '{"total_cost": 0.25}',
            "mlflow.trace.session": '"s"',
        },
        [{"name": "mlflow.chunk.item.0", "at_ns": 1_500_000_000, "attributes": {}}],
        start_ns=1_000_000_000,
    )

    assert (told.kind, told.model, told.provider, told.thread_id) == ("llm", "gpt-4o", "openai", "s")
    assert told.output is False
    assert told.usage == {"input_tokens": 5, "output_tokens": 2, "cache_read_tokens": 1}
    assert (told.cost_usd, told.time_to_first_chunk_s) == (Decimal("0.25"), 0.5)
    assert chat(told)[0] == ("user", "Rain?")


def test_langfuse_buckets_become_inclusive() -> None:
    usage = {
        "input": 86,
        "input_cached_tokens": 17_817,
        "input_cache_creation_1h": 7,
        "output": 150,
        "output_reasoning_tokens": 700,
        "total": 18_760,
    }
    told = translate(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": json.dumps(usage),
            "langfuse.observation.cost_details": '{"input": 0.1, "output": 0.2}',
            "langfuse.observation.input": '[{"role": "user", "content": "Rain?"}]',
            "langfuse.observation.output": "No.",
            "langfuse.observation.completion_start_time": '"2026-01-01T00:00:01.500Z"',
            "langfuse.observation.model.parameters": '{"service_tier": "flex"}',
            "langfuse.session.id": "s",
            "langfuse.trace.tags": ["a"],
            "langfuse.trace.name": "the trace's, not this call's",
        },
        start_ns=1_767_225_601_000_000_000,
    )

    assert (told.kind, told.name, told.model, told.service_tier) == ("llm", None, "gpt-4o", "flex")
    assert told.usage == {
        "input_tokens": 17_910,
        "output_tokens": 850,
        "cache_read_tokens": 17_817,
        "cache_write_tokens": 7,
        "cache_write_1h_tokens": 7,
        "reasoning_tokens": 700,
    }
    assert told.cost_usd == Decimal("0.3")
    assert told.time_to_first_chunk_s == pytest.approx(0.5)
    assert chat(told) == [("user", "Rain?"), ("assistant", "No.")]


@pytest.mark.parametrize(
    ("attributes", "kind", "inputs", "output"),
    [
        ({"langsmith.span.kind": "retriever", "gen_ai.prompt": '{"q": 1}'}, "retriever", {"q": 1}, MISSING),
        ({"genkit:metadata:subtype": "flow", "genkit:input": '"x"', "genkit:output": "0"}, "chain", "x", 0),
        (
            {"gcp.vertex.agent.tool_call_args": '{"a": 1}', "gen_ai.operation.name": "execute_tool"},
            "tool",
            {"a": 1},
            MISSING,
        ),
        (
            {"ai.observability.span_type": "record_root", "ai.observability.record_root.input": "q"},
            "chain",
            "q",
            MISSING,
        ),
        ({"mcp.method.name": "tools/call", "gen_ai.tool.call.arguments": "{}"}, "tool", {}, MISSING),
        ({"lk.response.text": "hi"}, None, MISSING, "hi"),
    ],
)
def test_others_are_read_too(attributes: dict[str, Any], kind: str | None, inputs: Any, output: Any) -> None:
    told = translate(attributes)

    assert (told.kind, told.inputs, told.output) == (kind, inputs, output)


# ---- rules that hold for all ----


def test_each_attribute_is_read_by_itself_so_mixed_spans_work() -> None:
    told = translate({**OTEL, "langfuse.observation.type": "agent", "langfuse.user.id": "other", "tag.tags": "x"})

    assert (told.kind, told.user_id, told.tags) == ("llm", "u1", ("x",))


@pytest.mark.parametrize("value", ["0", "false", '""', "[]", "null", "{}"])
def test_falsy_outputs_are_kept_apart(value: str) -> None:
    told = translate({"output.value": value, "output.mime_type": "application/json"})

    assert told.output == json.loads(value)
    assert type(told.output) is type(json.loads(value))
    assert translate({"output.value": ""}).output == ""
    assert translate({}).output is MISSING


def test_no_usage_is_not_a_usage_of_0() -> None:
    assert translate({"gen_ai.operation.name": "chat"}).usage is None
    assert translate({"gen_ai.usage.input_tokens": None}).usage is None
    assert translate({"gen_ai.usage.input_tokens": 0}).usage == {"input_tokens": 0}


def test_a_report_that_cannot_be_right_is_flagged_and_kept() -> None:
    told = translate({"gen_ai.usage.input_tokens": 86, "gen_ai.usage.cache_read.input_tokens": 17_817})

    assert told.usage == {"input_tokens": 86, "cache_read_tokens": 17_817}
    assert told.flags == ("more cached than input tokens",)


def test_an_unknown_operation_is_kept_as_its_word() -> None:
    assert translate({"gen_ai.operation.name": "dream"}).kind == "dream"
    assert translate({"gen_ai.operation.name": "dream", "openinference.span.kind": "TOOL"}).kind == "tool"
    assert translate({"http.request.method": "GET"}).kind is None


def test_what_a_sender_redacted_is_shown_as_redacted() -> None:
    hidden = translate({"output.value": "__REDACTED__", "input.value": "[Scrubbed due to 'password']"})
    inside = translate(
        {**OTEL, "gen_ai.input.messages": json.dumps(PARTS_IN).replace("Rain in Paris?", "__REDACTED__")}
    )

    assert hidden.output == hidden.inputs == Tagged("redacted", {"cause": "by the sender"})
    assert ("user", "[redacted:sender]") in chat(inside)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("xai", "x_ai"),
        ("openai.responses", "openai"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("aws.bedrock", "aws.bedrock"),
        ("Anthropic", "anthropic"),
        ("my-own", "my-own"),
    ],
)
def test_providers_get_opentelemetrys_names(said: str, meant: str) -> None:
    assert provider_name(said) == meant


def test_an_exception_is_the_error() -> None:
    raised = {"exception.type": "ValueError", "exception.message": "no", "exception.stacktrace": "Traceback"}

    assert translate({"error.type": "other"}, [{"name": "exception", "attributes": raised}]).error == {
        "type": "ValueError",
        "message": "no",
        "stacktrace": "Traceback",
    }


def test_messages_in_parts_come_back_from_the_neutral_shape_unchanged() -> None:
    parts = [
        {"role": "user", "parts": [{"type": "text", "content": "What is it?"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Let me think."},
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"deep": True}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"rain": 0}}]},
    ]
    told = translate({**OTEL, "gen_ai.input.messages": parts})
    del told.inputs["messages"][0]  # the system instructions, which have an attribute of their own

    assert input_messages(told.inputs) == parts
    assert output_messages(told.output) == PARTS_OUT


def test_weft_reads_what_it_writes() -> None:
    said = attributes_of(
        kind="tool",
        name="add",
        inputs={"a": float("inf")},
        output=None,
        usage={"input_tokens": 1},
        tags=["x"],
        thread_id="t",
    )
    told = translate(said)

    assert (told.kind, told.name, told.inputs, told.output) == ("tool", None, {"a": float("inf")}, None)
    assert (told.usage, told.tags, told.thread_id) == ({"input_tokens": 1}, ("x",), "t")


# ---- hostile senders ----


def test_hostile_names_are_names() -> None:
    attributes = {
        "__proto__.polluted": 1,
        "constructor.prototype": 2,
        "llm.input_messages.__proto__.message.role": "user",
        "llm.input_messages..0.message.role": "user",
        "a..b": 3,
        "gen_ai.prompt.0": "a leaf",
        "gen_ai.prompt.0.content": "and a branch",
        "llm.input_messages." + "0." * 10_000 + "x": 4,
        "gen_ai.completion." + "9" * 5_000 + ".content": 5,
    }

    assert translate(attributes).kind is None


def test_many_attributes_cost_time_in_proportion() -> None:
    plain = {f"attribute.{index}": index for index in range(100_000)}
    flat = {f"llm.input_messages.{index}.message.content": "x" for index in range(100_000)}
    before = time.process_time()

    assert translate(plain).inputs is MISSING
    assert len(translate(flat).inputs["messages"]) == 10_000

    assert time.process_time() - before < 10


def test_deep_json_stays_text() -> None:
    deep = "[" * 100_000

    assert translate({"output.value": deep, "output.mime_type": "application/json"}).output == deep


names = st.sampled_from(
    sorted(
        {
            name
            for part in ("fields", "names", "usage", "aggregated", "messages", "inputs", "outputs")
            for row in table()[part].values()
            for name in row
        }
        | {*OTEL, *table()["usage_json"], "langfuse.observation.usage_details", "events", "final_result"}
        | {"weft.kind", "weft.inputs", "error.type", "llm.input_messages.0.message", "gen_ai.prompt.0.content"}
        | {"llm.input_messages.0.message.tool_calls.0", "annotations.0.annotation.name", "annotations.0.annotation"}
        | {"llm.tools.0.tool", "ai.response.toolCalls", "retrieval.documents.0"}
        | {"llm.output_messages.0.message.contents.0.message_content.image"}
    )
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("{}") | st.just("[{}]"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values | values.map(lambda value: json.dumps(value, default=str)), max_size=20), values)
def test_wrong_types_anywhere_never_raise(attributes: dict[str, Any], more: Any) -> None:
    told = translate(attributes, [{"name": "gen_ai.choice", "attributes": {"message": more}}])

    assert told.cost_usd is None or told.cost_usd >= 0
    assert told.usage is None or all(isinstance(count, int) for count in told.usage.values())
