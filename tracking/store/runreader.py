"""Answers about runs: what they were started with, and what their metrics come to. For `Reader`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from weft.tracking.errors import NotFoundError
from weft.tracking.store import metricreader, schema
from weft.tracking.store.columns import Field, HexId, number_of, text_of
from weft.tracking.store.fields import orders, project_field
from weft.tracking.store.filters import Document, Fields, Named, Where
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.listing import Listing, page
from weft.tracking.store.lookups import among, hexed, parts, projects
from weft.tracking.store.readmodels import Page, ProjectRecord, RunRecord

_r = schema.run.c
_v = schema.summary_value.c

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
    "heard_ns": Field(_r.heard_ns, number_of),
    "step": Field(_r.last_step, number_of),
    "forked_from": Field(_r.forked_uid, HexId(32), load=hexed),
    "text": Field(_r.name, text_of, texts=(_r.name, _r.run_id, _r.notes, _r.run_group, _r.job_type, _r.config)),
    "config": Document((_r.config,), decoded, needle=(_r.config,)),
    "metadata": Document((_r.metadata,), decoded, needle=(_r.metadata,)),
    "summary": Named(schema.summary_value, _v.run_key, _r.id),
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
    summaries = metricreader.summaries(connection, {row.id: _mapping(row.summary) for row in rows})
    traces = _trace_counts(connection, keys) if rows else {}
    # by name through the mapping: an attribute of a row costs nine times as much, and there are thirty
    records = [
        _record(row._mapping, names, parents, summaries[key], traces.get(key, 0))
        for key, row in zip(keys, rows, strict=True)
    ]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _record(
    row: Mapping[str, Any], names: Mapping[int, str], parents: Any, summary: dict[str, Any], traces: int
) -> RunRecord:
    sessions = sessions_of(row["sessions"])
    return RunRecord(
        uid=row["uid"].hex(),
        id=row["run_id"],
        project=names.get(row["project_key"], ""),
        name=row["name"],
        state=row["state"],
        job_type=row["job_type"],
        group=row["run_group"],
        tags=orjson.loads(row["tags"]) if row["tags"] is not None else (),
        notes=row["notes"],
        config=_mapping(row["config"]),
        summary=summary,
        metadata=_mapping(row["metadata"]),
        started_ns=row["started_ns"],
        ended_ns=row["ended_ns"] if row["state"] not in ("running", "crashed") else None,
        error=_mapping(row["error"]) or None,
        parent_id=parents.get(row["parent_uid"], hexed(row["parent_uid"])),
        step=row["last_step"],
        trace_count=traces,
        exit_code=row["exit_code"],
        runtime_s=runtime_ns(row, sessions) / 1e9,
        sessions=sessions,
        forked_from=hexed(row["forked_uid"]),
        forked_step=row["forked_step"],
        heard_ns=row["heard_ns"],
    )


def sessions_of(text: str | None) -> dict[int, int]:
    """By the time each session started, how long the run had gone on before it."""
    return {int(start): elapsed for start, elapsed in (loads(text) or {}).items()}


def runtime_ns(row: Mapping[str, Any], sessions: Mapping[int, int]) -> int:
    """Of the last session, and what went on before it: by a run's `started_ns`, `ended_ns` and `heard_ns`."""
    started, elapsed = max(sessions.items(), default=(row["started_ns"], 0))
    until = row["ended_ns"] if row["ended_ns"] is not None and row["ended_ns"] >= started else row["heard_ns"]
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


def _trace_counts(connection: Connection, run_keys: Sequence[int]) -> dict[int, int]:
    t = schema.trace.c
    query = select(t.run_key, func.count()).where(among(connection, t.run_key, run_keys)).group_by(t.run_key)
    return {row[0]: row[1] for row in connection.execute(query)}


def all_projects(connection: Connection) -> list[ProjectRecord]:
    t = schema.trace.c
    runs = select(_r.project_key, func.count()).where(_r.started_ns.is_not(None)).group_by(_r.project_key)
    run_counts = {row[0]: row[1] for row in connection.execute(runs)}
    traces = {row[0]: row[1] for row in connection.execute(select(t.project_key, func.count()).group_by(t.project_key))}
    named = sorted(projects(connection).items(), key=lambda item: item[1])
    return [ProjectRecord(name, run_counts.get(key, 0), traces.get(key, 0)) for key, name in named]


def points(connection: Connection, run_uids: Sequence[str]) -> int:
    """How many points these runs logged."""
    k = schema.metric_key.c
    total = 0
    for part in parts([bytes.fromhex(uid) for uid in run_uids]):
        keys = select(_r.id).where(_r.uid.in_(part))
        total += connection.execute(select(func.sum(k.n)).where(k.run_key.in_(keys))).scalar() or 0
    return total


def run_key(connection: Connection, run_uid: str) -> int:
    """The local key of a run.

    Raises:
        NotFoundError: there is no such run.
    """
    found = connection.execute(select(_r.id).where(_r.uid == HexId(32)("run_uid", run_uid))).scalar()
    if found is None:
        raise NotFoundError(f"there is no run with uid {run_uid} in this store; `weft runs ls` lists what there is")
    return int(found)
