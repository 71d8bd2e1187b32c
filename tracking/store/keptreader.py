"""Answers about what runs keep beside their numbers: files, alerts. For `Reader`."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from sqlalchemy import Connection, select

from weft.tracking.store import schema
from weft.tracking.store.lookups import projects
from weft.tracking.store.readmodels import AlertRecord, FileRecord
from weft.tracking.store.runreader import run_key

_f = schema.run_file.c
_a = schema.alert.c
_x = schema.rich_point.c
_r = schema.run.c


def files(connection: Connection, run_uid: str) -> list[FileRecord]:
    key = run_key(connection, run_uid)
    query = select(_f.path, _f.digest, _f.size_bytes, _f.kind, _f.at_ns).where(_f.run_key == key)
    found = {record.path: record for record in _media_files(connection, key)}
    found |= {row[0]: FileRecord(*row) for row in connection.execute(query)}
    return [found[path] for path in sorted(found)]


def _media_files(connection: Connection, key: int) -> Iterator[FileRecord]:
    """Of the media that the run logged, as their records name them (docs/format.md)."""
    query = select(_x.value, _x.at_ns).where(_x.run_key == key, _x.value.contains('"path":"media/'))
    for text, at_ns in connection.execute(query):
        value = orjson.loads(text)
        items = value.get("items") if isinstance(value, dict) else value
        for record in [value] if not isinstance(items, list) else items:
            told = [record.get(name) if isinstance(record, dict) else None for name in ("path", "digest", "size_bytes")]
            if isinstance(told[0], str) and isinstance(told[1], str) and isinstance(told[2], int):
                yield FileRecord(told[0], told[1], told[2], "media", at_ns)


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
