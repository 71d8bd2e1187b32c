"""`weft runs compare`: what was done differently, and what came of it, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from weft.commands import filteroptions, runtables, terminal
from weft.commands import runselection as selection
from weft.tracking.errors import UsageError
from weft.tracking.runs.metricrules import MetricRules
from weft.tracking.runs.runvalues import columns, value_at
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord

_BEST = "★"
_CELL = 60


class Line(NamedTuple):
    """One name with what each run has there."""

    name: str
    values: Sequence[Any]
    """In the order of the runs; None: it has nothing there."""
    best: Sequence[int] = ()
    """Which runs have the best value, by the goal that `define_metric` gave the metric."""

    @property
    def differs(self) -> bool:
        """Whether not all runs have the same."""
        return any(not _same(value, self.values[0]) for value in self.values[1:])


def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more: run ids, project/id, or names.")],
    project: selection.Within = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is the same in all of them, too.")] = False,
    json: filteroptions.Json = False,
) -> None:
    """Compare runs: the configuration where it differs, and the summaries; ★ is the best by define_metric's goal."""
    with open_store() as store:
        reader = store.reader()
        found = list({run.uid: run for run in (selection.find(reader, one, project) for one in runs)}.values())
        if len(found) < 2:
            raise UsageError("name at least two runs to compare. `weft runs ls` shows the newest")
        rules = [MetricRules(reader.standing(run.uid).metrics) for run in found]
    config = lines(found, "config")
    summary = [_judged(line, rules) for line in lines(found, "summary")]
    if not everything:
        config = [line for line in config if line.differs]
    if json:
        named = [f"{run.project}/{run.id}" for run in found]
        terminal.print_json(
            {
                "runs": [{"id": run.id, "project": run.project, "name": run.name, "state": run.state} for run in found],
                "config": {line.name: dict(zip(named, line.values, strict=True)) for line in config},
                "summary": {line.name: dict(zip(named, line.values, strict=True)) for line in summary},
                "best": {line.name: [named[at] for at in line.best] for line in summary if line.best},
            }
        )
        return
    _print(terminal.console(), found, config, summary, everything)


def lines(runs: Sequence[RunRecord], document: str) -> list[Line]:
    """Every name that one of the runs has in its config or summary."""
    return [Line(name, [_leaf(run, f"{document}.{name}") for run in runs]) for name in columns(runs, document)]


def _leaf(run: RunRecord, column: str) -> Any:
    """Of a name below which a run has others, nothing: each of those is a line of its own."""
    found = value_at(run, column)
    return None if isinstance(found, Mapping) and found and "_type" not in found else found


def _judged(line: Line, rules: Sequence[MetricRules]) -> Line:
    """With the best value marked, where the runs agree on the metric's goal and not all values are equal."""
    goals = {goal for known in rules if (goal := _goal(known, line.name)) is not None}
    numbers = {
        at: float(value)
        for at, value in enumerate(line.values)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    }
    if len(goals) != 1 or len(set(numbers.values())) < 2:
        return line
    best = (min if goals == {"minimize"} else max)(numbers.values())
    return line._replace(best=[at for at, value in numbers.items() if value == best])


def _goal(rules: MetricRules, name: str) -> str | None:
    """Of the metric, or of the one whose `.min`, `.max`, `.best` ... this is."""
    found = rules.of(name)
    if found is None or found.goal is None:
        above, _, kind = name.rpartition(".")
        found = rules.of(above) if kind in selection.SUMMARIES else None
    return None if found is None else found.goal


def _same(one: Any, other: Any) -> bool:
    return bool(one == other and isinstance(one, bool) == isinstance(other, bool)) or (one != one and other != other)


def _print(
    console: Console, runs: Sequence[RunRecord], config: Sequence[Line], summary: Sequence[Line], everything: bool
) -> None:
    several = len({run.project for run in runs}) > 1
    heads = [terminal.escape(f"{run.project}/{run.id}" if several else run.id) for run in runs]
    table = terminal.table("run", *heads)
    for column in table.columns[1:]:
        column.overflow = "fold"
    table.add_row("name", *(terminal.text(run.name) for run in runs))
    table.add_row("state", *(terminal.status(run.state) for run in runs), end_section=True)
    for title, part in (("config", config), ("summary", summary)):
        table.add_row(Text(title, style="bold"), *("" for _ in runs))
        for line in part:
            cells = [_cell(value, at in line.best, line.differs) for at, value in enumerate(line.values)]
            table.add_row(terminal.text(f"  {line.name}"), *cells)
        if not part:
            same = "the same" if not everything and title == "config" else "nothing"
            table.add_row(Text(f"  {same}", style="dim"), *("" for _ in runs))
    console.print(table)


def _cell(value: Any, best: bool, differs: bool) -> Text:
    shown = terminal.text("" if value is None else runtables.value(value), "" if differs else "dim", limit=_CELL)
    return Text.assemble(shown, (f" {_BEST}", "green")) if best else shown
