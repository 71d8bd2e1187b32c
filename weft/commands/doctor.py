"""`weft doctor`: one page on what is where and what is wrong; exit code 1 when something is."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.text import Text

from weft import doctor as examiner
from weft.commands import terminal
from weft.doctor import Report
from weft.tracking import runtime, units

_SIGNS = {"ok": ("●", "green"), "note": ("○", "cyan"), "problem": ("▲", "red")}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say where things are, what waits, what was lost or set aside, and how to mend it. Changes nothing."""
    report = examiner.examine(runtime.active().settings)
    if json:
        terminal.print_json(examiner.to_json(report))
    else:
        _show(report)
    if not report.healthy:
        raise SystemExit(terminal.FAILURE)


def _show(report: Report) -> None:
    console = terminal.console()
    now = time.time_ns()
    for label, line in _facts(report):
        console.print(Text.assemble((f"{label:<9}", "dim"), terminal.text(line)), soft_wrap=True)
    if report.writers:
        table = terminal.table("writing now", "pid", "since", "segment", "size", right=("pid", "size"))
        for writer in report.writers:
            table.add_row(
                terminal.text(writer.host, limit=30),
                str(writer.pid),
                units.age(writer.since_ns, now),
                terminal.text(writer.segment, "dim"),
                units.size(writer.size_bytes),
            )
        console.print(table)
    console.print()
    for finding in report.findings:
        sign, colour = _SIGNS[finding.level]
        console.print(Text.assemble((f"{sign} ", colour), terminal.text(finding.text)), soft_wrap=True)
        if finding.mend:
            console.print(Text.assemble("  → ", terminal.text(finding.mend, "bold")), soft_wrap=True)
    problems = sum(finding.level == "problem" for finding in report.findings)
    verdict = f"{problems} {'problem' if problems == 1 else 'problems'}" if problems else "all is well"
    console.print(Text(verdict, style="bold red" if problems else "bold green"))


def _facts(report: Report) -> list[tuple[str, str]]:
    installed = [f"{name} {version}" for name, version in report.versions.items() if version is not None]
    facts = [("home", report.home), ("store", report.store), ("versions", " · ".join(installed))]
    missing = examiner.missing_extras(report.versions)
    if missing:
        facts.append(("extras", f'not installed: {", ".join(missing)} (pip install "weft[{",".join(missing)}]")'))
    if report.sizes:
        facts.append(("sizes", " · ".join(f"{place} {units.size(size)}" for place, size in report.sizes.items())))
    if report.status is not None:
        held = report.status
        facts.append(("holds", f"{held.traces:,} traces · {held.spans:,} spans · {held.runs:,} runs"))
    return facts
