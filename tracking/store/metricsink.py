"""Applies what runs logged: points of metrics, their aggregates, definitions, rewinds, summaries. For `RunSink`.

The aggregates are of the points that stand: not those that a rewind took back, nor those from before the summary was
set by hand. A batch adds to them; where a rewind or a hand comes later than points that it concerns, they are counted
anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence, Set
from typing import Any, NamedTuple

import orjson

from weft.tracking.journal.records import MetricDefined, RunRewound
from weft.tracking.runs.metricrules import MetricRules
from weft.tracking.runs.metricstats import Stats, ends
from weft.tracking.store import chunks, schema
from weft.tracking.store.chunks import Columns
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.metricrow import COLUMNS, LAST, NEVER, empty, keep, null, order_of, stats_of
from weft.tracking.store.summaries import definitions, leaf, leaves, storable, summary
from weft.tracking.store.transaction import Row, Stamp, Transaction

SEAL_AT = chunks.SIZE
"""Rows of a metric that are made a chunk of; of a run that ended, `SEAL_ENDED`."""
SEAL_ENDED = 256

Order = tuple[int, bool, int, str, int]
"""(step, on time, at_ns, segment, seq)."""
Name = tuple[int, str, str]
"""Run key, stream, metric."""
Metrics = dict[Name, dict[str, Any]]


class Point(NamedTuple):
    """`metric_point` without its key."""

    segment_key: int
    seq: int
    step: int
    at_ns: int
    value: float
    late: bool

    def order(self, segment: str) -> Order:
        return self.step, not self.late, self.at_ns, segment, self.seq


class Hand(NamedTuple):
    """What was set by hand in a run's summary."""

    values: Mapping[str, Any]
    stamps: Callable[[str], Stamp | None]
    """When a key was last set or dropped."""
    touched: Set[str]
    """Keys that this batch set or dropped."""


class MetricSink:
    """One batch of what one segment says."""

    def __init__(self, tx: Transaction, segment: str, segment_key: int) -> None:
        self._tx = tx
        self._segment = segment
        self._segment_key = segment_key
        self._points: dict[Name, list[Point]] = {}
        self._fractional: set[Name] = set()
        """Metrics of this batch of which something came as a float."""
        self._rich: dict[Name, list[tuple[Order, str]]] = {}
        self._rich_rows: list[Row] = []
        self.rewound: set[int] = set()
        """Runs that this batch took back: `highest` is all there is to say of their steps."""
        self.highest: dict[int, int] = {}
        """By run, the highest step of this batch that stands."""
        self._defined: set[int] = set()
        self._back: dict[int, Sequence[tuple[Stamp, int]]] = {}
        self._segments: dict[int, str] = {segment_key: segment}

    def log(
        self,
        run_key: int,
        offset: int,
        step: int,
        at_ns: int,
        values: Mapping[str, float],
        late: bool,
        stream: str = "",
    ) -> None:
        """Points of one record."""
        for key, value in values.items():
            name = (run_key, stream, key)
            if type(value) is float:
                self._fractional.add(name)
            point = Point(self._segment_key, offset, step, at_ns, float(value), late)
            self._points.setdefault(name, []).append(point)

    def log_rich(
        self, run_key: int, offset: int, step: int, at_ns: int, values: Mapping[str, Any], numbers: Container[str]
    ) -> None:
        """What a record holds besides numbers. Where it has a number of the same name, that counts."""
        for key, value in values.items():
            text = orjson.dumps(value).decode()
            self._rich_rows.append((run_key, key, self._segment_key, offset, step, at_ns, text))
            if key in numbers:
                continue
            order = (step, True, at_ns, self._segment, offset)
            self._rich.setdefault((run_key, "", key), []).append((order, text))

    def define(self, run_key: int, offset: int, record: MetricDefined) -> None:
        """The last writer of a name wins."""
        stamp = (record.at_ns, self._segment, offset)
        kept = self._tx.rows(
            "SELECT at_ns, segment, seq FROM metric_definition WHERE run_key = ? AND name = ?", (run_key, record.name)
        )
        if kept and tuple(kept[0]) >= stamp:
            return
        summary = ",".join(record.summary) or None
        row = (run_key, record.name, summary, record.step_metric, record.step_sync, record.goal, record.hidden, *stamp)
        self._tx.upsert(schema.metric_definition, [row])
        self._defined.add(run_key)

    def rewind(self, run_key: int, offset: int, record: RunRewound) -> None:
        """Points beyond a step, of before this, stand no more."""
        self._tx.add_missing(schema.run_rewind, [(run_key, record.at_ns, self._segment, offset, record.step)])
        self.rewound.add(run_key)

    def refresh(self, run_key: int) -> None:
        """Look at all that the summary of a run is made of."""
        self._defined.add(run_key)

    def flush(self, hands: Mapping[int, Hand], ended: Set[int], *, again: bool) -> None:
        """Write the batch; `highest` and `rewound` then tell of the runs' steps.

        Args:
            hands: of every run in it.
            ended: runs that it ended.
            again: some of it may have been applied before.
        """
        self._tx.add_missing(schema.rich_point, self._rich_rows)
        structural = self.rewound | self._defined | {key for key, hand in hands.items() if hand.touched}
        metrics = self._metrics(structural, hands)
        rows: list[Row] = []
        for name in {*self._points, *self._rich}:
            metric = metrics[name]
            points = self._add(name, metric, hands, again)
            if metric["unsealed"] >= (SEAL_ENDED if name[0] in ended else SEAL_AT):
                self._seal(metric, points)  # what comes in bulk never becomes rows
            else:
                rows += [(metric["id"], *point[:4], null(point.value), point.late) for point in points]
        # The index wants its rows in key order; the file system thanks for it.
        self._tx.insert(schema.metric_point, sorted(rows, key=lambda row: row[:3]))
        for name, metric in metrics.items():
            if metric["stale"] or self._moved(name, metric, hands):
                self._count_anew(name, metric, hands)
        for name, metric in metrics.items():
            if name[0] in ended and metric["unsealed"] >= SEAL_ENDED:
                self._seal(metric, ())
        self._tx.upsert(schema.metric_key, [tuple(metric[column] for column in COLUMNS) for metric in metrics.values()])
        self._summaries(metrics, structural, hands)

    def _metrics(self, structural: set[int], hands: Mapping[int, Hand]) -> Metrics:
        """Rows of the metrics in this batch, and all of the runs whose summary may change its shape."""
        found: Metrics = {}
        wanted: dict[tuple[int, str], list[str]] = {}
        for run_key, stream, key in {*self._points, *self._rich}:
            wanted.setdefault((run_key, stream), []).append(key)
        columns = ", ".join(COLUMNS)
        for run_key in structural:
            for row in self._tx.rows(f"SELECT {columns} FROM metric_key WHERE run_key = ? AND stream = ''", (run_key,)):
                _take(found, row)
        for (run_key, stream), keys in wanted.items():
            if stream or run_key not in structural:
                statement = f"SELECT {columns} FROM metric_key WHERE run_key = ? AND stream = ? AND key IN ({{marks}})"
                for row in self._tx.rows_in(statement, keys, (run_key, stream)):
                    _take(found, row)
        for run_key, stream, key in {*self._points, *self._rich}:
            if (run_key, stream, key) not in found:
                _take(found, empty(self._tx.key(schema.metric_key), run_key, stream, key))
        return found

    def _add(self, name: Name, metric: dict[str, Any], hands: Mapping[int, Hand], again: bool) -> Sequence[Point]:
        """The batch's points of a metric that are new, counted."""
        run_key, stream, key = name
        metric["whole"] = metric["whole"] and name not in self._fractional
        points = self._points.get(name, [])
        if points and again:
            known = self._known(metric["id"], points)
            points = [point for point in points if point.seq not in known]
        points = list({point.seq: point for point in points}.values())
        metric["unsealed"] += len(points)
        rewinds = self._rewinds(run_key) if not stream else ()
        cut = hands[run_key].stamps(key) if not stream and run_key in hands else None
        said = [item for item in self._rich.get(name, ()) if _stands(item[0], rewinds, None)]
        rich = [item for item in said if _stands(item[0], (), cut)]
        standing = [p for p in points if _stands(p.order(self._segment), rewinds, None)]
        _count(metric, standing)
        self._reach(name, [p.step for p in standing] + [at[0] for at, _ in said])
        counted = [p for p in standing if cut is None or (p.at_ns, self._segment, p.seq) > cut]
        if counted or rich:
            stats = stats_of(metric)
            last, text = stats.last_at or order_of(metric, LAST), metric["rich"]
            if counted:
                orders = [p.order(self._segment) for p in counted]
                stats.add([p.value for p in counted], ends(orders))
            keep(metric, stats, *_latest(stats, last, text, rich))
        for point in points:
            metric["newest_ns"] = max(metric["newest_ns"], point.at_ns)
        for order, _ in self._rich.get(name, ()):
            metric["newest_ns"] = max(metric["newest_ns"], order[2])
        return points

    def _known(self, metric_key: int, points: Sequence[Point]) -> set[int]:
        """Offsets in this segment that the metric has points of already."""
        seqs = [point.seq for point in points]
        rows = self._tx.rows(
            "SELECT seq FROM metric_point WHERE metric_key = ? AND segment_key = ? AND seq BETWEEN ? AND ?",
            (metric_key, self._segment_key, min(seqs), max(seqs)),
        )
        found = {int(row[0]) for row in rows}
        for columns in self._sealed(metric_key):
            found.update(seq for at, seq in enumerate(columns.seqs) if columns.segments[at] == self._segment_key)
        return found

    def _sealed(self, metric_key: int) -> list[Columns]:
        rows = self._tx.rows("SELECT data FROM metric_chunk WHERE metric_key = ? ORDER BY id", (metric_key,))
        return [chunks.unseal(bytes(row[0])) for row in rows]

    def _rewinds(self, run_key: int) -> Sequence[tuple[Stamp, int]]:
        found = self._back.get(run_key)
        if found is None:
            rows = self._tx.rows("SELECT at_ns, segment, seq, step FROM run_rewind WHERE run_key = ?", (run_key,))
            found = self._back[run_key] = [((row[0], row[1], row[2]), row[3]) for row in rows]
        return found

    def _moved(self, name: Name, metric: dict[str, Any], hands: Mapping[int, Hand]) -> bool:
        """Whether points that were counted in an earlier batch may count no more."""
        run_key, stream, key = name
        if stream:
            return False
        if run_key in self.rewound:
            return True
        hand = hands.get(run_key)
        return hand is not None and key in hand.touched and (metric["counted"] > 0 or metric["rich"] is not None)

    def _count_anew(self, name: Name, metric: dict[str, Any], hands: Mapping[int, Hand]) -> None:
        run_key, stream, key = name
        cut = hands[run_key].stamps(key) if not stream and run_key in hands else None
        if cut is not None and metric["newest_ns"] < cut[0] and run_key not in self.rewound and not metric["stale"]:
            keep(metric, Stats(), None, None)  # the usual case: set by hand after all that was logged
            return
        metric |= {"n": 0, "late": 0, "nonfinite": 0}
        rewinds = self._rewinds(run_key) if not stream else ()
        points = self._all(metric["id"])
        segments = self._segment_names({point.segment_key for point in points})
        orders = [(p, p.order(segments[p.segment_key])) for p in points]
        standing = [(p, order) for p, order in orders if _stands(order, rewinds, None)]
        _count(metric, [p for p, _ in standing])
        numbers = {order[3:] for _, order in orders}  # what a record has besides a number of the name counts not
        rich = [] if stream else [item for item in self._all_rich(run_key, key) if item[0][3:] not in numbers]
        said = [item for item in rich if _stands(item[0], rewinds, None)]
        self._reach(name, [p.step for p, _ in standing] + [at[0] for at, _ in said])
        counted = [(p, order) for p, order in standing if cut is None or order[2:] > cut]
        stats = Stats()
        if counted:
            places = [order for _, order in counted]
            stats.add([p.value for p, _ in counted], ends(places))
        keep(metric, stats, *_latest(stats, None, None, [item for item in said if _stands(item[0], (), cut)]))
        metric["newest_ns"] = max([metric["newest_ns"], *(p.at_ns for p in points)])
        if metric["stale"]:
            metric["unsealed"] = self._tx.rows(
                "SELECT count(*) FROM metric_point WHERE metric_key = ?", (metric["id"],)
            )[0][0]
            metric["stale"] = False

    def _reach(self, name: Name, steps: Sequence[int]) -> None:
        run_key, stream, _ = name
        if steps and not stream:
            self.highest[run_key] = max(*steps, self.highest.get(run_key, NEVER))

    def _all(self, metric_key: int) -> list[Point]:
        statement = "SELECT segment_key, seq, step, at_ns, value, late FROM metric_point WHERE metric_key = ?"
        found = [
            Point(segment, seq, step, at_ns, math.nan if value is None else value, bool(late))
            for segment, seq, step, at_ns, value, late in self._tx.rows(statement, (metric_key,))
        ]
        for c in self._sealed(metric_key):
            found += map(Point, c.segments, c.seqs, c.steps, c.at_ns, c.values, map(bool, c.late))
        return found

    def _all_rich(self, run_key: int, key: str) -> list[tuple[Order, str]]:
        rows = self._tx.rows(
            "SELECT x.step, x.at_ns, s.name, x.seq, x.value FROM rich_point x JOIN segment s ON s.id = x.segment_key "
            "WHERE x.run_key = ? AND x.key = ?",
            (run_key, key),
        )
        return [((row[0], True, *row[1:4]), row[4]) for row in rows]

    def _segment_names(self, keys: set[int]) -> Mapping[int, str]:
        missing = keys - self._segments.keys()
        statement = "SELECT id, name FROM segment WHERE id IN ({marks})"
        self._segments.update((row[0], row[1]) for row in self._tx.rows_in(statement, sorted(missing)))
        return self._segments

    def _seal(self, metric: dict[str, Any], more: Sequence[Point]) -> None:
        """Make chunks of a metric's rows, and of points that are not written yet."""
        rows = self._tx.rows(
            "SELECT m.step, m.at_ns, s.name, m.seq, m.segment_key, m.late, m.value FROM metric_point m "
            "JOIN segment s ON s.id = m.segment_key WHERE m.metric_key = ?",
            (metric["id"],),
        )
        points = [(*row[:5], int(row[5]), math.nan if row[6] is None else row[6]) for row in rows]
        points += [(p.step, p.at_ns, self._segment, p.seq, p.segment_key, int(p.late), p.value) for p in more]
        points.sort(key=lambda point: point[:4])
        made: list[Row] = []
        for at in range(0, len(points), 2 * chunks.SIZE):
            steps, at_ns, _, seqs, segments, late, values = zip(*points[at : at + 2 * chunks.SIZE], strict=True)
            data = chunks.seal(Columns(steps, at_ns, segments, seqs, late, values))
            key = self._tx.key(schema.metric_chunk)
            made.append((key, metric["id"], len(steps), steps[0], at_ns[0], steps[-1], at_ns[-1], data))
        self._tx.insert(schema.metric_chunk, made)
        if rows:
            self._tx.run("DELETE FROM metric_point WHERE metric_key = ?", (metric["id"],))
        metric["unsealed"] = 0

    def _summaries(self, metrics: Metrics, structural: set[int], hands: Mapping[int, Hand]) -> None:
        """What runs are filtered and ordered by."""
        by_run: dict[int, list[dict[str, Any]]] = {run_key: [] for run_key in structural}
        for (run_key, stream, _), metric in metrics.items():
            if not stream:
                by_run.setdefault(run_key, []).append(metric)
        rows: dict[tuple[int, str], Row] = {}
        for run_key, found in by_run.items():
            own = hands[run_key].values if run_key in hands else {}
            if run_key in structural:
                self._tx.run("DELETE FROM summary_value WHERE run_key = ?", (run_key,))
            rules = definitions(self._tx, run_key) if found else MetricRules()
            by_hand = decoded(orjson.dumps(own)) if own and run_key in structural else {}
            known = summary(found, rules, by_hand)
            for name, value in leaves(known):
                number, text = leaf(value)
                key = storable(name)
                rows[run_key, key] = (run_key, key, number, text)
        self._tx.upsert(schema.summary_value, list(rows.values()))


def _take(found: Metrics, row: Row) -> None:
    metric = dict(zip(COLUMNS, row, strict=True))
    found[metric["run_key"], metric["stream"], metric["key"]] = metric


def _latest(stats: Stats, last: Any, text: str | None, rich: Sequence[tuple[Any, str]]) -> tuple[Any, str | None]:
    """Where the last value stands, and its JSON where it is no number."""
    best: tuple[Any, str | None] = (last, text)
    for at, value in ((stats.last_at, None), *rich):
        # Of one record, which may say a name twice, the number is the later.
        if at is not None and (best[0] is None or (at >= best[0] if value is None else at > best[0])):
            best = (at, value)
        elif at == best[0] and best[1] is not None and value is not None:
            best = (at, max(value, best[1]))
    return best


def _count(metric: dict[str, Any], points: Sequence[Point]) -> None:
    metric["n"] += len(points)
    metric["late"] += sum(point.late for point in points)
    if not math.isfinite(sum(point.value for point in points)):
        metric["nonfinite"] += sum(not math.isfinite(point.value) for point in points)


def _stands(order: Order, rewinds: Sequence[tuple[Stamp, int]], cut: Stamp | None) -> bool:
    """Whether a point was taken back by no rewind, and comes after the cut."""
    stamp = order[2:]
    if cut is not None and stamp <= cut:
        return False
    return not any(stamp < at and order[0] > step for at, step in rewinds)


def count_all(tx: Transaction) -> None:
    """Aggregates and summaries of a store from before they were kept."""
    for run_key, own, stamps in tx.rows("SELECT id, summary, stamps FROM run"):
        sink = MetricSink(tx, "", 0)
        sink.refresh(run_key)
        sink.flush({run_key: Hand(loads(own) or {}, _stamped(loads(stamps) or {}), frozenset())}, set(), again=False)


def _stamped(stamps: Mapping[str, Sequence[Any]]) -> Callable[[str], Stamp | None]:
    def stamp(key: str) -> Stamp | None:
        found = stamps.get(f"summary.{key}")
        return None if found is None else (found[0], found[1], found[2])

    return stamp


def remove_metrics(tx: Transaction, run_key: int) -> None:
    """All that a run logged."""
    for table in ("metric_point", "metric_chunk"):
        tx.run(f"DELETE FROM {table} WHERE metric_key IN (SELECT id FROM metric_key WHERE run_key = ?)", (run_key,))
    for table in ("metric_key", "metric_definition", "run_rewind", "summary_value", "rich_point"):
        tx.run(f"DELETE FROM {table} WHERE run_key = ?", (run_key,))
