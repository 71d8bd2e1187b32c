"""Answers about the registry: collections with their links, where a version is linked, what was done. For `Reader`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, case, select

from weft.tracking.registry.paths import LATEST
from weft.tracking.registry.requirements import asked
from weft.tracking.store import schema
from weft.tracking.store.columns import Field, number_of, text_of
from weft.tracking.store.fields import orders
from weft.tracking.store.filters import Fields, Where
from weft.tracking.store.jsontext import loads
from weft.tracking.store.listing import Listing, page
from weft.tracking.store.lookups import hexed, parts
from weft.tracking.store.readmodels import CollectionRecord, HeldLink, LinkRecord, Page, RegistryEvent

_c = schema.registry_collection.c
_l = schema.registry_link.c
_n = schema.registry_alias.c
_e = schema.registry_event.c


def _aliased(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(_n.alias).where(_n.collection_key == _c.id, condition).exists()


def _holding(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(_l.number).where(_l.collection_key == _c.id, condition).exists()


FIELDS: Fields = {
    "registry": Field(_c.registry, text_of),
    "name": Field(_c.name, text_of),
    "path": Field(_c.path, text_of),
    "type": Field(_c.type, text_of),
    "description": Field(_c.description, text_of),
    "tags": Field(_c.tags, text_of, items=True),
    "protected": Field(_c.protected, text_of, items=True),
    "aliases": Field(_n.alias, text_of, via=_aliased, items=True),
    "project": Field(_l.project, text_of, via=_holding),
    "digest": Field(_l.digest, text_of, via=_holding),
    "author": Field(_c.author, text_of),
    "created_ns": Field(_c.created_ns, number_of),
    "updated_ns": Field(_c.updated_ns, number_of),
    "text": Field(_c.path, text_of, texts=(_c.path, _c.type, _c.description)),
}
LISTING = Listing(
    schema.registry_collection, schema.registry_collection, _c.id, FIELDS, orders(FIELDS), first="-updated_ns"
)


def collections(
    connection: Connection, where: Where | None, order: str, limit: int | None, offset: int, after: str | None = None
) -> Page[CollectionRecord]:
    query = select(schema.registry_collection)
    found = page(
        connection, LISTING, query, where, order=order, limit=limit, offset=offset, after=after, also=_c.live == 1
    )
    links = _links(connection, [row.id for row in found.rows])
    records = [
        CollectionRecord(
            registry=row.registry,
            name=row.name,
            type=row.type,
            description=row.description,
            tags=orjson.loads(row.tags),
            protected=orjson.loads(row.protected),
            required={alias: asked(kept) for alias, kept in orjson.loads(row.required).items()},
            author=row.author,
            created_ns=row.created_ns,
            updated_ns=row.updated_ns,
            links=links.get(row.id, []),
            next_number=row.next_number,
            last_ns=row.last_ns,
        )
        for row in found.rows
    ]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


class Standing(NamedTuple):
    """What a collection that was deleted, or is not there, leaves to the next one of its name."""

    next_number: int
    last_ns: int


def standing(connection: Connection, path: str) -> Standing:
    row = connection.execute(select(_c.next_number, _c.last_ns).where(_c.path == path)).first()
    return Standing(0, 0) if row is None else Standing(*row)


def links(connection: Connection, project: str, name: str, digest: str) -> list[HeldLink]:
    query = (
        select(_c.id, _c.path, _c.protected, _l.number)
        .join(schema.registry_collection, _c.id == _l.collection_key)
        .where(_l.project == project, _l.name == name, _l.digest == digest)
        .order_by(_c.path, _l.number)
    )
    rows = connection.execute(query).all()
    aliases = _aliases(connection, {row.id for row in rows})
    held = []
    for row in rows:
        mine = aliases.get((row.id, row.number), [])
        guarded = set(orjson.loads(row.protected))
        held.append(HeldLink(row.path, row.number, mine, [alias for alias in mine if alias in guarded]))
    return held


def events(
    connection: Connection, collection: str | None, source: tuple[str, str, str] | None, limit: int | None
) -> list[RegistryEvent]:
    query = select(schema.registry_event).order_by(_e.at_ns.desc(), _e.segment.desc(), _e.seq.desc()).limit(limit)
    if collection is not None:
        query = query.where(_e.collection == collection)
    if source is not None:
        query = query.where(_e.project == source[0], _e.name == source[1], _e.digest == source[2])
    rows = connection.execute(query).all()
    versions = _versions(connection, {row.digest for row in rows if row.digest is not None})
    return [
        RegistryEvent(
            uid=hexed(row.uid) or "",
            collection=row.collection,
            action=row.action,
            at_ns=row.at_ns,
            author=row.author,
            project=row.project,
            name=row.name,
            digest=row.digest,
            version=versions.get((row.project, row.name, row.digest)),
            number=row.number,
            aliases=orjson.loads(row.aliases),
            details=_mapping(loads(row.details)),
            problem=row.problem,
        )
        for row in rows
    ]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _links(connection: Connection, keys: Sequence[int]) -> dict[int, list[LinkRecord]]:
    """By collection, newest first."""
    aliases = _aliases(connection, keys)
    rows: list[Any] = []
    for part in parts(keys):
        rows += connection.execute(select(schema.registry_link).where(_l.collection_key.in_(part))).all()
    versions = _versions(connection, {row.digest for row in rows})
    found: dict[int, list[LinkRecord]] = {}
    for row in sorted(rows, key=lambda row: -row.number):
        key = row.collection_key
        version = versions.get((row.project, row.name, row.digest))
        mine = aliases.get((key, row.number), [])
        link = LinkRecord(row.number, row.project, row.name, row.digest, version, mine, row.at_ns, row.author)
        found.setdefault(key, []).append(link)
    return found


def _aliases(connection: Connection, keys: Iterable[int]) -> dict[tuple[int, int], list[str]]:
    """By collection and number, `latest` first."""
    found: dict[tuple[int, int], list[str]] = {}
    order = (case((_n.alias == LATEST, 0), else_=1), _n.alias)
    for part in parts(list(keys)):
        query = select(schema.registry_alias).where(_n.collection_key.in_(part)).order_by(*order)
        for key, alias, number in connection.execute(query):
            found.setdefault((key, number), []).append(alias)
    return found


def _versions(connection: Connection, digests: Iterable[str]) -> dict[tuple[str, str, str], int]:
    """Numbers of versions, by (project, name, digest)."""
    a, v, p = schema.artifact.c, schema.artifact_version.c, schema.project.c
    found: dict[tuple[str, str, str], int] = {}
    for part in parts(list(digests)):
        query = (
            select(p.name.label("project"), a.name, v.digest, v.number)
            .join(schema.artifact, a.id == v.artifact_key)
            .join(schema.project, p.id == a.project_key)
            .where(v.digest.in_(part))
        )
        found |= {(row.project, row.name, row.digest): row.number for row in connection.execute(query)}
    return found
