"""What can be asked of a store, and what it costs; on every database."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    SCHEMA,
    ArtifactLogged,
    MetricsLogged,
    Record,
    RunStarted,
    ScoreLogged,
    SpanClosed,
    SpanOpened,
    SpanPriced,
)
from weft.tracking.store.reader import Reader
from weft.tracking.store.sampling import thinned
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store
from weft.tracking.store.tracereader import percentile

RUN = b"r" * 16
SECOND = 10**9


def apply(store: Store, records: list[Record]) -> None:
    frames = [Frame(at, at + 1, record) for at, record in enumerate(records)]
    store.sink().apply(frames, Position("home", "s", len(records), b"writer00"))


def _trace(number: int) -> list[Record]:
    """Every tenth one fails, every third one is priced, every 50th one never ends."""
    trace_id, root, child = number.to_bytes(16, "big"), b"a" * 8, b"b" * 8
    start = number * SECOND
    took = random.Random(number).randrange(1, 10**9)
    found: list[Record] = [
        SpanOpened(
            SCHEMA,
            trace_id,
            root,
            None,
            f"op {number % 7}",
            "agent",
            start,
            "p" if number % 2 else "q",
            run_uid=RUN if number % 5 == 0 else None,
            inputs=b'{"question":"number %d"}' % number,
        ),
        SpanOpened(SCHEMA, trace_id, child, root, "chat", "llm", start + 1, "p" if number % 2 else "q"),
        SpanClosed(
            SCHEMA, trace_id, child, start + 2, 1, "ok", model="m", usage={"input_tokens": 2, "output_tokens": 1}
        ),
    ]
    if number % 50:
        status = "error" if number % 10 == 0 else "ok"
        found.append(SpanClosed(SCHEMA, trace_id, root, start + took, took, status, output=b'"fine"'))
    if number % 3 == 0:
        found.append(SpanPriced(SCHEMA, trace_id, child, start, 1_000_000 + number, "t"))
    found.append(ScoreLogged(SCHEMA, trace_id, "trace", start, "acc", "p", number / 100, trace_id=trace_id))
    return found


COUNT = 120


@pytest.fixture
def reader(store: Store) -> Reader:
    """A reader of 120 traces and a run."""
    records: list[Record] = [RunStarted(SCHEMA, RUN, "run1", "p", "brisk", 5)]
    for number in range(1, COUNT + 1):
        records += _trace(number)
    apply(store, records)
    return store.reader()


class Statements:
    """Counts what is asked of the database."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, _c: Any, _k: Any, statement: str, *_: Any) -> None:
        self.asked.append(statement)


@pytest.fixture
def statements(store: Store) -> Iterator[Statements]:
    found = Statements()
    engine = store._engine
    sqlalchemy.event.listen(engine, "before_cursor_execute", found)
    yield found
    sqlalchemy.event.remove(engine, "before_cursor_execute", found)


def test_pages_are_newest_first_and_add_up(reader: Reader) -> None:
    pages = [reader.traces(limit=50, offset=offset) for offset in (0, 50, 100)]
    starts = [row.start_ns for page in pages for row in page.rows]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == COUNT
    assert {page.total for page in pages} == {COUNT}


def test_every_order_is_total_and_puts_the_unknown_last(reader: Reader) -> None:
    for order in ("duration_ns", "-duration_ns", "cost", "-cost", "name", "-status", "end_ns"):
        rows = reader.traces(order=order, limit=200).rows
        name = order.removeprefix("-")
        values = [getattr(row, name) for row in rows]
        known = [value for value in values if value is not None]
        assert values == sorted(known, reverse=order.startswith("-")) + [None] * (COUNT - len(known))
        halves = [
            row.trace_id for offset in (0, 60) for row in reader.traces(order=order, limit=60, offset=offset).rows
        ]
        assert halves == [row.trace_id for row in rows]


def test_a_page_costs_as_many_questions_as_a_row(reader: Reader, statements: Statements) -> None:
    """No question a row, in any list."""
    for ask in (
        lambda limit: reader.traces(limit=limit),
        lambda limit: reader.spans(limit=limit, payloads=True),
        lambda limit: reader.runs(limit=limit),
        lambda limit: reader.scores(limit=limit),
        lambda limit: reader.artifacts(limit=limit),
    ):
        counts = []
        for limit in (20, 60):
            statements.asked.clear()
            ask(limit)
            counts.append(len(statements.asked))
        assert counts[0] >= counts[1] > 0


def test_lists_and_filters_that_screens_open_with_use_an_index(tmp_path: Any) -> None:
    """The newest page is read in index order: nothing is sorted, whatever the store holds."""
    with Store.open(f"sqlite:///{tmp_path / 'weft.db'}") as store:
        apply(store, [record for number in range(1, 20) for record in _trace(number)])
        asked = Statements()
        sqlalchemy.event.listen(store._engine, "before_cursor_execute", asked)
        reader = store.reader()
        for where in (None, {"project": "p"}, {"status": "ok"}, {"name": "op 1"}):
            asked.asked.clear()
            parameters: list[Any] = []

            @sqlalchemy.event.listens_for(store._engine, "before_cursor_execute")
            def keep(_c: Any, _k: Any, statement: str, given: Any, *_: Any, kept: list[Any] = parameters) -> None:
                kept.append((statement, given))

            reader.traces(where)
            statement, given = next(item for item in parameters if "ORDER BY trace.start_ns" in item[0])
            with store.reading() as connection:
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
            sqlalchemy.event.remove(store._engine, "before_cursor_execute", keep)
            assert not any("TEMP B-TREE" in step for step in plan), (where, plan)
            assert any("ix_trace_" in step for step in plan), (where, plan)


def test_stats_are_what_the_list_adds_up_to(reader: Reader) -> None:
    early = {"status": {"$ne": "running"}, "start_ns": {"$lt": 60 * SECOND}}
    for where in (None, {"project": "p"}, {"status": "error"}, early):
        rows = reader.traces(where, limit=200).rows
        found = reader.trace_stats(where, buckets=7)
        durations = sorted(row.duration_ns for row in rows if row.duration_ns is not None)
        costs = [row.cost for row in rows if row.cost is not None]
        assert (found.count, found.error_count) == (len(rows), sum(row.status == "error" for row in rows))
        assert found.tokens == sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in rows)
        assert found.cost == sum(costs, Decimal(0))
        assert (found.p50_ns, found.p95_ns) == (percentile(durations, 0.5), percentile(durations, 0.95))
        assert len(found.buckets) == 7
        for bucket in found.buckets:
            inside = [row for row in rows if bucket.start_ns <= row.start_ns < bucket.end_ns]
            assert bucket.count == len(inside)
            assert bucket.error_count == sum(row.status == "error" for row in inside)
            spent = sorted(row.duration_ns for row in inside if row.duration_ns is not None)
            assert bucket.p95_ns == percentile(spent, 0.95)
        assert sum(bucket.count for bucket in found.buckets) == found.count


def test_stats_of_nothing_are_nothing(reader: Reader) -> None:
    found = reader.trace_stats({"project": "none"}, buckets=5)
    assert (found.count, found.cost, found.p50_ns, found.buckets, found.names) == (0, None, None, (), ())
    assert reader.trace_stats({"project": "p"}).names == tuple(f"op {n}" for n in range(7))


def test_percentiles_are_values_that_occur() -> None:
    values = list(range(1, 101))
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7], 0.95)) == (50, 95, 7)
    assert percentile([], 0.5) is None


def test_spans_come_with_payloads_only_when_asked(reader: Reader) -> None:
    where = {"trace_id": (7).to_bytes(16, "big").hex()}
    plain = reader.spans(where)
    full = reader.spans(where, payloads=True)
    assert [row.name for row in plain.rows] == ["op 0", "chat"]
    assert (plain.rows[0].inputs, plain.rows[0].input_preview) == (None, "number 7")
    assert (full.rows[0].inputs, full.rows[0].output) == ({"question": "number 7"}, "fine")
    assert (plain.total, reader.spans({"kind": "llm"}, limit=3).total) == (2, COUNT)
    assert reader.spans({"text": "number 11"}).total == 11


def test_runs_know_their_traces(reader: Reader) -> None:
    (run,) = reader.runs({"id": "run1"}).rows
    assert run.trace_count == reader.traces({"run_id": "run1"}).total == COUNT // 5


def test_scores_are_found_by_what_they_are_about(reader: Reader) -> None:
    trace_id = (9).to_bytes(16, "big").hex()
    assert [row.value for row in reader.scores({"trace_id": trace_id}).rows] == [0.09]
    page = reader.scores({"value": {"$gt": 1.0}}, limit=5, offset=5)
    assert (page.total, len(page.rows), page.offset) == (20, 5, 5)


def test_history_keeps_its_spikes(store: Store) -> None:
    values = [math.sin(at / 50) for at in range(3000)]
    values[1234], values[2345] = 99.0, -99.0
    apply(store, [MetricsLogged(SCHEMA, RUN, at, at, {"loss": value, "rare": 1.0}) for at, value in enumerate(values)])
    found = store.reader().history(RUN.hex(), ["loss"], max_points=100)
    assert list(found) == ["loss"]
    series = found["loss"]
    assert len(series.steps) == len(series.values) == len(series.times_ns) <= 100
    assert (max(series.values), min(series.values), series.values[-1]) == (99.0, -99.0, values[-1])
    assert list(series.steps) == sorted(series.steps)
    assert series.total == 3000
    assert len(store.reader().history(RUN.hex())["rare"].steps) == 3000


@given(st.lists(st.floats(), min_size=1, max_size=200), st.integers(3, 40))
def test_downsampling_keeps_extremes_and_end(values: list[float], limit: int) -> None:
    kept = thinned(values, limit)
    assert len(kept) <= max(limit, 3)
    assert kept == sorted(set(kept))
    numbers = [value for value in values if not math.isnan(value)]
    if numbers:
        assert max(values[at] for at in kept if not math.isnan(values[at])) == max(numbers)
        assert min(values[at] for at in kept if not math.isnan(values[at])) == min(numbers)
    assert kept[-1] == len(values) - 1


def test_what_is_not_there_is_said(reader: Reader) -> None:
    with pytest.raises(NotFoundError, match="no run with uid"):
        reader.history("0" * 32)
    with pytest.raises(UsageError, match="32 hex digits"):
        reader.rich("run1")
    with pytest.raises(UsageError, match=r"cannot order by 'speed'; valid: name, .*start_ns"):
        reader.traces(order="speed")
    with pytest.raises(UsageError, match="at least 0"):
        reader.traces(limit=-1)
    with pytest.raises(UsageError, match="buckets"):
        reader.trace_stats(buckets=-1)
    with pytest.raises(UsageError, match="max_points"):
        reader.history(RUN.hex(), max_points=0)


def test_artifacts_are_found_by_alias_and_run(store: Store) -> None:
    for at, digest in enumerate("abc"):
        record = ArtifactLogged(SCHEMA, "p", "data", "dataset", digest, b"{}", 1, at, [f"tag{at}"], run_uid=RUN)
        apply(store, [RunStarted(SCHEMA, RUN, "run1", "p", "", 0), record])
    reader = store.reader()
    assert [row.digest for row in reader.artifacts({"aliases": "tag1"}).rows] == ["b"]
    assert [row.digest for row in reader.artifacts({"aliases": "latest", "name": "data"}).rows] == ["c"]
    assert reader.artifacts({"producer_run": "run1", "project": "p"}).total == 3
    assert reader.artifacts({"consumer_runs": "run1"}).total == 0
    assert [row.version for row in reader.artifacts(order="version").rows] == [0, 1, 2]


def test_a_store_that_breaks_while_it_is_read_is_said(store: Store) -> None:
    with store.writing() as transaction:
        transaction.run("DROP TABLE trace")
    with pytest.raises(StoreError, match="could not read the store"):
        store.reader().traces()
