"""Which runs a command means: by filter options, or by id, the first characters of one, `project/id` or name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from weft.commands import filteroptions
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.runs.metricstats import KINDS
from weft.tracking.runs.runquestions import filter_of
from weft.tracking.runs.runvalues import value_at
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import RunRecord

STATES = ("running", "finished", "failed", "killed", "crashed")

State = Annotated[str | None, typer.Option(help="running, finished, failed, killed or crashed.")]
JobType = Annotated[str | None, typer.Option(help="Only this job type, such as evaluation.")]
Group = Annotated[str | None, typer.Option(help="Only this group.")]
Tag = Annotated[str | None, typer.Option(help="Only runs with this tag.")]
_EXAMPLE = '{"summary.loss": {"$lt": 0.5}}'
Filter = Annotated[str | None, filteroptions.where_option(_EXAMPLE)]
Within = Annotated[str | None, typer.Option("--project", help="Look only in this project.")]
SUMMARIES = tuple(kind for kind in KINDS if kind not in ("copy", "none"))
"""What `define_metric(summary=)` may keep of a metric, each as `name.kind`."""
_SHORTEST = 3
"""Characters of an id that may stand for it."""


def where_of(
    *,
    project: str | None = None,
    state: str | None = None,
    job_type: str | None = None,
    group: str | None = None,
    tag: str | None = None,
    since: str | None = None,
    older_than: str | None = None,
    where: str | None = None,
) -> dict[str, Any]:
    """The filter; empty when no option was given.

    Raises:
        UsageError: no such state, `--where` is no JSON object, or a time is none.
    """
    if state is not None and state not in STATES:
        raise UsageError(f"--state is {state!r}; it must be one of {', '.join(STATES)}")
    given = {"project": project, "state": state, "job_type": job_type, "group": group, "tags": tag}
    began = filteroptions.Began("started_ns", since, older_than)
    return filter_of(filteroptions.chosen(given, began, where, _EXAMPLE))


def unsortable(reader: Reader, where: dict[str, Any], order: str) -> Sequence[str]:
    """A note where some of the runs have no one number in the place that a list is sorted by, and so stand last."""
    name = order.removeprefix("-")
    if not name.startswith("summary."):
        return ()
    kinds = [{f"{name}.{kind}": {"$exists": True}} for kind in SUMMARIES]
    rows = reader.runs({"$and": [where, {"$or": kinds}]}, limit=1).rows
    found = value_at(rows[0], name) if rows else None
    if not isinstance(found, Mapping):
        return ()
    there = [f"{name}.{kind}" for kind in SUMMARIES if kind in found]
    return (f"some of these runs have {' and '.join(there)} in place of {name} and stand last: sort by what they have",)


def find(reader: Reader, text: str, project: str | None = None) -> RunRecord:
    """The one run that goes by this: its id, `project/id`, its name, or the first characters of its id, in this order.

    Raises:
        NotFoundError: none does.
        UsageError: several do; they are listed.
    """
    place, slash, ident = text.rpartition("/")
    given = {} if project is None else {"project": project}
    where = {"project": place.rpartition("/")[2]} if slash else given
    asked: list[dict[str, Any]] = [{**where, "id": ident}, {**where, "name": ident}]
    if slash:
        asked.append({**given, "name": text})
    if len(ident) >= _SHORTEST:
        asked.append({**where, "id": {"$startswith": ident}})
    for one in asked:
        page = reader.runs(one, limit=10)
        if page.total == 1:
            return page.rows[0]
        if page.rows:
            names = ", ".join(f"{row.project}/{row.id}" for row in page.rows)
            raise UsageError(f"{text} could be any of {page.total} runs: {names}. Give project/id")
    raise NotFoundError(f"no run is called {text or repr(text)}. `weft runs ls` shows the newest")
