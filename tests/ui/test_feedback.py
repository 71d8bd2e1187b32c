"""What is said in the app is a record like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.ui import feedback
from weft.ui.feedback import FeedbackError


def recorded() -> weft.Api:
    """A home with one call."""
    with weft.span("call"):
        pass
    weft.flush()
    return weft.Api()


def test_a_reaction_replaces_that_authors_own(home: Path) -> None:
    """A change of mind is one reaction, another person's is another one, and the project is the trace's."""
    trace = recorded().traces()[0]
    for text, by in (("👍", "ana"), ("👎", "bo"), ("👎", "ana")):
        feedback.say(trace, "reaction", text, by)
    found = {score.author: score for score in weft.Api().scores()}
    assert {by: score.label for by, score in found.items()} == {"ana": "👎", "bo": "👎"}
    assert {score.target for score in found.values()} == {"trace"}


def test_notes_add_up_and_lose_their_secrets(home: Path) -> None:
    span = recorded().spans()[0]
    feedback.say(span, "note", "  first  ", "")
    feedback.say(span, "note", "key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789", "ana")
    first, second = weft.Api().scores()
    assert (first.reason, first.author, first.span_id) == ("first", None, span.span_id)
    assert second.reason is not None
    assert "[redacted" in second.reason
    assert "abcdef" not in second.reason


@pytest.mark.parametrize(("kind", "text"), [("note", "  "), ("reaction", "<b>"), ("score", "1"), ("", "x")])
def test_what_says_nothing_is_refused(home: Path, kind: str, text: str) -> None:
    """Whatever a browser may send."""
    trace = recorded().traces()[0]
    with pytest.raises((FeedbackError, UsageError)):
        feedback.say(trace, kind, text, "ana")
    assert list(weft.Api().scores()) == []


def test_where_nothing_is_recorded_it_is_said(home: Path) -> None:
    """A switched-off recorder keeps nothing, and the visitor is told so."""
    trace = recorded().traces()[0]
    weft.configure(mode="disabled")
    with pytest.raises(FeedbackError, match="WEFT_MODE"):
        feedback.say(trace, "note", "x", "ana")


def test_the_author_is_who_runs_the_app_or_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a name is no error."""
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    assert feedback.author() == "ana"

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert feedback.author() == ""


def test_one_line_is_not_lost_silently(home: Path) -> None:
    """What is said is in the journal when `say` returns."""
    trace = recorded().traces()[0]
    before = runtime.active().journal.appended
    feedback.say(trace, "note", "kept", "ana")
    assert runtime.active().journal.appended == before + 1
