"""Somebody else's instrumentor of openai beside weft's own: one call is one span, or its tokens are counted once."""

from __future__ import annotations

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor

import weft
from weft.testing import LoopbackProvider, captured_spans
from weft.tracer.otel.processor import provider as weft_provider

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}

pytestmark = pytest.mark.integrations


@pytest.fixture
def client():
    with LoopbackProvider() as running, openai.OpenAI(base_url=running.base_url, api_key="k") as made:
        yield made
    weft.uninstrument()


def test_weft_does_not_switch_on_an_instrumentor_of_what_it_traces_itself(client) -> None:
    weft.instrument()
    with captured_spans() as spans:
        client.chat.completions.create(**ASK)
        assert [(span.name, span.kind) for span in spans] == [("chat gpt-4o-mini", "llm")]
    assert not OpenAIInstrumentor().is_instrumented_by_opentelemetry


def test_one_that_the_program_switched_on_nests_in_ours_and_the_tokens_count_once(client, home) -> None:
    theirs = OpenAIInstrumentor()
    theirs.instrument(tracer_provider=weft_provider())
    weft.instrument()
    try:
        usage = client.chat.completions.create(**ASK).usage
    finally:
        theirs.uninstrument()
    weft.flush()
    (trace,) = weft.Api().traces()
    spans = list(weft.Api().spans({"trace_id": trace.trace_id}))
    assert sorted((span.name, span.usage["input_tokens"]) for span in spans) == [
        ("ChatCompletion", usage.prompt_tokens),
        ("chat gpt-4o-mini", usage.prompt_tokens),
    ]
    assert (trace.input_tokens, trace.output_tokens) == (usage.prompt_tokens, usage.completion_tokens)
