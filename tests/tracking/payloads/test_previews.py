"""Promises of `weft.tracking.payloads.previews`: short, plain, quick, and never an error."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.previews import preview


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"x": 1}, "1"),
        ({"question": "what?", "k": 3}, "what?, 3"),
        ({"self": "<a.B object>", "x": "hello"}, "hello"),
        ({"question": "what?", "model": None}, "what?"),
        ("plain", "plain"),
        (None, "None"),
        (1.5, "1.5"),
        ([1, 2], "[1,2]"),
        ({"a": {"b": [1]}, "c": 1}, '{"a":{"b":[1]},"c":1}'),
        (
            {
                "model": "m",
                "messages": [
                    {"role": "user", "content": "first"},
                    {"role": "assistant", "content": "a"},
                    {"role": "user", "content": "second"},
                ],
            },
            "second",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}]}],
            "look [image_url]",
        ),
        ({"choices": [{"message": {"role": "assistant", "content": "answer"}}], "usage": {}}, "answer"),
        (
            {
                "choices": [
                    {
                        "message": {
                            "role": "assistant",
                            "content": None,
                            "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                        }
                    }
                ]
            },
            "f({})",
        ),
        ({"x": math.nan}, "NaN"),
        (ValueError, "ValueError"),
        ("two\n  lines", "two lines"),
        ({"client": object(), "q": "what is the weather?"}, "what is the weather?"),
        ({"scan": b"\x00\x01", "q": "what is it?", "k": [1]}, 'what is it?","k":[1]}'),
        ([[[[]]]] * 2, "[[[[]]],[[[]]]]"),
    ],
)
def test_a_preview_shows_what_a_reader_looks_for(value: Any, shown: str) -> None:
    """Short plain text for lists."""
    assert preview(encode(value)).endswith(shown)


@given(
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
    st.integers(10, 60),
)
def test_a_preview_is_never_longer_than_asked_and_never_raises(value: Any, limit: int) -> None:
    """Whatever was recorded."""
    data = encode(value)
    assert len(preview(data, limit)) <= limit
    assert len(preview(data.decode(), limit)) <= limit


def test_a_preview_of_megabytes_reads_only_their_edge() -> None:
    """The last user message is found without parsing; else the beginning is shown."""
    messages = [{"role": "user", "content": "x" * 100_000}] * 30 + [{"role": "user", "content": 'the "last" one\n'}]
    assert preview(encode({"messages": messages})).strip() == 'the "last" one'
    assert len(preview(encode(["é" * 100_000]))) == 300


def test_a_preview_of_something_deeper_than_the_stack_is_its_text() -> None:
    assert preview(b'{"a":' * 900 + b"1" + b"}" * 900).startswith('{"a":{"a":')


def test_a_preview_of_something_that_is_no_json_is_its_text() -> None:
    """A list must show something for a damaged payload too."""
    assert preview(b"not json") == "not json"


def test_the_time_of_a_preview_does_not_grow_with_the_payload() -> None:
    """Ten megabytes cost what a hundred kilobytes do, within an order of magnitude."""

    def seconds(size: int) -> float:
        data = encode({"messages": [{"role": "user", "content": "x" * size}, {"role": "assistant", "content": "y"}]})
        taken = []
        for _ in range(20):
            start = time.perf_counter()
            preview(data)
            taken.append(time.perf_counter() - start)
        return min(taken)

    assert seconds(10_000_000) < 0.005
