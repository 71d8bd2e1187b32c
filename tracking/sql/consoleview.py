"""What runs printed, a row a line: of the runs that a query may want."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from weft.tracking.sql.asking import Asked, narrow, table
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.lazy import Wanted
from weft.tracking.store import schema

if TYPE_CHECKING:
    import pyarrow

COLUMNS: Mapping[str, Kind] = {
    "project": "text", "run_id": "text", "line": "int", "stream": "text", "text": "text", "logged": "time",
    "logged_ns": "int",
}  # fmt: skip
_OF_RUN = ("project", "run_id")
_r, _j = schema.run.c, schema.project.c


def console(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """Line numbers are of the run, in order of time."""
    source = schema.run.outerjoin(schema.project, _j.id == _r.project_key)
    columns = {"project": _j.name, "run_id": _r.run_id, "uid": _r.uid}
    runs = narrow(asked, columns, source, _r.started_ns, _r.id, where=_r.started_ns.is_not(None))
    known = table(kinds, {name: runs[name] for name in _OF_RUN})
    for at in wanted.possible(known):
        lines = asked.reader.console(bytes(runs["uid"][at]).hex()).rows
        told: dict[str, list[Any]] = {
            **{name: [runs[name][at]] * len(lines) for name in _OF_RUN},
            "line": list(range(len(lines))),
            "stream": [line.stream for line in lines],
            "text": [line.text for line in lines],
            "logged_ns": [line.at_ns for line in lines],
        }
        told["logged"] = told["logged_ns"]
        if lines:
            yield table(kinds, {name: told[name] for name in wanted.columns})
