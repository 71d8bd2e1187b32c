"""The views: what each one's columns are, and which of the readers' answers they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft.tracking.sql import artifactviews, callviews, consoleview, metricviews, registryviews, runview, scoreview
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.loggedtables import logged_tables
from weft.tracking.sql.records import Load, of_records


@dataclass(frozen=True, slots=True)
class View:
    """One of them."""

    about: str
    columns: Mapping[str, Kind]
    load: Load


VIEWS: Mapping[str, View] = {
    "runs": View("one row a run", runview.COLUMNS, runview.runs),
    "metrics": View("one row a logged number", metricviews.COLUMNS, metricviews.metrics),
    "system_metrics": View("one row a sample of the machine", metricviews.COLUMNS, metricviews.system_metrics),
    "traces": View("one row a root call, with the roll-ups of its tree", callviews.TRACE, callviews.traces),
    "spans": View("one row a call", callviews.SPAN, callviews.spans),
    "scores": View("one row a score or a piece of feedback", scoreview.COLUMNS, scoreview.scores),
    "artifacts": View(
        "one row an artifact, whatever versions it has", artifactviews.ARTIFACT, artifactviews.artifacts
    ),
    "versions": View("one row a version of an artifact", artifactviews.VERSION, artifactviews.versions),
    "lineage": View(
        "one row for each run that made or used a version", artifactviews.LINEAGE, artifactviews.lineage
    ),
    "collections": View("one row a collection of the registry", registryviews.COLLECTION, registryviews.collections),
    "links": View("one row a version that is linked in a collection", registryviews.LINK, registryviews.links),
    "registry_events": View(
        "one row for each thing that was done or refused in the registry", registryviews.EVENT, registryviews.events
    ),
    "console": View("one row a line that a run printed", consoleview.COLUMNS, consoleview.console),
    "tables": View(
        "one row for each time a Table was logged; `name` in double quotes is the table itself",
        {
            "name": "text", "project": "text", "run_id": "text", "key": "text", "step": "int", "logged": "time",
            "n_rows": "int", "columns": "texts", "artifact": "text", "version": "int", "digest": "text",
        },
        of_records(logged_tables, {"logged": lambda one: one.at_ns}),
    ),
}  # fmt: skip
