"""Logged numbers, a row a point: of the runs and keys that a query may want.

Points of many metrics come in bulk, in no order; those of a run that was forked or rewound through the reader, which
knows what stands of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from weft.tracking.sql.asking import Asked, table
from weft.tracking.sql.columntypes import Kind, array
from weft.tracking.sql.lazy import Wanted
from weft.tracking.store import chunks, schema
from weft.tracking.store.lookups import parts

if TYPE_CHECKING:
    import pyarrow

COLUMNS: Mapping[str, Kind] = {
    "project": "text",
    "run_id": "text",
    "run_name": "text",
    "key": "text",
    "step": "int",
    "value": "float",
    "logged": "time",
    "logged_ns": "int",
}
_OF_METRIC = ("project", "run_id", "run_name", "key")
_PIECE = 1 << 16
"""Points that are handed on at a time, about."""
_r, _k, _m, _c = schema.run.c, schema.metric_key.c, schema.metric_point.c, schema.metric_chunk.c


class _Metric(NamedTuple):
    """One metric of one run."""

    project: str | None
    run_id: str
    run_name: str
    key: str
    uid: str
    id: int | None
    """Its key in the store; None: what stands of it is for the reader to say."""


class _Points(NamedTuple):
    """Some points of one metric: its place in the list, and their columns."""

    at: int
    steps: Sequence[int]
    at_ns: Sequence[int]
    values: Sequence[float]


def metrics(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """What `run.log` was given."""
    return _view(asked, wanted, kinds, "default")


def system_metrics(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """What machine and process took."""
    return _view(asked, wanted, kinds, "system")


def _view(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind], stream: str) -> Iterator[pyarrow.Table]:
    listed = _metrics(asked, stream)
    known = table(kinds, {name: [getattr(metric, name) for metric in listed] for name in _OF_METRIC})
    held: list[_Points] = []
    count = 0
    for points in _points(asked, listed, wanted.possible(known), stream):
        held.append(points)
        count += len(points.steps)
        if count >= _PIECE:
            yield _piece(wanted, kinds, known, held)
            held, count = [], 0
    yield _piece(wanted, kinds, known, held)


def _piece(wanted: Wanted, kinds: Mapping[str, Kind], known: pyarrow.Table, held: Sequence[_Points]) -> pyarrow.Table:
    import pyarrow as pa  # the extra `tables`

    places: list[int] = []
    columns: dict[str, list[Any]] = {"step": [], "value": [], "logged": [], "logged_ns": []}
    for points in held:
        places += [points.at] * len(points.steps)
        columns["step"] += points.steps
        columns["value"] += points.values
        columns["logged_ns"] += points.at_ns
    columns["logged"] = columns["logged_ns"]
    taken = pa.array(places, pa.int64())
    made = [
        array(kinds[name], columns[name]) if name in columns else known[name].take(taken) for name in wanted.columns
    ]
    return pa.table(made, names=wanted.columns)


def _points(asked: Asked, listed: Sequence[_Metric], places: Sequence[int], stream: str) -> Iterator[_Points]:
    by_run: dict[str, list[int]] = {}
    plain = {}
    for at in places:
        metric = listed[at]
        if metric.id is not None:
            plain[metric.id] = at
        else:
            by_run.setdefault(metric.uid, []).append(at)
    for uid, some in by_run.items():
        history = asked.reader.history(uid, [listed[at].key for at in some], stream=stream)
        for at in some:
            if (series := history.get(listed[at].key)) is not None:
                yield _Points(at, series.steps, series.times_ns, series.values)
    for ids in parts(list(plain)):
        with asked.store.reading() as connection:
            sealed = connection.execute(select(_c.metric_key, _c.data).where(_c.metric_key.in_(ids)))
            for key, data in sealed:
                line = chunks.line(bytes(data))
                yield _Points(plain[key], line.steps, line.at_ns, line.values)
            loose = select(_m.metric_key, _m.step, _m.at_ns, _m.value).where(_m.metric_key.in_(ids))
            for key, step, at_ns, value in connection.execute(loose):
                yield _Points(plain[key], (step,), (at_ns,), (math.nan if value is None else value,))


def _metrics(asked: Asked, stream: str) -> list[_Metric]:
    """Every metric; a fork has those of the runs that it comes from, too."""
    project, rewind = schema.project.c, schema.run_rewind.c
    of_runs = (
        select(_r.uid, project.name, _r.run_id, _r.name, _r.forked_uid, rewind.run_key)
        .select_from(schema.run)
        .outerjoin(schema.project, project.id == _r.project_key)
        .outerjoin(schema.run_rewind, rewind.run_key == _r.id)
        .where(_r.started_ns.is_not(None))
        .order_by(_r.started_ns, _r.id)
        .distinct()
    )
    of_metrics = (
        select(_r.uid, _k.key, _k.id)
        .select_from(schema.metric_key.join(schema.run, _r.id == _k.run_key))
        .where(_k.stream == stream.replace("default", ""))
    )
    with asked.store.reading() as connection:
        runs = connection.execute(of_runs.add_columns(_r.started_ns, _r.id)).all()
        logged: dict[bytes, dict[str, int]] = {}
        for uid, key, metric in connection.execute(of_metrics):
            logged.setdefault(bytes(uid), {})[key] = metric
    came_from = {bytes(row.uid): bytes(row.forked_uid) for row in runs if row.forked_uid is not None}
    found = []
    for uid, in_project, run_id, name, forked, rewound, *_ in runs:
        own: dict[str, int | None] = dict(logged.get(bytes(uid), {}))
        if forked is not None or rewound is not None:
            own = dict.fromkeys(_inherited(bytes(uid), logged, came_from))
        found += [_Metric(in_project, run_id, name, key, bytes(uid).hex(), own[key]) for key in sorted(own)]
    return found


def _inherited(uid: bytes, logged: Mapping[bytes, Mapping[str, int]], came_from: Mapping[bytes, bytes]) -> set[str]:
    """The keys of a run and of those that it was forked from."""
    keys: set[str] = set()
    seen: set[bytes] = set()
    above: bytes | None = uid
    while above is not None and above not in seen:
        seen.add(above)
        keys |= set(logged.get(above, ()))
        above = came_from.get(above)
    return keys
