"""Answers about artifacts: versions with their aliases and lineage. For `Reader`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, select, union_all

from weft.tracking.store import schema
from weft.tracking.store.artifactsink import LATEST
from weft.tracking.store.columns import Field, number_of, text_of
from weft.tracking.store.fields import orders, project_field
from weft.tracking.store.filters import Document, Fields, Where
from weft.tracking.store.jsontext import decoded
from weft.tracking.store.listing import Listing, page
from weft.tracking.store.lookups import parts, projects, run_names
from weft.tracking.store.readmodels import ArtifactRecord, Page

_a = schema.artifact.c
_v = schema.artifact_version.c
_l = schema.artifact_link.c
_n = schema.artifact_alias.c
_joined = schema.artifact_version.join(schema.artifact, _a.id == _v.artifact_key)


def _linked(role: str) -> Callable[[ColumnElement[bool]], ColumnElement[bool]]:
    def via(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return (
            select(_l.run_key)
            .join(schema.run, schema.run.c.id == _l.run_key)
            .where(_l.artifact_key == _v.artifact_key, _l.digest == _v.digest, _l.role == role, condition)
            .exists()
        )

    return via


def _newest() -> Select[Any]:
    """Of every artifact the version that was logged last, as (artifact_key, version, digest)."""
    newest = (_v.logged_ns.desc(), _v.logged_segment.desc(), _v.logged_seq.desc())
    rank = func.row_number().over(partition_by=_v.artifact_key, order_by=newest)
    ranked = select(_v.artifact_key, _v.id, _v.digest, rank.label("rank")).subquery()
    return select(ranked.c.artifact_key, ranked.c.id, ranked.c.digest).where(ranked.c.rank == 1)


_latest = _newest().subquery()
_aliases = union_all(
    select(_n.artifact_key, _n.digest, _n.alias), select(_latest.c.artifact_key, _latest.c.digest, literal(LATEST))
).subquery()


def _aliased(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    found = select(_aliases.c.alias).where(_aliases.c.artifact_key == _v.artifact_key, _aliases.c.digest == _v.digest)
    return found.where(condition).exists()


FIELDS: Fields = {
    "project": project_field(_a.project_key),
    "name": Field(_a.name, text_of),
    "type": Field(_v.type, text_of),
    "version": Field(_v.number, number_of),
    "digest": Field(_v.digest, text_of),
    "size_bytes": Field(_v.size_bytes, number_of),
    "created_ns": Field(_v.created_ns, number_of),
    "description": Field(_v.description, text_of),
    "producer_run": Field(schema.run.c.run_id, text_of, via=_linked("made")),
    "consumer_runs": Field(schema.run.c.run_id, text_of, via=_linked("used"), items=True),
    "aliases": Field(_aliases.c.alias, text_of, via=_aliased, items=True),
    "text": Field(_a.name, text_of, texts=(_a.name, _v.type, _v.description)),
    "metadata": Document((_v.metadata,), decoded, needle=(_v.metadata,)),
}
LISTING = Listing(_joined, _joined, _v.id, FIELDS, orders(FIELDS), first="-created_ns")


def artifacts(
    connection: Connection, where: Where | None, order: str, limit: int | None, offset: int, after: str | None = None
) -> Page[ArtifactRecord]:
    query = select(schema.artifact_version, _a.project_key, _a.name).select_from(_joined)
    found = page(connection, LISTING, query, where, order=order, limit=limit, offset=offset, after=after)
    names = projects(connection) if found.rows else {}
    keys = sorted({row.artifact_key for row in found.rows})
    aliases = _aliases_of(connection, keys)
    links = _links(connection, keys)
    records = [_record(row, names, aliases, links) for row in found.rows]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _record(row: Any, names: Any, aliases: Any, links: dict[tuple[int, str], _Lineage]) -> ArtifactRecord:
    lineage = links.get((row.artifact_key, row.digest), _Lineage([], []))
    return ArtifactRecord(
        project=names.get(row.project_key, ""),
        name=row.name,
        type=row.type,
        version=row.number,
        digest=row.digest,
        aliases=aliases.get((row.artifact_key, row.digest), []),
        size_bytes=row.size_bytes,
        created_ns=row.created_ns,
        description=row.description,
        metadata=decoded(row.metadata) or {},
        manifest=orjson.loads(row.manifest),
        producer_run=lineage.made[0] if lineage.made else None,
        consumer_runs=lineage.used,
    )


def _aliases_of(connection: Connection, artifact_keys: Sequence[int]) -> dict[tuple[int, str], list[str]]:
    """Aliases by artifact and digest, `latest` first."""
    found: dict[tuple[int, str], list[str]] = {}
    order = (case((_aliases.c.alias == LATEST, 0), else_=1), _aliases.c.alias)
    for part in parts(artifact_keys):
        query = select(_aliases).where(_aliases.c.artifact_key.in_(part)).order_by(*order)
        for key, digest, alias in connection.execute(query):
            found.setdefault((key, digest), []).append(alias)
    return found


class _Lineage(NamedTuple):
    made: list[str]
    used: list[str]


def _links(connection: Connection, artifact_keys: Sequence[int]) -> dict[tuple[int, str], _Lineage]:
    found: dict[tuple[int, str], _Lineage] = {}
    for part in parts(artifact_keys):
        query = (
            select(schema.artifact_link)
            .join(schema.run, schema.run.c.id == _l.run_key)
            .where(_l.artifact_key.in_(part))
            .order_by(_l.at_ns, schema.run.c.uid)
        )
        rows = connection.execute(query).all()
        runs = run_names(connection, (row.run_key for row in rows))
        for row in rows:
            lineage = found.setdefault((row.artifact_key, row.digest), _Lineage([], []))
            (lineage.made if row.role == "made" else lineage.used).append(runs[row.run_key].id)
    return found
