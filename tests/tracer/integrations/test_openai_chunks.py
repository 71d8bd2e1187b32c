"""Chunks put together are the message that the same call without streaming returns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weft.testing.wire import ChatReply, ChatRequest, ToolCall, chunks, completion, response, response_events
from weft.tracer.integrations.openai_chunks import ChatAssembly, ResponseAssembly

REQUEST = ChatRequest("gpt-4o-mini", [{"role": "user", "content": "hi"}], {})
calls = st.builds(ToolCall, st.text(min_size=1), st.text())


def assembled(*parts):
    assembly = ChatAssembly()
    for part in parts:
        assembly.add(part)
    return assembly


@given(st.builds(ChatReply, content=st.none() | st.text(), tool_calls=st.lists(calls, max_size=3)), st.booleans())
def test_a_stream_comes_out_as_the_whole_reply(reply: ChatReply, include_usage: bool) -> None:
    reply = reply.counted(REQUEST)
    whole = completion(reply)
    found = assembled(*chunks(reply, include_usage=include_usage)).result()
    assert found is not None
    for name in ("object", "model"):
        assert found[name] == whole[name]
    assert found.get("usage") == (whole["usage"] if include_usage else None)
    (mine,), (theirs,) = found["choices"], whole["choices"]
    assert mine["finish_reason"] == theirs["finish_reason"]
    assert (mine["message"]["content"] or "") == (theirs["message"]["content"] or "")
    assert mine["message"].get("tool_calls") == theirs["message"].get("tool_calls")


def test_nothing_is_none_and_a_part_is_a_part() -> None:
    assert assembled().result() is None
    parts = list(chunks(ChatReply("one two three").counted(REQUEST), include_usage=False))
    assert not assembled(parts[0]).content_seen
    half = assembled(*parts[:3])
    assert half.content_seen
    assert half.result()["choices"][0]["message"]["content"] == "one two"
    assert half.result()["choices"][0]["finish_reason"] is None


def test_ids_and_names_that_a_server_repeats_are_kept_once() -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "}"}}
    empty = {"index": 0, "id": "", "function": {"name": "", "arguments": ""}}
    found = assembled(*({"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]} for one in (call, more, empty)))
    assert found.result()["choices"][0]["message"]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_fields_that_openai_does_not_have_and_several_choices_are_kept() -> None:
    found = assembled(
        {"choices": [{"index": 1, "delta": {"reasoning_content": "hm"}}, {"index": 0, "delta": {"content": "a"}}]},
        {"choices": [{"index": 1, "delta": {"reasoning_content": "mm", "content": "b"}, "finish_reason": "stop"}]},
    ).result()
    assert [choice["message"]["content"] for choice in found["choices"]] == ["a", "b"]
    assert found["choices"][1]["message"]["reasoning_content"] == "hmmm"


def test_the_users_chunks_are_not_touched() -> None:
    first = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "a"}}]}}]}
    second = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "b"}}]}}]}
    assembled(first, second).result()
    assert first["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "function": {"arguments": "a"}}]


@given(st.builds(ChatReply, content=st.none() | st.text(), tool_calls=st.lists(calls, max_size=3)), st.integers(0, 40))
def test_a_stream_of_events_comes_out_as_the_whole_response_and_never_fails_before(reply: ChatReply, cut: int) -> None:
    whole = response(reply.counted(REQUEST), {})
    events = list(response_events(whole))
    full, part = ResponseAssembly(), ResponseAssembly()
    for event in events:
        full.add(event)
    for event in events[:cut]:
        part.add(event)
    assert full.result() == whole
    assert (part.result() is None) == (cut == 0)
