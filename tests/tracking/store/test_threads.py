"""Conversations: their turns counted and summed up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from weft.tracking.errors import UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, SpanClosed, SpanOpened, SpanPriced
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store


def _turn(number: int, thread: str, took: int, status: str = "ok", own: bool = True) -> list[Record]:
    """A turn with one call of a model below it."""
    trace, top, below = number.to_bytes(16, "big"), number.to_bytes(8, "big"), b"below" + number.to_bytes(3, "big")
    turn = top.hex() if own else None
    start = number * 100
    found: list[Record] = []
    for span, parent in ((top, None), (below, top)):
        opened = SpanOpened(SCHEMA, trace, span, parent, "turn", "op", start, "p", thread_id=thread, turn_id=turn)
        found += [opened, SpanClosed(SCHEMA, trace, span, start + took, took, status)]
    usage = {"input_tokens": 10, "output_tokens": 2}
    found[-1] = SpanClosed(SCHEMA, trace, below, start + 1, 1, "ok", model="m", usage=usage)
    return [*found, SpanPriced(SCHEMA, trace, below, 1, 10**6, "t")]


def test_a_thread_sums_up_its_turns(store: Store) -> None:
    records = [record for number in range(1, 5) for record in _turn(number, "t1", number, own=number % 2 == 0)]
    records += _turn(9, "t2", 50, "error")
    frames = [Frame(at, at + 1, record) for at, record in enumerate(records)]
    store.sink().apply(frames, Position("home", "s", len(frames), b"writer00"))
    reader = store.reader()
    page = reader.threads()
    assert [row.thread_id for row in page.rows] == ["t2", "t1"]
    found = page.rows[1]
    assert (found.turn_count, found.start_ns, found.last_ns) == (4, 100, 404)
    assert (found.first_turn_id, found.last_turn_id) == ((1).to_bytes(8, "big").hex(), (4).to_bytes(8, "big").hex())
    assert (found.p50_ns, found.p99_ns, found.error_count, page.rows[0].error_count) == (2, 4, 0, 1)
    assert (found.input_tokens, found.output_tokens, found.cost) == (40, 8, Decimal("0.000004"))
    assert [row.thread_id for row in reader.threads({"turn_count": {"$gt": 1}, "project": "p"}).rows] == ["t1"]
    assert [row.thread_id for row in reader.threads({"cost": {"$gte": 0.000004}}).rows] == ["t1"]
    first = reader.threads(order="turn_count", limit=1)
    second = reader.threads(order="turn_count", limit=1, after=first.cursor)
    assert [row.thread_id for row in (*first.rows, *second.rows)] == ["t2", "t1"]
    assert (first.total, second.cursor) == (2, None)
    with pytest.raises(UsageError, match="unknown filter field 'inputs'"):
        reader.threads({"inputs": 1})


def test_a_threads_turns_are_its_topmost_calls_in_order(store: Store) -> None:
    """Neither what runs below a turn nor another project's or thread's; a page goes on behind its cursor."""
    records = [record for number in (3, 1, 2) for record in _turn(number, "t1", number, own=number % 2 == 0)]
    records += _turn(9, "t2", 50)
    frames = [Frame(at, at + 1, record) for at, record in enumerate(records)]
    store.sink().apply(frames, Position("home", "s", len(frames), b"writer00"))
    reader = store.reader()
    first = reader.turns("t1", "p", limit=2)
    second = reader.turns("t1", "p", limit=2, after=first.cursor)
    assert [turn.start_ns for turn in (*first.rows, *second.rows)] == [100, 200, 300]
    assert (first.total, second.cursor) == (3, None)
    assert reader.turns("t1", "other").total == 0
