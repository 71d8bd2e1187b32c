"""LlamaIndex by OpenInference, with weft's own openai inside."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI

import weft

pytestmark = pytest.mark.integrations

MODEL = "gpt-4o-mini"
ASK = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="hi")]


def test_calls_streams_errors_and_async_calls(traced, provider, served, billed, chat):
    model = OpenAI(model=MODEL, api_base=provider.base_url, api_key="k", max_retries=0)
    with weft.span("work"):
        assert model.chat(ASK).message.content == "hello"
        assert "".join(part.delta for part in model.stream_chat(ASK)) == "hello"
        assert asyncio.run(model.achat(ASK)).message.content == "hello"
        with pytest.raises(Exception, match="429"):
            model.chat(ASK, model="status-429")
    ours, failed = ["chat gpt-4o-mini"], ["OpenAI.chat", ["chat status-429"]]
    calls = [["OpenAI.chat", ours], ["OpenAI.stream_chat", ours], ["OpenAI.achat", ours]]
    assert traced.tree() == [["work", *calls, failed]]
    theirs = [span for span in traced if span.name.startswith("OpenAI.")]
    assert [(span.kind, span.status) for span in theirs] == [("llm", "ok")] * 3 + [("llm", "error")]
    assert {span.model for span in theirs[:3]} == {MODEL}
    said = [("system", "Be brief."), ("user", "hi"), ("assistant", "hello")]
    assert [chat(span) for span in theirs] == [said] * 3 + [said[:2]]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)
