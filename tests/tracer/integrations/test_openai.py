"""The OpenAI integration, judged by the real client and a real server: what is recorded, and that nothing changes."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import operator
import warnings

import openai
import pytest
from pydantic import BaseModel

from weft.testing import ChatReply, LoopbackProvider, ToolCall, captured_spans, scripted
from weft.tracer.integrations import openai as integration
from weft.tracer.span import span as weft_span

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is a generator?"}]
TOOL = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object", "properties": {"topic": {"type": "string"}}}},
}
MODEL = "gpt-4o-mini"
BROKEN = "Connection error|peer closed connection"
"""What openai 3 says of a stream that broke, and what httpx says, which openai 2 passes on."""


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
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


@pytest.fixture
async def aclient(provider):
    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


def create(client, **more):
    return client.chat.completions.create(**{"model": MODEL, "messages": ASK} | more)


def content(found):
    return found.output["choices"][0]["message"]["content"]


def test_a_chat_call_is_an_llm_span_with_request_response_and_tokens(client, provider, spans) -> None:
    answer = create(client, temperature=0.5, max_tokens=50, stop="END", user=openai.omit)
    (found,) = spans
    assert (found.name, found.kind, found.status) == ("chat gpt-4o-mini", "llm", "ok")
    assert found.inputs == {"model": MODEL, "messages": ASK, "temperature": 0.5, "max_tokens": 50, "stop": "END"}
    assert found.output == json.loads(answer.to_json())
    assert (found.model, found.provider) == (MODEL, "127.0.0.1")
    assert found.usage == {"input_tokens": answer.usage.prompt_tokens, "output_tokens": answer.usage.completion_tokens}
    assert found.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "127.0.0.1",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": MODEL,
        "gen_ai.response.finish_reasons": ["stop"],
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_loopback",
        "openai.api.type": "chat_completions",
        "server.address": "127.0.0.1",
        "server.port": provider.port,
    }
    assert "sk-test" not in str(found)


def test_calls_nest_under_what_is_open(client, spans) -> None:
    with weft_span("agent"):
        create(client)
        create(client, stream=True).close()
    assert spans.tree() == [["agent", ["chat gpt-4o-mini"], ["chat gpt-4o-mini"]]]


def test_details_of_usage_and_the_model_that_served_are_kept(client, provider, spans) -> None:
    provider.responder = lambda request: ChatReply(
        "x", prompt_tokens=17903, completion_tokens=850, cached_tokens=17817, reasoning_tokens=700, model="gpt-x-2026"
    )
    create(client)
    (found,) = spans
    assert found.model == "gpt-x-2026"
    assert found.usage == {
        "input_tokens": 17903,
        "output_tokens": 850,
        "cache_read_tokens": 17817,
        "reasoning_tokens": 700,
    }


def test_tools_are_recorded_in_request_and_response(client, provider, spans) -> None:
    provider.responder = scripted(ChatReply(tool_calls=[ToolCall("lookup", '{"topic": "yield"}')]), "It yields.")
    first = create(client, tools=[TOOL]).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "..."}
    create(client, tools=[TOOL], messages=[*ASK, first, result])
    asked, told = spans
    (call,) = asked.output["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "lookup", "arguments": '{"topic": "yield"}'}
    assert asked.inputs["tools"] == [TOOL]
    assert told.inputs["messages"][2]["tool_calls"][0]["function"]["name"] == "lookup"
    assert content(told) == "It yields."


def test_one_shot_iterators_reach_the_server_and_the_record(client, provider, spans) -> None:
    create(client, messages=iter(ASK), tools=(tool for tool in [TOOL]))
    assert provider.requests[0].body["messages"] == ASK
    assert provider.requests[0].body["tools"] == [TOOL]
    assert spans[0].inputs["messages"] == ASK


def test_a_stream_is_the_same_to_the_user_and_whole_in_the_record(client, spans) -> None:
    integration.uninstall()
    bare = [chunk.to_dict() for chunk in create(client, stream=True)]
    integration.install()
    stream = create(client, stream=True)
    assert isinstance(stream, openai.Stream)
    assert stream.response.status_code == 200
    seen = [chunk.to_dict() for chunk in stream]
    assert [chunk["choices"] for chunk in seen] == [chunk["choices"] for chunk in bare]
    (found,) = spans
    assert (found.status, content(found)) == ("ok", "What is a generator?")
    assert found.output["object"] == "chat.completion"
    assert found.usage is not None
    assert found.usage["output_tokens"] > 3
    assert "stream_options" not in found.inputs
    assert 0 < found.attributes["gen_ai.response.time_to_first_chunk"] < 60


def test_the_usage_chunk_is_shown_to_who_asked_for_it(client, spans) -> None:
    asked = list(create(client, stream=True, stream_options={"include_usage": True}))
    assert asked[-1].usage is not None
    declined = list(create(client, stream=True, stream_options={"include_usage": False}))
    assert all(chunk.choices for chunk in declined)
    first, second = spans
    assert first.usage is not None
    assert second.usage is None


def test_a_stream_is_a_context_manager_and_an_iterator(client, spans) -> None:
    with create(client, stream=True) as stream:
        first = next(stream)
        rest = list(stream)
    assert first.choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in rest) == "What is a generator?"
    assert content(spans[0]) == "What is a generator?"


def test_breaking_off_ends_the_span_with_what_was_read(client, spans) -> None:
    stream = create(client, stream=True)
    for number, _ in enumerate(stream):
        if number == 2:
            break
    assert (spans[0].status, content(spans[0])) == ("cancelled", "What is")
    assert spans[0].error is None
    assert spans[0].usage is None  # it had not come, which is not 0
    stream.close()


def test_leaving_once_the_model_has_said_that_it_is_done_is_ok(client, spans) -> None:
    for chunk in create(client, stream=True):
        if chunk.choices[0].finish_reason:
            break
    assert (spans[0].status, content(spans[0])) == ("ok", "What is a generator?")


def test_a_stream_that_is_left_and_read_on_is_recorded_to_its_end(client, spans) -> None:
    stream = create(client, stream=True)
    first = next(iter(stream))
    assert first.choices[0].delta.role == "assistant"
    assert (spans[0].status, spans[0].usage) == ("cancelled", None)
    list(stream)
    assert spans[0].status == "ok"
    assert content(spans[0]) == "What is a generator?"
    assert spans[0].usage is not None


def test_closing_and_dropping_a_stream_end_the_span(client, spans) -> None:
    closed = create(client, stream=True)
    next(closed)
    assert spans[0].status == "running"
    closed.close()
    dropped = create(client, stream=True)
    next(dropped)
    gc.disable()
    try:
        del dropped
        assert [found.status for found in spans] == ["cancelled", "cancelled"]
    finally:
        gc.enable()


@pytest.mark.parametrize("api", ["chat.completions", "responses"])
async def test_a_stream_dropped_before_its_first_step_ends_as_cancelled(client, aclient, spans, api: str) -> None:
    asked = {"messages": ASK} if api == "chat.completions" else {"input": "Hi"}
    gc.disable()
    try:
        dropped = operator.attrgetter(api)(client).create(model=MODEL, stream=True, **asked)
        assert spans[0].status == "running"
        del dropped
        dropped = await operator.attrgetter(api)(aclient).create(model=MODEL, stream=True, **asked)
        assert [found.status for found in spans] == ["cancelled", "running"]
        del dropped
        assert [found.status for found in spans] == ["cancelled", "cancelled"]
    finally:
        gc.enable()


async def test_a_raw_stream_dropped_before_its_first_step_ends_too(client, aclient, spans) -> None:
    ask = {"model": MODEL, "messages": ASK, "stream": True}
    dropped = client.chat.completions.with_raw_response.create(**ask).parse()
    later = (await aclient.chat.completions.with_raw_response.create(**ask)).parse()
    del dropped, later
    gc.collect()
    assert [found.status for found in spans] == ["cancelled", "cancelled"]


def test_a_stream_that_breaks_is_an_error_with_what_had_come(client, provider, spans) -> None:
    provider.cut_next_stream(after_chunks=3)
    with pytest.raises(Exception, match=BROKEN) as raised:
        list(create(client, stream=True))
    (found,) = spans
    assert found.status == "error"
    assert found.error["type"].endswith(type(raised.value).__name__)
    assert content(found) == "What is"


def test_the_stream_helper_and_parse_are_traced(client, provider, spans) -> None:
    class Answer(BaseModel):
        text: str

    provider.responder = lambda request: '{"text": "hi"}'
    with client.chat.completions.stream(model=MODEL, messages=ASK, response_format=Answer) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Answer(text="hi")
    with client.chat.completions.stream(model=MODEL, messages=ASK) as stream:
        next(iter(stream))
    parsed = client.chat.completions.parse(model=MODEL, messages=ASK, response_format=Answer)
    assert parsed.choices[0].message.parsed == Answer(text="hi")
    assert [found.status for found in spans] == ["ok", "cancelled", "ok"]
    assert [content(found) for found in (spans[0], spans[2])] == ['{"text": "hi"}'] * 2
    assert spans[2].inputs["response_format"] == "Answer"


def test_embeddings_are_recorded_without_their_numbers(client, spans) -> None:
    vectors = client.embeddings.create(model="text-embedding-3-small", input=["a b", "c"], dimensions=16)
    assert len(vectors.data[0].embedding) == 16
    (found,) = spans
    assert (found.name, found.kind) == ("embeddings text-embedding-3-small", "embedding")
    assert found.inputs["input"] == ["a b", "c"]
    assert [item["embedding"] for item in found.output["data"]] == [{"dimensions": 16}] * 2
    assert found.usage == {"input_tokens": vectors.usage.prompt_tokens}
    assert found.attributes["gen_ai.embeddings.dimension.count"] == 16


def test_responses_are_recorded_whole_and_streamed(client, provider, spans) -> None:
    provider.responder = lambda request: ChatReply(
        "It yields.", [ToolCall("lookup", '{"topic": "yield"}')], cached_tokens=3, prompt_tokens=9
    )
    ask = {"model": MODEL, "input": "What is a generator?", "instructions": "Be brief.", "max_output_tokens": 100}
    whole = client.responses.create(**ask)
    assert whole.output_text == "It yields."
    events = list(client.responses.create(**ask, stream=True))
    assert events[-1].type == "response.completed"
    with client.responses.stream(**ask) as stream:
        assert stream.get_final_response().output_text == "It yields."
    for found in spans:
        assert (found.name, found.kind, found.status, found.model) == ("chat gpt-4o-mini", "llm", "ok", MODEL)
        assert found.inputs.items() >= ask.items()
        call, message = found.output["output"]
        assert (call["name"], call["arguments"]) == ("lookup", '{"topic": "yield"}')
        assert message["content"][0]["text"] == "It yields."
        assert found.usage["input_tokens"] == 9
        assert found.usage["cache_read_tokens"] == 3
        assert found.attributes["gen_ai.request.max_tokens"] == 100
        assert found.attributes["openai.api.type"] == "responses"
    assert len(spans) == 3
    assert "gen_ai.response.time_to_first_chunk" in spans[1].attributes


def test_a_response_stream_that_is_left_keeps_what_had_come(client, provider, spans) -> None:
    for event in client.responses.create(model=MODEL, input="one two three", stream=True):
        if event.type == "response.output_text.delta" and event.delta == " two":
            break
    assert spans[0].status == "cancelled"
    assert spans[0].output["output"][0]["content"][0]["text"] == "one two"
    assert spans[0].usage is None


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_an_error_reaches_the_user_unchanged_and_the_record_with_its_status(client, spans, status: int) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        create(client, model=f"status-{status}")
    (found,) = spans
    assert found.status == "error"
    assert found.error["message"] == str(raised.value)
    assert found.attributes["http.response.status_code"] == status
    assert found.attributes["error.type"] == type(raised.value).__name__
    assert found.model == f"status-{status}"
    assert found.usage is None


def test_retries_of_the_client_are_one_span_and_its_events(provider, spans) -> None:
    provider.fail_next(429, times=2, retry_after_s=0.01)
    with openai.OpenAI(base_url=provider.base_url, api_key="k", max_retries=2) as client:
        create(client)
    assert len(provider.requests) == 3
    (found,) = spans
    assert found.status == "ok"
    assert [(event["name"], event["attributes"]) for event in found.events] == [
        (
            "retry",
            {
                "http.request.resend_count": number,
                "http.response.status_code": 429,
                "error.type": "429",
                "retry.delay_s": 0.01,
            },
        )
        for number in (1, 2)
    ]


async def test_a_retry_after_a_timeout_says_so(provider, spans) -> None:
    import threading

    release = threading.Event()
    provider.responder = lambda request: release.wait(5) and "late"
    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="k", max_retries=1, timeout=0.05) as client:
        with pytest.raises(openai.APITimeoutError):
            await create(client)
    release.set()
    (found,) = spans
    assert found.status == "error"
    (event,) = found.events
    assert event["attributes"]["error.type"].endswith("Timeout")
    assert 0 <= event["attributes"]["retry.delay_s"] < 60


def test_requests_that_are_no_models_work_make_no_span_and_no_event(provider, spans) -> None:
    provider.fail_next(429, retry_after_s=0.01)
    with openai.OpenAI(base_url=provider.base_url, api_key="k", max_retries=1) as client, weft_span("outer"):
        assert list(client.models.list())
    assert [(found.name, found.events) for found in spans] == [("outer", [])]


def test_a_server_that_is_down_is_an_error(provider, spans) -> None:
    url = provider.base_url
    provider.close()
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client, pytest.raises(openai.APIConnectionError):
        create(client)
    assert spans[0].status == "error"


def test_raw_and_streaming_responses_pass_untouched(client, spans) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    assert raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content == "What is a generator?"
    streamed = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK, stream=True)
    assert len(list(streamed.parse())) > 3
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=ASK) as response:
        assert json.loads(response.read())["choices"]
    assert [found.status for found in spans] == ["ok", "ok", "ok"]
    assert [content(found) for found in spans] == ["What is a generator?"] * 3
    assert spans[0].usage == spans[2].usage != None  # noqa: E711
    assert "gen_ai.response.time_to_first_chunk" in spans[1].attributes


def test_a_streaming_response_is_recorded_however_it_is_read(client, spans) -> None:
    streaming = client.chat.completions.with_streaming_response
    with streaming.create(model=MODEL, messages=ASK) as response:
        assert spans[0].status == "running"
        parsed = response.parse()
    with streaming.create(model=MODEL, messages=ASK, stream=True) as response:
        assert {chunk.object for chunk in response.parse()} == {"chat.completion.chunk"}
    with streaming.create(model=MODEL, messages=ASK, stream=True) as response:
        assert next(response.iter_lines()).startswith("data: ")
    with streaming.create(model=MODEL, messages=ASK):
        pass
    assert parsed.choices[0].message.content == content(spans[0]) == content(spans[1]) == "What is a generator?"
    assert [found.status for found in spans] == ["ok"] * 4
    assert (spans[2].output, spans[3].output) == (None, None)


async def test_raw_responses_of_the_async_client_are_recorded(aclient, spans) -> None:
    raw = await aclient.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    assert raw.parse().choices[0].message.content == "What is a generator?"
    async with aclient.chat.completions.with_streaming_response.create(model=MODEL, messages=ASK) as response:
        assert (await response.parse()).choices
    async with aclient.chat.completions.with_streaming_response.create(
        model=MODEL, messages=ASK, stream=True
    ) as response:
        assert [chunk async for chunk in await response.parse()]
    assert [content(found) for found in spans] == ["What is a generator?"] * 3


async def test_async_calls_and_streams_are_recorded_alike(aclient, spans) -> None:
    whole = await create(aclient)
    assert whole.choices[0].message.content == "What is a generator?"
    stream = await create(aclient, stream=True)
    assert isinstance(stream, openai.AsyncStream)
    assert [chunk async for chunk in stream][-1].choices[0].finish_reason == "stop"
    async with await create(aclient, stream=True) as stream:
        async for _ in stream:
            pass
    await aclient.embeddings.create(model="text-embedding-3-small", input="a")
    assert (await aclient.responses.create(model=MODEL, input="hi")).output_text == "hi"
    assert [event.type async for event in await aclient.responses.create(model=MODEL, input="hi", stream=True)]
    assert [found.status for found in spans] == ["ok"] * 6
    assert [content(found) for found in spans[:3]] == ["What is a generator?"] * 3
    assert all(found.usage for found in spans)


async def test_an_async_stream_that_is_closed_or_breaks_ends_its_span(aclient, provider, spans) -> None:
    stream = await create(aclient, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    provider.cut_next_stream(after_chunks=2)
    with pytest.raises(Exception, match=BROKEN):
        [chunk async for chunk in await create(aclient, stream=True)]
    assert [found.status for found in spans] == ["cancelled", "error"]
    assert [content(found) for found in spans] == ["What", "What"]


async def test_concurrent_calls_keep_to_their_parents(aclient, spans) -> None:
    async def ask(number: int) -> None:
        with weft_span(f"task {number}"):
            await create(aclient, messages=[{"role": "user", "content": str(number)}])

    await asyncio.gather(*(ask(number) for number in range(8)))
    for parent in (found for found in spans if found.parent_id is None):
        (child,) = spans.children(parent)
        assert f"task {content(child)}" == parent.name


async def test_a_cancelled_call_is_cancelled(aclient, provider, spans) -> None:
    arrived, release = asyncio.Event(), __import__("threading").Event()
    loop = asyncio.get_running_loop()

    def slow(request):
        loop.call_soon_threadsafe(arrived.set)
        release.wait(10)
        return "late"

    provider.responder = slow
    task = asyncio.create_task(create(aclient))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert spans[0].status == "cancelled"


def test_install_is_undone_and_the_signature_stays_true() -> None:
    method = openai.resources.chat.completions.Completions.create
    assert "messages" in inspect.signature(method).parameters
    integration.install()
    assert openai.resources.chat.completions.Completions.create is method
    integration.uninstall()
    assert openai.resources.chat.completions.Completions.create is method.__wrapped__
    assert not hasattr(vars(openai.OpenAI.__mro__[1])["_sleep_for_retry"], "__wrapped__")
    integration.uninstall()


def test_a_wrapper_of_somebody_elses_on_top_stays_and_then_calls_pass(client, spans) -> None:
    owner = openai.resources.chat.completions.Completions
    ours = owner.create
    owner.create = lambda *args, **kwargs: ours(*args, **kwargs)
    theirs = vars(owner)["create"]
    try:
        create(client)
        integration.uninstall()
        create(client)
        assert vars(owner)["create"] is theirs
        assert len(spans) == 1
    finally:
        owner.create = ours.__wrapped__


def test_clients_and_subclasses_of_resources_are_as_ever(provider, spans) -> None:
    import copy

    class Mine(openai.resources.chat.completions.Completions):
        def create(self, **kwargs):
            return super().create(**{"model": MODEL} | kwargs)

    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        assert Mine(client).create(messages=ASK).choices
        assert create(client.with_options(max_retries=1)).choices
        assert create(copy.copy(client)).choices
    assert len(spans) == 3


def test_a_wrong_call_raises_the_clients_own_error(client, spans) -> None:
    with pytest.raises(TypeError, match="Missing required arguments"):
        client.chat.completions.create(model=MODEL)
    assert spans[0].status == "error"


def test_where_nothing_is_recorded_nothing_is_changed(client, monkeypatch) -> None:
    from weft.tracking import runtime
    from weft.tracking.settings import Settings

    runtime.configure(Settings.resolve(mode="disabled"))
    stream = create(client, stream=True)
    assert type(stream) is openai.Stream
    assert len(list(stream)) > 3


def test_text_completions_are_recorded_whole_and_streamed(client, spans) -> None:
    whole = client.completions.create(model="instruct", prompt="one two")
    streamed = list(client.completions.create(model="instruct", prompt="one two", stream=True))
    assert "".join(chunk.choices[0].text for chunk in streamed) == whole.choices[0].text == "one two"
    for found in spans:
        assert (found.name, found.kind, found.status) == ("text_completion instruct", "llm", "ok")
        assert found.output["choices"][0]["text"] == "one two"
        assert found.usage["output_tokens"] == whole.usage.completion_tokens


def test_pictures_are_recorded_as_media_with_their_tokens(client, spans) -> None:
    made = client.images.generate(model="gpt-image-1", prompt="a loom")
    client.images.edit(model="gpt-image-1", prompt="a loom", image=("a.png", b"\x89PNG", "image/png"))
    events = list(client.images.generate(model="gpt-image-1", prompt="a loom", stream=True))
    assert events[-1].b64_json == made.data[0].b64_json
    for found in spans:
        assert (found.name, found.kind) == ("image_generation gpt-image-1", "llm")
        assert found.usage["output_image_tokens"] == found.usage["output_tokens"] == 272
        assert made.data[0].b64_json[:40] not in str(found.output)
        assert "image/png" in str(found.output["data"][0]["b64_json"])


def test_sound_is_recorded_both_ways(client, spans, tmp_path) -> None:
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="hello")
    assert spoken.content.startswith(b"RIFF")
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="hello") as response:
        response.stream_to_file(tmp_path / "hello.wav")
    assert (tmp_path / "hello.wav").read_bytes() == spoken.content
    with (tmp_path / "hello.wav").open("rb") as file:
        heard = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file)
    streamed = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", b"RIFF"), stream=True)
    assert [event.type for event in streamed][-1] == "transcript.text.done"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # major 3 has it on its way out
        client.audio.translations.create(model="whisper-1", file=("a.wav", b"RIFF"))
    first, second, third, fourth, fifth = spans
    assert (first.name, first.kind, first.inputs["input"]) == ("speech tts-1", "llm", "hello")
    assert "audio/" in str(first.output["audio"])
    assert (second.status, second.output) == ("ok", None)
    assert third.inputs["file"] == {"file": "hello.wav"}
    assert third.output["text"] == fourth.output["text"] == heard.text
    assert third.usage == fourth.usage == {"input_tokens": 14, "output_tokens": 3, "input_audio_tokens": 14}
    assert fifth.name == "transcription whisper-1"


async def test_moderation_is_a_guardrail(aclient, spans) -> None:
    found = await aclient.moderations.create(model="omni-moderation-latest", input="bad words")
    assert found.results[0].flagged
    assert (spans[0].name, spans[0].kind) == ("moderation omni-moderation-latest", "guardrail")
    assert spans[0].output["results"][0]["flagged"] is True
