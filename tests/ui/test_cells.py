"""Records in the cells of a list."""

from __future__ import annotations

import pytest

from weft.ui import cells


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ('{"answer":"It wraps.","topics":["a"]}', "It wraps."),
        ('{"answer":"say \\"hi\\"\\nthen go", "k": 1}', 'say "hi" then go'),
        ('{"answer":"cut off in the mid', "cut off in the mid"),
        ('{"other":"x"}', '{"other":"x"}'),
        ('{"answer": 3}', '{"answer": 3}'),
    ],
)
def test_a_preview_shows_what_tells(value: str, shown: str) -> None:
    """An answer inside a mapping is read as text; the hover keeps the whole."""
    assert cells.preview(value) == {"text": shown, "title": value}


def test_nothing_is_empty() -> None:
    """No preview, no cell."""
    assert cells.preview("") == ""


def test_scores_that_can_be_drawn_come_first() -> None:
    """A share before a number of milliseconds, and the hover names all."""
    found = cells.scores({"latency_ms": 47.4, "phrase": 1.0, "topic": None, "overlap": 0.5})
    assert [name for name, _, _ in found["scores"]] == ["phrase", "overlap"]
    assert found["title"].splitlines() == ["latency_ms: 47.4", "phrase: 1", "topic: –", "overlap: 0.5"]


def test_unknown_says_why() -> None:
    """A dash is never a zero, and has its reason; what still runs says for how long so far."""
    assert cells.duration(None) == {"text": "–", "title": "It ended without saying when", "tone": "soft"}
    assert cells.duration(None, 12_000_000_000) == {"text": "12.0 s…", "title": "It is still running", "tone": "soft"}
    assert cells.duration(840_000_000) == "840 ms"
