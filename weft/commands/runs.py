"""`weft runs`: what was trained, evaluated or tried: listed, shown, compared, exported, tagged, removed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer

from weft.commands import filteroptions, pages, runcomparison, runexports, runtables, terminal
from weft.commands import runselection as selection
from weft.commands.runselection import find
from weft.tracking import names, runtime, units
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, RunUpdated
from weft.tracking.runs import runremoval
from weft.tracking.runs.runquestions import order_of
from weft.tracking.runs.runvalues import flat, value_at
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import RunRecord

app = typer.Typer(help="Runs: training, evaluation or anything else.", no_args_is_help=True, add_completion=False)
app.command("compare")(runcomparison.compare)
app.command("export")(runexports.export)

Named = Annotated[str, typer.Argument(help="Run id (or its first characters), project/id, or a name.")]
Several = Annotated[list[str] | None, typer.Argument(help="Run ids, project/id, or names.")]


@app.command()
def ls(
    project: filteroptions.Project = None,
    state: selection.State = None,
    job_type: selection.JobType = None,
    group: selection.Group = None,
    tag: selection.Tag = None,
    since: filteroptions.Since = None,
    older_than: filteroptions.OlderThan = None,
    where: selection.Filter = None,
    sort: Annotated[str, typer.Option(help="A field, config.x or summary.x; - in front: descending.")] = "-started_ns",
    columns: Annotated[str | None, typer.Option(help="What to show beside the id: name,config.lr,summary.acc.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    json: filteroptions.Json = False,
) -> None:
    """List runs, newest first."""
    wanted = selection.where_of(
        project=project,
        state=state,
        job_type=job_type,
        group=group,
        tag=tag,
        since=since,
        older_than=older_than,
        where=where,
    )
    shown = None if columns is None else _columns(columns)
    with open_store() as store:
        page = store.reader().runs(wanted, order=order_of(sort), limit=limit)
        several_numbers = selection.unsortable(store.reader(), wanted, order_of(sort))
    if json:
        terminal.print_json(page.rows if shown is None else [_chosen(row, shown) for row in page.rows])
        return
    for note in (*page.notes, *several_numbers):
        terminal.console(stderr=True).print(terminal.text(note, "dim"), soft_wrap=True)
    console = terminal.console()
    if not page.rows:
        console.print("no runs match" if wanted else "no runs yet: weft.init() starts one")
        return
    now = time.time_ns()
    several = project is None and len({row.project for row in page.rows}) > 1
    console.print(
        runtables.listing(console, page.rows, now, several)
        if shown is None
        else runtables.chosen(page.rows, shown, now)
    )
    pages.rest(console, page, "runs")


def _columns(given: str) -> list[str]:
    return [name for name in (part.strip() for part in given.split(",")) if name]


def _chosen(row: RunRecord, shown: list[str]) -> dict[str, Any]:
    return {"id": row.id, "project": row.project, **{column: value_at(row, column) for column in shown}}


@app.command()
def show(
    run: Named,
    project: selection.Within = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, every metric's history included.")] = False,
) -> None:
    """Show one run: where it stands, its configuration, summary, metrics, environment, files and artifacts."""
    with open_store() as store:
        reader = store.reader()
        found = find(reader, run, project)
        history = reader.history(found.uid, max_points=None if json else 200)
        files = reader.files(found.uid)
        alerts = reader.alerts(found.uid, limit=None)
        made = _artifacts(reader, found, "producer_run")
        used = _artifacts(reader, found, "consumer_runs")
    if json:
        terminal.print_json(
            {"run": found, "history": history, "artifacts": made, "used": used, "files": files, "alerts": alerts}
        )
        return
    console = terminal.console()
    now = time.time_ns()
    console.print(runtables.head(found, now))
    if found.error:
        console.print(terminal.text(runtables.failure(found.error), "red"))
    titled = (("config", dict(flat(found.config))), ("summary", runtables.by_hand(found.summary, history)))
    for title, values in (*titled, ("environment", runtables.environment(found.metadata))):
        if values:
            console.print(runtables.pairs(title, values))
    for table in (runtables.metrics(history), runtables.artifacts(made, used), runtables.files(files)):
        if table.row_count:
            console.print(table)
    for alert in alerts:
        console.print(terminal.text(f"{alert.level} {alert.title}: {alert.text}", "yellow"), soft_wrap=True)


def _artifacts(reader: Reader, run: RunRecord, role: str) -> Any:
    """The versions that it made, or used; by `project/id`, since another project may have a run of that id."""
    rows = reader.artifacts({role: run.id}, limit=1000, manifests=False).rows
    path = f"{run.project}/{run.id}"
    return [row for row in rows if path in (row.maker_paths if role == "producer_run" else row.user_paths)]


@app.command()
def logs(
    run: Named,
    project: selection.Within = None,
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


@app.command()
def tag(
    runs: Annotated[list[str], typer.Argument(help="Run ids, project/id, or names.")],
    add: Annotated[list[str] | None, typer.Option("--add", help="A tag to add, or several: a,b.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take away, or several.")] = None,
    project: selection.Within = None,
    json: filteroptions.Json = False,
) -> None:
    """Add tags to runs, or take some away; without either, print them."""
    added, gone = names.check_tags(_split(add)), {*(remove or ()), *_split(remove)}
    rt = runtime.active()
    if (added or gone) and not rt.recording:
        raise UsageError("nothing can be tagged in mode disabled, which writes nothing: unset WEFT_MODE")
    with open_store() as store:
        found = _all(store.reader(), runs, project)
    told = []
    for run in found:
        tags = [one for one in dict.fromkeys((*run.tags, *added)) if one not in gone]
        if tags != list(run.tags):
            rt.journal.append(RunUpdated(SCHEMA, bytes.fromhex(run.uid), rt.ids.wall_ns(), tags=tags))
        told.append({"id": run.id, "project": run.project, "tags": tags})
    if added or gone:
        rt.journal.sync()
        open_store().close()  # they can be read when this returns
    if json:
        terminal.print_json(told)
        return
    for one in told:
        said = f"{one['project']}/{one['id']}: {', '.join(one['tags']) or 'no tags'}"
        terminal.console().print(terminal.text(said), soft_wrap=True)


def _split(given: Sequence[str] | None) -> list[str]:
    """As WANDB_TAGS, with commas between; what is empty stays, to be refused as a tag."""
    found: list[str] = []
    for one in given or ():
        found += [part.strip() for part in one.split(",") if part.strip()] or [one.strip(" ,")]
    return found


def _all(reader: Reader, given: list[str], project: str | None) -> list[RunRecord]:
    return list({run.uid: run for run in (find(reader, one, project) for one in given)}.values())


@app.command()
def rm(
    runs: Several = None,
    project: filteroptions.Project = None,
    state: selection.State = None,
    job_type: selection.JobType = None,
    group: selection.Group = None,
    tag: selection.Tag = None,
    older_than: filteroptions.OlderThan = None,
    where: selection.Filter = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: filteroptions.Json = False,
) -> None:
    """Remove runs with their metrics, files and logs, by id or by filter. They stay removed when the store is rebuilt.

    Their artifacts and traces stay; `weft rm` takes the traces along. What is running stays, and what others depend on.
    """
    wanted = selection.where_of(
        state=state, job_type=job_type, group=group, tag=tag, older_than=older_than, where=where
    )
    by_filter = bool(wanted) or (project is not None and not runs)
    if bool(runs) == by_filter:
        raise UsageError("name the runs to remove, or give a filter such as --state failed (not both, not neither)")
    with open_store() as store:
        reader = store.reader()
        if project is not None:
            wanted["project"] = project
        found = _all(reader, runs, project) if runs else list(reader.runs(wanted, limit=None).rows)
        kept = runremoval.keepers(reader, found)
        going = [run for run in found if run.uid not in kept]
        held = _held(reader, going)
    stays = [{"id": run.id, "project": run.project, "why": kept[run.uid]} for run in found if run.uid in kept]
    if runs and stays:
        one = stays[0]
        raise UsageError(f"{one['project']}/{one['id']} was not removed: {one['why']}; nothing was")
    if going and not dry_run:
        terminal.confirm(f"Remove {held.what}?", yes=yes, what=held.what)
        with open_store() as store:  # while somebody thought about it, others went on
            kept = runremoval.keepers_now(store.reader(), going)
            stays += [{"id": run.id, "project": run.project, "why": kept[run.uid]} for run in going if run.uid in kept]
            going = [run for run in going if run.uid not in kept]
            held = _held(store.reader(), going)
        runremoval.remove_runs(going)
        runtime.active().journal.sync()
        open_store().close()  # applies it
    if json:
        ids = [{"id": run.id, "project": run.project} for run in going]
        told = {"dry_run": dry_run, "removed": ids, "kept": stays, "points": held.points, "files": held.files}
        terminal.print_json(told)
        return
    for one in stays:
        terminal.console().print(terminal.text(f"{one['project']}/{one['id']} stays: {one['why']}"), soft_wrap=True)
    if not going:
        terminal.console().print("no runs match; nothing was removed" if not stays else "nothing was removed")
        return
    freed = "; weft artifacts gc frees what nothing else names" if held.files and not dry_run else ""
    terminal.console().print(f"{held.what} {'would be removed' if dry_run else 'removed'}{freed}", soft_wrap=True)


class _Held(NamedTuple):
    """What goes with runs."""

    what: str
    points: int
    files: int


def _held(reader: Reader, runs: Sequence[RunRecord]) -> _Held:
    points = reader.points([run.uid for run in runs])
    files = [file for run in runs for file in reader.files(run.uid)]
    what = f"{units.counted(len(runs), 'run')} with {units.counted(points, 'point')}"
    what += f" and {units.counted(len(files), 'file')} ({units.size(sum(file.size_bytes for file in files))})"
    return _Held(what, points, len(files))
