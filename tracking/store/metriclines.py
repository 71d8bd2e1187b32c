"""Lines of metrics: the points that stand, of chunks and rows, in order. For the readers of histories.

A metric's points are its sealed chunks and the rows that are not sealed yet, those of the run that it was forked from
before them, without what a rewind took back.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, select

from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.store import chunks, schema
from weft.tracking.store.chunks import Line
from weft.tracking.store.columns import HexId
from weft.tracking.store.jsontext import loads
from weft.tracking.store.lookups import parts

_r = schema.run.c
_k = schema.metric_key.c
_m = schema.metric_point.c
_c = schema.metric_chunk.c
_b = schema.run_rewind.c
_SEGMENT = schema.segment.c
_NONE = Line((), (), (), ())
FOREVER = (1 << 63) - 1
_FETCHED = 10_000
"""Rows that are objects at a time: of many metrics each becomes arrays before the next."""
_KNOWN = 256
"""Columns of times that are remembered: of two million points, 128 KiB each."""
STREAMS = ("default", "system")


class Part(NamedTuple):
    """A run whose points count, up to a step: the run itself, and those that it was forked from."""

    run_key: int
    until: int
    sessions: Mapping[int, int]
    rewinds: Sequence[tuple[tuple[int, str, int], int]]


class Metric(NamedTuple):
    """A metric in one run."""

    key: int
    part: Part
    whole: bool
    """Whether its points are shown as integers."""


def lineage_of(connection: Connection, run_uid: str) -> list[Part]:
    """The run, and before it those that it was forked from, the oldest first."""
    found: list[Part] = []
    uid: Any = HexId(32)("run_uid", run_uid)
    until = FOREVER
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
        found.insert(0, Part(row.id, until, sessions, back))
        uid = row.forked_uid
        until = min(until, FOREVER if row.forked_step is None else row.forked_step)
    if not found:
        raise NotFoundError(f"there is no run with uid {run_uid} in this store; `weft runs ls` lists what there is")
    return found


def metrics_of(
    connection: Connection, lineage: Sequence[Part], keys: Sequence[str] | None, stream: str
) -> dict[str, list[Metric]]:
    """By name, in order: the metric in each run that has it."""
    if stream not in STREAMS:
        raise UsageError(f"stream is {stream!r:.80}; it is one of {', '.join(STREAMS)}")
    found: dict[str, list[Metric]] = {}
    for part in lineage:
        query = select(_k.id, _k.key, _k.whole).where(
            _k.run_key == part.run_key, _k.stream == stream.replace("default", "")
        )
        asked = [query] if keys is None else [query.where(_k.key.in_(some)) for some in parts(sorted(set(keys)))]
        for one in asked:
            for metric, key, whole in connection.execute(one):
                found.setdefault(key, []).append(Metric(metric, part, whole))
    return dict(sorted(found.items()))


def lines_of(
    connection: Connection,
    metrics: Mapping[str, Sequence[Metric]],
    first: int = -FOREVER - 1,
    last: int = FOREVER,
) -> dict[str, Line]:
    """By name: the points that stand, with steps from `first` to `last`, in order of step, time, segment and seq.

    Hundreds of metrics are read by one statement: a statement for each took most of the time of a run with thousands.
    """
    by_run: dict[int, tuple[Part, list[int]]] = {}
    for found in metrics.values():
        for metric, part, _ in found:
            by_run.setdefault(part.run_key, (part, []))[1].append(metric)
    lines: dict[int, Line] = {}
    segments: dict[int, str] = {}
    for part, keys in by_run.values():
        source = _Source(connection, part, first, min(last, part.until), segments)
        for some in parts(sorted(keys)):
            lines.update(source.lines(some))
    return {name: _joined([lines.get(one.key, _NONE) for one in found]) for name, found in metrics.items()}


_Loose = tuple[int, int, int, int, int, "float | None", bool]
"""Metric, step, at_ns, segment, seq, value, late."""


class _Source:
    """The points of one run from a step to another.

    Args:
        segments: names of segments by key, added to where they are asked for.
    """

    def __init__(self, connection: Connection, part: Part, first: int, last: int, segments: dict[int, str]) -> None:
        self._connection = connection
        self._rewinds = part.rewinds
        self._first, self._last = first, last
        self._segments = segments
        self._columns: dict[bytes, Sequence[int]] = {}
        """Times as they are written, and read: metrics that are logged together have the same ones."""

    def lines(self, metrics: Sequence[int]) -> Iterable[tuple[int, Line]]:
        """By key: the lines of these metrics that have any points."""
        where = (_c.metric_key.in_(metrics), _c.last_step >= self._first, _c.first_step <= self._last)
        query = select(_c.metric_key, _c.first_step, _c.first_at_ns, _c.last_step, _c.last_at_ns, _c.data).where(*where)
        sealed: dict[int, list[Any]] = {}
        for row in self._connection.execute(query.order_by(_c.metric_key, _c.first_step, _c.first_at_ns, _c.id)):
            sealed.setdefault(row.metric_key, []).append(row)
        known = self._columns if len(sealed) > 1 else None
        for metric, loose in self._loose(metrics):
            yield metric, self._line(sealed.pop(metric, ()), loose, known)
        for metric, rows in sealed.items():
            yield metric, self._line(rows, (), known)

    def _line(self, sealed: Sequence[Any], loose: Sequence[_Loose], known: dict[bytes, Sequence[int]] | None) -> Line:
        """The points of one metric, of its chunks and its rows."""
        places = [((row.first_step, row.first_at_ns), (row.last_step, row.last_at_ns)) for row in sealed]
        if loose:
            places.append((loose[0][1:3], loose[-1][1:3]))
        apart = all(before[1] < after[0] for before, after in pairwise(places))
        if not apart or self._rewinds:
            return self._sorted(sealed, loose)
        if known is not None and len(known) > _KNOWN:
            known.clear()
        lines = [chunks.line(bytes(row.data), known) for row in sealed]
        if loose:
            _, steps, at_ns, _, _, values, late = zip(*loose, strict=True)
            numbers = [math.nan if value is None else value for value in values]
            lines.append(_compact(steps, at_ns, numbers, late))
        line = _joined(lines)
        if line.steps and (line.steps[0] < self._first or line.steps[-1] > self._last):
            keep = [at for at, step in enumerate(line.steps) if self._first <= step <= self._last]
            line = picked(line, keep)
        return line

    def _loose(self, metrics: Sequence[int]) -> Iterable[tuple[int, list[_Loose]]]:
        """Points that are not sealed, in order, metric by metric.

        The segments are not joined: of a list of metrics SQLite would then go through the segments first.
        """
        query = (
            select(_m.metric_key, _m.step, _m.at_ns, _m.segment_key, _m.seq, _m.value, _m.late)
            .where(_m.metric_key.in_(metrics))
            .order_by(_m.metric_key, _m.step, _m.at_ns, _m.segment_key, _m.seq)
        )
        if self._first > -FOREVER - 1 or self._last < FOREVER:
            query = query.where(_m.step >= self._first, _m.step <= self._last)
        fetched = chain.from_iterable(self._connection.execute(query).partitions(_FETCHED))
        for metric, group in groupby(fetched, itemgetter(0)):
            points = cast("list[_Loose]", list(group))
            segments = {point[3] for point in points}
            if len(segments) > 1:
                names = self._named(segments)
                points.sort(key=lambda point: (*point[1:3], names[point[3]], point[4]))
            yield metric, points

    def _named(self, segments: set[int]) -> Mapping[int, str]:
        """The names of these segments."""
        for some in parts(sorted(segments - self._segments.keys())):
            found = self._connection.execute(select(_SEGMENT.id, _SEGMENT.name).where(_SEGMENT.id.in_(some)))
            self._segments.update((key, name) for key, name in found)
        return self._segments

    def _sorted(self, sealed: Sequence[Any], loose: Sequence[_Loose]) -> Line:
        """The same where chunks overlap or a rewind asks for every point's own time and place."""
        columns = [chunks.unseal(bytes(row.data)) for row in sealed]
        names = self._named({point[3] for point in loose}.union(*(c.segments for c in columns)))
        points = [
            (step, at_ns, names[segment], seq, math.nan if value is None else value, int(late))
            for _, step, at_ns, segment, seq, value, late in loose
        ]
        for c in columns:
            points += zip(c.steps, c.at_ns, [names[key] for key in c.segments], c.seqs, c.values, c.late, strict=True)
        standing = [
            point
            for point in points
            if self._first <= point[0] <= self._last
            and not any(point[1:4] < at and point[0] > step for at, step in self._rewinds)
        ]
        standing.sort(key=lambda point: point[:4])
        if not standing:
            return _NONE
        steps, at_ns, _, _, values, late = zip(*standing, strict=True)
        return _compact(steps, at_ns, values, late)


def _compact(steps: Iterable[int], at_ns: Iterable[int], values: Iterable[float], late: Iterable[int]) -> Line:
    return Line(array("q", steps), array("q", at_ns), array("d", values), bytes(late))


def picked(line: Line, at: Sequence[int]) -> Line:
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
        joined = picked(joined, order)
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
