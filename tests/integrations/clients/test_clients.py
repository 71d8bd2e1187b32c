"""Clients of other providers by the instrumentors of others: what was sent is what is recorded, and counted."""

from __future__ import annotations

import asyncio

import anthropic
import cohere
import groq
import httpx
import ollama
import pytest
from google import genai
from mistralai.client import Mistral

import weft

pytestmark = pytest.mark.integrations

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
ASKED = [("system", "Be brief."), ("user", "hi")]
CALLED = ("assistant", "ok", ("look", {"q": 1}))


def calls_of(spans):
    """The calls under the one op, all of kind llm."""
    (root,) = [span for span in spans if span.parent_id is None]
    found = spans.children(root)
    assert len(spans) == 1 + len(found)
    assert {span.kind for span in found} == {"llm"}
    return found


def test_anthropic_by_openinference(traced, provider, served, billed, chat):
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    from weft.tracer.otel.processor import provider as weft_provider

    weft.uninstrument("anthropic")  # ours: here the other one is looked at
    theirs = AnthropicInstrumentor()
    theirs.instrument(tracer_provider=weft_provider())
    client = anthropic.Anthropic(base_url=provider.anthropic_url, api_key="k", max_retries=0)
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 100, "system": "Be brief."}
    user = {"role": "user", "content": "hi"}
    tools = [{"name": "look", "input_schema": {"type": "object", "properties": {"q": {"type": "integer"}}}}]
    try:
        with weft.span("work"), client:
            first = client.messages.create(messages=[user], tools=tools, **asked)
            used = next(block for block in first.content if block.type == "tool_use")
            result = {"type": "tool_result", "tool_use_id": used.id, "content": "seen"}
            said = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]}
            client.messages.create(messages=[user, said, {"role": "user", "content": [result]}], **asked)
            with client.messages.stream(messages=[user], **asked) as stream:
                assert "".join(stream.text_stream) == "hello"
            with pytest.raises(anthropic.RateLimitError):
                client.messages.create(messages=[user], **asked | {"model": "status-429"})
    finally:
        theirs.uninstrument()
    calls = calls_of(traced)
    assert [span.status for span in calls] == ["ok", "ok", "ok", "error"]
    assert {(span.model, span.provider) for span in calls} == {
        ("claude-sonnet-4-5", "anthropic"),
        ("status-429", "anthropic"),
    }
    assert chat(calls[0]) == [*ASKED, CALLED]
    assert chat(calls[1]) == [*ASKED, CALLED, ("tool", "seen"), ("assistant", "done")]
    assert chat(calls[2]) == [*ASKED, ("assistant", "hello")]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost("claude-sonnet-4-5")


def test_groq(traced, provider, served, billed, chat):
    class Rooted(httpx.HTTPTransport):
        """Groq's paths begin with /openai."""

        def handle_request(self, request):
            request.url = request.url.copy_with(path=request.url.path.removeprefix("/openai"))
            return super().handle_request(request)

    http = httpx.Client(transport=Rooted())
    root = provider.base_url.removesuffix("/v1")
    asked = {"model": "llama-3.3-70b-versatile", "messages": ASK}
    with weft.span("work"), groq.Groq(base_url=root, api_key="k", max_retries=0, http_client=http) as client:
        client.chat.completions.create(tools=TOOLS, **asked)
        with pytest.raises(groq.RateLimitError):
            client.chat.completions.create(**asked | {"model": "status-429"})
    calls = calls_of(traced)
    assert [(span.model, span.provider, span.status) for span in calls] == [
        ("llama-3.3-70b-versatile", "groq", "ok"),
        ("status-429", "groq", "error"),
    ]
    assert [chat(span) for span in calls] == [[*ASKED, CALLED], ASKED]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost is not None


def test_mistral(traced, provider, served, billed, chat):
    asked = {"model": "mistral-large-latest", "messages": ASK}
    with weft.span("work"), Mistral(server_url=provider.base_url.removesuffix("/v1"), api_key="k") as client:
        client.chat.complete(tools=TOOLS, **asked)
        asyncio.run(client.chat.complete_async(**asked))
        with pytest.raises(Exception, match="429"):
            client.chat.complete(**asked | {"model": "status-429"})
    calls = calls_of(traced)
    assert [span.status for span in calls] == ["ok", "ok", "error"]
    assert {(span.model, span.provider) for span in calls[:2]} == {("mistral-large-latest", "mistral_ai")}
    assert [chat(span) for span in calls] == [[*ASKED, CALLED], [*ASKED, ("assistant", "hello")], ASKED]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost is not None


def test_cohere(traced, served, serve, billed, chat):
    answer = {
        "id": "c",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "hello"}]},
        "usage": {
            "billed_units": {"input_tokens": 50, "output_tokens": 7},
            "tokens": {"input_tokens": 50, "output_tokens": 7},
        },
    }
    client = cohere.ClientV2(api_key="k", base_url=serve({"/v2/chat": answer}))
    with weft.span("work"):
        assert client.chat(model="command-a-03-2025", messages=ASK).message.content[0].text == "hello"
    (call,) = calls_of(traced)
    assert (call.model, call.provider) == ("command-a-03-2025", "cohere")
    assert chat(call) == [*ASKED, ("assistant", "hello")]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (50, 7)
    assert trace.cost is not None


def test_ollama(traced, serve, billed, chat):
    def answered(request):
        if request["model"] == "broken":
            return 500
        ended = {"done": True, "done_reason": "stop", "prompt_eval_count": 50, "eval_count": 7}
        message = {"role": "assistant", "content": "hello"}
        if not request["stream"]:
            return {"model": request["model"], "message": message, **ended}
        parts = [
            {"model": request["model"], "message": message | {"content": part}, "done": False} for part in ("hel", "lo")
        ]
        return [*parts, {"model": request["model"], "message": message | {"content": ""}, **ended}]

    client = ollama.Client(serve({"/api/chat": answered}))
    with weft.span("work"):
        assert client.chat("llama3.2", ASK).message.content == "hello"
        assert "".join(part.message.content for part in client.chat("llama3.2", ASK, stream=True)) == "hello"
        with pytest.raises(ollama.ResponseError):
            client.chat("broken", ASK)
    calls = calls_of(traced)
    assert [(span.model, span.status) for span in calls] == [
        ("llama3.2", "ok"),
        ("llama3.2", "ok"),
        ("broken", "error"),
    ]
    assert [chat(span) for span in calls] == [[*ASKED, ("assistant", "hello")]] * 2 + [ASKED]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (100, 14)


def test_google_genai(traced, serve, billed, chat):
    usage = {
        "promptTokenCount": 50,
        "candidatesTokenCount": 7,
        "totalTokenCount": 60,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 10,
    }
    content = {"role": "model", "parts": [{"text": "hello"}]}
    answer = {
        "candidates": [{"content": content, "finishReason": "STOP"}],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
    }
    model = "/v1/models/gemini-2.5-flash:"
    url = serve(
        {
            f"{model}generateContent": answer,
            f"{model}streamGenerateContent": [answer],
            "/v1/models/broken:generateContent": 429,
        },
        prefix="data: ",
        end="\n\n",
    )
    client = genai.Client(api_key="k", http_options={"base_url": url})
    asked = {"contents": "hi", "config": {"system_instruction": "Be brief."}}
    with weft.span("work"):
        assert client.models.generate_content(model="gemini-2.5-flash", **asked).text == "hello"
        assert (
            "".join(part.text for part in client.models.generate_content_stream(model="gemini-2.5-flash", **asked))
            == "hello"
        )
        with pytest.raises(Exception, match="429"):
            client.models.generate_content(model="broken", **asked)
    calls = calls_of(traced)
    assert [(span.model, span.status) for span in calls] == [("gemini-2.5-flash", "ok")] * 2 + [("broken", "error")]
    assert [chat(span) for span in calls] == [[*ASKED, ("assistant", "hello")]] * 2 + [ASKED]
    assert calls[0].usage.items() >= {"input_tokens": 50, "output_tokens": 10, "cache_read_tokens": 10}.items()
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (100, 20)
    assert trace.cost is not None
