"""Records in the cells of a list."""

from __future__ import annotations

from typing import Any

import pytest

from weft.tracking.store.readmodels import TraceRecord
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


def trace(**more: Any) -> TraceRecord:
    """A trace as a list shows it."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("end_ns", "duration_ns", "input_tokens", "output_tokens", "cost", "run_id", "thread_id", "user_id")
    )
    said = {"input_preview": "", "output_preview": "", "root_span_id": None, "span_count": 1, "error_count": 0}
    return TraceRecord("ab" * 16, "p", "answer", "op", "ok", 1, **(nothing | said | more))


def test_each_score_has_a_column_of_its_name() -> None:
    """What can be drawn or read comes first; what does not fit is counted; a note has neither and takes no room."""
    first = trace(scores={"b": 0.5, "a": 1.0, "note": None, "c": 2.0, "d": None}, labels={"d": "👍"})
    second = trace(scores={"c": 47.4, "b": 0.1})
    names = cells.score_names([first, second])
    assert names == ["b", "a", "d", "c"]
    assert [column.label for column in cells.trace_columns(names)][4:7] == ["b", "a", "More"]
    assert [column.label for column in cells.trace_columns(names[:3])][4:7] == ["b", "a", "d"]
    row, other = cells.trace_rows([first, second], 1, names, None)
    assert [cell["scores"] for cell in row.cells[4:6]] == [[("b", 0.5, "0.5")], [("a", 1.0, "1")]]
    assert row.cells[6] == {"text": "+2", "title": "d: 👍\nc: 2", "tone": "soft"}
    assert (other.cells[5]["scores"], other.cells[6]["text"]) == ([], "+1")
    assert len(row.cells) == len(cells.trace_columns(names))


def test_a_word_stands_where_there_is_no_number() -> None:
    """A reaction or label is the cell; of both, the number is, and the hover has the word."""
    record = trace(scores={"tone": None, "help": 1.0}, labels={"tone": "friendly", "help": "yes"})
    assert cells.score(record, "tone") == {"scores": [("tone", None, "friendly")], "title": "tone: friendly"}
    assert cells.score(record, "help") == {"scores": [("help", 1.0, "1")], "title": "help: 1 · yes"}


def test_tags_stand_beside_the_name() -> None:
    """The first one and how many more; the hover has all."""
    (row,) = cells.trace_rows([trace(tags=("prod", "eu"))], 1, [], None)
    assert row.cells[1]["tags"] == ["prod +1"]
    assert row.cells[1]["title"] == "op · 1 span · prod, eu"


def test_unknown_says_why() -> None:
    """A dash is never a zero, and has its reason; what still runs says for how long so far."""
    assert cells.duration(None) == {"text": "–", "title": "It ended without saying when", "tone": "soft"}
    assert cells.duration(None, 12_000_000_000) == {"text": "12.0 s…", "title": "It is still running", "tone": "soft"}
    assert cells.duration(840_000_000) == "840 ms"
