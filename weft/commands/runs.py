"""`weft runs`: what was trained, evaluated or tried, as a list and one at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from weft.commands import terminal
from weft.tracking import units
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.previews import preview
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import RunRecord, Series

app = typer.Typer(help="Runs: training, evaluation or anything else.", no_args_is_help=True, add_completion=False)

STATES = ("running", "finished", "failed", "killed", "crashed")
_BARS = "▁▂▃▄▅▆▇█"
_SUMMARY_SHOWN = 3


@app.command()
def ls(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    state: Annotated[str | None, typer.Option(help="running, finished, failed, killed or crashed.")] = None,
    job_type: Annotated[str | None, typer.Option(help="Only this job type, such as evaluation.")] = None,
    group: Annotated[str | None, typer.Option(help="Only this group.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs, newest first."""
    if state is not None and state not in STATES:
        raise UsageError(f"--state is {state!r}; it must be one of {', '.join(STATES)}")
    asked = (("project", project), ("state", state), ("job_type", job_type), ("group", group), ("tags", tag))
    where = {key: value for key, value in asked if value is not None}
    with open_store() as store:
        page = store.reader().runs(where, limit=limit)
    if json:
        terminal.print_json(page.rows)
        return
    console = terminal.console()
    if not page.rows:
        console.print("no runs match" if where else "no runs yet: weft.init() starts one")
        return
    now = time.time_ns()
    table = terminal.table(
        "state", "run", "name", "project", "job", "step", "summary", "dur", "when", right=("step", "dur")
    )
    for row in page.rows:
        table.add_row(
            terminal.status(row.state),
            terminal.text(row.id, "dim", limit=20),
            terminal.text(row.name, limit=28),
            terminal.text(row.project, limit=20),
            terminal.text(row.job_type or "", limit=12),
            units.count(row.step),
            terminal.text(_digest(row.summary), limit=48),
            units.duration(_duration(row, now)),
            units.age(row.started_ns, now),
        )
    console.print(table)
    if page.total > len(page.rows):
        console.print(f"{len(page.rows)} of {page.total:,} runs; --limit shows more", style="dim")


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="Run id, project/id, or a name.")],
    project: Annotated[str | None, typer.Option(help="Look only in this project.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, every metric's history included.")] = False,
) -> None:
    """Show one run: where it stands, its configuration, summary and metrics."""
    with open_store() as store:
        reader = store.reader()
        found = find(reader, run, project)
        history = reader.history(found.uid, max_points=None if json else 200)
        made = reader.artifacts({"project": found.project, "producer_run": found.id}, limit=100).rows
    if json:
        terminal.print_json({"run": found, "history": history, "artifacts": made})
        return
    console = terminal.console()
    now = time.time_ns()
    console.print(_head(found, now))
    if found.error:
        told = f"{found.error.get('type', 'error')}: {found.error.get('message', '')}"
        console.print(terminal.text(told, "red"))
    for title, values in (("config", found.config), ("summary", _by_hand(found.summary, history))):
        if values:
            console.print(_pairs(title, values))
    if history:
        console.print(_metrics(history))
    if made:
        table = terminal.table("artifact", "version", "type", "size", right=("version", "size"))
        for item in made:
            table.add_row(
                terminal.text(item.name), f"v{item.version}", terminal.text(item.type), units.size(item.size_bytes)
            )
        console.print(table)


@app.command()
def logs(
    run: Annotated[str, typer.Argument(help="Run id, project/id, or a name.")],
    project: Annotated[str | None, typer.Option(help="Look only in this project.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many lines at the end.")] = None,
    search: Annotated[str | None, typer.Option(help="Only lines with this text, whatever its case.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only stdout or stderr.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, a line with its time and stream.")] = False,
) -> None:
    """Show what a run printed, as a terminal showed it."""
    with open_store() as store:
        reader = store.reader()
        found = find(reader, run, project)
        page = reader.console(found.uid, last=last, search=search, stream=stream)
    if json:
        terminal.print_json(page.rows)
        return
    console = terminal.console()
    for line in page.rows:
        console.print(terminal.coloured(line.styled), soft_wrap=True)
    if not page.rows:
        matching = " that matches" if search or stream else ""
        terminal.console(stderr=True).print(terminal.text(f"run {found.id} printed nothing{matching}", "dim"))


def find(reader: Reader, text: str, project: str | None = None) -> RunRecord:
    """The one run that goes by this id, `project/id` or name.

    Raises:
        NotFoundError: none does.
        UsageError: several do; they are listed.
    """
    place, slash, ident = text.rpartition("/")
    where: dict[str, Any] = {"project": place} if slash else {} if project is None else {"project": project}
    for field in ("id", "name"):
        page = reader.runs({**where, field: ident}, limit=10)
        if page.total == 1:
            return page.rows[0]
        if page.rows:
            names = ", ".join(f"{row.project}/{row.id}" for row in page.rows)
            raise UsageError(f"{text} could be any of {page.total} runs: {names}. Give project/id")
    raise NotFoundError(f"no run is called {text}. `weft runs ls` shows the newest")


def _duration(run: RunRecord, now_ns: int) -> int | None:
    if run.ended_ns is not None:
        return run.ended_ns - run.started_ns
    return now_ns - run.started_ns if run.state == "running" else None


def _digest(summary: Mapping[str, Any]) -> str:
    """The first few numbers of a summary, for one cell."""
    shown = [f"{name} {_value(value)}" for name, value in summary.items() if isinstance(value, (int, float, dict))]
    more = f" +{len(shown) - _SUMMARY_SHOWN}" if len(shown) > _SUMMARY_SHOWN else ""
    return "  ".join(shown[:_SUMMARY_SHOWN]) + more


def _value(value: Any) -> str:
    """A number, a mean with its interval (an evaluation's), or JSON."""
    if isinstance(value, (bool, int, float)):
        return units.number(value)
    if isinstance(value, dict) and isinstance(value.get("mean"), (int, float)):
        return units.plus_minus(value["mean"], _half_width(value.get("ci")))
    return value if isinstance(value, str) else preview(encode(value))


def _half_width(interval: Any) -> float | None:
    match interval:
        case [int() | float() as low, int() | float() as high]:
            return (high - low) / 2
    return None


def _head(run: RunRecord, now_ns: int) -> Text:
    head = Text.assemble(terminal.text(run.name, "bold"), "  ", terminal.status(run.state), "\n")
    facts = [f"{terminal.escape(run.project)}/{terminal.escape(run.id)}"]
    facts.append(f"started {units.age(run.started_ns, now_ns)} ({units.moment(run.started_ns)})")
    facts.append(f"took {units.duration(_duration(run, now_ns))}")
    for label, value in (("job", run.job_type), ("group", run.group), ("parent", run.parent_id)):
        if value:
            facts.append(f"{label} {terminal.escape(value)}")
    if run.tags:
        facts.append("tags " + ", ".join(terminal.escape(tag) for tag in run.tags))
    if run.trace_count:
        facts.append(units.counted(run.trace_count, "trace"))
    git = run.metadata.get("git")
    if isinstance(git, Mapping):
        facts.append(f"git {terminal.escape(git.get('commit', ''))[:10]}{' + changes' if git.get('dirty') else ''}")
    head.append(" · ".join(facts), "dim")
    if run.notes:
        head.append("\n").append_text(terminal.text(run.notes))
    return head


def _by_hand(summary: Mapping[str, Any], history: Mapping[str, Series]) -> dict[str, Any]:
    """What the metrics' own table does not show."""
    return {name: value for name, value in summary.items() if name not in history}


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    table = terminal.table(title, "value")
    for name, value in values.items():
        table.add_row(terminal.text(name), terminal.text(_value(value), limit=200))
    return table


def _metrics(history: Mapping[str, Series]) -> Table:
    table = terminal.table("metric", "last", "min", "max", "points", "", right=("last", "min", "max", "points"))
    for name, series in history.items():
        finite = [value for value in series.values if value == value and abs(value) != float("inf")]
        late = f" ({series.late:,} late)" if series.late else ""
        table.add_row(
            terminal.text(name),
            units.number(series.values[-1]) if series.values else units.UNKNOWN,
            units.number(min(finite, default=None)),
            units.number(max(finite, default=None)),
            f"{series.total:,}{late}",
            Text(sparkline(series.values), style="cyan"),
        )
    return table


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """A metric's course in one line: each cell the mean of its share of the points; a gap where none is finite."""
    cells: list[float | None] = []
    for cell in range(min(width, len(values))):
        share = values[
            cell * len(values) // min(width, len(values)) : (cell + 1) * len(values) // min(width, len(values))
        ]
        finite = [value for value in share if value == value and abs(value) != float("inf")]
        cells.append(sum(finite) / len(finite) if finite else None)
    known = [cell for cell in cells if cell is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    spread = high - low
    return "".join(
        " " if cell is None else _BARS[round((cell - low) / spread * (len(_BARS) - 1))] if spread else _BARS[0]
        for cell in cells
    )
