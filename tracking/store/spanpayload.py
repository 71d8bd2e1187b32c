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
    more: dict[str, Any] = loads(payload.more) or {}
    events: list[Any] = []
    links = _sequence(decoded(more.get("links")))
    for update in updates(more):
        if "events" in update.fields:
            events += _sequence(_again(update.fields["events"]))
        if "links" in update.fields:
            links += _sequence(_again(update.fields["links"]))
    links += _sequence(decoded(more.get("closed_links")))
    events += _sequence(decoded(more.get("events")))
    folded = attributes(payload.attributes, payload.closed_attributes, payload.more, end_ns)
    return Told(inputs(payload.inputs, payload.more), folded, events, links)


def attributes(opened: str | None, closed: str | None, more: str | None, end_ns: int | None) -> dict[str, Any]:
    """The attributes as the last word on each key left them: an update's of before the end gives way to the close's."""
    found, ending = _mapping(decoded(opened)), _mapping(decoded(closed))
    for update in updates(loads(more)) if more is not None else ():
        if end_ns is not None and update.at_ns > end_ns:
            found, ending = found | ending, {}
        if "attributes" in update.fields:
            found |= _mapping(_again(update.fields["attributes"]))
    return found | ending


def inputs(opened: str | None, more: str | None) -> Any:
    """The inputs as the last update of them left them, tagged values restored."""
    return decoded(current_inputs(opened, more))


def error(stored: str | None) -> Mapping[str, Any] | None:
    """{type, message, stacktrace}."""
    found = decoded(stored)
    return found if found is None or isinstance(found, Mapping) else {"message": str(found)}


def _again(value: Any) -> Any:
    """A parsed value with its tagged ones restored."""
    return decoded(orjson.dumps(value))


def current_inputs(opened: str | None, more: str | None) -> str | bytes | None:
    """The inputs as JSON, as the last update of them left them."""
    for update in reversed(updates(loads(more))) if more is not None else ():
        if "inputs" in update.fields:
            return orjson.dumps(update.fields["inputs"])
    return opened


class Seen(NamedTuple):
    """What lists show of a payload."""

    input_preview: str
    output_preview: str
    tags: Sequence[str]


def seen(payload: Any) -> Seen:
    """The previews and tags of a stored payload row."""
    output = shown(payload.output) if payload.error is None else shown_error(payload.error)
    return Seen(shown(current_inputs(payload.inputs, payload.more)), output, current_tags(payload.more))


def current_tags(more: str | None) -> Sequence[str]:
    """The tags that were set last."""
    tags: Sequence[str] = ()
    for update in updates(loads(more)) if more is not None else ():
        tags = update.fields.get("tags", tags)
    return tags


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
