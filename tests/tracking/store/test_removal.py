"""What is removed stays away with all below it, and what remains adds up; in whatever order it is told."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.journal import frames
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, Removed, ScoreLogged, SpanClosed, SpanOpened, SpanPriced
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

#       r
#      / \
#     a   b      each its own cost, so that sums tell who is there
#    / \   \
#   c   d   e
#   |
#   f
PARENTS = {"r": None, "a": "r", "b": "r", "c": "a", "d": "a", "e": "b", "f": "c"}
BELOW = {"r": set("rabcdef"), "a": set("acdf"), "b": set("be"), "c": set("cf"), "d": {"d"}, "e": {"e"}, "f": {"f"}}
TRACE = (7).to_bytes(16, "big")


def span_id(name: str) -> bytes:
    return name.encode() * 8


def records() -> list[Record]:
    found: list[Record] = []
    for at, (name, parent) in enumerate(PARENTS.items()):
        above = None if parent is None else span_id(parent)
        found.append(
            SpanOpened(SCHEMA, TRACE, span_id(name), above, name, "tool", 100 + at, "p", inputs=b'{"q":"word"}')
        )
        status = "error" if name == "e" else "ok"
        found.append(SpanClosed(SCHEMA, TRACE, span_id(name), 200 + at, 100, status, model=f"m{name}"))
        found.append(SpanPriced(SCHEMA, TRACE, span_id(name), 300, 10**at, "t"))
        uid = name.encode() * 16
        found.append(ScoreLogged(SCHEMA, uid, "span", 1, name, "p", 1.0, trace_id=TRACE, span_id=span_id(name)))
    return found


def remove(name: str) -> Removed:
    return Removed(SCHEMA, "span", TRACE + span_id(name), "", 400)


def apply(store: Store, batches: Sequence[Sequence[Record]]) -> None:
    at = 16
    for batch in batches:
        framed = [Frame(at + n, at + n + 1, record) for n, record in enumerate(batch)]
        at += len(batch)
        store.sink().apply(framed, Position("home", "s", at, b"writer00"))


@cache
def cost_of(left: frozenset[str]) -> Decimal | None:
    """What a trace of these spans costs that never had others."""
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/weft.db") as store:
        apply(store, [[record for record in records() if record.span_id[:1].decode() in left]])  # type: ignore[union-attr, index]
        return store.reader().traces().rows[0].cost


def check(store: Store, left: set[str]) -> None:
    """The store holds these spans, and everything it says agrees with that."""
    reader = store.reader()
    spans = reader.spans(limit=100)
    assert {row.name for row in spans.rows} == left
    assert {score.name for score in reader.scores().rows} == left
    status = reader.status()
    assert (status.spans, status.traces) == (len(left), 1 if left else 0)
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM span_payload").scalar() == len(left)
    found = reader.spans({"text": {"$search": "word"}}).rows
    assert {row.name for row in found} == left
    if left:
        (trace,) = reader.traces().rows
        assert (trace.span_count, trace.error_count) == (len(left), int("e" in left))
        assert trace.cost == cost_of(frozenset(left))
        assert trace.name == "r"
    else:
        assert reader.traces().rows == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3),
    st.integers(0, 10**9),
    st.sampled_from([1, 4, 11, 40]),
    st.booleans(),
)
def test_a_removed_span_takes_all_below_it_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    names: set[str],
    seed: int,
    size: int,
    indexed: bool,
) -> None:
    told = [*records(), *map(remove, names)]
    random.Random(seed).shuffle(told)
    path = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("removal") / "weft.db")
    with Store.open(f"sqlite:///{path}", create=False) as store:
        for at in range(0, len(told), size):
            apply(store, [told[at : at + size]])
            if indexed:
                store.reader().traces({"text": {"$search": "word"}})
        apply(store, [told])  # all of it once more, as a rebuild would
        check(store, set(PARENTS) - set().union(*(BELOW[name] for name in names)))


def test_removing_works_on_every_database(store: Store) -> None:
    told = records()
    apply(store, [told[:13], [remove("a")], told[13:], [remove("e")]])
    check(store, {"r", "b"})
    apply(store, [[remove("b")]])
    check(store, {"r"})


@pytest.mark.parametrize("early", [True, False])
def test_a_trace_whose_root_is_removed_is_removed(store: Store, early: bool) -> None:
    batches = [records(), [remove("r")]]
    apply(store, batches[::-1] if early else batches)
    check(store, set())
    late = SpanOpened(SCHEMA, TRACE, b"lateLATE", b"unknown!", "late", "op", 500, "p")
    apply(store, [[late]])
    check(store, set())


def test_a_score_that_was_removed_stays_away(store: Store) -> None:
    score = records()[3]
    gone = Removed(SCHEMA, "score", b"r" * 16, "", 9)
    apply(store, [records(), [gone]])
    assert "r" not in {row.name for row in store.reader().scores().rows}
    apply(store, [[score]])
    assert "r" not in {row.name for row in store.reader().scores().rows}
    assert store.reader().scores().total == len(PARENTS) - 1


def test_a_removal_holds_through_a_rebuild(tmp_path: Any) -> None:
    """The journal's own bytes, read into a store that is new."""
    told = [*records(), remove("c"), Removed(SCHEMA, "score", b"b" * 16, "", 9)]
    data = b"".join(frames.encode(record) for record in told)
    for name in ("first", "again"):
        with Store.open(f"sqlite:///{tmp_path / name}.db") as store:
            found = frames.scan(data, 16)
            assert len(found.frames) == len(told)
            store.sink().apply(found.frames, Position("home", "s", found.end, b"writer00"))
            assert {row.name for row in store.reader().spans().rows} == set(PARENTS) - {"c", "f"}
            assert {row.name for row in store.reader().scores().rows} == set(PARENTS) - {"c", "f", "b"}
