"""What is found out about a run's surroundings after its start: by key, of the last session only, in any order."""

from __future__ import annotations

import itertools

import pytest

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, RunStarted, RunUpdated
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

RUN = b"r" * 16
RECORDS: list[Record] = [
    RunStarted(SCHEMA, RUN, "r1", "p", "name", 10, metadata=b'{"host":"a","git":{"commit":"1"},"pid":1}'),
    RunUpdated(SCHEMA, RUN, 20, metadata=b'{"git":{"commit":"1","dirty":true},"hardware":{"gpus":1}}'),
    RunStarted(SCHEMA, RUN, "r1", "p", "name", 30, metadata=b'{"host":"b","pid":2}'),
    RunUpdated(SCHEMA, RUN, 40, metadata=b'{"git":{"commit":"2"}}'),
    RunUpdated(SCHEMA, RUN, 50, summary=b'{"best":1}'),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::17])
def test_the_last_session_says_where_a_run_happens(store: Store, order: tuple[int, ...]) -> None:
    for at in order:
        frame = Frame(16 + at * 10, 26 + at * 10, RECORDS[at])
        store.sink().apply([frame], Position("home", f"s{at}", frame.end, b"writer00"))
    (run,) = store.reader().runs().rows
    assert run.metadata == {"host": "b", "pid": 2, "git": {"commit": "2"}}
    assert run.summary["best"] == 1


def test_a_row_of_before_keeps_what_its_start_said(store: Store) -> None:
    """Written by 0.1.0: metadata without a stamp of its own."""
    frame = Frame(16, 26, RECORDS[0])
    store.sink().apply([frame], Position("home", "s", 26, b"writer00"))
    with store.writing() as tx:
        tx.run("""UPDATE run SET stamps = '{"start":[10,"s",16]}'""")
    frame = Frame(26, 36, RECORDS[1])
    store.sink().apply([frame], Position("home", "s", 36, b"writer00"))
    (run,) = store.reader().runs().rows
    assert run.metadata == {
        "host": "a",
        "pid": 1,
        "git": {"commit": "1", "dirty": True},
        "hardware": {"gpus": 1},
    }
