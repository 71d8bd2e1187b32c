"""Answers about what runs keep beside their numbers: files, alerts. For `Reader`."""

from __future__ import annotations

from sqlalchemy import Connection, select

from weft.tracking.store import schema
from weft.tracking.store.lookups import projects
from weft.tracking.store.readmodels import AlertRecord, FileRecord
from weft.tracking.store.runreader import run_key

_f = schema.run_file.c
_a = schema.alert.c
_r = schema.run.c


def files(connection: Connection, run_uid: str) -> list[FileRecord]:
    query = (
        select(_f.path, _f.digest, _f.size_bytes, _f.kind, _f.at_ns)
        .where(_f.run_key == run_key(connection, run_uid))
        .order_by(_f.path)
    )
    return [FileRecord(*row) for row in connection.execute(query)]


def alerts(connection: Connection, run_uid: str | None, limit: int | None) -> list[AlertRecord]:
    segment = schema.segment.c
    query = (
        select(_r.run_id, _r.project_key, _a.at_ns, _a.title, _a.text, _a.level)
        .join(schema.run, _r.id == _a.run_key)
        .join(schema.segment, segment.id == _a.segment_key)
        .order_by(_a.at_ns.desc(), segment.name.desc(), _a.seq.desc())
        .limit(limit)
    )
    if run_uid is not None:
        query = query.where(_a.run_key == run_key(connection, run_uid))
    names = projects(connection)
    return [AlertRecord(row[0], names.get(row[1], ""), *row[2:]) for row in connection.execute(query)]
