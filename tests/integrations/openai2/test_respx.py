"""The openai client of major 2 sends through httpx: calls that respx answers are recorded as those over a socket."""

from __future__ import annotations

import httpx
import openai
import pytest
import respx

from weft.testing import captured_spans
from weft.testing.wire import ChatReply, ChatRequest, completion
from weft.tracer.instrument import instrument, uninstrument

URL = "https://api.openai.com/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
REPLY = completion(ChatReply("hello").counted(ChatRequest("gpt-4o-mini", ASK["messages"], {})))

pytestmark = pytest.mark.integrations


@pytest.fixture(autouse=True)
def _instrumented():
    instrument("openai")
    yield
    uninstrument()


@respx.mock
def test_this_is_major_2_and_its_calls_are_spans() -> None:
    assert openai.__version__.startswith("2.")
    respx.post(URL).mock(side_effect=[httpx.Response(500), httpx.Response(200, json=REPLY)])
    with captured_spans() as spans, openai.OpenAI(api_key="k", max_retries=1) as client:
        answer = client.chat.completions.create(**ASK)
        (found,) = spans
    assert answer.choices[0].message.content == "hello"
    assert (found.status, found.provider, found.model) == ("ok", "openai", "gpt-4o-mini")
    assert [event["attributes"]["http.response.status_code"] for event in found.events] == [500]


@respx.mock
async def test_usage_is_asked_of_openai_and_hidden_from_the_program() -> None:
    events = [
        '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"x"}}]}',
        '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
        '"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}',
        "[DONE]",
    ]
    body = "".join(f"data: {event}\n\n" for event in events)
    route = respx.post(URL).mock(
        return_value=httpx.Response(200, text=body, headers={"content-type": "text/event-stream"})
    )
    with captured_spans() as spans:
        async with openai.AsyncOpenAI(api_key="k") as client:
            chunks = [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]
        assert len(chunks) == 1
        assert b"include_usage" in route.calls[0].request.content
        assert spans[0].usage == {"input_tokens": 3, "output_tokens": 1}
