"""Patterns of filters mean what Python's `re` means, and never take for ever."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.store import patterns


@pytest.mark.parametrize("pattern", ["^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"])
def test_a_pattern_that_takes_for_ever_is_given_up_and_told(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setattr(patterns, "MOST_SECONDS", 0.2)
    holds = patterns.search("name", pattern)
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"longer than 0\.2 s"):
        holds("x" * 20_000)
    with pytest.raises(UsageError):
        holds("x" * 20_000)
    assert time.monotonic() - began < 20


def test_the_time_is_that_of_all_texts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MOST_SECONDS", 0.05)
    holds = patterns.search("name", "(x+x+)+y")
    with pytest.raises(UsageError):
        any(holds("x" * length) for length in range(100, 5_000))


@pytest.mark.parametrize(
    "pattern", ["(?:(?:a{1000}){1000}){1000}", "((a{900}){900})", "a" * 3_000, "(" * 900, "[", "a{2,1}"]
)
def test_a_pattern_that_is_none_or_too_large_is_told_at_once(pattern: str) -> None:
    with pytest.raises(UsageError, match="name"):
        patterns.search("name", pattern)


@pytest.mark.parametrize("pattern", ["[[a]", "[a||b]", "[&&]"])
def test_what_python_warns_of_is_looked_for_as_it_is_meant_today(pattern: str) -> None:
    assert patterns.search("name", pattern)("[|&") is True


@pytest.mark.filterwarnings("ignore:Possible (nested|set):FutureWarning")  # re's own word on [[ and [a||b]
@example("a{,}b", "aab")
@given(st.text("ab{}()[]+*?|.\\,01e^$", max_size=12), st.text("ab{}e01", max_size=12))
def test_a_pattern_finds_what_re_finds(pattern: str, text: str) -> None:
    try:
        wanted = re.compile(pattern)
    except re.error:
        return
    try:
        holds = patterns.search("name", pattern)
    except UsageError:
        return
    assert holds(text) is (wanted.search(text) is not None)
