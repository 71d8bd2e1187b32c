"""The views: what each one's columns are, and which of the readers' answers they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.tracking.sql import callviews, metricviews, runview
from weft.tracking.sql.asking import Asked, table
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.lazy import Wanted
from weft.tracking.sql.loggedtables import logged_tables

if TYPE_CHECKING:
    import pyarrow

    from weft.tracking.store.readmodels import ArtifactRecord, RunRecord


@dataclass(frozen=True, slots=True)
class View:
    """One of them."""

    about: str
    columns: Mapping[str, Kind]
    load: Callable[[Asked, Wanted, Mapping[str, Kind]], Iterator[pyarrow.Table]]


def _of_records(read: Callable[[Asked], Iterable[Any]], cells: Mapping[str, Callable[[Any], Any]]) -> Any:
    """A loader over records: each column by its name, or as `cells` says."""

    def load(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
        records = list(read(asked))
        columns: dict[str, Sequence[Any]] = {}
        for name in wanted.columns:
            cell = cells.get(name)
            columns[name] = [getattr(record, name) if cell is None else cell(record) for record in records]
        yield table(kinds, columns)

    return load


def _runs(asked: Asked) -> Sequence[RunRecord]:
    return asked.reader.runs(limit=None, order="started_ns").rows


def _versions(asked: Asked) -> Sequence[ArtifactRecord]:
    return asked.reader.artifacts(limit=None, order="created_ns").rows


@dataclass(frozen=True, slots=True)
class _Artifact:
    project: str
    name: str
    type: str
    versions: int
    latest: int
    size_bytes: int
    created_ns: int
    updated_ns: int


def _artifacts(asked: Asked) -> list[_Artifact]:
    found: dict[tuple[str, str], list[ArtifactRecord]] = {}
    for version in _versions(asked):
        found.setdefault((version.project, version.name), []).append(version)
    made = []
    for (project, name), versions in found.items():
        latest = next((one for one in versions if "latest" in one.aliases), versions[-1])
        times = [one.created_ns for one in versions]
        made.append(
            _Artifact(
                project, name, latest.type, len(versions), latest.version, latest.size_bytes, min(times), max(times)
            )
        )
    return made


@dataclass(frozen=True, slots=True)
class _Printed:
    project: str
    run_id: str
    stream: str
    line: int
    text: str
    logged_ns: int


def _console(asked: Asked) -> list[_Printed]:
    """Line numbers are of the run, in order of time."""
    return [
        _Printed(run.project, run.id, line.stream, number, line.text, line.at_ns)
        for run in _runs(asked)
        for number, line in enumerate(asked.reader.console(run.uid).rows)
    ]


@dataclass(frozen=True, slots=True)
class _Link:
    project: str
    artifact: str
    version: int
    digest: str
    type: str
    role: str
    run_id: str


def _lineage(asked: Asked) -> list[_Link]:
    made = []
    for one in _versions(asked):
        runs = [("made", one.producer_run)] if one.producer_run is not None else []
        runs += [("used", run) for run in one.consumer_runs]
        made += [_Link(one.project, one.name, one.version, one.digest, one.type, role, run) for role, run in runs]
    return made


VIEWS: Mapping[str, View] = {
    "runs": View("one row a run", runview.COLUMNS, runview.runs),
    "metrics": View("one row a logged number", metricviews.COLUMNS, metricviews.metrics),
    "system_metrics": View("one row a sample of the machine", metricviews.COLUMNS, metricviews.system_metrics),
    "traces": View("one row a root call, with the roll-ups of its tree", callviews.TRACE, callviews.traces),
    "spans": View("one row a call", callviews.SPAN, callviews.spans),
    "scores": View(
        "one row a score or a piece of feedback",
        {
            "target": "text", "name": "text", "value": "float", "label": "text", "reason": "text", "error": "text",
            "kind": "text", "author": "text", "logged": "time", "logged_ns": "int", "trace_id": "text",
            "span_id": "text", "run_id": "text", "row_id": "text", "source": "json",
        },
        _of_records(
            lambda asked: asked.reader.scores().rows,
            dict.fromkeys(("logged", "logged_ns"), lambda score: score.at_ns),
        ),
    ),
    "artifacts": View(
        "one row an artifact, whatever versions it has",
        {
            "project": "text", "name": "text", "type": "text", "versions": "int", "latest": "int",
            "size_bytes": "int", "created": "time", "updated": "time",
        },
        _of_records(_artifacts, {"created": lambda one: one.created_ns, "updated": lambda one: one.updated_ns}),
    ),
    "versions": View(
        "one row a version of an artifact",
        {
            "project": "text", "name": "text", "type": "text", "version": "int", "digest": "text", "aliases": "texts",
            "size_bytes": "int", "files": "int", "created": "time", "created_ns": "int", "description": "text",
            "metadata": "json", "producer_run": "text",
        },
        _of_records(_versions, {"files": lambda one: len(one.manifest), "created": lambda one: one.created_ns}),
    ),
    "lineage": View(
        "one row for each run that made or used a version",
        {
            "project": "text", "artifact": "text", "version": "int", "digest": "text", "type": "text", "role": "text",
            "run_id": "text",
        },
        _of_records(_lineage, {}),
    ),
    "console": View(
        "one row a line that a run printed",
        {
            "project": "text", "run_id": "text", "line": "int", "stream": "text", "text": "text", "logged": "time",
            "logged_ns": "int",
        },
        _of_records(_console, {"logged": lambda line: line.logged_ns}),
    ),
    "tables": View(
        "one row for each time a Table was logged; `name` in double quotes is the table itself",
        {
            "name": "text", "project": "text", "run_id": "text", "key": "text", "step": "int", "logged": "time",
            "n_rows": "int", "columns": "texts", "artifact": "text", "version": "int", "digest": "text",
        },
        _of_records(logged_tables, {"logged": lambda one: one.at_ns}),
    ),
}  # fmt: skip
