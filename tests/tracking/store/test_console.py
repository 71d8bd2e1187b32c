"""Printed lines in the store: the last word of each wins, in any order; found by text, and gone with their run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, ConsoleLogged, Record, Removed, RunStarted
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

RUN = b"r" * 16
STARTED = RunStarted(SCHEMA, RUN, "r1", "p", "name", 1)


def said(at_ns: int, first: int, *lines: str, stream: str = "stdout") -> ConsoleLogged:
    return ConsoleLogged(SCHEMA, RUN, at_ns, stream, first, list(lines))


def apply(store: Store, *batches: Sequence[Record], writer: bytes = b"writer00") -> None:
    at = itertools.count(16, 10)
    for batch in batches:
        frames = [Frame(n, n + 10, record) for record, n in zip(batch, at, strict=False)]
        store.sink().apply(frames, Position("home", "s" + writer.hex(), frames[-1].end, writer))


def texts(store: Store) -> list[str]:
    return [line.text for line in store.reader().console(RUN.hex()).rows]


def test_a_later_word_of_a_line_replaces_it_where_it_stood(store: Store) -> None:
    apply(store, [STARTED, said(10, 0, "bar 1%", "second")], [said(30, 0, "bar 100%"), said(20, 2, "third")])
    assert texts(store) == ["bar 100%", "second", "third"]


RECORDS = [STARTED, said(10, 0, "a", "b"), said(20, 1, "B", "c"), said(30, 0, "A"), said(30, 0, "Aa"), said(15, 2, "x")]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 5, 0, 4, 1, 3, 2, 4]])
@pytest.mark.parametrize("size", [1, 2, 8])
def test_in_any_order_in_any_batches_however_often(store: Store, order: list[int], size: int) -> None:
    records = [RECORDS[at] for at in order]
    apply(store, *(records[at : at + size] for at in range(0, len(records), size)))
    assert texts(store) == ["Aa", "B", "c"]
    assert store.reader().console(RUN.hex()).total == 3


def test_both_streams_and_all_writers_in_order_of_time(store: Store) -> None:
    apply(store, [STARTED, said(10, 0, "out"), said(30, 1, "out again"), said(20, 0, "err", stream="stderr")])
    apply(store, [said(25, 0, "rank 1")], writer=b"writer01")
    found = store.reader().console(RUN.hex())
    assert [(line.text, line.stream) for line in found.rows] == [
        ("out", "stdout"),
        ("err", "stderr"),
        ("rank 1", "stdout"),
        ("out again", "stdout"),
    ]
    assert len({line.writer for line in found.rows}) == 2
    assert [line.text for line in store.reader().console(RUN.hex(), stream="stderr").rows] == ["err"]


def test_the_last_lines_and_those_before(store: Store) -> None:
    apply(store, [STARTED, said(10, 0, *(f"line {at}" for at in range(50)))])
    reader = store.reader()
    assert [line.number for line in reader.console(RUN.hex(), last=3).rows] == [47, 48, 49]
    assert [line.number for line in reader.console(RUN.hex(), last=3, before=3).rows] == [44, 45, 46]
    assert reader.console(RUN.hex(), last=0).rows == []


def test_text_is_found_whatever_its_colours(store: Store) -> None:
    apply(store, [STARTED, said(10, 0, "loss \x1b[31m0.5\x1b[0m now", "100% done", "a_b")])
    reader = store.reader()
    (line,) = reader.console(RUN.hex(), search="LOSS 0.5").rows
    assert (line.text, line.styled) == ("loss 0.5 now", "loss \x1b[31m0.5\x1b[0m now")
    assert [line.text for line in reader.console(RUN.hex(), search="0%").rows] == ["100% done"]
    assert [line.text for line in reader.console(RUN.hex(), search="_").rows] == ["a_b"]


def test_a_removed_run_takes_its_lines_along(store: Store) -> None:
    apply(store, [STARTED, said(10, 0, "x")], [Removed(SCHEMA, "run", RUN, "p", 50)], [said(60, 1, "late")])
    with pytest.raises(NotFoundError):
        store.reader().console(RUN.hex())
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM console_line").scalar() == 0


def test_what_is_no_number_of_lines_is_said(store: Store) -> None:
    apply(store, [STARTED])
    for wrong in ({"last": -1}, {"last": "5"}, {"stream": "stdin"}):
        with pytest.raises(UsageError):
            store.reader().console(RUN.hex(), **wrong)  # type: ignore[arg-type]
