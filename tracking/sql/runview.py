"""Runs as a view: straight from their rows, through the reader where a query wants a summary or counts traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import case

from weft.tracking.sql.asking import Asked, narrow, table
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.lazy import Wanted
from weft.tracking.store import schema
from weft.tracking.store.runreader import runtime_ns, sessions_of

if TYPE_CHECKING:
    import pyarrow

COLUMNS: Mapping[str, Kind] = {
    "project": "text", "run_id": "text", "name": "text", "state": "text", "job_type": "text", "run_group": "text",
    "tags": "texts", "notes": "text", "config": "json", "summary": "json", "metadata": "json", "started": "time",
    "ended": "time", "started_ns": "int", "ended_ns": "int", "duration_s": "seconds", "step": "int",
    "trace_count": "int", "exit_code": "int", "error": "json", "parent_id": "text",
}  # fmt: skip
_READ = ("summary", "trace_count")
"""What only the reader says."""
_TIMES = ("started_ns", "ended_ns", "heard_ns", "sessions")
"""What says how long a run ran."""
_NAMED = 500
"""Runs that are asked for by name; of more, all are read."""
_r, _j = schema.run.c, schema.project.c
_parent = schema.run.alias()
_ended = case((_r.state.in_(("running", "crashed")), None), else_=_r.ended_ns)
_COLUMNS: Mapping[str, Any] = {
    "project": _j.name,
    "step": _r.last_step,
    "started": _r.started_ns,
    "ended": _ended,
    "ended_ns": _ended,
    "parent_id": _parent.c.run_id,
}


def _runtime(row: Mapping[str, Any]) -> int:
    """Nanoseconds, as `runtime_s` of the readers: of all its sessions, not of what lies between them."""
    return runtime_ns(row, sessions_of(row["sessions"]))


def runs(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """One row a run, in the order of their starts."""
    plain = [name for name in wanted.columns if name not in (*_READ, "duration_s")]
    columns = {name: _COLUMNS[name] if name in _COLUMNS else _r[name] for name in plain}
    timed = wanted.needs(["duration_s"])
    times = {f"of {name}": _r[name] for name in _TIMES} if timed else {}
    source = schema.run.outerjoin(schema.project, _j.id == _r.project_key).outerjoin(
        _parent, _parent.c.uid == _r.parent_uid
    )
    found = narrow(
        asked, columns | times | {"uid": _r.uid}, source, _r.started_ns, _r.id, where=_r.started_ns.is_not(None)
    )
    uids = [bytes(uid).hex() for uid in found.pop("uid")]
    if timed:
        lives = zip(*(found.pop(name) for name in times), strict=True)
        found["duration_s"] = [_runtime(dict(zip(_TIMES, life, strict=True))) for life in lives]
    if "tags" in found:
        found["tags"] = [() if tags is None else orjson.loads(tags) for tags in found["tags"]]
    if not wanted.needs(_READ):
        yield table(kinds, found)
        return
    left = wanted.possible(table(kinds, found)) if found else range(len(uids))
    where = {} if len(left) > _NAMED else {"uid": {"$in": [uids[at] for at in left]}}
    records = {run.uid: run for run in asked.reader.runs(where, limit=None).rows} if left else {}
    kept = [at for at in left if uids[at] in records]
    answer: dict[str, Sequence[Any]] = {
        name: [getattr(records[uids[at]], name) for at in kept] if name in _READ else [found[name][at] for at in kept]
        for name in wanted.columns
    }
    yield table(kinds, answer)
