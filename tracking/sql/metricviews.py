"""Logged numbers, a row a point: of the runs and keys that a query may want, through the readers' histories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from weft.tracking.sql.asking import Asked, table
from weft.tracking.sql.columntypes import Kind, array
from weft.tracking.sql.lazy import Wanted
from weft.tracking.store import schema

if TYPE_CHECKING:
    import pyarrow

COLUMNS: Mapping[str, Kind] = {
    "project": "text",
    "run_id": "text",
    "run_name": "text",
    "key": "text",
    "step": "int",
    "value": "float",
    "logged": "time",
    "logged_ns": "int",
}
_OF_KEY = ("project", "run_id", "run_name", "key")


def metrics(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """What `run.log` was given."""
    return _points(asked, wanted, kinds, "default")


def system_metrics(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
    """What machine and process took."""
    return _points(asked, wanted, kinds, "system")


def _points(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind], stream: str) -> Iterator[pyarrow.Table]:
    import pyarrow as pa  # the extra `tables`

    keys = _keys(asked, stream)
    known = table(kinds, {name: [row[at + 1] for row in keys] for at, name in enumerate(_OF_KEY)})
    by_run: dict[str, list[int]] = {}
    for at in wanted.possible(known):
        by_run.setdefault(keys[at][0], []).append(at)
    for uid, places in by_run.items():
        history = asked.reader.history(uid, [keys[at][4] for at in places], stream=stream)
        for at in places:
            series = history.get(keys[at][4])
            if series is None:
                continue
            of_point: dict[str, Any] = {"step": series.steps, "value": series.values}
            of_point |= {"logged": series.times_ns, "logged_ns": series.times_ns}
            columns = [
                array(kinds[name], of_point[name])
                if name in of_point
                else pa.repeat(known[name][at], len(series.steps))
                for name in wanted.columns
            ]
            yield pa.table(columns, names=wanted.columns)


def _keys(asked: Asked, stream: str) -> list[tuple[str, str | None, str, str, str]]:
    """(uid, project, run id, run name, key) of every metric; a fork has those of the runs that it comes from, too."""
    run, metric, project = schema.run.c, schema.metric_key.c, schema.project.c
    of_runs = (
        select(run.uid, project.name, run.run_id, run.name, run.forked_uid)
        .select_from(schema.run)
        .outerjoin(schema.project, project.id == run.project_key)
        .where(run.started_ns.is_not(None))
        .order_by(run.started_ns, run.id)
    )
    of_metrics = (
        select(run.uid, metric.key)
        .select_from(schema.metric_key.join(schema.run, run.id == metric.run_key))
        .where(metric.stream == stream.replace("default", ""))
    )
    with asked.store.reading() as connection:
        runs = [(bytes(row[0]), *row[1:]) for row in connection.execute(of_runs)]
        logged: dict[bytes, set[str]] = {}
        for uid, key in connection.execute(of_metrics):
            logged.setdefault(bytes(uid), set()).add(key)
    came_from = {uid: forked for uid, _, _, _, forked in runs if forked is not None}
    found = []
    for uid, in_project, run_id, name, _ in runs:
        own, above, seen = set(logged.get(uid, ())), came_from.get(uid), {uid}
        while above is not None and bytes(above) not in seen:
            seen.add(bytes(above))
            own |= logged.get(bytes(above), set())
            above = came_from.get(bytes(above))
        found += [(uid.hex(), in_project, run_id, name, key) for key in sorted(own)]
    return found
