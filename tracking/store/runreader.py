"""Answers about runs, their metrics and what else they logged. For `Reader`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, func, literal_column, select

from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.store import schema
from weft.tracking.store.columns import Field, HexId, number_of, text_of
from weft.tracking.store.fields import orders, project_field
from weft.tracking.store.filters import Document, Fields, Where
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.listing import Listing, page
from weft.tracking.store.lookups import hexed, parts, projects
from weft.tracking.store.readmodels import Page, RunRecord, Series

_r = schema.run.c
_k = schema.metric_key.c
_m = schema.metric_point.c
_x = schema.rich_point.c

FIELDS: Fields = {
    "uid": Field(_r.uid, HexId(32), load=hexed),
    "id": Field(_r.run_id, text_of),
    "project": project_field(_r.project_key),
    "name": Field(_r.name, text_of),
    "state": Field(_r.state, text_of),
    "job_type": Field(_r.job_type, text_of),
    "group": Field(_r.run_group, text_of),
    "tags": Field(_r.tags, text_of, items=True, load=loads),
    "notes": Field(_r.notes, text_of),
    "started_ns": Field(_r.started_ns, number_of),
    "ended_ns": Field(_r.ended_ns, number_of),
    "step": Field(_r.last_step, number_of),
    "text": Field(_r.name, text_of, texts=(_r.name, _r.run_id, _r.notes, _r.run_group, _r.job_type, _r.config)),
    "config": Document((_r.config,), decoded, needle=(_r.config,)),
    "metadata": Document((_r.metadata,), decoded, needle=(_r.metadata,)),
}
LISTING = Listing(schema.run, schema.run, _r.id, FIELDS, orders(FIELDS), first="-started_ns")


def runs(
    connection: Connection, where: Where | None, order: str, limit: int | None, offset: int, after: str | None = None
) -> Page[RunRecord]:
    found = page(
        connection,
        LISTING,
        select(schema.run),
        where,
        order=order,
        limit=limit,
        offset=offset,
        after=after,
        also=_r.started_ns.is_not(None),
    )
    rows = found.rows
    keys = [row.id for row in rows]
    names = projects(connection) if rows else {}
    parents = _parents(connection, [row.parent_uid for row in rows if row.parent_uid is not None])
    last = _last(connection, keys)
    traces = _trace_counts(connection, keys)
    records = [_record(row, names, parents, last.get(row.id, {}), traces.get(row.id, 0)) for row in rows]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _record(row: Any, names: Mapping[int, str], parents: Any, last: dict[str, float], traces: int) -> RunRecord:
    return RunRecord(
        uid=row.uid.hex(),
        id=row.run_id,
        project=names.get(row.project_key, ""),
        name=row.name,
        state=row.state,
        job_type=row.job_type,
        group=row.run_group,
        tags=orjson.loads(row.tags) if row.tags is not None else (),
        notes=row.notes,
        config=_mapping(row.config),
        summary=last | _mapping(row.summary),
        metadata=_mapping(row.metadata),
        started_ns=row.started_ns,
        ended_ns=row.ended_ns if row.state not in ("running", "crashed") else None,
        error=_mapping(row.error) or None,
        parent_id=parents.get(row.parent_uid, hexed(row.parent_uid)),
        step=row.last_step,
        trace_count=traces,
        exit_code=row.exit_code,
        runtime_s=_runtime_ns(row) / 1e9,
        sessions=_sessions(row),
        forked_from=hexed(row.forked_uid),
        forked_step=row.forked_step,
    )


def _sessions(row: Any) -> dict[int, int]:
    return {int(start): elapsed for start, elapsed in (loads(row.sessions) or {}).items()}


def _runtime_ns(row: Any) -> int:
    """Of the last session, and what went on before it."""
    started, elapsed = max(_sessions(row).items(), default=(row.started_ns, 0))
    until = row.ended_ns if row.ended_ns is not None and row.ended_ns >= started else row.heard_ns
    return elapsed + max(0, (until or started) - started)


def _mapping(value: str | None) -> dict[str, Any]:
    found = decoded(value)
    if found is None:
        return {}
    return found if isinstance(found, dict) else {"value": found}


def _parents(connection: Connection, uids: Sequence[bytes]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for part in parts(uids):
        found |= {
            bytes(uid): run_id for uid, run_id in connection.execute(select(_r.uid, _r.run_id).where(_r.uid.in_(part)))
        }
    return found


def _last(connection: Connection, run_keys: Sequence[int]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for part in parts(run_keys):
        query = select(_k.run_key, _k.key, _k.last).where(_k.run_key.in_(part)).order_by(_k.run_key, _k.key)
        for run_key, key, value in connection.execute(query):
            found.setdefault(run_key, {})[key] = math.nan if value is None else value
    return found


def _trace_counts(connection: Connection, run_keys: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    t = schema.trace.c
    for part in parts(run_keys):
        query = select(t.run_key, func.count()).where(t.run_key.in_(part)).group_by(t.run_key)
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def history(
    connection: Connection, run_uid: str, keys: Sequence[str] | None, max_points: int | None
) -> dict[str, Series]:
    if max_points is not None and (not isinstance(max_points, int) or max_points < 1):
        raise UsageError(f"max_points is {max_points!r}; it must be a whole number of at least 1")
    query = select(_k.id, _k.key, _k.n, _k.late).where(_k.run_key == run_key(connection, run_uid)).order_by(_k.key)
    if keys is not None:
        query = query.where(_k.key.in_(list(keys)))
    found: dict[str, Series] = {}
    for key_id, key, total, late in connection.execute(query).all():
        points = _points(connection, key_id)
        if max_points is not None and len(points) > max_points:
            points = downsample(points, max_points)
        steps, values, times = zip(*points, strict=True) if points else ((), (), ())
        found[key] = Series(key, steps, values, times, total, late)
    return found


Point = tuple[int, float, int]
"""(step, value, at_ns)."""


def _points(connection: Connection, key_id: int) -> list[Point]:
    """In order of step, then of time, segment and offset."""
    segment = schema.segment.c
    query = (
        select(_m.step, _m.value, _m.at_ns)
        .join(schema.segment, segment.id == _m.segment_key)
        .where(_m.metric_key == literal_column(str(key_id)))
        .order_by(_m.step, _m.at_ns, segment.name, _m.seq)
    )
    # Past SQLAlchemy's rows, which cost more than the query where points go into the hundred thousands.
    cursor = connection.connection.cursor()
    try:
        cursor.execute(str(query.compile(dialect=connection.dialect)))
        return [(step, math.nan if value is None else value, at_ns) for step, value, at_ns in cursor.fetchall()]
    finally:
        cursor.close()


def downsample(points: Sequence[Point], limit: int) -> list[Point]:
    """At most `limit` points: of each of equal buckets of points its least, its greatest and its last, in order.

    Deterministic, and no spike vanishes. NaN is neither least nor greatest; a bucket of nothing else keeps its last.
    """
    if limit < 3:
        return _extremes(points)[-limit:]
    buckets = limit // 3
    size = len(points) / buckets
    kept: list[Point] = []
    for at in range(buckets):
        kept += _extremes(points[round(at * size) : round((at + 1) * size)])
    return kept


def _extremes(points: Sequence[Point]) -> list[Point]:
    if not points:
        return []
    values = [point[1] for point in points]
    numbers = [value for value in values if value == value]  # all but NaN
    chosen = {len(points) - 1}
    if numbers:
        chosen |= {values.index(min(numbers)), values.index(max(numbers))}
    return [points[at] for at in sorted(chosen)]


def rich(connection: Connection, run_uid: str, key: str | None) -> list[dict[str, Any]]:
    segment = schema.segment.c
    query = (
        select(_x.key, _x.step, _x.at_ns, _x.value)
        .join(schema.segment, segment.id == _x.segment_key)
        .where(_x.run_key == run_key(connection, run_uid))
        .order_by(_x.step, _x.at_ns, segment.name, _x.seq, _x.key)
    )
    if key is not None:
        query = query.where(_x.key == key)
    return [
        {"key": row.key, "step": row.step, "at_ns": row.at_ns, "value": decoded(row.value)}
        for row in connection.execute(query)
    ]


def run_key(connection: Connection, run_uid: str) -> int:
    """The local key of a run.

    Raises:
        NotFoundError: there is no such run.
    """
    found = connection.execute(select(_r.id).where(_r.uid == HexId(32)("run_uid", run_uid))).scalar()
    if found is None:
        raise NotFoundError(f"there is no run with uid {run_uid} in this store; `weft runs ls` lists what there is")
    return int(found)
