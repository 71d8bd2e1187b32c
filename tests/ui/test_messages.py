"""A call to a model reads as a chat, whatever the API's shape."""

from __future__ import annotations

from typing import Any

from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import Tagged
from weft.ui.media import MEDIA
from weft.ui.messages import conversation
from weft.ui.values import LITERAL, showable


def test_chat_completions_with_tools() -> None:
    """System, user, a tool call with parsed arguments, the tool's answer, and the final reply."""
    call = {"name": "look", "arguments": '{"a": 1}'}
    request = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Answer."},
            {"role": "user", "content": [{"type": "text", "text": "why?"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": call}]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ],
    }  # fmt: skip
    chat = conversation(request, {"choices": [{"message": {"role": "assistant", "content": "because"}}]})
    assert [message["role"] for message in chat] == ["system", "user", "assistant", "tool", "assistant"]
    assert chat[1]["parts"][0] == {"type": "text", "text": "why?"}
    assert chat[1]["parts"][1]["type"] == "json"
    assert chat[2]["parts"] == [{"type": "call", "name": "look", "id": "c1", "arguments": {"a": 1}}]
    assert chat[3]["name"] == "c1"
    assert chat[4]["parts"] == [{"type": "text", "text": "because"}]


def test_arguments_that_are_no_json_stay_as_written() -> None:
    """A model may write anything."""
    broken = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": '{"a": '}}]}
    chat = conversation([{"role": "user", "content": "x"}], broken)
    assert chat[1]["parts"][0]["arguments"] == '{"a": '


def test_the_responses_api() -> None:
    """Instructions, text input, and output items with calls and their results."""
    request = {"model": "m", "instructions": "Be brief.", "input": "hello"}
    output = {
        "output": [
            {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
        ]
    }
    chat = conversation(request, output)
    assert [message["role"] for message in chat] == ["system", "user", "assistant", "assistant"]
    assert chat[3]["parts"] == [{"type": "text", "text": "hi"}]


def test_what_is_no_chat_has_none() -> None:
    """Plain arguments, numbers, and nothing."""
    assert conversation({"question": "why?"}, "because") == []
    assert conversation({"messages": "two"}, None) == []
    assert conversation(None, {"choices": []}) == []


def test_a_refusal_and_an_empty_reply_show() -> None:
    """A refusal is text of the assistant; a message without content is still there."""
    asked = [{"role": "user", "content": "x"}]
    assert conversation(asked, {"role": "assistant", "content": None, "refusal": "no"})[1]["parts"][0]["text"] == "no"
    assert conversation(asked, {"choices": [{"message": {"role": "assistant", "content": ""}}]})[1]["parts"] == []


def test_media_in_parts_are_shown_as_media() -> None:
    """However the provider wraps them; a text with media inside keeps its order."""
    picture = Content("ab" * 32, 2048, "image/png")
    wrapped = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}},
        {"type": "input_audio", "input_audio": {"data": picture, "format": "wav"}},
    ]
    chat = conversation(
        [{"role": "user", "content": wrapped}], {"role": "assistant", "content": Tagged("text", ["a ", picture])}
    )
    parts = chat[0]["parts"]
    assert parts[0] == {"type": "text", "text": "see"}
    assert [part["value"][MEDIA]["src"] for part in parts[1:]] == [f"/blob/{'ab' * 32}"] * 3
    assert [part["type"] for part in chat[1]["parts"]] == ["text", "json"]


def test_what_cannot_be_fetched_is_said_in_words() -> None:
    """A reference to the web is never loaded; a digest that is none leads nowhere."""
    assert showable(Content.from_url("https://example.com/a.png")) == {
        LITERAL: "<Content image/png, a.png, https://example.com/a.png>"
    }
    assert LITERAL in showable(Tagged("blob", {"digest": "../../etc/passwd", "size_bytes": 1}))
    svg = showable(Content("ab" * 32, 10, "image/svg+xml", "x.svg"))[MEDIA]
    assert (svg["kind"], svg["name"]) == ("file", "x.svg")
    assert showable(Content("ab" * 32, 1 << 30, "image/png"))[MEDIA]["kind"] == "file"


def test_what_a_model_thought_is_shown_before_what_it_said() -> None:
    said = {"role": "assistant", "content": "Yes.", "reasoning_content": "Let me think."}

    (_, answer) = conversation([{"role": "user", "content": "Rain?"}], said)

    assert [part["text"] for part in answer["parts"]] == ["Let me think.", "Yes."]


def test_parts_of_opentelemetry() -> None:
    """Messages whose parts have types of their own: text, reasoning, a tool's call and its response."""
    asked = [
        {"role": "user", "parts": [{"type": "text", "content": "Rain?"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "dry"}]},
    ]
    said = {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "Hm."},
            {"type": "tool_call", "id": "c2", "name": "look", "arguments": {"at": "sky"}},
            {"type": "text", "content": "Yes."},
        ],
    }
    user, tool, assistant = conversation(asked, [said])
    assert user["parts"] == [{"type": "text", "text": "Rain?"}]
    assert tool["parts"] == [{"type": "result", "id": "c1", "parts": [{"type": "text", "text": "dry"}]}]
    assert assistant["parts"] == [
        {"type": "thought", "text": "Hm."},
        {"type": "call", "name": "look", "id": "c2", "arguments": {"at": "sky"}},
        {"type": "text", "text": "Yes."},
    ]


def test_blocks_of_anthropic() -> None:
    """Thinking, a tool's use with its input, and its result inside a user's message."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "12 C"}]}
    request = {"model": "m", "system": "Be brief.", "messages": [{"role": "user", "content": [result]}]}
    answer = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Cold.", "signature": "x"},
            {"type": "tool_use", "id": "t2", "name": "warm", "input": {"by": 3}},
        ],
    }
    system, user, assistant = conversation(request, answer)
    assert system["parts"] == [{"type": "text", "text": "Be brief."}]
    assert user["parts"] == [{"type": "result", "id": "t1", "parts": [{"type": "text", "text": "12 C"}]}]
    assert [part["type"] for part in assistant["parts"]] == ["thought", "call"]
    assert assistant["parts"][1]["arguments"] == {"by": 3}


def test_a_part_that_holds_itself_and_unknown_types_are_shown() -> None:
    """Results nested without end, lists where a text should be, types that nobody knows: JSON, never an error."""
    nested: Any = "end"
    for _ in range(40):
        nested = [{"type": "tool_result", "content": nested}]
    odd = [{"type": ["x"], "text": 3}, {"type": "hologram", "data": 1}, {"type": "text", "content": {"a": 1}}, 7, None]
    (_, answer) = conversation([{"role": "user", "content": "x"}], {"role": "assistant", "content": [*nested, *odd]})
    assert [part["type"] for part in answer["parts"]] == ["result", "json", "json", "json", "json", "json"]


def test_a_picture_that_weft_recorded_is_shown_in_its_message() -> None:
    """Alone, not as the record that stands for it; one whose record is none stays JSON."""
    record = {"_type": "image-file", "digest": "a" * 64, "size_bytes": 9, "media_type": "image/png", "width": 2}
    for image in (record, {**record, "digest": "../evil"}):
        content = [{"type": "text", "text": "see"}, {"type": "image", "image": image}]
        [message] = conversation({"messages": [{"role": "user", "content": content}]}, None)
        assert message["parts"][1]["type"] == "json"
        shown = message["parts"][1]["value"]
        assert (set(shown) == {MEDIA}) == (image is record)
    assert shown["image"]["digest"] == "../evil"
