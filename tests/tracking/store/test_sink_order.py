"""Records are facts: any order, any split into batches, any repetition leaves the same store."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    AlertRaised,
    ArtifactLogged,
    ArtifactUsed,
    FileSaved,
    MetricDefined,
    MetricsLogged,
    Record,
    Removed,
    RunFinished,
    RunRewound,
    RunStarted,
    RunUpdated,
    ScoreLogged,
    SpanClosed,
    SpanOpened,
    SpanPriced,
    SpanUpdated,
    SystemSampled,
)
from weft.tracking.store import schema
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

TRACES = st.sampled_from([b"t" * 16, b"u" * 16])
SPANS = st.sampled_from([b"a" * 8, b"b" * 8, b"c" * 8])
PARENTS = st.sampled_from([None, b"a" * 8, b"b" * 8, b"x" * 8])
RUNS = st.sampled_from([b"r" * 16, b"s" * 16])
PROJECTS = st.sampled_from(["p", "q"])
TIMES = st.integers(0, 9)
TEXTS = st.sampled_from(["one", "two", "drei %_"])
OBJECTS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3) | st.text(max_size=3), max_size=3).map(orjson.dumps)
DIGESTS = st.sampled_from(["d" * 64, "e" * 64])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


EVENTS = st.lists(st.fixed_dictionaries({"name": TEXTS, "at_ns": TIMES}), min_size=1, max_size=2).map(orjson.dumps)
USAGE = st.fixed_dictionaries({}, optional={"input_tokens": st.sampled_from([1, 7, 1 << 63]), "cached": TIMES})
NUMBERS = st.sampled_from([0.5, 2.0, math.nan, math.inf, -1.0])
ERRORS = st.just(b'{"type":"ValueError","message":"no"}')


def opening(trace_id: bytes, **fields: Any) -> SpanOpened:
    """A trace belongs to one run, or to none."""
    return SpanOpened(trace_id=trace_id, run_uid=b"r" * 16 if trace_id == b"t" * 16 else None, **fields)


def score(uid: bytes, **target: Any) -> st.SearchStrategy[ScoreLogged]:
    """What is said about a target may be said again; the target of a score stays."""
    return st.builds(
        ScoreLogged,
        schema=st.just(1),
        uid=st.just(uid * 16),
        at_ns=TIMES,
        name=TEXTS,
        project=PROJECTS,
        value=maybe(NUMBERS),
        label=maybe(TEXTS),
        source=maybe(OBJECTS),
        **{name: st.just(value) for name, value in target.items()},
    )


RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        opening,
        schema=st.just(1),
        trace_id=TRACES,
        span_id=SPANS,
        parent_id=PARENTS,
        name=TEXTS,
        kind=st.sampled_from(["op", "llm"]),
        start_ns=TIMES,
        project=PROJECTS,
        inputs=maybe(OBJECTS),
        attributes=maybe(OBJECTS),
        thread_id=maybe(TEXTS),
        turn_id=st.none(),
        user_id=maybe(TEXTS),
        version=maybe(TEXTS),
        links=maybe(EVENTS),
    ),
    st.builds(
        SpanUpdated,
        schema=st.just(1),
        trace_id=TRACES,
        span_id=SPANS,
        at_ns=TIMES,
        name=maybe(TEXTS),
        attributes=maybe(OBJECTS),
        events=maybe(EVENTS),
        inputs=maybe(OBJECTS),
        thread_id=maybe(TEXTS),
        turn_id=maybe(TEXTS),
        user_id=st.none(),
        tags=maybe(st.lists(TEXTS, max_size=2).map(orjson.dumps)),
    ),
    st.builds(
        SpanClosed,
        schema=st.just(1),
        trace_id=TRACES,
        span_id=SPANS,
        end_ns=TIMES,
        duration_ns=TIMES,
        status=st.sampled_from(["ok", "error", "cancelled"]),
        output=maybe(OBJECTS),
        error=maybe(ERRORS),
        model=maybe(TEXTS),
        provider=maybe(TEXTS),
        usage=maybe(USAGE),
        attributes=maybe(OBJECTS),
        events=maybe(EVENTS),
        kind=maybe(st.just("agent")),
        name=maybe(TEXTS),
    ),
    st.builds(
        SpanPriced,
        schema=st.just(1),
        trace_id=TRACES,
        span_id=SPANS,
        at_ns=TIMES,
        cost_pico_usd=st.sampled_from([0, 5, (1 << 63) - 1, 1 << 63, -4]),
        source=TEXTS,
    ),
    score(b"1", target="trace", trace_id=b"t" * 16),
    score(b"2", target="span", trace_id=b"u" * 16, span_id=b"a" * 8),
    score(b"3", target="run", run_uid=b"r" * 16),
    score(b"4", target="row", run_uid=b"s" * 16, row_id="7", trace_id=b"t" * 16),
    st.builds(
        RunStarted,
        schema=st.just(1),
        uid=RUNS,
        id=TEXTS,
        project=PROJECTS,
        name=TEXTS,
        started_ns=TIMES,
        config=maybe(OBJECTS),
        tags=st.lists(TEXTS, max_size=1),
        group=maybe(TEXTS),
        job_type=maybe(TEXTS),
        notes=maybe(TEXTS),
        parent_uid=maybe(RUNS),
        metadata=maybe(OBJECTS),
        elapsed_ns=TIMES,
        forked_uid=maybe(RUNS),
        forked_step=maybe(TIMES),
        joined=st.booleans(),
    ),
    st.builds(
        RunUpdated,
        schema=st.just(1),
        uid=RUNS,
        at_ns=TIMES,
        config=maybe(OBJECTS),
        summary=maybe(OBJECTS),
        name=maybe(TEXTS),
        tags=maybe(st.lists(TEXTS, max_size=1)),
        notes=maybe(TEXTS),
        group=maybe(TEXTS),
    ),
    st.builds(
        RunFinished,
        schema=st.just(1),
        uid=RUNS,
        ended_ns=TIMES,
        state=st.sampled_from(["finished", "failed", "killed"]),
        exit_code=TIMES,
        error=maybe(ERRORS),
        joined=st.booleans(),
    ),
    st.builds(
        FileSaved,
        schema=st.just(1),
        run_uid=RUNS,
        at_ns=TIMES,
        path=TEXTS,
        digest=DIGESTS,
        size_bytes=TIMES,
        kind=st.sampled_from(["saved", "diff"]),
    ),
    st.builds(
        AlertRaised, schema=st.just(1), run_uid=RUNS, at_ns=TIMES, title=TEXTS, text=TEXTS, level=st.just("WARN")
    ),
    st.builds(
        MetricsLogged,
        schema=st.just(1),
        run_uid=RUNS,
        step=TIMES,
        at_ns=TIMES,
        values=st.dictionaries(st.sampled_from(["loss", "val.acc"]), NUMBERS | st.integers(-2, 3), max_size=2),
        rich=maybe(OBJECTS | st.just(b'{"loss":9007199254740993}')),
        late=st.booleans(),
    ),
    st.builds(
        MetricDefined,
        schema=st.just(1),
        run_uid=RUNS,
        at_ns=TIMES,
        name=st.sampled_from(["loss", "*"]),
        summary=st.lists(st.sampled_from(["min", "mean", "last", "none"]), max_size=2),
        step_metric=maybe(st.just("epoch")),
        goal=maybe(st.just("maximize")),
    ),
    st.builds(RunRewound, schema=st.just(1), run_uid=RUNS, at_ns=TIMES, step=st.just(-1) | TIMES),
    st.builds(SystemSampled, schema=st.just(1), run_uid=RUNS, at_ns=TIMES, values=st.just({"cpu": 1.5})),
    st.builds(
        ArtifactLogged,
        schema=st.just(1),
        project=PROJECTS,
        name=TEXTS,
        type=TEXTS,
        digest=DIGESTS,
        manifest=st.just(b'{"a":{"digest":"","size_bytes":1}}'),
        size_bytes=TIMES,
        at_ns=TIMES,
        aliases=st.lists(st.sampled_from(["prod", "best", "latest"]), max_size=2),
        description=maybe(TEXTS),
        metadata=maybe(OBJECTS),
        run_uid=maybe(RUNS),
    ),
    st.builds(ArtifactUsed, schema=st.just(1), project=PROJECTS, name=TEXTS, digest=DIGESTS, run_uid=RUNS, at_ns=TIMES),
    st.one_of(
        st.builds(Removed, schema=st.just(1), target=st.just("trace"), key=TRACES, project=PROJECTS, at_ns=TIMES),
        st.builds(Removed, schema=st.just(1), target=st.just("run"), key=RUNS, project=PROJECTS, at_ns=TIMES),
        st.builds(
            Removed,
            schema=st.just(1),
            target=st.just("artifact"),
            key=DIGESTS.map(str.encode),
            project=PROJECTS,
            at_ns=TIMES,
        ),
    ),
)


class Placed(NamedTuple):
    segment: int
    frame: Frame


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Placed], list[Placed], list[int], list[int]]:
    """What was written; the same in another order, some of it twice; where to cut that; which writers die."""
    written = [
        Placed(segment, Frame(100 * at, 100 * at + 100, record))
        for at, (segment, record) in enumerate(draw(st.lists(st.tuples(st.integers(0, 1), RECORDS), max_size=14)))
    ]
    again = draw(st.lists(st.sampled_from(written), max_size=4)) if written else []
    mixed = draw(st.permutations([*written, *again]))
    cuts = draw(st.lists(st.integers(0, len(mixed)), max_size=4))
    return written, list(mixed), cuts, draw(st.lists(st.integers(0, 1), max_size=2))


def writer(segment: int) -> bytes:
    return b"writer%02d" % segment


def apply(store: Store, placed: Sequence[Placed], cuts: Sequence[int]) -> None:
    """One batch between two cuts, and never two segments in one."""
    sink = store.sink()
    bounds = [0, *sorted(cuts), len(placed)]
    for start, end in pairwise(bounds):
        for segment, part in groupby(placed[start:end], key=lambda item: item.segment):
            found = [item.frame for item in part]
            offset = max(frame.end for frame in found)
            sink.apply(found, Position("home", f"segment{segment}", offset, writer(segment)))


def contents(store: Store) -> dict[str, Any]:
    """All that can be read from a store, apart from the numbers of artifact versions."""
    reader = store.reader()
    status = reader.status()
    runs = sorted(reader.runs(limit=None).rows, key=lambda run: run.uid)
    artifacts = [repr(dataclasses.replace(row, version=0)) for row in reader.artifacts(limit=None).rows]
    return {
        "traces": sorted(map(repr, reader.traces().rows)),
        "spans": sorted(map(repr, reader.spans(payloads=True).rows)),
        "runs": [repr(run) for run in runs],
        "history": [repr(reader.history(run.uid)) for run in runs],
        "system": [repr(reader.history(run.uid, stream="system")) for run in runs],
        "low": sorted(run.uid for run in reader.runs({"summary.loss": {"$lt": 1}}, limit=None).rows),
        "rich": [repr(reader.rich(run.uid)) for run in runs],
        "files": [repr(reader.files(run.uid)) for run in runs],
        "alerts": repr(reader.alerts(limit=None)),
        "scores": sorted(map(repr, reader.scores().rows)),
        "artifacts": sorted(artifacts),
        "counts": (status.traces, status.spans) == (reader.traces().total, reader.spans(limit=0).total),
        "status": (status.traces, status.spans, status.runs),
        "positions": store.sink().positions("home"),
    }


def empty(store: Store) -> None:
    with store.writing() as transaction:
        for table in schema.metadata.sorted_tables:
            transaction.run(f"DELETE FROM {table.name}")


QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUICK
@given(deliveries())
def test_any_order_any_split_any_repetition(
    store: Store, delivery: tuple[list[Placed], list[Placed], list[int], list[int]]
) -> None:
    """However the records come, and whenever a writer is found dead, the same can be read in the end."""
    written, mixed, cuts, dead = delivery
    empty(store)
    apply(store, written, range(len(written)))
    for segment in dead:
        store.sink().end_writer(writer(segment))
    straight = contents(store)

    empty(store)
    for segment in dead[:1]:
        store.sink().end_writer(writer(segment))
    apply(store, mixed, cuts)
    for segment in dead[1:]:
        store.sink().end_writer(writer(segment))

    assert straight["counts"]
    assert contents(store) == straight


@pytest.mark.parametrize("seed", range(3))
def test_nothing_of_a_removed_trace_is_left(store: Store, seed: int) -> None:
    """A tombstone deletes rows, not only what lists show."""
    trace_id, span_id = b"t" * 16, b"a" * 8
    records: list[Record] = [
        SpanOpened(1, trace_id, span_id, None, "n", "op", 1, "p", inputs=b"{}"),
        SpanClosed(1, trace_id, span_id, 2, 1, "ok", output=b"1"),
        Removed(1, "trace", trace_id, "p", 5),
    ]
    order = records[seed:] + records[:seed]
    apply(store, [Placed(0, Frame(at, at + 1, record)) for at, record in enumerate(order)], range(3))

    with store.reading() as connection:
        for table in (schema.trace, schema.span, schema.span_payload):
            assert connection.execute(table.select()).all() == []
