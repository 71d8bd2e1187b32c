"""A span's stored payload, folded when it is read. For `spanreader`, and for what lists show of a trace's root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from weft.tracking.journal.records import SpanUpdated
from weft.tracking.payloads.previews import preview
from weft.tracking.store.jsontext import decoded, loads


class Update(NamedTuple):
    """What one `SpanUpdated` said, as kept in `span_payload.updates`."""

    at_ns: int
    segment: str
    offset: int
    fields: dict[str, Any]
    """name, attributes, events, inputs, thread_id, turn_id, user_id, tags, links: those that were set, JSON decoded."""

    @classmethod
    def of(cls, record: SpanUpdated, segment: str, offset: int) -> Update:
        fields: dict[str, Any] = {}
        for name in ("name", "thread_id", "turn_id", "user_id"):
            value = getattr(record, name)
            if value is not None:
                fields[name] = value
        for name in ("attributes", "events", "inputs", "tags", "links"):
            value = getattr(record, name)
            if value is not None:
                fields[name] = loads(value)
        return cls(record.at_ns, segment, offset, fields)


class Told(NamedTuple):
    """A payload folded for reading, its tagged values restored."""

    inputs: Any
    attributes: dict[str, Any]
    events: list[Mapping[str, Any]]
    links: list[Mapping[str, Any]]


def told(payload: Any, end_ns: int | None) -> Told:
    """Fold a stored payload row (attributes by column name) as of its last record."""
    attributes = _mapping(decoded(payload.attributes))
    closed = _mapping(decoded(payload.closed_attributes))
    inputs = decoded(payload.inputs)
    events: list[Any] = []
    more: dict[str, Any] = loads(payload.more) or {}
    links = _sequence(decoded(more.get("links")))
    for update in updates(more):
        if end_ns is not None and update.at_ns > end_ns:
            attributes, closed = attributes | closed, {}
        fields = update.fields
        if "attributes" in fields:
            attributes |= _mapping(decoded(orjson.dumps(fields["attributes"])))
        if "events" in fields:
            events += _sequence(decoded(orjson.dumps(fields["events"])))
        if "inputs" in fields:
            inputs = decoded(orjson.dumps(fields["inputs"]))
        if "links" in fields:
            links += _sequence(decoded(orjson.dumps(fields["links"])))
    links += _sequence(decoded(more.get("closed_links")))
    events += _sequence(decoded(more.get("events")))
    return Told(inputs, attributes | closed, events, links)


class Seen(NamedTuple):
    """What lists show of a payload."""

    input_preview: str
    output_preview: str
    tags: Sequence[str]


def seen(payload: Any) -> Seen:
    """The previews and tags of a stored payload row."""
    inputs: str | bytes | None = payload.inputs
    tags: Sequence[str] = ()
    if payload.more is not None:
        for update in updates(loads(payload.more)):
            tags = update.fields.get("tags", tags)
            if "inputs" in update.fields:
                inputs = orjson.dumps(update.fields["inputs"])
    return Seen(shown(inputs), shown(payload.output) if payload.error is None else shown_error(payload.error), tags)


def updates(more: Mapping[str, Any]) -> list[Update]:
    """The stored updates, in order."""
    return [Update(*update) for update in more.get("updates", ())]


def shown(data: bytes | str | None) -> str:
    """Plain text for lists. No NUL: PostgreSQL's text has none."""
    return "" if data is None else preview(data).replace("\0", "␀")


def shown_error(data: bytes | str) -> str:
    """`Type: message` of an error payload."""
    error = loads(data)
    if not isinstance(error, dict):
        return shown(data)
    return ": ".join(str(error[name]) for name in ("type", "message") if error.get(name))[:300].replace("\0", "␀")


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _sequence(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
