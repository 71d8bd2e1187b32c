"""Traces and spans as views: narrow columns straight from their rows; payloads only where asked, of the rows wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, FromClause, select

from weft.tracking.sql.asking import Asked, narrow, table
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.lazy import Wanted
from weft.tracking.store import schema, spanpayload
from weft.tracking.store.lookups import hexed, parts

if TYPE_CHECKING:
    import pyarrow

TRACE: Mapping[str, Kind] = {
    "trace_id": "text", "project": "text", "run_id": "text", "name": "text", "kind": "text", "status": "text",
    "started": "time", "ended": "time", "started_ns": "int", "ended_ns": "int", "duration_s": "seconds",
    "span_count": "int", "error_count": "int", "input_tokens": "int", "output_tokens": "int", "cost_usd": "usd",
    "thread_id": "text", "user_id": "text", "input_preview": "text", "output_preview": "text", "tags": "texts",
}  # fmt: skip
SPAN: Mapping[str, Kind] = {
    "trace_id": "text", "span_id": "text", "parent_id": "text", "project": "text", "run_id": "text", "name": "text",
    "kind": "text", "status": "text", "started": "time", "ended": "time", "started_ns": "int", "ended_ns": "int",
    "duration_s": "seconds", "model": "text", "provider": "text", "input_tokens": "int", "output_tokens": "int",
    "usage": "json", "cost_usd": "usd", "price_source": "text", "thread_id": "text", "turn_id": "text",
    "user_id": "text", "version": "text",
    "inputs": "json", "output": "json", "error": "json", "attributes": "json", "tags": "texts",
}  # fmt: skip
_STORED: Mapping[str, Sequence[str]] = {
    "inputs": ("inputs", "more"),
    "output": ("output",),
    "error": ("error",),
    "attributes": ("attributes", "closed_attributes", "more"),
    "tags": ("more",),
}
"""What each column of a payload is made of."""
_PAYLOAD = tuple(_STORED)
_PIECE = 900
"""Spans whose payloads are read at a time: a query with a limit reads little more than that."""

_t, _s, _r, _j, _p = schema.trace.c, schema.span.c, schema.run.c, schema.project.c, schema.span_payload.c
_RENAMED = {
    "started": "start_ns", "started_ns": "start_ns", "ended": "end_ns", "ended_ns": "end_ns",
    "duration_s": "duration_ns", "cost_usd": "cost_pico_usd",
}  # fmt: skip
_BYTES = ("trace_id", "span_id", "parent_id")


def traces(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """Root calls."""
    source = schema.trace.outerjoin(schema.run, _r.id == _t.run_key).outerjoin(schema.project, _j.id == _t.project_key)
    found = _narrow(asked, wanted.columns, source, lambda name: _t[_RENAMED.get(name, name)], _t.start_ns)
    if "tags" in found:
        found["tags"] = [None if tags is None else orjson.loads(tags) for tags in found["tags"]]
    yield table(kinds, found)


def spans(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """Calls. What they were given and said is read only of those that the rest of the filter leaves."""
    source = (
        schema.span.join(schema.trace, _t.id == _s.trace_key)
        .outerjoin(schema.run, _r.id == _s.run_key)
        .outerjoin(schema.project, _j.id == _s.project_key)
    )

    def column(name: str) -> ColumnElement[Any]:
        return _t.trace_id if name == "trace_id" else _s[_RENAMED.get(name, name)]

    plain = [name for name in wanted.columns if name not in _PAYLOAD]
    said = [name for name in wanted.columns if name in _PAYLOAD]
    found = _narrow(asked, [*plain, *(["id", "ended_ns"] if said else [])], source, column, _s.start_ns)
    if not said:
        yield table(kinds, found)
        return
    keys = [*zip(found.pop("id"), found["ended_ns"], strict=True)]
    if "ended_ns" not in plain:
        del found["ended_ns"]
    left = wanted.possible(table(kinds, found)) if found else range(len(keys))
    for places in parts(left, _PIECE):
        kept: dict[str, Sequence[Any]] = {name: [values[at] for at in places] for name, values in found.items()}
        kept |= _payloads(asked, [keys[at] for at in places], said)
        yield table(kinds, kept)


def _narrow(
    asked: Asked,
    names: Iterable[str],
    source: FromClause,
    column: Callable[[str], ColumnElement[Any]],
    order: ColumnElement[Any],
) -> dict[str, Sequence[Any]]:
    special = {"project": _j.name, "run_id": _r.run_id}
    found = narrow(asked, {name: special[name] if name in special else column(name) for name in names}, source, order)
    for name in _BYTES:
        if name in found:
            found[name] = [hexed(value) for value in found[name]]
    if "price_source" in found:
        found["price_source"] = [value or None for value in found["price_source"]]
    return found


def _payloads(asked: Asked, spans: Sequence[tuple[int, int | None]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Payload columns of these spans (key, end), in their order."""
    columns = [_p[name] for name in dict.fromkeys(("id", *(stored for name in names for stored in _STORED[name])))]
    rows: dict[int, Any] = {}
    with asked.store.reading() as connection:
        for part in parts([key for key, _ in spans]):
            rows |= {row.id: row for row in connection.execute(select(*columns).where(_p.id.in_(part)))}
    return {name: [_said(name, rows.get(key), end_ns) for key, end_ns in spans] for name in names}


def _said(name: str, row: Any, end_ns: int | None) -> Any:
    if row is None:
        return None
    match name:
        case "inputs":
            return spanpayload.current_inputs(row.inputs, row.more)
        case "attributes":
            if row.more is None and row.attributes is None:
                return row.closed_attributes
            return spanpayload.attributes(row.attributes, row.closed_attributes, row.more, end_ns)
        case "tags":
            return spanpayload.current_tags(row.more)
        case "output":
            return row.output
    return row.error
