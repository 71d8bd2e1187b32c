"""Which runs a command means: by filter options, or by id, the first characters of one, `project/id` or name."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from weft.commands.traceselection import ago_ns, both
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.runs.runquestions import filter_of
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import RunRecord

STATES = ("running", "finished", "failed", "killed", "crashed")

Project = Annotated[str | None, typer.Option(help="Only this project.")]
State = Annotated[str | None, typer.Option(help="running, finished, failed, killed or crashed.")]
JobType = Annotated[str | None, typer.Option(help="Only this job type, such as evaluation.")]
Group = Annotated[str | None, typer.Option(help="Only this group.")]
Tag = Annotated[str | None, typer.Option(help="Only runs with this tag.")]
Since = Annotated[str | None, typer.Option(help="Only what began in the last 30m, 24h, 7d, ...")]
OlderThan = Annotated[str | None, typer.Option(help="Only what began more than 30d, 12h, ... ago.")]
Filter = Annotated[
    str | None,
    typer.Option("--where", help="""A filter as JSON: '{"summary.loss": {"$lt": 0.5}}' (docs/querying.md)."""),
]
Within = Annotated[str | None, typer.Option("--project", help="Look only in this project.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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
    found: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    now = time.time_ns()
    if since:
        found["started_ns"] = {"$gte": now - ago_ns("--since", since)}
    if older_than:
        found["started_ns"] = {**found.get("started_ns", {}), "$lt": now - ago_ns("--older-than", older_than)}
    return filter_of(both(found, where, '{"summary.loss": {"$lt": 0.5}}'))


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
    raise NotFoundError(f"no run is called {text}. `weft runs ls` shows the newest")
