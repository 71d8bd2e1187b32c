"""The Anthropic integration, judged by the real client and a real server: what is recorded; nothing changes."""

from __future__ import annotations

import asyncio
import gc
import json

import anthropic
import pytest

from weft.testing import ChatReply, LoopbackProvider, ToolCall, captured_spans, scripted
from weft.tracer.integrations import anthropic as integration
from weft.tracer.integrations.anthropic_calls import server_of, usage_of
from weft.tracer.span import span as weft_span

ASK = {
    "model": "claude-tested",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "What is a generator?"}],
}
TEXT = "What is a generator?"
TOOL = {"name": "lookup", "description": "Looks it up", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture(autouse=True)
def _installed():
    integration.install()
    yield
    integration.uninstall()


@pytest.fixture
def spans():
    with captured_spans() as found:
        yield found


@pytest.fixture
def provider():
    with LoopbackProvider() as running:
        yield running


@pytest.fixture
def client(provider):
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="sk-test", max_retries=0) as made:
        yield made


@pytest.fixture
async def aclient(provider):
    async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="sk-test", max_retries=0) as made:
        yield made


def text(found):
    return "".join(block["text"] for block in found.output["content"] if block["type"] == "text")


def test_a_message_is_an_llm_span_with_request_response_and_tokens(client, provider, spans) -> None:
    answer = client.messages.create(
        **ASK, system="Be brief.", stop_sequences=["END"], tools=[TOOL], extra_body={"top_k": 5}
    )
    (found,) = spans
    assert (found.name, found.kind, found.status) == ("chat claude-tested", "llm", "ok")
    assert found.inputs == ASK | {"system": "Be brief.", "top_k": 5, "stop_sequences": ["END"], "tools": [TOOL]}
    assert found.output == json.loads(answer.to_json())
    assert (found.model, found.provider) == ("claude-tested", "127.0.0.1")
    assert found.usage == {"input_tokens": answer.usage.input_tokens, "output_tokens": answer.usage.output_tokens}
    assert found.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "127.0.0.1",
        "gen_ai.request.model": "claude-tested",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.top_k": 5,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": "claude-tested",
        "gen_ai.response.finish_reasons": ["end_turn"],
        "anthropic.response.service_tier": "standard",
        "server.address": "127.0.0.1",
        "server.port": provider.port,
    }
    assert "sk-test" not in str(found)


CACHED = ChatReply(
    "x",
    prompt_tokens=17903,
    completion_tokens=85,
    cached_tokens=17000,
    cache_write_tokens=817,
    cache_write_1h_tokens=800,
    model="claude-x-2026",
)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_the_cache_served_and_took_is_part_of_the_input(client, provider, spans, streamed: bool) -> None:
    provider.responder = lambda request: CACHED
    answer = client.messages.create(**ASK, stream=streamed)
    if streamed:
        list(answer)
    else:
        assert answer.usage.input_tokens == 86
    (found,) = spans
    assert found.model == "claude-x-2026"
    assert found.usage == {
        "input_tokens": 17903,
        "output_tokens": 85,
        "cache_read_tokens": 17000,
        "cache_write_tokens": 817,
        "cache_write_1h_tokens": 800,
    }


def test_thinking_text_and_tools_come_out_of_a_stream_as_they_would_whole(client, provider, spans) -> None:
    reply = ChatReply("Let me see.", [ToolCall("lookup", {"topic": "yield"}, "t1")], thinking="Hm, yield.")
    provider.responder = scripted(reply, reply, reply)
    whole = client.messages.create(**ASK, tools=[TOOL])
    events = list(client.messages.create(**ASK, tools=[TOOL], stream=True))
    assert events[-1].type == "message_stop"
    with client.messages.stream(**ASK, tools=[TOOL]) as stream:
        assert "".join(stream.text_stream) == "Let me see."
        assert stream.get_final_message().content[2].input == {"topic": "yield"}
    assert [found.status for found in spans] == ["ok"] * 3
    contents = [found.output["content"] for found in spans]
    assert [block["type"] for block in contents[0]] == ["thinking", "text", "tool_use"]
    assert contents[0] == contents[1] == contents[2] == json.loads(whole.to_json())["content"]
    assert spans[0].usage == spans[1].usage == spans[2].usage
    assert spans[1].attributes["gen_ai.response.finish_reasons"] == ["tool_use"]
    assert 0 < spans[2].attributes["gen_ai.response.time_to_first_chunk"] < 60
    assert spans[2].inputs == spans[1].inputs


def test_a_stream_is_the_clients_own_class_and_may_be_left(client, spans) -> None:
    with client.messages.create(**ASK, stream=True) as stream:
        assert isinstance(stream, anthropic.Stream)
        for event in stream:
            if event.type == "content_block_delta":
                break
    with client.messages.stream(**ASK) as helper:
        for _ in helper.text_stream:
            break
    dropped = client.messages.create(**ASK, stream=True)
    next(dropped)
    gc.disable()
    try:
        del dropped
        if anthropic.__version__.startswith("0."):  # whose streams refer to themselves
            gc.collect()
        assert [found.status for found in spans] == ["cancelled"] * 3
    finally:
        gc.enable()
    assert [text(found) for found in spans] == ["What", "What", ""]
    # The input is told at the start; how much came out is not known, which is not 0.
    assert all(found.usage.keys() == {"input_tokens"} for found in spans)
    assert all(found.error is None for found in spans)


async def test_a_stream_dropped_before_its_first_step_ends_as_cancelled(client, aclient, spans) -> None:
    dropped = client.messages.create(**ASK, stream=True)
    later = await aclient.messages.create(**ASK, stream=True)
    assert [found.status for found in spans] == ["running", "running"]
    del dropped, later
    gc.collect()  # before 1.0 streams refer to themselves
    assert [found.status for found in spans] == ["cancelled", "cancelled"]


def test_a_helper_that_is_never_entered_sends_and_records_nothing(client, provider, spans) -> None:
    client.messages.stream(**ASK)
    assert (len(spans), provider.requests) == (0, [])


def test_a_stream_that_breaks_is_an_error_with_what_had_come(client, provider, spans) -> None:
    provider.cut_next_stream(after_chunks=5)
    with pytest.raises(Exception, match=r"Connection error|peer closed"):
        list(client.messages.create(**ASK, stream=True))
    assert spans[0].status == "error"
    assert text(spans[0]).startswith("What is")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 529])
def test_an_error_reaches_the_user_unchanged_and_the_record_with_its_status(client, spans, status: int) -> None:
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(**ASK | {"model": f"status-{status}"})
    (found,) = spans
    assert (found.status, found.error["message"]) == ("error", str(raised.value))
    assert found.attributes["http.response.status_code"] == status
    assert found.attributes["anthropic.error"]["type"] == "error"
    assert found.usage is None


def test_retries_are_events(provider, spans) -> None:
    provider.fail_next(529, retry_after_s=0.01)
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="k", max_retries=2) as client:
        client.messages.create(**ASK)
    (found,) = spans
    (event,) = found.events
    assert found.status == "ok"
    assert event["attributes"] == {
        "http.request.resend_count": 1,
        "http.response.status_code": 529,
        "error.type": "529",
        "retry.delay_s": 0.01,
    }


def test_raw_and_streaming_responses_pass_and_are_recorded(client, spans) -> None:
    raw = client.messages.with_raw_response.create(**ASK)
    assert raw.headers["x-request-id"]
    assert raw.parse().content[0].text == TEXT
    streamed = client.messages.with_raw_response.create(**ASK, stream=True)
    assert len(list(streamed.parse())) > 3
    with client.messages.with_streaming_response.create(**ASK) as response:
        assert json.loads(response.read())["content"]
    assert [text(found) for found in spans] == [TEXT] * 3
    assert [found.status for found in spans] == ["ok"] * 3


def test_beta_messages_are_recorded_once(client, spans) -> None:
    client.beta.messages.create(**ASK, betas=["x-2026"])
    with client.beta.messages.stream(**ASK) as stream:
        stream.until_done()
    assert [text(found) for found in spans] == [TEXT] * 2
    assert spans[0].inputs["betas"] == ["x-2026"]


async def test_the_async_client_is_recorded_alike(aclient, spans) -> None:
    assert (await aclient.messages.create(**ASK)).content[0].text == TEXT
    assert [event async for event in await aclient.messages.create(**ASK, stream=True)]
    async with aclient.messages.stream(**ASK) as stream:
        assert [piece async for piece in stream.text_stream]
    async with aclient.beta.messages.stream(**ASK) as stream:
        assert await stream.get_final_text() == TEXT
    async with aclient.messages.stream(**ASK) as stream:
        async for _ in stream.text_stream:
            break
    assert [text(found) for found in spans] == [TEXT] * 4 + ["What"]
    assert [found.status for found in spans] == ["ok"] * 4 + ["cancelled"]


async def test_concurrent_calls_keep_to_their_parents(aclient, spans) -> None:
    async def ask(number: int) -> None:
        with weft_span(f"task {number}"):
            await aclient.messages.create(**ASK | {"messages": [{"role": "user", "content": str(number)}]})

    await asyncio.gather(*(ask(number) for number in range(8)))
    for parent in (found for found in spans if found.parent_id is None):
        (child,) = spans.children(parent)
        assert f"task {text(child)}" == parent.name


def test_the_platforms_clients_are_known_by_their_names() -> None:
    def of(client: str, host: str):
        made = type(client, (), {"base_url": type("Url", (), {"host": host, "port": None})})()
        return server_of(type("Resource", (), {"_client": made})).provider

    assert of("Anthropic", "api.anthropic.com") == "anthropic"
    assert of("AsyncAnthropicBedrock", "bedrock-runtime.us-east-1.amazonaws.com") == "aws.bedrock"
    assert of("AnthropicVertex", "us-east5-aiplatform.googleapis.com") == "gcp.vertex_ai"
    assert of("Anthropic", "gateway.example") == "gateway.example"


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 0, "output_tokens": 0}),
        ({"output_tokens": 5}, {"output_tokens": 5}),
        ({"input_tokens": "5", "output_tokens": True}, None),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation": {"ephemeral_5m_input_tokens": 3}},
            {"input_tokens": 4, "output_tokens": 2, "cache_write_tokens": 3},
        ),
        (
            {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}},
            {"input_tokens": 1, "output_tokens": 9, "reasoning_tokens": 7},
        ),
    ],
)
def test_usage_is_named_as_opentelemetry_does_and_what_is_unknown_stays_unknown(reported, usage) -> None:
    assert usage_of(reported) == usage


def test_undone_nothing_is_wrapped() -> None:
    from anthropic.resources.messages import AsyncMessages, Messages

    assert hasattr(Messages.create, "__wrapped__")
    integration.uninstall()
    for owner in (Messages, AsyncMessages):
        for name in {"create", "stream", "parse"} & vars(owner).keys():
            assert not getattr(vars(owner)[name], "__module__", "").startswith("weft")
            assert "weft" not in vars(owner)[name].__code__.co_filename.split("site-packages")[-1]
