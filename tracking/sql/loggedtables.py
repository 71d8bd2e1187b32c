"""The Tables that runs logged: which there are, and the content of one by its name `project/run/key`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from weft.tracking.artifacts.finding import Reference
from weft.tracking.errors import NotFoundError
from weft.tracking.sql.asking import Asked
from weft.tracking.store import schema
from weft.tracking.store.lookups import parts
from weft.tracking.tables.parts import FILE, first_parts, source
from weft.tracking.tables.stored import is_table

_x, _r, _j = schema.rich_point.c, schema.run.c, schema.project.c


@dataclass(frozen=True, slots=True)
class LoggedTable:
    """A Table as one step has it."""

    name: str
    """`project/run/key`: how SQL calls the last one under this key."""
    project: str
    run_id: str
    key: str
    step: int
    at_ns: int
    n_rows: int | None
    columns: Sequence[str]
    artifact: str | None
    digest: str | None
    version: int | None


def logged_tables(asked: Asked, run: tuple[str, str] | None = None, key: str | None = None) -> list[LoggedTable]:
    """All of them, in the order in which they were logged.

    Args:
        run: only those of this project and run id.
        key: only those under this key.
    """
    query = (
        select(_r.uid, _j.name, _r.run_id)
        .distinct()
        .select_from(schema.rich_point.join(schema.run, _r.id == _x.run_key))
        .join(schema.project, _j.id == _r.project_key)
        .where(_x.value.like('{"_type":"table"%'))
    )
    if run is not None:
        query = query.where(_j.name == run[0], _r.run_id == run[1])
    with asked.store.reading() as connection:
        runs = connection.execute(query).all()
    # What a run logged is for the reader to say: it knows of forks and of what a rewind took back.
    found = [
        (project, run_id, row["key"], row["step"], row["at_ns"], row["value"])
        for uid, project, run_id in runs
        for row in asked.reader.rich(bytes(uid).hex(), key)
        if is_table(row["value"])
    ]
    with asked.store.reading() as connection:
        numbers = _numbers(connection, {str(row[5].get("digest")) for row in found})
    return [_logged(*row, numbers) for row in sorted(found, key=lambda row: row[4])]


def _logged(
    project: str, run_id: str, key: str, step: int, at_ns: int, told: dict[str, Any], numbers: dict[Any, int]
) -> LoggedTable:
    artifact, digest = told.get("artifact"), told.get("digest")
    return LoggedTable(
        f"{project}/{run_id}/{key}",
        project,
        run_id,
        key,
        step,
        at_ns,
        told.get("n_rows"),
        [str(name) for name in told.get("columns") or ()],
        artifact,
        digest,
        numbers.get((project, artifact, digest)),
    )


def _numbers(connection: Any, digests: set[str]) -> dict[Any, int]:
    """Version numbers by (project, artifact, digest)."""
    a, v = schema.artifact.c, schema.artifact_version.c
    found: dict[Any, int] = {}
    for part in parts(sorted(digests)):
        query = (
            select(_j.name, a.name, v.digest, v.number)
            .select_from(schema.artifact_version.join(schema.artifact, a.id == v.artifact_key))
            .join(schema.project, _j.id == a.project_key)
            .where(v.digest.in_(part))
        )
        found |= {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}
    return found


def content(asked: Asked, name: str) -> Any:
    """A table by its name: `project/run/key` (as logged last) or, of an artifact that holds one, `project/artifact:v3`.

    None: it is no such name, or there is no such table.

    Raises:
        NotFoundError: its files are not in this home.
        UsageError: they are no sound Parquet files.
    """
    project, _, rest = name.partition("/")
    owner, _, key = rest.partition("/")
    if key:
        found = logged_tables(asked, (project, owner), key)
        if found and found[-1].artifact is not None:
            last = found[-1]
            where = {"project": last.project, "name": last.artifact, "digest": last.digest}
            versions = asked.reader.artifacts(where, limit=1).rows
            return source(versions[0].manifest, FILE, asked.blobs) if versions else None
    if ":" in rest and not key:
        artifact, _, which = rest.partition(":")
        versions = asked.reader.artifacts({"project": project, "name": artifact}, limit=None).rows
        try:
            chosen = Reference(project, artifact, which or "latest").choose(list(versions))
        except NotFoundError:
            return None
        tables = first_parts(chosen.manifest)
        return source(chosen.manifest, tables[0], asked.blobs) if len(tables) == 1 else None
    return None
