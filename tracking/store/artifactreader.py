"""Answers about artifacts: versions with their aliases and lineage. For `Reader`."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, select, union_all

from weft.tracking.artifacts.manifest import joined
from weft.tracking.errors import StoreError
from weft.tracking.store import schema
from weft.tracking.store.artifactsink import LATEST
from weft.tracking.store.columns import Field, number_of, text_of
from weft.tracking.store.fields import orders, project_field
from weft.tracking.store.filters import Document, Fields, Where
from weft.tracking.store.jsontext import decoded
from weft.tracking.store.listing import Listing, page
from weft.tracking.store.lookups import parts, projects
from weft.tracking.store.readmodels import ArtifactRecord, Page

_a = schema.artifact.c
_v = schema.artifact_version.c
_l = schema.artifact_link.c
_n = schema.artifact_alias.c
_FEW = 500
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
    select(_n.artifact_key, _n.digest, _n.alias).where(_n.dropped == 0),
    select(_latest.c.artifact_key, _latest.c.digest, literal(LATEST)),
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
    "tags": Document((_v.tags,), decoded, needle=(_v.tags,)),
    "file_count": Field(_v.file_count, number_of),
    "logged_ns": Field(_v.logged_ns, number_of),
    "updated_ns": Field(_v.updated_ns, number_of),
    "ttl_s": Field(_v.ttl_s, number_of),
    "text": Field(_a.name, text_of, texts=(_a.name, _v.type, _v.description)),
    "metadata": Document((_v.metadata,), decoded, needle=(_v.metadata,)),
}
LISTING = Listing(_joined, _joined, _v.id, FIELDS, orders(FIELDS), first="-created_ns")


def artifacts(
    connection: Connection,
    where: Where | None,
    order: str,
    limit: int | None,
    offset: int,
    after: str | None = None,
    *,
    manifests: bool = True,
) -> Page[ArtifactRecord]:
    version = [column for column in _v if manifests or column.name != "manifest"]
    query = select(*version, _a.project_key, _a.name).select_from(_joined)
    found = page(connection, LISTING, query, where, order=order, limit=limit, offset=offset, after=after)
    names = projects(connection) if found.rows else {}
    keys = sorted({row.artifact_key for row in found.rows})
    digests = sorted({row.digest for row in found.rows})
    aliases = _aliases_of(connection, keys)
    links = _links(connection, keys, digests)
    held = _Parts(connection)
    records = [_record(row, names, aliases, links, held if manifests else None) for row in found.rows]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _record(
    row: Any, names: Any, aliases: Any, links: dict[tuple[int, str], _Lineage], held: _Parts | None
) -> ArtifactRecord:
    lineage = links.get((row.artifact_key, row.digest), _Lineage([], []))
    named = f"{names.get(row.project_key, '')}/{row.name}:v{row.number}"
    manifest = held.manifest(row.artifact_key, row.manifest, named) if held is not None else {}
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
        manifest=manifest,
        producer_run=lineage.made[0].rpartition("/")[2] if lineage.made else None,
        consumer_runs=[path.rpartition("/")[2] for path in lineage.used],
        maker_paths=lineage.made,
        user_paths=lineage.used,
        file_count=len(manifest) if row.file_count is None else row.file_count,
        tags=decoded(row.tags) or [],
        ttl_s=row.ttl_s,
        logged_ns=row.logged_ns,
        updated_ns=row.updated_ns,
    )


class _Parts:
    """Manifests, put together of the parts that versions share."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: dict[tuple[int, str], bytes] = {}

    def manifest(self, artifact_key: int, text: str, named: str) -> dict[str, Any]:
        """Of a row's text.

        Args:
            named: the version, for the error.

        Raises:
            StoreError: it is none, or a part of it is not in the store.
        """
        try:
            found = self._whole(artifact_key, orjson.loads(text))
        except KeyError as error:
            raise _damaged(named, f"its part {error} is missing") from None
        except (ValueError, TypeError, zlib.error) as error:  # orjson's error is a ValueError
            raise _damaged(named, str(error)) from None
        for path, entry in found.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
                raise _damaged(named, f"its entry of {path!r:.150} is {entry!r:.150}")
        return found

    def _whole(self, artifact_key: int, told: Any) -> dict[str, Any]:
        if isinstance(told, dict):
            return told
        if not isinstance(told, list) or not all(isinstance(digest, str) for digest in told):
            raise ValueError(f"it is {told!r:.80}")
        lacking = [digest for digest in told if (artifact_key, digest) not in self._held]
        table = schema.manifest_part.c
        for part in parts(lacking):
            query = select(table.digest, table.entries).where(
                table.artifact_key == artifact_key, table.digest.in_(part)
            )
            for digest, entries in self._connection.execute(query):
                self._held[artifact_key, digest] = zlib.decompress(bytes(entries))
        return joined(self._held[artifact_key, digest] for digest in told)


def _damaged(named: str, why: str) -> StoreError:
    return StoreError(
        f"the manifest of {named} in the store is damaged or was edited: {why}. Log the version again from its source, "
        "or bring the store back from a backup"
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


def _links(
    connection: Connection, artifact_keys: Sequence[int], digests: Sequence[str]
) -> dict[tuple[int, str], _Lineage]:
    """The runs (`project/id`) that made and used these versions, first ones first."""
    found: dict[tuple[int, str], _Lineage] = {}
    wanted = set(digests)
    names = projects(connection) if artifact_keys else {}
    run = schema.run.c
    few = [_l.digest.in_(digests)] if len(digests) <= _FEW else []
    for part in parts(artifact_keys):
        query = (
            select(_l.artifact_key, _l.digest, _l.role, run.run_id, run.project_key)
            .join(schema.run, run.id == _l.run_key)
            .where(_l.artifact_key.in_(part), *few)
            .order_by(_l.at_ns, run.uid)
        )
        for row in connection.execute(query):
            if row.digest in wanted:
                lineage = found.setdefault((row.artifact_key, row.digest), _Lineage([], []))
                path = f"{names.get(row.project_key, '')}/{row.run_id}"
                (lineage.made if row.role == "made" else lineage.used).append(path)
    return found
