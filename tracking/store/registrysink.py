"""Applies `RegistryChanged`: events are kept, and each collection that one is about is made anew of all of its own.

A registry sees some events a day; making a collection of a thousand of them takes milliseconds, and in whatever order
they come the outcome is the same. For `Sink.apply`.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import RegistryChanged
from weft.tracking.registry.fold import Event, Source, State, fold
from weft.tracking.store import schema
from weft.tracking.store.jsontext import loads, text
from weft.tracking.store.transaction import Row, Transaction

_IN_ORDER = "ORDER BY at_ns, segment, seq"


def apply_registry(tx: Transaction, segment: str, frames: Sequence[Frame]) -> None:
    """Apply a batch."""
    touched: dict[str, None] = {}
    for frame in frames:
        record = frame.record
        if isinstance(record, RegistryChanged) and _kept(tx, segment, frame.offset, record):
            touched[record.collection] = None
    for path in touched:
        _make(tx, path)


def _kept(tx: Transaction, segment: str, offset: int, record: RegistryChanged) -> bool:
    """Keep an event; one that stands in two segments (a copied home) counts where it stood first."""
    stamp = (record.at_ns, segment, offset)
    known = tx.rows("SELECT at_ns, segment, seq FROM registry_event WHERE uid = ?", (record.uid,))
    if known and tuple(known[0]) <= stamp:
        return False
    source = (record.project, record.name, record.digest)
    said = (orjson.dumps(record.aliases).decode(), text(record.details))
    row: Row = (record.uid, record.collection, record.action, *stamp, record.author, *source, *said, None, None)
    tx.upsert(schema.registry_event, [row])
    return True


def _make(tx: Transaction, path: str) -> None:
    rows = tx.rows(
        "SELECT uid, action, at_ns, author, project, name, digest, aliases, details, number, problem "
        f"FROM registry_event WHERE collection = ? {_IN_ORDER}",
        (path,),
    )
    state, effects = fold(_event(row) for row in rows)
    said = [(*effect, row[0]) for row, effect in zip(rows, effects, strict=True) if effect != tuple(row[-2:])]
    tx.run_many("UPDATE registry_event SET number = ?, problem = ? WHERE uid = ?", said)
    known = tx.rows("SELECT id FROM registry_collection WHERE path = ?", (path,))
    key = int(known[0][0]) if known else tx.key(schema.registry_collection)
    tx.upsert(schema.registry_collection, [_row(key, path, state, int(rows[-1][2]))])
    tx.run("DELETE FROM registry_link WHERE collection_key = ?", (key,))
    tx.run("DELETE FROM registry_alias WHERE collection_key = ?", (key,))
    live = [link for link in state.links.values() if link.live]
    tx.insert(schema.registry_link, [(key, link.number, *link.source, link.at_ns, link.author) for link in live])
    tx.insert(schema.registry_alias, [(key, alias, number) for alias, number in state.named().items()])


def _event(row: Row) -> Event:
    _, action, at_ns, author, project, name, digest, aliases, details, *_ = row
    whole = project is not None and name is not None and digest is not None
    said = loads(details)
    source = Source(project, name, digest) if whole else None
    return Event(action, at_ns, author, source, loads(aliases), said if isinstance(said, dict) else {})


def _row(key: int, path: str, state: State, last_ns: int) -> Row:
    registry, _, name = path.partition("/")
    return (
        *(key, path, registry, name, int(state.exists), state.type, state.description),
        *(orjson.dumps(held).decode() for held in (state.tags, sorted(state.protected))),
        *(orjson.dumps(dict(sorted(state.required.items()))).decode(), state.author),
        *(state.created_ns, state.updated_ns, state.next_number, last_ns),
    )
