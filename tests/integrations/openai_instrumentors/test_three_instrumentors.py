"""Each instrumentor of the openai client, with weft: what was sent is what is recorded, alone and beside ours."""

from __future__ import annotations

import asyncio
from importlib import import_module

import openai
import pytest

import weft
from weft.testing import ChatReply
from weft.tracer.otel.processor import provider as weft_provider

pytestmark = pytest.mark.integrations

MODEL = "gpt-4o-mini"
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.openai",
    "traceloop": "opentelemetry.instrumentation.openai",
    "openai_v2": "opentelemetry.instrumentation.openai_v2",
}
PATCHED = {
    "chat.completions": ("Completions", "AsyncCompletions"),
    "embeddings": ("Embeddings", "AsyncEmbeddings"),
    "responses": ("Responses", "AsyncResponses"),
}


@pytest.fixture(params=INSTRUMENTORS)
def theirs(request, spans):
    """Switched on for weft."""
    owners = [
        getattr(import_module(f"openai.resources.{place}"), name) for place, names in PATCHED.items() for name in names
    ]
    before = [(owner, dict(vars(owner))) for owner in owners]
    instrumentor = import_module(INSTRUMENTORS[request.param]).OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=weft_provider())
    yield request.param
    instrumentor.uninstrument()
    for owner, methods in before:  # Traceloop's own uninstrument leaves its wrappers in place
        for name in ("create", "parse"):
            if name in methods:
                setattr(owner, name, methods[name])


@pytest.fixture
def client(provider):
    with openai.OpenAI(base_url=provider.base_url, api_key="k", max_retries=0) as made:
        yield made


@weft.op
def work(client: object) -> None:
    """A call with tools, its answer, a stream, texts as vectors, an error, an async call."""
    first = client.chat.completions.create(model=MODEL, messages=ASK, tools=TOOLS).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "seen"}
    client.chat.completions.create(model=MODEL, messages=[*ASK, first.model_dump(exclude_none=True), result])
    asking = {"stream": True, "stream_options": {"include_usage": True}}
    assert (
        "".join(
            c.choices[0].delta.content or ""
            for c in client.chat.completions.create(model=MODEL, messages=ASK, **asking)
            if c.choices
        )
        == "hello"
    )
    client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="status-429", messages=ASK)
    asyncio.run(asked_async(client))


async def asked_async(client):
    async with openai.AsyncOpenAI(base_url=client.base_url, api_key="k") as other:
        await other.chat.completions.create(model=MODEL, messages=ASK)


def test_alone(theirs, client, served, spans, billed, chat) -> None:
    work(client)
    (root,) = [span for span in spans if span.name == "work"]
    calls = spans.children(root)
    assert len(spans) == 1 + len(calls)  # nothing else, nothing elsewhere
    assert [span.kind for span in calls] == ["llm", "llm", "llm", "embedding", "llm", "llm"]
    assert [span.status for span in calls] == ["ok"] * 4 + ["error", "ok"]
    assert [span.model for span in calls] == [MODEL] * 3 + ["text-embedding-3-small", "status-429", MODEL]
    assert {span.provider for span in calls} == {"openai"}
    asked = [("system", "Be brief."), ("user", "hi")]
    with_call = chat(calls[0])
    assert with_call[:2] == asked
    assert with_call[2][0] == "assistant"
    assert "ok" in with_call[2]
    assert ("look", {"q": 1}) in with_call[2]
    assert chat(calls[1])[-2:] == [("tool", "seen"), ("assistant", "done")]
    assert chat(calls[2]) == [*asked, ("assistant", "hello")]
    assert chat(calls[4]) == asked
    assert calls[4].error["type"].rpartition(".")[2] == "RateLimitError"
    if theirs != "openai_v2":
        assert calls[0].usage.items() >= {"cache_read_tokens": 40, "reasoning_tokens": 5}.items()
        assert "a" in str(calls[3].inputs)
    trace = billed()
    served.replies.append(ChatReply(prompt_tokens=2, completion_tokens=0))  # the vectors
    assert (trace.input_tokens, trace.output_tokens) == served.tokens


def test_beside_ours_each_call_counts_once(theirs, client, served, spans, billed) -> None:
    weft.instrument()
    try:
        work(client)
    finally:
        weft.uninstrument()
    trace = billed()
    served.replies.append(ChatReply(prompt_tokens=2, completion_tokens=0))
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert len(spans) == 1 + 2 * 6, spans.tree()
    assert {span.status for span in spans if span.model == "status-429"} == {"error"}


def test_costs_are_the_price_lists(theirs, client, served, spans, billed) -> None:
    if theirs == "openai_v2":
        pytest.skip("this one does not say what was cached")
    client.chat.completions.create(model=MODEL, messages=ASK, tools=TOOLS)
    assert billed().cost == served.cost(MODEL)
