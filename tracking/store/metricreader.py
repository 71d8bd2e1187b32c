"""Answers about what runs logged: series of metrics, whole rows by step, values that are no numbers. For `Reader`.

A metric's points are its sealed chunks and the rows that are not sealed yet, those of the run that it was forked from
before them, without what a rewind took back.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter, lt
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, select

from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.runs.metricrules import MetricRules, metric_of
from weft.tracking.runs.metricstats import LONGEST, Order, Standing, Stats, ends
from weft.tracking.store import chunks, schema
from weft.tracking.store.chunks import Line
from weft.tracking.store.columns import HexId
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.lookups import parts
from weft.tracking.store.metricrow import stats_of
from weft.tracking.store.readmodels import HistoryPage, Series
from weft.tracking.store.sampling import sampled, thinned
from weft.tracking.store.summaries import summary

_r = schema.run.c
_k = schema.metric_key.c
_m = schema.metric_point.c
_c = schema.metric_chunk.c
_d = schema.metric_definition.c
_x = schema.rich_point.c
_b = schema.run_rewind.c
_SEGMENT = schema.segment.c
_NONE = Line((), (), (), ())
_FOREVER = (1 << 63) - 1
_FETCHED = 10_000
"""Rows that are objects at a time: of many metrics each becomes arrays before the next."""
STREAMS = ("default", "system")


class _Part(NamedTuple):
    """A run whose points count, up to a step: the run itself, and those that it was forked from."""

    run_key: int
    until: int
    sessions: Mapping[int, int]
    rewinds: Sequence[tuple[tuple[int, str, int], int]]


def history(
    connection: Connection,
    run_uid: str,
    keys: Sequence[str] | None = None,
    max_points: int | None = None,
    stream: str = "default",
) -> dict[str, Series]:
    if max_points is not None and (not isinstance(max_points, int) or max_points < 1):
        raise UsageError(f"max_points is {max_points!r}; it must be a whole number of at least 1")
    lineage = _lineage(connection, run_uid)
    found: dict[str, Series] = {}
    rules = _rules(connection, [lineage[-1].run_key]).get(lineage[-1].run_key) or MetricRules()
    for key, line in _lines(connection, _metrics(connection, lineage, keys, stream)).items():
        if not line.steps:
            continue
        total, late = len(line.steps), line.late.count(1)
        nonfinite = 0 if math.isfinite(sum(line.values)) else sum(not math.isfinite(value) for value in line.values)
        if max_points is not None and total > max_points:
            kept = thinned(line.values, max_points)
            line = _picked(line, kept)
        found[key] = Series(key, line.steps, line.values, line.at_ns, total, late, nonfinite, rules.of(key))
    return found


def _lineage(connection: Connection, run_uid: str) -> list[_Part]:
    """The run, and before it those that it was forked from, the oldest first."""
    found: list[_Part] = []
    uid: Any = HexId(32)("run_uid", run_uid)
    until = _FOREVER
    query = select(_r.id, _r.uid, _r.sessions, _r.forked_uid, _r.forked_step)
    seen: set[bytes] = set()
    while uid is not None and bytes(uid) not in seen:
        seen.add(bytes(uid))
        row = connection.execute(query.where(_r.uid == uid)).one_or_none()
        if row is None:
            break
        sessions = {int(start): elapsed for start, elapsed in (loads(row.sessions) or {}).items()}
        rewinds = connection.execute(select(schema.run_rewind).where(_b.run_key == row.id)).all()
        back = [((one.at_ns, one.segment, one.seq), one.step) for one in rewinds]
        found.insert(0, _Part(row.id, until, sessions, back))
        uid = row.forked_uid
        until = min(until, _FOREVER if row.forked_step is None else row.forked_step)
    if not found:
        raise NotFoundError(f"there is no run with uid {run_uid} in this store; `weft runs ls` lists what there is")
    return found


def _metrics(
    connection: Connection, lineage: Sequence[_Part], keys: Sequence[str] | None, stream: str
) -> dict[str, list[tuple[int, _Part]]]:
    """By name, in order: the key of the metric in each run that has it."""
    if stream not in STREAMS:
        raise UsageError(f"stream is {stream!r:.80}; it is one of {', '.join(STREAMS)}")
    found: dict[str, list[tuple[int, _Part]]] = {}
    for part in lineage:
        query = select(_k.id, _k.key).where(_k.run_key == part.run_key, _k.stream == stream.replace("default", ""))
        asked = [query] if keys is None else [query.where(_k.key.in_(some)) for some in parts(sorted(set(keys)))]
        for one in asked:
            for metric, key in connection.execute(one):
                found.setdefault(key, []).append((metric, part))
    return dict(sorted(found.items()))


def _lines(
    connection: Connection,
    metrics: Mapping[str, Sequence[tuple[int, _Part]]],
    first: int = -_FOREVER - 1,
    last: int = _FOREVER,
) -> dict[str, Line]:
    """By name: the points that stand, with steps from `first` to `last`, in order of step, time, segment and seq.

    Hundreds of metrics are read by one statement: a statement for each took most of the time of a run with thousands.
    """
    by_run: dict[int, tuple[_Part, list[int]]] = {}
    for found in metrics.values():
        for metric, part in found:
            by_run.setdefault(part.run_key, (part, []))[1].append(metric)
    lines: dict[int, Line] = {}
    names: dict[int, str] = {}
    for part, keys in by_run.values():
        for some in parts(sorted(keys)):
            lines.update(_read(connection, some, part, first, min(last, part.until), names))
    return {name: _joined([lines.get(metric, _NONE) for metric, _ in found]) for name, found in metrics.items()}


def _read(
    connection: Connection, metrics: Sequence[int], part: _Part, first: int, last: int, names: dict[int, str]
) -> Iterable[tuple[int, Line]]:
    """By key: the lines of these metrics that have any points."""
    where = (_c.metric_key.in_(metrics), _c.last_step >= first, _c.first_step <= last)
    query = select(_c.metric_key, _c.first_step, _c.first_at_ns, _c.last_step, _c.last_at_ns, _c.data).where(*where)
    sealed: dict[int, list[Any]] = {}
    for row in connection.execute(query.order_by(_c.metric_key, _c.first_step, _c.first_at_ns, _c.id)):
        sealed.setdefault(row.metric_key, []).append(row)
    for metric, loose in _loose(connection, metrics, first, last, names):
        yield metric, _line(connection, sealed.pop(metric, ()), loose, part, first, last, names)
    for metric, rows in sealed.items():
        yield metric, _line(connection, rows, (), part, first, last, names)


def _line(
    connection: Connection,
    sealed: Sequence[Any],
    loose: Sequence[_Loose],
    part: _Part,
    first: int,
    last: int,
    names: dict[int, str],
) -> Line:
    """The points of one metric, of its chunks and its rows."""
    places = [((row.first_step, row.first_at_ns), (row.last_step, row.last_at_ns)) for row in sealed]
    if loose:
        places.append((loose[0][1:3], loose[-1][1:3]))
    apart = all(before[1] < after[0] for before, after in pairwise(places))
    if not apart or part.rewinds:
        return _sorted(connection, sealed, loose, part, first, last, names)
    lines = [chunks.line(bytes(row.data)) for row in sealed]
    if loose:
        _, steps, at_ns, _, _, values, late = zip(*loose, strict=True)
        numbers = [math.nan if value is None else value for value in values]
        lines.append(_compact(steps, at_ns, numbers, late))
    line = _joined(lines)
    if line.steps and (line.steps[0] < first or line.steps[-1] > last):
        keep = [at for at, step in enumerate(line.steps) if first <= step <= last]
        line = _picked(line, keep)
    return line


_Loose = tuple[int, int, int, int, int, "float | None", bool]
"""Metric, step, at_ns, segment, seq, value, late."""


def _loose(
    connection: Connection, metrics: Sequence[int], first: int, last: int, names: dict[int, str]
) -> Iterable[tuple[int, list[_Loose]]]:
    """Points that are not sealed, in order, metric by metric. `names` of segments are added to where they are asked.

    The segments are not joined: of a list of metrics SQLite would then go through the segments first.
    """
    query = (
        select(_m.metric_key, _m.step, _m.at_ns, _m.segment_key, _m.seq, _m.value, _m.late)
        .where(_m.metric_key.in_(metrics))
        .order_by(_m.metric_key, _m.step, _m.at_ns, _m.segment_key, _m.seq)
    )
    if first > -_FOREVER - 1 or last < _FOREVER:
        query = query.where(_m.step >= first, _m.step <= last)
    fetched = chain.from_iterable(connection.execute(query).partitions(_FETCHED))
    for metric, group in groupby(fetched, itemgetter(0)):
        points = cast("list[_Loose]", list(group))
        segments = {point[3] for point in points}
        if len(segments) > 1:
            _name(connection, segments, names)
            points.sort(key=lambda point: (*point[1:3], names[point[3]], point[4]))
        yield metric, points


def _name(connection: Connection, segments: set[int], names: dict[int, str]) -> None:
    """Take the names of these segments in."""
    for some in parts(sorted(segments - names.keys())):
        found = connection.execute(select(_SEGMENT.id, _SEGMENT.name).where(_SEGMENT.id.in_(some)))
        names.update((key, name) for key, name in found)


def _sorted(
    connection: Connection,
    sealed: Sequence[Any],
    loose: Sequence[_Loose],
    part: _Part,
    first: int,
    last: int,
    names: dict[int, str],
) -> Line:
    """The same where chunks overlap or a rewind asks for every point's own time and place."""
    columns = [chunks.unseal(bytes(row.data)) for row in sealed]
    _name(connection, {point[3] for point in loose}.union(*(c.segments for c in columns)), names)
    points = [
        (step, at_ns, names[segment], seq, math.nan if value is None else value, int(late))
        for _, step, at_ns, segment, seq, value, late in loose
    ]
    for c in columns:
        points += zip(c.steps, c.at_ns, [names[key] for key in c.segments], c.seqs, c.values, c.late, strict=True)
    standing = [
        point
        for point in points
        if first <= point[0] <= last and not any(point[1:4] < at and point[0] > step for at, step in part.rewinds)
    ]
    standing.sort(key=lambda point: point[:4])
    if not standing:
        return _NONE
    steps, at_ns, _, _, values, late = zip(*standing, strict=True)
    return _compact(steps, at_ns, values, late)


def _compact(steps: Iterable[int], at_ns: Iterable[int], values: Iterable[float], late: Iterable[int]) -> Line:
    return Line(array("q", steps), array("q", at_ns), array("d", values), bytes(late))


def _picked(line: Line, at: Sequence[int]) -> Line:
    """Those of its points."""
    steps, at_ns, late = (map(column.__getitem__, at) for column in (line.steps, line.at_ns, line.late))
    return _compact(steps, at_ns, map(line.values.__getitem__, at), late)


def _joined(lines: Sequence[Line]) -> Line:
    """Lines of which each begins where the one before ends; of a run and its fork, in order of step."""
    lines = [line for line in lines if line.steps]
    if not lines:
        return _NONE
    if len(lines) == 1:
        return lines[0]
    at_ns, values, late = array("q"), array("d"), bytearray()
    for line in lines:
        at_ns.extend(line.at_ns)
        values.extend(line.values)
        late.extend(line.late)
    joined = Line(_steps([line.steps for line in lines]), at_ns, values, bytes(late))
    if any(before.steps[-1] > after.steps[0] for before, after in pairwise(lines)):
        order = sorted(range(len(joined.steps)), key=lambda at: (joined.steps[at], joined.at_ns[at]))
        joined = _picked(joined, order)
    return joined


def _steps(pieces: Sequence[Sequence[int]]) -> Sequence[int]:
    """One after the other: a range where each goes on with the one before."""
    first, last = pieces[0], pieces[-1]
    if isinstance(first, range) and all(
        isinstance(after, range) and after.step == first.step and before[-1] + first.step == after[0]
        for before, after in pairwise(pieces)
    ):
        return range(first[0], last[-1] + first.step, first.step)
    joined = array("q")
    for piece in pieces:
        joined.extend(piece)
    return joined


def rows(
    connection: Connection,
    run_uid: str,
    keys: Sequence[str] | None,
    min_step: int | None,
    max_step: int | None,
    stream: str = "default",
) -> HistoryPage:
    """Rows by step from `min_step` on, below `max_step`: as many as lie in one chunk, or all that is not sealed."""
    lineage = _lineage(connection, run_uid)
    real = None if keys is None else [key for key in keys if key not in MADE]
    metrics = _metrics(connection, lineage, real or None, stream)
    first = -_FOREVER - 1 if min_step is None else min_step
    last = _FOREVER if max_step is None else max_step - 1
    upto = _window(connection, [metric for found in metrics.values() for metric, _ in found], first, last)
    lines = {key: line for key, line in _lines(connection, metrics, first, upto).items() if line.steps}
    said = [] if stream == "system" else _rich(connection, lineage, real or None, first, upto)
    merged = _merged(lines, said, _Clock(lineage))
    if keys is not None:
        merged = [row for row in merged if all(key in row for key in keys)]
    return HistoryPage(merged, upto + 1 if upto < last else None)


MADE = ("_step", "_runtime", "_timestamp")
"""What every row has besides what was logged."""


def sample(
    connection: Connection, run_uid: str, keys: Sequence[str] | None, x_axis: str, samples: int, stream: str
) -> HistoryPage:
    """At most so many rows of the whole history, as `sampling.sampled` chooses them."""
    lineage = _lineage(connection, run_uid)
    wanted = None if keys is None else [key for key in (*keys, x_axis) if key not in MADE]
    lines = _lines(connection, _metrics(connection, lineage, wanted or None, stream))
    said = [] if stream == "system" else _rich(connection, lineage, wanted or None, -_FOREVER - 1, _FOREVER)
    places = {key: set(line.steps) for key, line in lines.items()}
    for item in said:
        places.setdefault(item.key, set()).add(item.step)
    steps = set().union(*places.values())
    for key in {*(wanted or ()), x_axis} - set(MADE):
        steps &= places.get(key, set())
    chosen = set(sampled(sorted(steps), [(line.steps, line.values) for line in lines.values()], samples))
    few = {}
    for key, line in lines.items():
        at = [index for index, step in enumerate(line.steps) if step in chosen]
        few[key] = _picked(line, at)
    return HistoryPage(_merged(few, [item for item in said if item.step in chosen], _Clock(lineage)), None)


def _window(connection: Connection, metrics: Sequence[int], first: int, last: int) -> int:
    """Up to which step rows are read together: so that of a long history little more than a chunk a metric is."""
    edges: list[int] = []
    for some in parts(metrics):
        query = select(_c.last_step).where(_c.metric_key.in_(some), _c.last_step >= first, _c.last_step < last)
        found = connection.execute(query.order_by(_c.last_step).limit(1)).scalar()
        edges += [] if found is None else [found]
    return min(edges, default=last)


class _Clock:
    """How long a run had gone on at some time: its sessions added up."""

    def __init__(self, lineage: Sequence[_Part]) -> None:
        sessions = sorted({start: elapsed for part in lineage for start, elapsed in part.sessions.items()}.items())
        self._starts = [start for start, _ in sessions]
        self._elapsed = [elapsed for _, elapsed in sessions]

    def all(self, times_ns: Sequence[int]) -> list[float]:
        """Of many times."""
        if not times_ns or len({bisect_right(self._starts, at) for at in (min(times_ns), max(times_ns))}) > 1:
            return [self(at) for at in times_ns]
        at = max(0, bisect_right(self._starts, times_ns[0]) - 1)
        if not self._starts:
            return [0.0] * len(times_ns)
        shift = self._elapsed[at] - self._starts[at]
        return [max(0, time + shift) / 1e9 for time in times_ns]

    def __call__(self, at_ns: int) -> float:
        at = max(0, bisect_right(self._starts, at_ns) - 1)
        return max(0, self._elapsed[at] + at_ns - self._starts[at]) / 1e9 if self._starts else 0.0


def _merged(lines: Mapping[str, Line], said: Sequence[Any], clock: _Clock) -> list[dict[str, Any]]:
    """One row a step. Of several values of a step the latest holds, and none that came late before one that did not."""
    columns = list(lines.values())
    if columns and not said and all(_alike(line.steps, columns[0].steps) for line in columns):
        steps = columns[0].steps
        if all(map(lt, steps, steps[1:])):
            times = columns[0].at_ns if len(columns) == 1 else list(map(max, *(line.at_ns for line in columns)))
            seconds = [at / 1e9 for at in times]
            names = (*lines, *MADE)
            values = (line.values for line in columns)
            return [
                dict(zip(names, row, strict=True))
                for row in zip(*values, steps, clock.all(times), seconds, strict=True)
            ]
    cells: dict[int, dict[str, Any]] = {}
    latest: dict[int, int] = {}
    named = {item.key for item in said}
    numbers: dict[tuple[str, int], int] = {}
    """Of names that have other values too: when the number of a step came."""
    for key, line in lines.items():
        passes = ((1, 0) if any(line.late) else (0,)) if len(line.steps) else ()
        for wanted in passes:
            for step, at, value, late in zip(line.steps, line.at_ns, line.values, line.late, strict=True):
                if late == wanted:
                    cells.setdefault(step, {})[key] = value
                    latest[step] = max(at, latest.get(step, at))
                    if key in named:
                        numbers[key, step] = at
    for item in said:
        value, number_at = decoded(item.value), numbers.get((item.key, item.step))
        if number_at is None or (item.at_ns == number_at if _has_point(value) else item.at_ns > number_at):
            cells.setdefault(item.step, {})[item.key] = value
        latest[item.step] = max(item.at_ns, latest.get(item.step, item.at_ns))
    return [
        {**cells[step], "_step": step, "_runtime": clock(latest[step]), "_timestamp": latest[step] / 1e9}
        for step in sorted(cells)
    ]


def _has_point(value: Any) -> bool:
    """Whether it is a large number, which stands exactly beside its nearest float, as `metrics.split` makes it."""
    try:
        return type(value) is int and math.isfinite(value)
    except OverflowError:  # beyond the largest float
        return False


def _alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether they hold the same; a range equals no array by itself."""
    return one == other or (type(one) is not type(other) and list(one) == list(other))


def rich(connection: Connection, run_uid: str, key: str | None) -> list[dict[str, Any]]:
    said = _rich(connection, _lineage(connection, run_uid), None if key is None else [key], -_FOREVER - 1, _FOREVER)
    return [{"key": one.key, "step": one.step, "at_ns": one.at_ns, "value": decoded(one.value)} for one in said]


def _rich(
    connection: Connection, lineage: Sequence[_Part], keys: Sequence[str] | None, first: int, last: int
) -> list[Any]:
    """Those of a name in order of step, time, segment and seq."""
    found: list[Any] = []
    for part in lineage:
        query = (
            select(_x.key, _x.step, _x.at_ns, _x.value, _SEGMENT.name.label("segment"), _x.seq)
            .join(schema.segment, _SEGMENT.id == _x.segment_key)
            .where(_x.run_key == part.run_key, _x.step >= first, _x.step <= min(last, part.until))
            .order_by(_x.step, _x.at_ns, _SEGMENT.name, _x.seq, _x.key)
        )
        asked = [query] if keys is None else [query.where(_x.key.in_(some)) for some in parts(sorted(set(keys)))]
        for row in chain.from_iterable(map(connection.execute, asked)):
            stamp = (row.at_ns, row.segment, row.seq)
            if not any(stamp < at and row.step > step for at, step in part.rewinds):
                found.append(row)
    return found


def summaries(connection: Connection, runs: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """By run key: what its metrics come to, under what was set by hand and not logged since."""
    metrics: dict[int, list[Mapping[str, Any]]] = {}
    for some in parts(sorted(runs)):
        query = select(schema.metric_key).where(_k.run_key.in_(some), _k.stream == "")
        for row in connection.execute(query).mappings():
            metrics.setdefault(row["run_key"], []).append(cast("Mapping[str, Any]", row))
    rules = _rules(connection, sorted(metrics))
    return {key: summary(metrics.get(key, ()), rules.get(key) or MetricRules(), own) for key, own in runs.items()}


def standing(connection: Connection, run_uid: str, until: int | None = None) -> Standing:
    """What a run's summary is made of; `until`: of its points up to that step alone."""
    lineage = _lineage(connection, run_uid)
    run_key = lineage[-1].run_key
    own = decoded(connection.execute(select(_r.summary).where(_r.id == run_key)).scalar()) or {}
    metrics = (
        connection.execute(select(schema.metric_key).where(_k.run_key == run_key, _k.stream == "")).mappings().all()
    )
    part = lineage[-1]._replace(until=_FOREVER if until is None else until)
    lines = {} if until is None else _lines(connection, {row["key"]: [(row["id"], part)] for row in metrics})
    stats: dict[str, Stats] = {}
    rich: dict[str, tuple[Order, bytes | None]] = {}
    for row in metrics:
        if until is None:
            found = stats_of(cast("Mapping[str, Any]", row))
        else:
            found = _counted(lines[row["key"]])
        if found.counted and (until is None or row["key"] not in own):
            found.first_at, found.last_at = _placed(found.first_at), _placed(found.last_at)
            stats[row["key"]] = found
        if row["rich"] is not None and (until is None or row["last_step"] <= until):
            data = row["rich"].encode()
            rich[row["key"]] = ((row["last_step"], True, 0), data if len(data) <= LONGEST else None)
    mine = {key: value for key, value in own.items() if key not in stats and key not in rich}
    return Standing(mine, stats, rich, list(_rules(connection, [run_key]).get(run_key) or ()))


def _counted(line: Line) -> Stats:
    stats = Stats()
    if line.steps:
        orders = [(step, not late, at) for at, (step, late) in enumerate(zip(line.steps, line.late, strict=True))]
        stats.add(line.values, ends(orders))
    return stats


def _placed(order: Order | None) -> Order | None:
    """Before whatever a new process logs at the same step."""
    return None if order is None else (*order[:2], 0)


def _rules(connection: Connection, run_keys: Sequence[int]) -> dict[int, MetricRules]:
    found: dict[int, MetricRules] = {}
    for some in parts(run_keys):
        for row in connection.execute(select(schema.metric_definition).where(_d.run_key.in_(some))).mappings():
            found.setdefault(row["run_key"], MetricRules()).put(metric_of(row["name"], cast("Mapping[str, Any]", row)))
    return found
