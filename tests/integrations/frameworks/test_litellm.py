"""LiteLLM by OpenInference, with weft's own openai inside: two spans a call, counted once."""

from __future__ import annotations

import asyncio

import litellm
import pytest

import weft
from weft.testing import ChatReply

pytestmark = pytest.mark.integrations

MODEL = "gpt-4o-mini"
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def test_calls_streams_vectors_errors_and_async_calls(traced, provider, served, billed, chat):
    place = {"api_base": provider.base_url, "api_key": "k", "num_retries": 0, "max_retries": 0}
    asked = {"model": f"openai/{MODEL}", "messages": ASK, **place}

    @weft.op
    def work():
        litellm.completion(tools=TOOLS, **asked)
        chunks = litellm.completion(stream=True, stream_options={"include_usage": True}, **asked)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "hello"
        litellm.embedding(model="openai/text-embedding-3-small", input=["a", "b"], **place)
        with pytest.raises(litellm.RateLimitError):
            litellm.completion(**asked | {"model": "openai/status-429"})
        asyncio.run(litellm.acompletion(**asked))

    work()
    call = ["completion", ["chat gpt-4o-mini"]]
    vectors = ["CreateEmbeddings", ["embeddings text-embedding-3-small"]]
    failed, later = ["completion", ["chat status-429"]], ["acompletion", ["chat gpt-4o-mini"]]
    assert traced.tree() == [["work", call, call, vectors, failed, later]]
    theirs = [span for span in traced if span.name in ("completion", "acompletion", "CreateEmbeddings")]
    assert [span.kind for span in theirs] == ["llm", "llm", "embedding", "llm", "llm"]
    assert [span.status for span in theirs] == ["ok", "ok", "ok", "error", "ok"]
    said = [("system", "Be brief."), ("user", "hi")]
    assert chat(theirs[0]) == [*said, ("assistant", "ok", ("look", {"q": 1}))]
    assert chat(theirs[1]) == chat(theirs[4]) == [*said, ("assistant", "hello")]
    assert chat(theirs[3]) == said
    assert theirs[2].inputs == ["a", "b"]
    assert theirs[0].usage.items() >= {"input_tokens": 100, "cache_read_tokens": 40, "reasoning_tokens": 5}.items()
    trace = billed()
    served.replies.append(ChatReply(prompt_tokens=2, completion_tokens=0))  # the vectors
    assert (trace.input_tokens, trace.output_tokens) == served.tokens


def test_costs_are_the_price_lists(traced, provider, served, billed):
    litellm.completion(model=f"openai/{MODEL}", messages=ASK, tools=TOOLS, api_base=provider.base_url, api_key="k")
    assert billed().cost == served.cost(MODEL)
