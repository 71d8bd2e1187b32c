"""Histories: rows merged by step, forks and rewinds, chunks, samples; and runs found by what their metrics come to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.api.storedrun import StoredRun
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    SCHEMA,
    MetricDefined,
    MetricsLogged,
    Record,
    Removed,
    RunFinished,
    RunRewound,
    RunStarted,
    RunUpdated,
    SystemSampled,
)
from weft.tracking.store import metricsink, migrations, schema
from weft.tracking.store.sampling import sampled
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

RUN, FORK = b"r" * 16, b"f" * 16
UIDS = itertools.count(1)


def apply(store: Store, records: Sequence[Record], segment: str = "s", offset: int = 0) -> None:
    """One batch."""
    frames = [Frame(offset + 100 * at, offset + 100 * at + 100, record) for at, record in enumerate(records)]
    store.sink().apply(frames, Position("home", segment, frames[-1].end, b"writer01"))


def started(uid: bytes = RUN, at: int = 0, **fields: Any) -> RunStarted:
    return RunStarted(SCHEMA, uid, uid.hex(), "p", "", at, **fields)


def point(step: int, at: int, uid: bytes = RUN, late: bool = False, **values: float) -> MetricsLogged:
    return MetricsLogged(SCHEMA, uid, step, at, values, late=late)


def rows(store: Store, uid: bytes = RUN, keys: Sequence[str] | None = None, **steps: int) -> list[dict[str, Any]]:
    """All of them, without the times."""
    run = next(row for row in store.reader().runs(limit=None).rows if row.uid == uid.hex())
    found = StoredRun.of(run, store.reader()).scan_history(keys, **steps)
    return [{key: value for key, value in row.items() if key not in ("_runtime", "_timestamp")} for row in found]


def count(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return len(connection.execute(table.select()).all())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a few points."""
    monkeypatch.setattr(metricsink, "SEAL_AT", 4)
    monkeypatch.setattr(metricsink, "SEAL_ENDED", 2)
    monkeypatch.setattr(metricsink.chunks, "SIZE", 3)


def test_calls_of_one_step_are_one_row(store: Store) -> None:
    rich = MetricsLogged(SCHEMA, RUN, 0, 7, {}, b'{"note":"hi"}')
    apply(store, [started(), point(0, 5, a=1, b=2), point(0, 6, b=3), rich, point(2, 8, a=4)])
    assert rows(store) == [{"a": 1, "b": 3, "note": "hi", "_step": 0}, {"a": 4, "_step": 2}]
    assert rows(store, keys=["a", "b"]) == [{"a": 1, "b": 3, "_step": 0}]
    assert rows(store, keys=["note"]) == [{"note": "hi", "_step": 0}]
    assert rows(store, keys=["a", "_timestamp"])[1] == {"a": 4, "_step": 2}
    assert rows(store, keys=["nothing"]) == []


def test_what_came_late_fills_gaps_and_replaces_nothing(store: Store) -> None:
    apply(store, [started(), point(0, 5, a=1, b=2), point(0, 6, late=True, b=3, c=4)])
    assert rows(store) == [{"a": 1, "b": 2, "c": 4, "_step": 0}]
    series = store.reader().history(RUN.hex())["b"]
    assert (list(series.values), series.late) == ([2, 3], 1)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sets(st.sampled_from("abcn"), min_size=1), st.booleans()), max_size=30),
    st.integers(0, 15),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_made_of_the_last_words_that_came_in_time(
    store: Store, small: None, calls: list[tuple[int, set[str], bool]], together: int
) -> None:
    """However metrics lie to one another: logged together, at steps of their own, late, beside texts, sealed or not."""
    uid, records, expected, said = next(UIDS).to_bytes(16, "big"), [], {}, {}
    whole = [(step, {"a", "b"}, False) for step in range(together)]
    for at, (step, names, late) in enumerate([*whole, *calls], 1):
        values = {name: at / 8 for name in sorted(names) if name != "n"}
        rich = b'{"n":"%d"}' % at if "n" in names else None
        records.append(MetricsLogged(SCHEMA, uid, step, at, values, rich, late=late and rich is None))
        for name, value in {**values, **({"n": str(at)} if rich else {})}.items():
            place = (late and rich is None, -at)
            if (step, name) not in said or place < said[step, name]:
                said[step, name] = place
                expected.setdefault(step, {})[name] = value
    for at in range(0, len(records), 7):
        apply(store, [started(uid), *records[at : at + 7]], f"{uid.hex()}-{at}")
    if records:
        assert rows(store, uid) == [{**expected[step], "_step": step} for step in sorted(expected)]


def test_rows_tell_when(store: Store) -> None:
    """Runtime goes on over sessions: a night between them does not count."""
    second = 10**9
    resumed = started(at=100 * second, elapsed_ns=5 * second)
    apply(store, [started(), point(0, 2 * second, a=1), resumed, point(1, 103 * second, a=2)])
    found = store.reader().rows(RUN.hex()).rows
    assert [(row["_runtime"], row["_timestamp"]) for row in found] == [(2.0, 2.0), (8.0, 103.0)]


def test_steps_bound_a_scan(store: Store) -> None:
    apply(store, [started(), *(point(step, step, a=step, b=step) for step in range(1000))])
    found = rows(store, min_step=10, max_step=20)
    assert [row["_step"] for row in found] == list(range(10, 20))
    with pytest.raises(UsageError, match="min_step"):
        rows(store, min_step="3")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="page_size"):
        rows(store, page_size=0)


def test_chunks_change_nothing_that_is_read(store: Store, small: None) -> None:
    for at in range(0, 30, 3):
        apply(store, [started(), *(point(step, step, a=step / 7, b=-step) for step in range(at, at + 3))], f"s{at}")
    assert count(store, schema.metric_chunk) > 8
    assert rows(store) == [{"a": step / 7, "b": -step, "_step": step} for step in range(30)]
    assert [row["_step"] for row in rows(store, min_step=7, max_step=23)] == list(range(7, 23))
    series = store.reader().history(RUN.hex())["a"]
    assert list(series.steps) == list(range(30))
    apply(store, [Removed(SCHEMA, "run", RUN, "p", 99)], "z")
    assert count(store, schema.metric_chunk) == count(store, schema.summary_value) == 0


def test_what_was_sealed_is_not_taken_in_again(store: Store, small: None) -> None:
    records = [started(), *(point(step, step, a=step) for step in range(10))]
    apply(store, records)
    apply(store, records[:6])
    apply(store, records)
    series = store.reader().history(RUN.hex())["a"]
    assert (list(series.values), series.total) == (list(range(10)), 10)


def test_a_run_that_ends_is_sealed(store: Store, small: None) -> None:
    apply(
        store,
        [started(), point(0, 1, a=1), point(1, 2, a=2), point(2, 3, b=3), RunFinished(SCHEMA, RUN, 9, "finished")],
    )
    assert count(store, schema.metric_chunk) == 1
    assert [row.get("a", row.get("b")) for row in rows(store)] == [1, 2, 3]


STEPS = st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 30), st.sampled_from("ab"), st.booleans()), max_size=40)
NUMBERS = st.sampled_from([0.5, -1.0, math.nan, math.inf, 3.0])


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_and_summaries_are_the_same_however_records_come(store: Store, small: None, data: st.DataObject) -> None:
    """Unordered steps, rewinds, several segments, chunks: as a plain reading of all that was logged has it."""
    uid = next(UIDS).to_bytes(16, "big")
    written: list[tuple[str, Record]] = [("s0", started(uid))]
    for step, at, key, late in data.draw(STEPS):
        segment = data.draw(st.sampled_from(["s0", "s1"]))
        if data.draw(st.integers(0, 9)) == 0:
            written.append((segment, RunRewound(SCHEMA, uid, at, step)))
        else:
            written.append((segment, point(step, at, uid, late, **{key: data.draw(NUMBERS)})))
    placed = [(segment, 100 * at, record) for at, (segment, record) in enumerate(written)]
    sink = store.sink()
    for segment, offset, record in data.draw(st.permutations(placed)):
        sink.apply([Frame(offset, offset + 100, record)], Position("home", uid.hex() + segment, 1 << 40, b"writer01"))
    points, last = _plain(placed)
    found = store.reader().history(uid.hex())
    told = {key: list(zip(s.steps, s.times_ns, s.values, strict=True)) for key, s in found.items()}
    assert repr(told) == repr(points)
    [run] = store.reader().runs({"uid": uid.hex()}).rows
    assert repr(run.summary) == repr(last)
    assert run.step == max((step for line in points.values() for step, _, _ in line), default=None)


def _plain(placed: Sequence[tuple[str, int, Record]]) -> tuple[dict[str, Any], dict[str, float]]:
    """What is to be read, by the rules' own words."""
    rewinds = [((r.at_ns, segment, offset), r.step) for segment, offset, r in placed if isinstance(r, RunRewound)]
    points: dict[str, list[Any]] = {}
    for segment, offset, record in placed:
        if not isinstance(record, MetricsLogged):
            continue
        stamp = (record.at_ns, segment, offset)
        if any(stamp < at and record.step > step for at, step in rewinds):
            continue
        for key, value in record.values.items():
            points.setdefault(key, []).append((record.step, stamp, value, record.late))
    last = {key: max(line, key=lambda p: (p[0], not p[3], p[1]))[2] for key, line in sorted(points.items())}
    told = {
        key: [(step, stamp[0], value) for step, stamp, value, _ in sorted(line, key=lambda p: (p[0], p[1]))]
        for key, line in sorted(points.items())
    }
    return told, last


def test_a_fork_begins_with_its_parents_history(store: Store) -> None:
    apply(store, [started(), *(point(step, step, a=step) for step in range(6))])
    apply(store, [started(FORK, 50, forked_uid=RUN, forked_step=3), point(4, 60, FORK, a=40, b=1)], "t")
    assert [(row["_step"], row["a"]) for row in rows(store, FORK)] == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 40)]
    assert list(store.reader().history(FORK.hex())["a"].values) == [0, 1, 2, 3, 40]
    assert list(store.reader().history(RUN.hex())["a"].values) == [0, 1, 2, 3, 4, 5]


def test_the_machines_metrics_are_a_stream_of_their_own(store: Store) -> None:
    apply(store, [started(), point(0, 5, cpu=1), SystemSampled(SCHEMA, RUN, 10**9, {"cpu": 50.0, "gpu": 1.0})])
    reader = store.reader()
    [run] = reader.runs().rows
    assert run.summary == {"cpu": 1}
    assert run.step == 0
    assert list(reader.history(RUN.hex())) == ["cpu"]
    assert {key: list(s.values) for key, s in reader.history(RUN.hex(), stream="system").items()} == {
        "cpu": [50.0],
        "gpu": [1.0],
    }
    assert StoredRun.of(run, reader).history(pandas=False, stream="system")[0]["_timestamp"] == 1.0
    with pytest.raises(UsageError, match="stream"):
        reader.history(RUN.hex(), stream="other")


def test_a_sample_has_first_last_and_extremes_and_is_always_the_same(store: Store) -> None:
    def value(step: int) -> float:
        return 99.0 if step == 333 else -99.0 if step == 666 else math.sin(step)

    apply(store, [started(), *(point(step, step, a=value(step), b=step) for step in range(1000))])
    [row] = store.reader().runs().rows
    run = StoredRun.of(row, store.reader())
    found = run.history(samples=50, pandas=False)
    assert found == run.history(samples=50, pandas=False)
    steps = [row["_step"] for row in found]
    assert len(steps) == 50
    assert steps == sorted(steps)
    assert {0, 333, 666, 999} <= set(steps)
    frame = run.history(samples=5, keys=["a"])
    assert list(frame.columns) == ["a", "_step", "_runtime", "_timestamp"]
    assert len(run.history(samples=5000)) == 1000
    with pytest.raises(UsageError, match="samples"):
        run.history(samples=0)


@given(st.lists(st.integers(0, 200), min_size=1, unique=True), st.integers(1, 40), st.data())
def test_samples_are_within_their_number(steps: list[int], limit: int, data: st.DataObject) -> None:
    steps.sort()
    metrics = [(steps, data.draw(st.lists(st.floats(), min_size=len(steps), max_size=len(steps)))) for _ in range(2)]
    found = sampled(steps, metrics, limit)
    assert len(found) == min(limit, len(steps))
    assert found == sorted(set(found) & set(steps))
    assert found[-1] == steps[-1]


def test_runs_are_found_and_ordered_by_what_their_metrics_come_to(store: Store) -> None:
    for at, (loss, note) in enumerate([(0.5, "x"), (0.1, "y"), (math.nan, "x"), (0.3, 7)]):
        uid = bytes([at]) * 16
        hand = RunUpdated(SCHEMA, uid, 10, summary=b'{"best":{"acc":%d},"done":true}' % at)
        defined = MetricDefined(SCHEMA, uid, 1, "val", summary=["min", "max"])
        values = {"loss": loss, "val": at}
        said = MetricsLogged(SCHEMA, uid, 0, 5, values, b'{"note":"%s"}' % str(note).encode())
        apply(store, [started(uid, at), defined, said, point(1, 6, uid, val=-at), hand], f"s{at}")

    def found(where: Any, order: str = "started_ns") -> list[int]:
        return [bytes.fromhex(row.uid)[0] for row in store.reader().runs(where, order=order).rows]

    assert found({"summary.loss": {"$lt": 0.4}}) == [1, 3]
    assert found({"summary.loss": {"$lt": 0.4}}, "-summary.loss") == [3, 1]
    assert found(None, "summary.loss") == [1, 3, 0, 2]
    assert found({"summary.val.min": {"$lte": -2}}) == [2, 3]
    assert found({"summary.best.acc": {"$in": [0, 3]}}) == [0, 3]
    assert found({"summary.done": True, "summary.note": "x"}) == [0, 2]
    assert found({"summary.note": {"$regex": "^[xy]$"}}) == [0, 1, 2]
    assert found({"summary.loss": {"$not": {"$lt": 0.4}}}) == [0, 2]
    assert found({"summary.nothing": {"$exists": False}}) == [0, 1, 2, 3]
    first = store.reader().runs(order="summary.loss", limit=2)
    rest = store.reader().runs(order="summary.loss", limit=2, after=first.cursor)
    assert [bytes.fromhex(row.uid)[0] for row in (*first.rows, *rest.rows)] == [1, 3, 0, 2]
    with pytest.raises(UsageError, match="takes a name"):
        found({"summary": 3})


def test_of_no_run_there_is_no_history(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no run with uid"):
        store.reader().rows("0" * 32)
    with pytest.raises(NotFoundError, match="no run with uid"):
        store.reader().sampled_rows("0" * 32)


def test_a_run_of_thousands_of_metrics_is_read_by_few_statements(store: Store) -> None:
    names = [f"m{number}" for number in range(2_000)]
    apply(store, [started(), *(point(step, step, **dict.fromkeys(names, float(step))) for step in range(3))])
    apply(store, [point(3, 30, **{name: number + 0.5 for number, name in enumerate(names)})], "t")
    apply(store, [point(step, 40 + step, only=1.0) for step in range(4, 40)], "t", 10_000)
    [run] = store.reader().runs().rows
    stored = StoredRun.of(run, store.reader())
    said: list[str] = []

    def told(*of: Any) -> None:
        said.append(of[2])

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", told)
    try:
        every = list(stored.scan_history(max_step=4))
        asked = list(stored.scan_history(keys=names))
        series = store.reader().history(RUN.hex(), [*names, "only"])
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", told)
    assert len(said) < 60
    assert every == asked
    assert [row["_step"] for row in every] == [0, 1, 2, 3]
    expected = {name: [0, 1, 2, number + 0.5] for number, name in enumerate(names)} | {"only": [1.0] * 36}
    assert {name: list(line.values) for name, line in series.items()} == expected
    assert {name: row for name, row in every[3].items() if name in names} == {
        name: number + 0.5 for number, name in enumerate(names)
    }


def test_a_store_from_before_has_its_summaries_counted(store_url: str) -> None:
    """Points, NaN and what was set by hand, as release 0.1 kept them."""
    engine = sqlalchemy.create_engine(store_url)
    blob = "BLOB" if engine.dialect.name == "sqlite" else "BYTEA"
    with engine.begin() as connection:
        migrations.upgrade(connection, "0002")
        for statement in (
            "INSERT INTO project (id, name) VALUES (1, 'p')",
            f"INSERT INTO segment (id, home, name, position, writer) VALUES (1, 'h', 's', 900, CAST('w' AS {blob}))",
            "INSERT INTO run (id, uid, run_id, project_key, name, state, started_ns, summary, stamps, last_step) "
            f"VALUES (1, CAST('rrrrrrrrrrrrrrrr' AS {blob}), 'r', 1, '', 'finished', 0, "
            '\'{"b":5,"c":"x"}\', '
            '\'{"summary.b":[99,"s",800],"summary.c":[99,"s",800]}\', 2)',
            "INSERT INTO metric_key (id, run_key, key, n, late, last, last_step, last_at_ns, last_segment, last_seq) "
            "VALUES (1, 1, 'a', 3, 0, 2.0, 2, 3, 's', 300), (2, 1, 'b', 1, 0, 7.0, 0, 1, 's', 100)",
            "INSERT INTO metric_point (metric_key, segment_key, seq, step, at_ns, value, late) VALUES "
            "(1, 1, 100, 0, 1, 4.0, false), (1, 1, 200, 1, 2, NULL, false), (1, 1, 300, 2, 3, 2.0, false), "
            "(2, 1, 100, 0, 1, 7.0, false)",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    with Store.open(store_url) as store:
        [run] = store.reader().runs({"summary.a": {"$lt": 3}, "summary.c": "x"}).rows
        assert run.summary == {"a": 2.0, "b": 5, "c": "x"}
        apply(store, [MetricDefined(SCHEMA, RUN, 5, "a", ["min", "max", "mean"])], "t")
        [run] = store.reader().runs({"summary.a.mean": 3}).rows
        assert run.summary["a"] == {"min": 2.0, "max": 4.0, "mean": 3.0}
        assert store.reader().history(RUN.hex())["a"].nonfinite == 1
