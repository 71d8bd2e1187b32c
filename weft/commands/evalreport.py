"""What an evaluation looks like in a terminal: progress while it runs, its summary, its cases. `weft eval` calls it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from weft.commands import terminal
from weft.tracking import units
from weft.tracking.payloads.encoding import encode, preview

if TYPE_CHECKING:
    from weft.evals.evaluation import OnCase
    from weft.evals.results import CaseResult
    from weft.evals.resulttable import StoredCase

PLAIN_SECONDS = 5.0
"""How often a line says how far it is, where no terminal shows a bar."""
_CELL = 48


@contextmanager
def progress(name: str, planned: int, console: Console) -> Iterator[OnCase]:
    """Shows each case that ends: as a bar on a terminal, else as a line now and then."""
    if console.is_terminal:
        with _bar(name, planned, console) as on_case:
            yield on_case
        return
    done = failed = 0
    said = time.monotonic()

    def line(case: CaseResult) -> None:
        nonlocal done, failed, said
        done, failed = done + 1, failed + (case.error is not None)
        if time.monotonic() - said >= PLAIN_SECONDS and done < planned:
            said = time.monotonic()
            console.print(f"{terminal.escape(name)}: {done} of {planned} cases, {failed} failed", markup=False)

    yield line


@contextmanager
def _bar(name: str, planned: int, console: Console) -> Iterator[OnCase]:
    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}", style="red", markup=False),
        TimeElapsedColumn(),
    )
    failed = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=planned, title=terminal.escape(name, 40), failed="")

        def advance(case: CaseResult) -> None:
            nonlocal failed
            failed += case.error is not None
            bar.update(task, advance=1, failed=f"{failed} failed" if failed else "")

        yield advance


def summary_view(title: str, summary: Mapping[str, Any]) -> Group:
    """A run's summary as a table of scorers with a line of totals.

    Args:
        summary: as in the run (`EvaluationResult.to_dict()`).
    """
    scorers = scorers_of(summary)
    table = terminal.table("scorer", "score", "n", "errors", "unscored", right=("score", "n", "errors", "unscored"))
    for name, found in scorers.items():
        errors = int(found.get("n_errors") or 0)
        table.add_row(
            terminal.text(name),
            score_text(found),
            units.count(found.get("n")),
            Text(units.count(errors), style="red" if errors else ""),
            units.count(found.get("n_unscored")),
        )
    lines: list[RenderableType] = [Text.assemble(terminal.text(title, "bold")), table, _totals(summary)]
    for name, found in scorers.items():
        if found.get("floor") is not None:
            floor = units.percent(found["floor"])
            lines.append(terminal.text(f"{name} is {floor} if what failed counts as wrong", "yellow"))
        if found.get("mean") is not None and found.get("labels"):
            lines.append(terminal.text(f"{name} also gave labels: {_labels(found)}"))
    return Group(*lines)


def scorers_of(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The scorers' part of a run's summary."""
    return {name: found for name, found in summary.items() if isinstance(found, Mapping) and "n_errors" in found}


def score_text(found: Mapping[str, Any]) -> str:
    """`93.1% ± 1.4`, `0.912 ± 0.031` or the counts of labels. "±" is half the width of the 95% interval."""
    interval = found.get("ci")
    half = (interval[1] - interval[0]) / 2 if interval else None
    if found.get("mean") is None:
        return terminal.escape(_labels(found), 60) or units.UNKNOWN
    if found.get("binary"):
        return units.percent(found["mean"], half)
    return units.plus_minus(found["mean"], half)


def _labels(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{label} {count}" for label, count in (found.get("labels") or {}).items())


def _totals(summary: Mapping[str, Any]) -> Text:
    rows, planned, errors = (int(summary.get(key) or 0) for key in ("rows", "planned", "errors"))
    parts = [units.counted(rows, "case") if rows >= planned else f"{rows:,} of {planned:,} cases"]
    latency = summary.get("latency_s")
    if isinstance(latency, Mapping) and latency.get("p50") is not None:
        p50, p95 = (units.duration(round(latency[key] * 1e9)) for key in ("p50", "p95"))
        parts.append(f"latency p50 {p50}, p95 {p95}")
    tokens = summary.get("tokens")
    if isinstance(tokens, Mapping) and tokens:
        parts.append(units.tokens(int(tokens.get("input_tokens") or 0) + int(tokens.get("output_tokens") or 0)))
    if summary.get("cost_usd") is not None:
        parts.append(units.usd(summary["cost_usd"]))
    text = Text(" · ".join(parts), style="dim")
    if errors:
        text.append(" · ").append(f"{errors:,} failed", style="red")
    return text


def cases_table(cases: Iterable[StoredCase], summary: Mapping[str, Any], names: Sequence[str]) -> Table:
    """Cases as a table: what went in, what came out, the scores of these names. Booleans are signs."""
    binary = {name for name, found in scorers_of(summary).items() if found.get("binary")}
    table = terminal.table("row", "input", "output", *names, "took", right=(*names, "took"))
    for column in table.columns[1:-1]:  # a scorer's long name wraps before what was asked and said is cut
        column.no_wrap, column.overflow = False, "fold"
    for case in cases:
        outcome = (
            terminal.text(case.error, "red", _CELL)
            if case.error is not None
            else terminal.text(preview(encode(case.output), _CELL * 2), limit=_CELL)
        )
        table.add_row(
            terminal.text(case.row_id if not case.trial else f"{case.row_id} #{case.trial + 1}", limit=20),
            terminal.text(preview(encode(case.inputs), _CELL * 2), limit=_CELL),
            outcome,
            *(_score_cell(case, name, name in binary) for name in names),
            units.duration(None if case.latency_s is None else round(case.latency_s * 1e9)),
        )
    return table


def _score_cell(case: StoredCase, name: str, binary: bool) -> Text:
    score = case.scores.get(name)
    if score is None:
        return Text(units.UNKNOWN)
    if score.error is not None:
        return Text("error", style="red")
    if score.value is None:
        return terminal.text(score.label if score.label is not None else units.UNKNOWN, limit=16)
    if binary:
        return Text("✓", style="green") if score.value else Text("✗", style="red")
    return Text(units.number(float(score.value)))
