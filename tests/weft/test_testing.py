"""The loopback provider keeps OpenAI's protocol: the real openai client is the judge."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import replace

import openai
import pytest

from weft.testing import ChatReply, FixedIds, LoopbackProvider, ToolCall, captured_spans, scripted
from weft.testing.spans import CapturedSpans
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracking import runtime

ASK = [{"role": "user", "content": "What is a generator?"}]
TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def provider():
    with LoopbackProvider() as running:
        yield running


@pytest.fixture
def client(provider):
    with openai.OpenAI(base_url=provider.base_url, api_key="test", max_retries=0) as made:
        yield made


def create(client, **more):
    return client.chat.completions.create(**{"model": "gpt-4o-mini", "messages": ASK} | more)


def test_a_chat_completion_echoes_and_counts(client) -> None:
    answer = create(client)
    assert answer.choices[0].message.content == "What is a generator?"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-4o-mini"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 2
    assert answer.usage.prompt_tokens_details.cached_tokens == 0


def test_a_stream_says_the_same_in_pieces(client) -> None:
    parts = list(create(client, stream=True))
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "What is a generator?"
    assert parts[0].choices[0].delta.role == "assistant"
    assert parts[-1].choices[0].finish_reason == "stop"
    assert len({part.id for part in parts}) == 1
    assert all(part.usage is None for part in parts)


def test_a_stream_reports_usage_in_one_more_chunk_when_asked(client) -> None:
    parts = list(create(client, stream=True, stream_options={"include_usage": True}))
    assert parts[-1].choices == []
    assert parts[-1].usage == create(client).usage
    assert all(part.usage is None for part in parts[:-1])


def test_tool_calls_arrive_whole_and_as_deltas(client, provider) -> None:
    call = ToolCall("lookup", '{"topic": "yield", "why": "é"}')
    provider.responder = lambda request: ChatReply(tool_calls=[call, ToolCall("lookup", "{}")])
    whole = create(client, tools=[TOOL]).choices[0]
    assert whole.finish_reason == "tool_calls"
    assert whole.message.tool_calls[0].function.arguments == call.arguments
    with client.chat.completions.stream(model="gpt-4o-mini", messages=ASK, tools=[TOOL]) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert [t.function.arguments for t in streamed.message.tool_calls] == [call.arguments, "{}"]
    assert streamed.message.tool_calls[0].id == call.id


def test_counts_that_the_responder_states_are_reported(client, provider) -> None:
    provider.responder = lambda request: ChatReply(
        "x",
        prompt_tokens=17903,
        completion_tokens=850,
        cached_tokens=17817,
        reasoning_tokens=700,
        model="gpt-x",
    )
    answer = create(client)
    assert (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (17903, 17817)
    assert answer.usage.completion_tokens_details.reasoning_tokens == 700
    assert answer.model == "gpt-x"


def test_a_token_limit_cuts_the_answer(client) -> None:
    choice = create(client, max_tokens=2).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("What is", "length")


def test_several_choices_on_request(client) -> None:
    assert [choice.index for choice in create(client, n=3).choices] == [0, 1, 2]


def test_embeddings_are_deterministic_unit_vectors_in_both_formats(client) -> None:
    texts = ["a generator yields values", "generator values", "sockets"]
    packed = client.embeddings.create(model="text-embedding-3-small", input=texts)
    plain = client.embeddings.create(model="text-embedding-3-small", input=texts, encoding_format="float")
    vectors = [item.embedding for item in plain.data]
    for one, other in zip(packed.data, vectors, strict=True):
        assert one.embedding == pytest.approx(other, abs=1e-6)
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > 0.5 > abs(far)
    assert packed.usage.total_tokens == packed.usage.prompt_tokens > 3
    assert len(client.embeddings.create(model="m", input="one", dimensions=8).data[0].embedding) == 8


def test_models_are_listed(client) -> None:
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini"]


def test_responses_answer_and_stream(client) -> None:
    whole = client.responses.create(model="gpt-4o-mini", input="hello there", instructions="Be brief.")
    assert whole.output_text == "hello there"
    assert whole.usage.input_tokens > 0
    with client.responses.stream(model="gpt-4o-mini", input="hello there") as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "hello there"
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_a_status_on_request_comes_in_openais_envelope(client, provider, status: int, error: type[Exception]) -> None:
    provider.fail_next(status)
    with pytest.raises(error) as ordered:
        create(client)
    assert ordered.value.body["message"]
    assert create(client).choices
    with pytest.raises(error):
        create(client, model=f"status-{status}")


def test_the_clients_own_retries_get_through_a_429(provider) -> None:
    provider.fail_next(429, times=2, retry_after_s=0.01)
    with openai.OpenAI(base_url=provider.base_url, api_key="test", max_retries=2) as client:
        assert create(client).choices
    assert len(provider.requests) == 3


def test_a_missing_and_a_bad_key_are_refused(provider) -> None:
    with openai.OpenAI(base_url=provider.base_url, api_key="bad") as client, pytest.raises(openai.AuthenticationError):
        create(client)
    assert raw(provider, "GET", "/v1/models", headers={})[0] == 401


def test_malformed_requests_are_refused_and_the_connection_lives(provider) -> None:
    cases = [
        b"{",
        b"[]",
        b"{}",
        b'{"model": "m"}',
        b'{"model": "m", "messages": "hi"}',
        b'{"model":"m","messages":[1]}',
    ]
    connection = http.client.HTTPConnection("127.0.0.1", provider.port)
    for body in cases:
        status, answer = raw(provider, "POST", "/v1/chat/completions", body, connection=connection)
        assert status == 400
        assert answer["error"]["type"] == "invalid_request_error"
    assert raw(provider, "POST", "/v1/elsewhere", b"{}", connection=connection)[0] == 404
    connection.close()


def test_a_responder_that_raises_is_a_500_with_its_reason(client, provider) -> None:
    provider.responder = scripted("first")
    assert create(client).choices[0].message.content == "first"
    with pytest.raises(openai.InternalServerError, match="used up"):
        create(client)


def test_a_cut_stream_breaks_the_connection(client, provider) -> None:
    provider.cut_next_stream(after_chunks=2)
    got = []
    with pytest.raises(Exception, match=r"Connection error|peer closed connection"):
        got.extend(create(client, stream=True))
    assert create(client, stream=True).response.status_code == 200


def test_requests_are_kept(client, provider) -> None:
    create(client, temperature=0)
    kept = provider.requests[0]
    assert (kept.method, kept.path, kept.body["temperature"]) == ("POST", "/v1/chat/completions", 0)
    assert kept.headers["authorization"] == "Bearer test"


def test_closing_leaves_no_thread_even_while_clients_hold_connections() -> None:
    before = set(threading.enumerate())
    provider = LoopbackProvider()
    connections = [http.client.HTTPConnection("127.0.0.1", provider.port) for _ in range(4)]
    for connection in connections:
        assert raw(provider, "GET", "/v1/models", connection=connection)[0] == 200
    provider.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    for connection in connections:
        connection.close()
    with pytest.raises(ConnectionError):
        raw(provider, "GET", "/v1/models")


async def test_many_requests_at_once(provider) -> None:
    import asyncio

    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="test") as client:
        asks = [[{"role": "user", "content": f"number {n}"}] for n in range(20)]
        answers = await asyncio.gather(
            *(client.chat.completions.create(model="gpt-4o-mini", messages=ask) for ask in asks)
        )
    assert [answer.choices[0].message.content for answer in answers] == [f"number {n}" for n in range(20)]


def raw(provider, method, path, body=None, *, headers=None, connection=None):
    mine = connection or http.client.HTTPConnection("127.0.0.1", provider.port)
    try:
        mine.request(method, path, body, {"Authorization": "Bearer test"} if headers is None else headers)
        answer = mine.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        if connection is None:
            mine.close()


@op
def double(x):
    with span("inner", kind="tool", inputs={"x": x}, attributes={"a": 1}) as inner:
        inner.add_event("half way")
        inner.set_output(None)
        inner.set_usage({"input_tokens": 3}, model="m", provider="p")
    return 2 * x


def test_captured_spans_are_there_within_the_block_and_after_it(home) -> None:
    former = runtime.active().home
    with captured_spans(project="mine") as spans:
        assert len(spans) == 0
        assert double(2) == 4
        assert spans.tree() == [["double", ["inner"]]]
    assert runtime.active().home == former
    double(3)
    assert [found.name for found in spans] == ["double", "inner"]
    outer, inner = spans.named("double"), spans.named("inner")
    assert (outer.inputs, outer.output, outer.status, outer.project) == ({"x": 2}, 4, "ok", "mine")
    assert spans.children(outer) == [inner]
    assert (inner.kind, inner.attributes["a"], inner.usage, inner.model) == ("tool", 1, {"input_tokens": 3}, "m")
    assert inner.events[0]["name"] == "half way"
    with pytest.raises(LookupError, match="0 spans are named 'other'"):
        spans.named("other")


def test_captured_spans_survive_an_error_and_show_what_is_still_open() -> None:
    def fail(spans):
        assert spans[0].status == "running"
        return 1 / 0

    with pytest.raises(ZeroDivisionError), captured_spans() as spans, span("outer"):
        fail(spans)
    assert spans[0].status == "error"
    assert spans[0].error["type"] == "ZeroDivisionError"


def test_fixed_ids_make_two_runs_alike() -> None:
    seen = []
    for _ in range(2):
        with captured_spans(ids=FixedIds()) as spans:
            double(2)
        seen.append([(found.trace_id, found.span_id, found.start_ns, found.end_ns) for found in spans])
    assert seen[0] == seen[1]
    assert [found[1] for found in seen[0]] == ["0000000000000001", "0000000000000002"]


def test_a_responder_may_return_a_tool_call(provider, client) -> None:
    """Alone, with its arguments as a dict."""
    provider.responder = scripted(ToolCall("lookup", {"word": "weft"}), ToolCall("lookup", "no json", id="call_x"))
    choice = create(client, tools=[TOOL]).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"word": "weft"}
    call = create(client, tools=[TOOL]).choices[0].message.tool_calls[0]
    assert (call.id, call.function.arguments) == ("call_x", "no json")


async def no_responder() -> str:
    return "never"


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (lambda request: {"content": "x"}, "this one returned dict: {'content': 'x'}"),
        (lambda request: None, "this one returned NoneType: None"),
        (lambda request: no_responder(), "must not be async"),
        (lambda request: ChatReply(tool_calls=[{"name": "lookup"}]), "are no ToolCalls: [{'name': 'lookup'}]"),
        (lambda request: ChatReply(tool_calls=ToolCall("lookup")), "are no ToolCalls: ToolCall(name='lookup'"),
        (lambda request: ChatReply(content=5), "is no text: 5"),
    ],
)
def test_an_answer_that_is_no_reply_is_told_what_it_must_be(provider, client, respond, said) -> None:
    provider.responder = respond
    with pytest.raises(openai.InternalServerError) as caught:
        create(client)
    assert "a responder must return a str, a ToolCall or a ChatReply" in caught.value.message
    assert said in caught.value.message


def test_captured_spans_may_be_nested_and_see_threads() -> None:
    with captured_spans() as outer:
        double(1)
        with captured_spans() as inner:
            worker = threading.Thread(target=double, args=(2,))
            worker.start()
            worker.join()
        double(3)
    assert inner.tree() == [["double", ["inner"]]]
    assert [span.inputs["x"] for span in outer if span.name == "double"] == [1, 3]


def test_what_a_thread_records_too_late_leaves_no_folder_behind() -> None:
    late = threading.Event()

    def straggle() -> None:
        with span("late"):
            late.wait()

    with captured_spans() as spans:
        worker = threading.Thread(target=straggle)
        worker.start()
        while not len(spans):
            pass
        folder = runtime.active().settings.home
    late.set()
    worker.join()
    assert not folder.exists()
    assert spans[0].status == "running"


def test_spans_whose_parents_go_round_in_a_ring_are_in_the_tree(tmp_path):
    with captured_spans() as spans:
        op(lambda: 1, name="a")()
        op(lambda: 1, name="b")()
        op(lambda: 1, name="self")()
    a, b, own = spans
    ring = CapturedSpans(tmp_path)
    ring._final = [
        replace(a, parent_id=b.span_id),
        replace(b, parent_id=a.span_id),
        replace(own, parent_id=own.span_id),
    ]

    assert ring.tree() == [["a", ["b"]], ["self"]]
