"""Promises of `weft.tracer.capture`: errors and values as records hold them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from weft.tracer.capture import STACK_FRAMES, capture, capture_error, stacktrace, status_of
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


def test_a_very_deep_stack_keeps_its_innermost_frames() -> None:
    """Where the error is."""

    def down(n: int) -> None:
        if n == 0:
            raise ValueError("here")
        (down if n % 2 else lambda m: down(m))(n - 1)

    with pytest.raises(ValueError, match="here") as caught:
        down(300)
    text = stacktrace(caught.value)
    assert text.count('raise ValueError("here")') == 1
    assert text.count("File ") <= STACK_FRAMES
    assert text.startswith("[the outermost ")


def test_members_of_a_group_are_told(home: Path) -> None:
    """Each with its own message."""
    text = stacktrace(raised(ExceptionGroup("many", [raised(ValueError("one")), raised(KeyError("two"))])))  # type: ignore[list-item]
    assert "ValueError: one" in text
    assert "KeyError: 'two'" in text


@pytest.mark.parametrize("value", [1, "text", {"a": [1.5, None]}, float("nan"), b"bytes", {1: 2}])
def test_a_value_comes_back(value: Any, home: Path) -> None:
    """As it was encoded."""
    assert repr(decode(capture(runtime.active(), value))) == repr(value)
