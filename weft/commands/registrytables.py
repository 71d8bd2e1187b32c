"""What `weft registry` prints: histories, evidence, collections as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.commands import terminal
from weft.tracking import units
from weft.tracking.registry import history as words
from weft.tracking.registry.evidence import Evidence
from weft.tracking.store.readmodels import CollectionRecord, LinkRecord, RegistryEvent


def print_history(events: Sequence[RegistryEvent], now: int, *, evidence: bool, path: bool = False) -> None:
    table = terminal.table("when", "who", *(["collection"] if path else []), "what")
    for event in events:
        style = "red" if event.action == "refused" else "dim" if event.problem else ""
        table.add_row(
            units.age(event.at_ns, now),
            terminal.text(event.author, "dim", limit=20),
            *([terminal.text(event.collection, limit=32)] if path else []),
            terminal.text(words.told(event), style),
        )
        if evidence:
            for one in words.evidence(event):
                sign, colour = ("●", "green") if one.passed else ("▲", "red")
                where = f" ({one.run})" if one.run else ""
                told = f"{sign} {one.evaluation}{where}: {one.required}, found {one.found}"
                table.add_row("", "", *([""] if path else []), terminal.text(told, colour))
            for note in words.notes(event):
                table.add_row("", "", *([""] if path else []), terminal.text(note, "dim"))
    terminal.console().print(table)


def print_evidence(evidence: Sequence[Evidence]) -> None:
    if not evidence:
        return
    console = terminal.console()
    table = terminal.table("", "required", "found", "evaluation")
    for one in evidence:
        for finding in one.findings:
            table.add_row(
                terminal.status("passed" if finding.passed else "failed"),
                terminal.text(finding.required),
                terminal.text(finding.found),
                terminal.text(one.run or one.evaluation, "dim"),
            )
    console.print(table)
    for one in evidence:
        for note in one.notes:
            console.print(terminal.text(f"{one.evaluation}: {note}", "dim"), soft_wrap=True)


def source(link: LinkRecord) -> str:
    number = f"v{link.version}" if link.version is not None else link.digest[:12]
    return f"{link.project}/{link.name}:{number}"


def plain(record: CollectionRecord) -> dict[str, Any]:
    """With what is derived: `path` and where aliases point."""
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {"path": record.path, **fields, "aliases": dict(record.aliases)}
