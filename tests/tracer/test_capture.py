"""Promises of `weft.tracer.capture`: errors and values as records hold them."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.tracer.capture import INNERMOST_FRAMES, OUTERMOST_FRAMES, capture, capture_error, stacktrace, status_of
from weft.tracking import runtime
from weft.tracking.payloads.encoding import decode


def raised(error: BaseException) -> BaseException:
    """The exception with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "ok"),
        (GeneratorExit(), "ok"),
        (SystemExit(), "ok"),
        (SystemExit(0), "ok"),
        (SystemExit(1), "error"),
        (SystemExit("message"), "error"),
        (KeyboardInterrupt(), "error"),
        (asyncio.CancelledError(), "cancelled"),
        (StopIteration(), "error"),
        (ExceptionGroup("many", [ValueError()]), "error"),
    ],
)
def test_how_a_call_ended(error: BaseException | None, status: str) -> None:
    """By what it raised."""
    assert status_of(error) == status


def test_an_error_is_type_message_and_stack(home: Path) -> None:
    """Secrets out, builtins without their module."""
    rt = runtime.active()
    found = decode(capture_error(rt, raised(ValueError("key sk-abcdefghijklmnop"))))
    assert (found["type"], found["message"]) == ("ValueError", "key [redacted:api-key]")
    assert "sk-abcdefghijklmnop" not in found["stacktrace"]
    assert decode(capture_error(rt, raised(asyncio.QueueFull())))["type"] == "asyncio.queues.QueueFull"


def sink(n: int) -> None:
    """Raises so many calls further down, by two functions in turn."""
    if n == 0:
        raise ValueError("here")
    (sink if n % 2 else lambda m: sink(m))(n - 1)


def test_a_deep_stack_keeps_both_its_ends_and_says_what_is_missing() -> None:
    """Where the error is, and how it was come to; a stack that is not deep is whole."""
    with pytest.raises(ValueError, match="here") as caught:
        sink(300)
    text = stacktrace(caught.value)
    frames = sum(1 for _ in traceback.walk_tb(caught.value.__traceback__))
    kept = OUTERMOST_FRAMES + INNERMOST_FRAMES
    assert text.count('raise ValueError("here")') == 1
    assert text.count("sink(300)") == 1
    assert text.count("File ") == kept
    assert text.startswith(f"[{frames - kept} frames between the outermost 10 and the innermost 30 are left out]\n")
    with pytest.raises(ValueError, match="here") as caught:
        sink(20)
    assert stacktrace(caught.value) == "".join(traceback.format_exception(caught.value))


def test_every_level_of_nested_ops_tells_a_bounded_stack(home: Path) -> None:
    """Our own wrappers are no frames of it, and are not counted."""
    told: list[str] = []

    @weft.op
    def down(n: int) -> None:
        try:
            if n == 0:
                raise ValueError("here")
            down(n - 1)
        except ValueError as error:
            told.append(stacktrace(error))
            raise

    with pytest.raises(ValueError, match="here"):
        down(60)
    # Python prints a line that repeats once, and says how often; so frames are counted by what is left out.
    assert [text.startswith("[") for text in told] == [n > 40 for n in range(1, 62)]
    assert told[-1].startswith("[21 frames ")
    assert max(len(text) for text in told[40:]) < 2 * len(told[30])
    assert not any("<weft op " in text for text in told)


def test_members_of_a_group_are_told(home: Path) -> None:
    """Each with its own message."""
    text = stacktrace(raised(ExceptionGroup("many", [raised(ValueError("one")), raised(KeyError("two"))])))  # type: ignore[list-item]
    assert "ValueError: one" in text
    assert "KeyError: 'two'" in text


@pytest.mark.parametrize("value", [1, "text", {"a": [1.5, None]}, float("nan"), b"bytes", {1: 2}])
def test_a_value_comes_back(value: Any, home: Path) -> None:
    """As it was encoded."""
    assert repr(decode(capture(runtime.active(), value))) == repr(value)
