"""Scores and feedback as a view, straight from their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import func

from weft.tracking.sql.asking import Asked, narrow, table
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.lazy import Wanted
from weft.tracking.store import schema
from weft.tracking.store.lookups import hexed

if TYPE_CHECKING:
    import pyarrow

COLUMNS: Mapping[str, Kind] = {
    "project": "text", "target": "text", "name": "text", "value": "float", "label": "text", "reason": "text",
    "error": "text", "kind": "text", "author": "text", "logged": "time", "logged_ns": "int", "trace_id": "text",
    "span_id": "text", "run_id": "text", "row_id": "text", "source": "json",
}  # fmt: skip
_s, _r, _j = schema.score.c, schema.run.c, schema.project.c
_COLUMNS = {
    "project": _j.name,
    "kind": func.coalesce(_s.kind, "score"),
    "logged": _s.at_ns,
    "logged_ns": _s.at_ns,
    "run_id": _r.run_id,
}
_BYTES = ("trace_id", "span_id")


def scores(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """In order of time."""
    source = schema.score.outerjoin(schema.run, _r.id == _s.run_key).outerjoin(schema.project, _j.id == _s.project_key)
    columns = {name: _COLUMNS[name] if name in _COLUMNS else _s[name] for name in wanted.columns}
    found = narrow(asked, columns, source, _s.at_ns, _s.id)
    for name in found.keys() & set(_BYTES):
        found[name] = [hexed(value) for value in found[name]]
    yield table(kinds, found)
