"""`weft eval`: run suites of evaluations, list what was run, look at one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from weft.commands import evalreport, terminal
from weft.tracking import runtime, units
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.payloads.redaction import redact
from weft.tracking.store.access import open_store

if TYPE_CHECKING:
    from weft.evals.evaluation import Evaluation
    from weft.evals.results import EvaluationResult
    from weft.tracking.store.readmodels import RunRecord

app = typer.Typer(
    help="Evaluations: run a suite, list what was run, look at one.", no_args_is_help=True, add_completion=False
)
JOB_TYPE = "evaluation"
SCORES_SHOWN = 4
"""Lines of scores that a list gives one evaluation."""


@app.command()
def run(
    target: Annotated[str, typer.Argument(metavar="FILE[::NAME]", help="Python file with Evaluation(model=...).")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows of each dataset.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How often each row is run.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Most cases at once.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that a model's call may take.")] = None,
    project: Annotated[str | None, typer.Option(help="Project of the runs.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summaries as JSON.")] = False,
) -> None:
    """Run the evaluations of a suite file.

    Exit code 0: every case was run and scored. 1: it broke, or every case failed. 2: some failed, or it was
    interrupted. 64: the suite or the options are wrong. A low score is no failure.
    """
    from weft.evals.loading import load_suite  # `ls` and `show` need neither suites nor models
    from weft.tracer.instrument import instrument

    instrument()
    suite = load_suite(target)
    active = runtime.active()
    if active.recording:
        active.home.ensure()  # answers that cost money must not find out afterwards that they cannot be kept
    results: list[EvaluationResult] = []
    interrupted = False
    for evaluation in suite.evaluations:
        chosen = evaluation.with_options(
            trials=trials, concurrency=concurrency, timeout_s=timeout, limit=limit, project=project
        )
        result, interrupted = _run(chosen)
        if result is not None:
            results.append(result)
            if not json:
                _print_result(result)
        if interrupted:
            break
    if json:
        terminal.print_json([_as_json(result) for result in results])
    lost = sum(active.faults.counts.values())
    if lost:
        told = f"{lost:,} times something could not be recorded, so what is kept of this is not all. See `weft doctor`"
        terminal.console(stderr=True).print(terminal.text(told, "red"), soft_wrap=True)
    code = exit_code(results)
    raise SystemExit(terminal.INCOMPLETE if interrupted or (lost and code == terminal.OK) else code)


def _run(evaluation: Evaluation) -> tuple[EvaluationResult | None, bool]:
    """The result, and whether Ctrl-C ended it; what had ended by then is in it."""
    console = terminal.console(stderr=True)
    runner = evaluation.runner()
    with evalreport.progress(evaluation.name, runner.planned, console) as on_case:
        runner.on_case = on_case
        try:
            return asyncio.run(runner.run()), False
        except KeyboardInterrupt:
            return runner.result, True


def exit_code(results: Sequence[EvaluationResult]) -> int:
    """0: all done. 1: some evaluation got no answer at all. 2: some case or scorer failed."""
    if any(result.errors == len(result.rows) for result in results):
        return terminal.FAILURE
    return terminal.OK if all(result.complete for result in results) else terminal.INCOMPLETE


def _print_result(result: EvaluationResult) -> None:
    console = terminal.console()
    model = result.run.config["model"]["name"]
    console.print(evalreport.summary_view(f"{result.name} · {model}", result.to_dict()))
    failed = next((row for row in result.rows if row.error is not None), None)
    if failed is not None:
        count = f"{result.errors} of {len(result.rows)} cases" if len(result.rows) > 1 else "the case"
        which = "every case failed" if result.errors == len(result.rows) else f"{count} failed"
        look = f" (weft traces show {failed.trace_id})" if failed.trace_id else ""
        console.print(terminal.text(f"{which}; the first: {terminal.escape(failed.error, 200)}{look}", "red"))
    broken = next(
        ((name, score.error) for row in result.rows for name, score in row.scores.items() if score.error), None
    )
    if broken is not None:
        failures = f"{units.counted(result.scorer_errors, 'scoring')} failed"
        text = f"{failures}; the first: {broken[0]}: {terminal.escape(broken[1], 200)}"
        console.print(terminal.text(text, "red"))
    console.print(_ending(result.run.state, result.run.id, result.run.project))
    console.print(f"look at it: weft eval show {result.run.id}, or weft ui", style="dim", markup=False)


def _ending(state: str, run_id: str, project: str) -> Text:
    line = terminal.status(state)
    return line.append(f"  run {terminal.escape(run_id)} in project {terminal.escape(project)}", style="default")


def _as_json(result: EvaluationResult) -> dict[str, Any]:
    return {
        "evaluation": result.name,
        "run_id": result.run.id,
        "project": result.run.project,
        "state": result.run.state,
        "complete": result.complete,
        "config": _clean(result.run.config.as_dict()),
        "summary": _clean(result.to_dict()),
    }


def _clean(told: Mapping[str, Any]) -> Any:
    """As the store has it, without secrets: a CI's log keeps what is printed."""
    active = runtime.active()
    return decode(redact(encode(told), active.faults, active.settings.redact))


@app.command()
def ls(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    name: Annotated[str | None, typer.Option(help="Only runs of this evaluation.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List evaluations that were run, newest first."""
    where: dict[str, Any] = {"job_type": JOB_TYPE}
    if project is not None:
        where["project"] = project
    if name is not None:
        where["name"] = name
    with open_store() as store:
        page = store.reader().runs(where, limit=limit)
    if json:
        terminal.print_json(page.rows)
        return
    console = terminal.console()
    if not page.rows:
        hint = " match" if len(where) > 1 else " yet: run one with weft eval run suite.py"
        console.print(f"no evaluations{hint}", markup=False)
        return
    now = time.time_ns()
    table = terminal.table("status", "run", "evaluation", "cases", "scores", "cost", "when", right=("cases", "cost"))
    for column in table.columns:  # where it is narrow, names and scores give way, and a long id goes on below
        column.no_wrap = str(column.header) not in ("run", "evaluation", "scores")
    for found in page.rows:
        table.add_row(*_cells(found, now))
    console.print(table)
    if page.total > len(page.rows):
        console.print(f"{len(page.rows)} of {page.total:,} evaluations; --limit shows more", style="dim")


def _cells(found: RunRecord, now: int) -> list[Any]:
    model = found.config.get("model")
    scorers = evalreport.scorers_of(found.summary)
    scores = [f"{evalreport.score_text(summary)}  {name}" for name, summary in scorers.items()]
    if len(scores) > SCORES_SHOWN:
        scores[SCORES_SHOWN - 1 :] = [f"… and {len(scores) - SCORES_SHOWN + 1} more"]
    model_name = [terminal.text(model["name"], "dim")] if isinstance(model, dict) and "name" in model else []
    return [
        terminal.status(found.state),
        Text(terminal.escape(found.id), overflow="fold"),
        _lines(terminal.text(found.name), *model_name),
        units.count(found.summary.get("rows", found.trace_count)),
        _lines(*(terminal.text(score) for score in scores)) if scores else units.UNKNOWN,
        units.usd(found.summary.get("cost_usd")),
        units.age(found.started_ns, now).removesuffix(" ago"),
    ]


def _lines(*lines: Text) -> Text:
    """One cell of several lines, each cut where the column ends."""
    cell = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `weft eval ls` shows it.")],
    project: Annotated[str | None, typer.Option(help="Its project, where the id is used in several.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many cases.")] = 20,
    failed: Annotated[bool, typer.Option("--failed", help="Only cases that failed, or whose scorer did.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, all cases included.")] = False,
) -> None:
    """Show one evaluation: its summary and its cases."""
    from weft.evals.stored import cases_of

    with open_store() as store:
        reader = store.reader()
        found = _one(reader, run_id, project)
        cases = cases_of(reader, found, runtime.active().home)
    if failed:
        cases = [case for case in cases if case.error or any(score.error for score in case.scores.values())]
    if json:
        terminal.print_json({"run": found, "cases": cases})
        return
    console = terminal.console()
    model = found.config.get("model")
    dataset = found.config.get("dataset")
    title = " · ".join(
        [found.name, *(str(part["name"]) for part in (model, dataset) if isinstance(part, dict) and "name" in part)]
    )
    summary = {"rows": len(cases), **found.summary}
    console.print(evalreport.summary_view(title, summary))
    if limit and cases:
        names = list(evalreport.scorers_of(summary) or dict.fromkeys(key for case in cases for key in case.scores))
        console.print(evalreport.cases_table(cases[:limit], summary, names))
        if len(cases) > limit:
            console.print(f"{limit} of {len(cases):,} cases; --limit shows more", style="dim")
    console.print(_ending(found.state, found.id, found.project))


def _one(reader: Any, run_id: str, project: str | None) -> RunRecord:
    where: dict[str, Any] = {"id": run_id, "job_type": JOB_TYPE}
    if project is not None:
        where["project"] = project
    rows = reader.runs(where, limit=2).rows
    if not rows:
        raise NotFoundError(f"no evaluation has the run id {run_id!r}. `weft eval ls` shows the newest")
    if len(rows) > 1:
        projects = ", ".join(row.project for row in rows)
        raise UsageError(f"the run id {run_id!r} is used in several projects ({projects}, ...). Add --project")
    found: RunRecord = rows[0]
    return found
