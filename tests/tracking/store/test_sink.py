"""What records become: roll-ups, states, removals; on every database."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson
import pytest

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    SCHEMA,
    ArtifactLogged,
    ArtifactUsed,
    MetricsLogged,
    Record,
    Removed,
    RunFinished,
    RunStarted,
    RunUpdated,
    ScoreLogged,
    SegmentClosed,
    SegmentOpened,
    SpanClosed,
    SpanOpened,
    SpanPriced,
    SpanUpdated,
)
from weft.tracking.store.readmodels import RunRecord, SpanRecord, TraceRecord
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

TRACE = b"t" * 16
ROOT, CHILD, LEAF = b"a" * 8, b"b" * 8, b"c" * 8
RUN = b"r" * 16
WRITER = b"writer00"


class Writes:
    """Applies records to a store, every call a batch of its own, and reads what came of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._at = itertools.count(16, 10)

    def __call__(self, *records: Record, segment: str = "s", writer: bytes = WRITER) -> None:
        frames = [Frame(at, at + 10, record) for record in records for at in [next(self._at)]]
        self.store.sink().apply(frames, Position("home", segment, frames[-1].end, writer))

    def end(self, writer: bytes = WRITER) -> None:
        self.store.sink().end_writer(writer)

    def trace(self) -> TraceRecord:
        (found,) = self.store.reader().traces().rows
        return found

    def span(self, span_id: bytes = ROOT) -> SpanRecord:
        (found,) = self.store.reader().spans({"span_id": span_id.hex()}, payloads=True).rows
        return found

    def run(self) -> RunRecord:
        (found,) = self.store.reader().runs().rows
        return found


@pytest.fixture
def writes(store: Store) -> Iterator[Writes]:
    return Writes(store)


def opened(span_id: bytes = ROOT, parent_id: bytes | None = None, start_ns: int = 100, **more: Any) -> SpanOpened:
    fields: dict[str, Any] = {"name": "answer", "kind": "op", "project": "p"} | more
    return SpanOpened(SCHEMA, TRACE, span_id, parent_id, start_ns=start_ns, **fields)


def closed(span_id: bytes = ROOT, end_ns: int = 200, status: str = "ok", **more: Any) -> SpanClosed:
    return SpanClosed(SCHEMA, TRACE, span_id, end_ns, end_ns - 100, status, **more)


def updated(at_ns: int, span_id: bytes = ROOT, **more: Any) -> SpanUpdated:
    return SpanUpdated(SCHEMA, TRACE, span_id, at_ns, **more)


def priced(cost: int, at_ns: int = 300, span_id: bytes = ROOT, source: str = "table 1") -> SpanPriced:
    return SpanPriced(SCHEMA, TRACE, span_id, at_ns, cost, source)


def test_a_trace_sums_its_spans_and_shows_its_root(writes: Writes) -> None:
    writes(
        opened(inputs=b'{"question":"why?"}', thread_id="t1", user_id="u1"),
        opened(CHILD, ROOT, 110, kind="llm"),
        closed(CHILD, 150, usage={"input_tokens": 10, "output_tokens": 3}, model="m", provider="x"),
        priced(2_000_000, span_id=CHILD),
        opened(LEAF, ROOT, 160, kind="llm"),
        closed(LEAF, 170, "error", usage={"input_tokens": 5}, error=b'{"type":"ValueError","message":"no"}'),
        closed(ROOT, 200, output=b'"because"'),
    )
    found = writes.trace()
    assert (found.name, found.status, found.duration_ns, found.root_span_id) == ("answer", "ok", 100, ROOT.hex())
    assert (found.span_count, found.error_count, found.input_tokens, found.output_tokens) == (3, 1, 15, 3)
    assert found.cost == Decimal("0.000002")
    assert (found.input_preview, found.output_preview) == ("why?", "because")
    assert (found.thread_id, found.user_id, found.project) == ("t1", "u1", "p")


def test_sums_are_the_same_however_the_spans_are_split_into_batches(writes: Writes) -> None:
    for record in (closed(CHILD, 150, "error", usage={"input_tokens": 10}), opened(CHILD, ROOT, 110), opened()):
        writes(record)
    writes(priced(7, span_id=CHILD))
    writes(priced(5, at_ns=301, span_id=CHILD), closed())
    found = writes.trace()
    assert (found.span_count, found.error_count, found.input_tokens) == (2, 1, 10)
    assert found.cost == Decimal(5) / 10**12


def test_everything_a_span_said_can_be_read(writes: Writes) -> None:
    links = [{"trace_id": "0" * 32, "span_id": "0" * 16, "attributes": {}}]
    writes(
        opened(
            inputs=b'{"x":{"$weft":"float","v":"NaN"}}',
            attributes=b'{"a":1,"b":1}',
            version="v1",
            turn_id="turn",
            links=orjson.dumps(links),
        ),
        updated(120, attributes=b'{"b":2,"c":2}', events=b'[{"name":"e1","at_ns":120}]', tags=b'["x"]'),
        closed(
            output=b"null",
            attributes=b'{"c":3}',
            events=b'[{"name":"e2","at_ns":150}]',
            usage={"input_tokens": 1, "cache_read_tokens": 1},
            model="m",
            provider="x",
            kind="llm",
            name="chat",
        ),
    )
    found = writes.span()
    assert math.isnan(found.inputs["x"])
    assert found.output is None
    assert found.attributes == {"a": 1, "b": 2, "c": 3}
    assert [event["name"] for event in found.events] == ["e1", "e2"]
    assert found.links == links
    assert (found.name, found.kind, found.version, found.turn_id, found.tags) == ("chat", "llm", "v1", "turn", ["x"])
    assert found.usage == {"input_tokens": 1, "cache_read_tokens": 1}
    assert writes.trace().name == "chat"


def test_the_last_word_wins_by_time_not_by_arrival(writes: Writes) -> None:
    writes(opened(), updated(180, name="second", user_id="u2"))
    writes(updated(170, name="first", thread_id="t1", attributes=b'{"k":"first"}'))
    writes(closed(ROOT, 200, attributes=b'{"k":"closed"}'))
    assert (writes.trace().name, writes.trace().user_id, writes.trace().thread_id) == ("second", "u2", "t1")
    assert writes.span().attributes == {"k": "closed"}
    writes(updated(500, name="renamed", attributes=b'{"k":"later"}', inputs=b'{"q":"edited"}'))
    assert (writes.trace().name, writes.trace().input_preview) == ("renamed", "edited")
    assert (writes.span().attributes, writes.span().inputs) == ({"k": "later"}, {"q": "edited"})


def test_a_long_span_may_be_told_of_thousands_of_events(writes: Writes) -> None:
    """In whatever order, in two batches; each once, in order."""
    events = [updated(at, events=b'[{"name":"e","at_ns":%d}]' % at) for at in range(101, 4101)]
    writes(opened(), *events[::2])
    writes(*reversed(events[1::2]))
    assert [event["at_ns"] for event in writes.span().events] == list(range(101, 4101))


def test_a_trace_of_orphans_is_listed_by_its_earliest_span_until_the_root_comes(writes: Writes) -> None:
    writes(opened(LEAF, CHILD, 120, name="leaf"), opened(CHILD, ROOT, 110, name="child"))
    assert (writes.trace().name, writes.trace().root_span_id) == ("child", None)
    writes(opened(ROOT, None, 130, name="root"))
    assert (writes.trace().name, writes.trace().root_span_id, writes.trace().start_ns) == ("root", ROOT.hex(), 130)


def test_a_close_that_comes_first_is_shown_and_waits_for_its_opening(writes: Writes) -> None:
    writes(closed(ROOT, 200, "error", error=b'{"type":"ValueError","message":"no"}'))
    found = writes.trace()
    assert (found.status, found.project, found.start_ns, found.error_count) == ("error", "", 100, 1)
    assert found.output_preview == "ValueError: no"
    writes(opened(start_ns=90))
    assert (writes.trace().project, writes.trace().start_ns, writes.trace().status) == ("p", 90, "error")


def test_a_dead_writers_open_spans_are_interrupted_until_a_late_close(writes: Writes) -> None:
    writes(opened(), opened(CHILD, ROOT, 110), closed(CHILD, 120))
    assert writes.trace().status == "running"
    writes.end(b"somebody")
    assert writes.trace().status == "running"
    writes.end()
    assert (writes.trace().status, writes.span().status, writes.span(CHILD).status) == ("interrupted",) * 2 + ("ok",)
    writes(closed())
    assert (writes.trace().status, writes.span().status) == ("ok", "ok")


def test_what_a_dead_writer_opened_is_interrupted_when_it_comes_late(writes: Writes) -> None:
    writes.end()
    writes(opened())
    assert writes.trace().status == "interrupted"


def test_a_price_may_come_before_the_close_and_the_latest_counts(writes: Writes) -> None:
    writes(priced(9, at_ns=310, source="table 2"))
    writes(priced(4, at_ns=300))
    writes(opened(), closed())
    assert (writes.span().cost, writes.span().price_source) == (Decimal(9) / 10**12, "table 2")
    assert writes.trace().cost == Decimal(9) / 10**12


@pytest.mark.parametrize("cost", [1 << 63, (1 << 64) - 1, -2])
def test_a_cost_that_fits_no_column_is_not_bent_but_said(writes: Writes, cost: int) -> None:
    writes(opened(), closed(), priced(cost))
    assert writes.span().cost is None
    assert str(cost) in (writes.span().price_source or "")
    assert writes.trace().cost is None


def test_a_sum_of_costs_that_fits_no_column_is_unknown(writes: Writes) -> None:
    most = (1 << 63) - 1
    writes(opened(), opened(CHILD), priced(most), priced(most, span_id=CHILD))
    assert writes.trace().cost is None
    assert writes.span(CHILD).cost == Decimal(most) / 10**12
    writes(priced(1, at_ns=301, span_id=CHILD), priced(2, at_ns=301))
    assert writes.trace().cost == Decimal(3) / 10**12


def test_numbers_and_texts_that_no_database_takes_do_not_stop_the_ingest(writes: Writes) -> None:
    writes(
        opened(name="a\0b", start_ns=(1 << 64) - 1, inputs=b'{"x":"\\u0000"}'),
        closed(usage={"input_tokens": (1 << 64) - 1}),
        MetricsLogged(SCHEMA, RUN, (1 << 64) - 1, 5, {"lo\0ss": 1.0}),
    )
    assert (writes.trace().name, writes.trace().input_tokens) in [("a␀b", None), ("a\0b", None)]
    assert writes.span().inputs == {"x": "\0"}
    assert writes.span().usage == {"input_tokens": (1 << 64) - 1}
    assert writes.run().step == (1 << 63) - 1


def test_a_removed_trace_stays_away(writes: Writes) -> None:
    score = ScoreLogged(SCHEMA, b"1" * 16, "trace", 5, "acc", "p", 1.0, trace_id=TRACE)
    writes(opened(), score)
    writes(Removed(SCHEMA, "trace", TRACE, "p", 400))
    writes(closed(), updated(500, name="back"), priced(5), score)
    reader = writes.store.reader()
    assert (reader.traces().total, reader.spans().total, reader.scores().total) == (0, 0, 0)


def test_a_removed_run_stays_away_and_leaves_its_traces(writes: Writes) -> None:
    start = RunStarted(SCHEMA, RUN, "run1", "p", "one", 10)
    writes(start, MetricsLogged(SCHEMA, RUN, 0, 11, {"loss": 1.0}, b'{"note":"x"}'), opened(run_uid=RUN))
    writes(Removed(SCHEMA, "run", RUN, "p", 400))
    writes(start, MetricsLogged(SCHEMA, RUN, 1, 12, {"loss": 1.0}), opened(CHILD, ROOT, 110, run_uid=RUN))
    assert writes.store.reader().runs().total == 0
    assert (writes.trace().span_count, writes.trace().run_id) == (2, None)


def test_a_run_is_what_its_records_say(writes: Writes) -> None:
    writes(MetricsLogged(SCHEMA, RUN, 3, 40, {"loss": 0.5, "val.acc": 0.9}), opened(run_uid=RUN))
    assert (writes.run().id, writes.run().started_ns, writes.run().project) == (RUN.hex(), 40, "")
    writes(
        RunStarted(
            SCHEMA,
            RUN,
            "run1",
            "p",
            "brisk",
            10,
            config=b'{"lr":0.1,"bs":8}',
            tags=["a"],
            group="g",
            job_type="train",
            notes="n",
            parent_uid=b"q" * 16,
            metadata=b'{"host":"h"}',
        )
    )
    writes(RunUpdated(SCHEMA, RUN, 50, config=b'{"lr":0.2}', summary=b'{"best":1,"loss":0.4}', tags=["b"]))
    writes(RunUpdated(SCHEMA, RUN, 45, config=b'{"lr":0.3}', summary=b'{"best":0}', name="stale but the only one"))
    found = writes.run()
    assert (found.id, found.project, found.state, found.started_ns) == ("run1", "p", "running", 10)
    assert (found.group, found.job_type, found.notes, found.tags) == ("g", "train", "n", ["b"])
    assert found.config == {"bs": 8, "lr": 0.2}
    assert found.summary == {"loss": 0.4, "val.acc": 0.9, "best": 1}
    assert (found.metadata, found.step, found.trace_count) == ({"host": "h"}, 3, 1)
    assert found.parent_id == (b"q" * 16).hex()
    writes(RunFinished(SCHEMA, RUN, 60, "failed", 1, b'{"type":"E","message":"m"}'))
    found = writes.run()
    assert (found.state, found.ended_ns, found.exit_code) == ("failed", 60, 1)
    assert found.error == {"type": "E", "message": "m"}


def test_a_run_whose_writer_is_dead_crashed_unless_it_said_how_it_ended(writes: Writes) -> None:
    writes(RunStarted(SCHEMA, RUN, "run1", "p", "one", 10))
    writes.end()
    assert (writes.run().state, writes.run().ended_ns) == ("crashed", None)
    writes(RunStarted(SCHEMA, RUN, "run1", "p", "one", 20), segment="resumed", writer=b"another0")
    assert (writes.run().state, writes.run().started_ns) == ("running", 10)
    writes(RunFinished(SCHEMA, RUN, 30, "finished"))
    assert writes.run().state == "finished"


def test_points_are_kept_once_and_never_overwritten(store: Store) -> None:
    frames = [
        Frame(10, 20, MetricsLogged(SCHEMA, RUN, 1, 5, {"loss": 2.0})),
        Frame(20, 30, MetricsLogged(SCHEMA, RUN, 1, 6, {"loss": math.nan})),
        Frame(30, 40, MetricsLogged(SCHEMA, RUN, 0, 7, {"loss": math.inf}, late=True)),
    ]
    for _ in range(2):
        store.sink().apply(frames, Position("home", "s", 40, WRITER))
    found = store.reader().history(RUN.hex())["loss"]
    assert (found.total, found.late, list(found.steps), list(found.times_ns)) == (3, 1, [0, 1, 1], [7, 5, 6])
    assert found.values[0] == math.inf
    assert found.values[1] == 2.0
    assert math.isnan(found.values[2])


def test_rich_values_are_kept_apart(writes: Writes) -> None:
    writes(MetricsLogged(SCHEMA, RUN, 1, 5, {}, b'{"note":{"text":"a"},"n":[1]}'))
    writes(MetricsLogged(SCHEMA, RUN, 0, 6, {}, b'{"note":"b"}', late=True))
    reader = writes.store.reader()
    assert [(row["key"], row["step"], row["value"]) for row in reader.rich(RUN.hex(), "note")] == [
        ("note", 0, "b"),
        ("note", 1, {"text": "a"}),
    ]
    assert len(reader.rich(RUN.hex())) == 3


def _artifact(digest: str, at_ns: int, *aliases: str, **more: Any) -> ArtifactLogged:
    manifest = orjson.dumps({"a.txt": {"digest": digest, "size_bytes": 3}})
    return ArtifactLogged(SCHEMA, "p", "data", "dataset", digest, manifest, 3, at_ns, list(aliases), **more)


def test_artifact_versions_are_numbered_once_and_aliases_move(writes: Writes) -> None:
    writes(ArtifactUsed(SCHEMA, "p", "data", "d1", b"s" * 16, 1))
    writes(_artifact("d1", 10, "prod", run_uid=RUN), _artifact("d2", 20, "prod", description="second"))
    writes(_artifact("d1", 15, "old"), RunStarted(SCHEMA, RUN, "run1", "p", "", 1))
    newest, first = writes.store.reader().artifacts().rows
    assert (newest.version, newest.aliases, newest.description) == (1, ["latest", "prod"], "second")
    assert (first.version, first.aliases, first.created_ns, first.producer_run) == (0, ["old"], 10, "run1")
    assert first.consumer_runs == [(b"s" * 16).hex()]
    assert first.manifest == {"a.txt": {"digest": "d1", "size_bytes": 3}}


def test_a_removed_version_goes_its_number_too_and_its_alias_points_nowhere(writes: Writes) -> None:
    writes(_artifact("d1", 10, "prod"), _artifact("d2", 20, "prod"))
    writes(Removed(SCHEMA, "artifact", b"d2", "p", 30))
    writes(_artifact("d2", 20, "prod"), _artifact("d3", 40))
    newest, first = writes.store.reader().artifacts().rows
    assert (newest.digest, newest.version, newest.aliases) == ("d3", 2, ["latest"])
    assert (first.digest, first.version, first.aliases) == ("d1", 0, [])


def test_a_score_is_read_with_all_that_it_said(writes: Writes) -> None:
    writes(
        opened(),
        ScoreLogged(
            SCHEMA, b"1" * 16, "trace", 5, "acc", "p", 0.5, "half", "why", TRACE, None, RUN, "row7", b'{"scorer":"s"}'
        ),
        ScoreLogged(SCHEMA, b"2" * 16, "span", 6, "len", "p", 3.0, trace_id=TRACE, span_id=ROOT),
        ScoreLogged(SCHEMA, b"3" * 16, "trace", 7, "broken", "p", error="it raised", trace_id=TRACE),
        ScoreLogged(SCHEMA, b"4" * 16, "trace", 8, "rubbish", "p", math.nan, trace_id=TRACE),
    )
    first, second, third, fourth = writes.store.reader().scores().rows
    assert (first.value, first.label, first.reason, first.row_id, first.source) == (
        0.5,
        "half",
        "why",
        "row7",
        {"scorer": "s"},
    )
    assert (second.span_id, third.error, fourth.value, fourth.label) == (ROOT.hex(), "it raised", None, "NaN")
    assert writes.trace().scores == {"acc": 0.5, "broken": None, "len": 3.0, "rubbish": None}
    assert [score.name for score in writes.span().scores] == ["len"]


def test_segments_keep_what_their_ends_said(writes: Writes) -> None:
    writes(
        SegmentOpened(SCHEMA, WRITER, "host", 7, 1, "0.1", "3.11"),
        SegmentClosed(SCHEMA, "exit", 2),
    )
    with writes.store.reading() as connection:
        row = connection.exec_driver_sql("SELECT opened, closed FROM segment").one()
    assert orjson.loads(row[0])["host"] == "host"
    assert orjson.loads(row[1])["dropped"] == 2


def test_positions_never_go_back(writes: Writes) -> None:
    sink = writes.store.sink()
    sink.apply([], Position("home", "s", 50, WRITER))
    sink.apply([], Position("home", "s", 20, WRITER))
    assert sink.positions("home") == {"s": 50}


def test_an_end_that_was_written_after_the_start_ends_the_run_whatever_the_clock_said(writes: Writes) -> None:
    """Somebody set it back meanwhile."""
    writes(RunStarted(SCHEMA, RUN, "run1", "p", "one", 1_000))
    writes(RunFinished(SCHEMA, RUN, 60, "finished", 0))
    writes.end()
    assert (writes.run().state, writes.run().exit_code) == ("finished", 0)
    writes(RunStarted(SCHEMA, RUN, "run1", "p", "one", 2_000))
    writes.end()
    assert writes.run().state == "crashed", "it was begun again, after"
