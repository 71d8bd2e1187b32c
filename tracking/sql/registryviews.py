"""The registry as views: collections, the versions linked in them, and what was done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from weft.tracking.sql.asking import Asked
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.records import of_records
from weft.tracking.store.readmodels import CollectionRecord, LinkRecord

COLLECTION: Mapping[str, Kind] = {
    "registry": "text", "collection": "text", "path": "text", "type": "text", "description": "text", "tags": "texts",
    "links": "int", "protected": "texts", "required": "json", "author": "text", "created": "time", "created_ns": "int",
    "updated": "time", "updated_ns": "int",
}  # fmt: skip
LINK: Mapping[str, Kind] = {
    "registry": "text", "collection": "text", "path": "text", "type": "text", "number": "int", "aliases": "texts",
    "project": "text", "artifact": "text", "version": "int", "digest": "text", "author": "text", "linked": "time",
    "linked_ns": "int",
}  # fmt: skip
EVENT: Mapping[str, Kind] = {
    "registry": "text", "collection": "text", "path": "text", "action": "text", "author": "text", "done": "time",
    "done_ns": "int", "project": "text", "artifact": "text", "version": "int", "digest": "text", "number": "int",
    "aliases": "texts", "details": "json", "problem": "text",
}  # fmt: skip


class _Linked(NamedTuple):
    collection: CollectionRecord
    link: LinkRecord


def _collections(asked: Asked) -> Sequence[CollectionRecord]:
    return asked.reader.collections(limit=None, order="path").rows


def _links(asked: Asked) -> list[_Linked]:
    """Of a collection the oldest first."""
    return [_Linked(one, link) for one in _collections(asked) for link in reversed(one.links)]


collections = of_records(
    _collections,
    {
        "collection": lambda one: one.name,
        "links": lambda one: len(one.links),
        "required": lambda one: one.required or None,
        "created": lambda one: one.created_ns,
        "updated": lambda one: one.updated_ns,
    },
)
links = of_records(
    _links,
    {
        "collection": attrgetter("collection.name"),
        **{name: attrgetter(f"collection.{name}") for name in ("registry", "path", "type")},
        "artifact": attrgetter("link.name"),
        "linked": attrgetter("link.linked_ns"),
        **{
            name: attrgetter(f"link.{name}")
            for name in ("number", "aliases", "project", "version", "digest", "author", "linked_ns")
        },
    },
)
events = of_records(
    lambda asked: reversed(asked.reader.registry_events()),
    {
        "registry": lambda event: event.collection.partition("/")[0],
        "collection": lambda event: event.collection.partition("/")[2],
        "path": lambda event: event.collection,
        "artifact": lambda event: event.name,
        "done": lambda event: event.at_ns,
        "done_ns": lambda event: event.at_ns,
    },
)
