"""`weft rm`: what is old, tagged, failed or of a whole project goes: runs, traces and artifacts with their files."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from weft.commands import filteroptions, terminal
from weft.commands import runselection as selection
from weft.tracking import retention, runtime, units
from weft.tracking.collecting import Collected, collect
from weft.tracking.errors import StoreError, UsageError
from weft.tracking.retention import Plan, Rule
from weft.tracking.store.access import open_store

_SHOWN = 10
"""Reasons why something stays, on a terminal."""


def rm(
    older_than: Annotated[
        str | None, typer.Option(help="What began, or was logged last, over 30d, 12h, ... ago.")
    ] = None,
    project: filteroptions.Project = None,
    tag: Annotated[str | None, typer.Option(help="Only what has this tag.")] = None,
    state: Annotated[str | None, typer.Option(help="Only runs that are finished, failed, killed or crashed.")] = None,
    what: Annotated[str | None, typer.Option(help="Some of runs,traces,artifacts. [default: all of them]")] = None,
    keep_last: Annotated[
        int, typer.Option(min=0, help="Keep so many of the newest runs and traces of each project, versions of each.")
    ] = 0,
    everything: Annotated[bool, typer.Option("--all", help="All of --project, whatever its age.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go and what it would free.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: filteroptions.Json = False,
) -> None:
    """Remove old runs, traces and artifacts, and free their files. They stay removed when the store is rebuilt.

    A run that goes takes its traces along.
    What runs is never touched, nor what the registry or an alias holds; the latest version of an artifact stays.
    """
    rule = _rule(older_than, project, tag, state, what, keep_last, everything)
    rt = runtime.active()
    if not rt.recording and not dry_run:
        raise UsageError("nothing can be removed in mode disabled, which writes nothing: unset WEFT_MODE")
    with open_store(foreign_s=None) as store:
        found = retention.plan(store, rule)
    freed, trouble = _would_free(found)
    told = _told(found, freed, trouble)
    if found.empty or dry_run:
        _answer(found, freed, trouble, dry_run=dry_run, json=json)
        return
    terminal.confirm(f"Remove {told}?", yes=yes, what=told)
    with open_store(foreign_s=None) as store:  # while somebody thought about it, others went on
        found = retention.plan(store, rule, within=found)
    retention.carry_out(found)
    try:
        freed, trouble = collect(), None
    except StoreError as error:
        freed, trouble = None, str(error)
    _answer(found, freed, trouble, dry_run=False, json=json)


def _rule(
    older_than: str | None,
    project: str | None,
    tag: str | None,
    state: str | None,
    what: str | None,
    keep_last: int,
    everything: bool,
) -> Rule:
    if everything and project is None:
        raise UsageError("--all takes --project: it means all of one project")
    if not everything and older_than is None and tag is None and state is None and not keep_last:
        raise UsageError("say what may go: --older-than 30d, --tag, --state, --keep-last, or --project P --all")
    if state is not None and state not in selection.STATES[1:]:
        raise UsageError(f"--state is {state!r}; it must be one of {', '.join(selection.STATES[1:])}")
    kinds = retention.KINDS if what is None else tuple(part.strip() for part in what.split(","))
    if state is not None:
        if what is not None and ("runs" not in kinds or "artifacts" in kinds):
            raise UsageError("--state is of runs: leave --what out, or say --what runs or --what runs,traces")
        kinds = kinds if what is not None else ("runs", "traces")
    before = None if older_than is None else max(0, time.time_ns() - filteroptions.ago_ns("--older-than", older_than))
    return Rule(kinds, before, project, tag, state, keep_last, everything)


def _would_free(found: Plan) -> tuple[Collected | None, str | None]:
    """What files it would free; where that cannot be known, why."""
    if found.empty:
        return None, None
    try:
        return retention.would_free(found), None
    except StoreError as error:
        return None, str(error)


def _told(found: Plan, freed: Collected | None, trouble: str | None) -> str:
    parts = []
    if found.runs:
        parts.append(f"{units.counted(len(found.runs), 'run')} with {units.counted(found.points, 'point')}")
    if found.traces:
        parts.append(f"{units.counted(len(found.traces), 'trace')} with {units.counted(found.spans, 'span')}")
    if found.artifacts:
        size = units.size(sum(version.size_bytes for version in found.artifacts))
        parts.append(f"{units.counted(len(found.artifacts), 'version')} of artifacts ({size})")
    told = ", ".join(parts)
    if freed is not None:
        told += f"; {units.counted(freed.blobs + freed.drafts, 'file')} ({units.size(freed.bytes)})"
    return told + ("; how much that frees is not known" if trouble else "")


def _answer(found: Plan, freed: Collected | None, trouble: str | None, *, dry_run: bool, json: bool) -> None:
    if json:
        terminal.print_json(_document(found, freed, trouble, dry_run))
        return
    console = terminal.console()
    for kept in found.kept[:_SHOWN]:
        console.print(terminal.text(f"{kept.what} stays: {kept.why}", "dim"), soft_wrap=True)
    if len(found.kept) > _SHOWN:
        console.print(f"and {len(found.kept) - _SHOWN:,} more stay; --json lists them", style="dim")
    if found.empty:
        console.print("nothing was removed" if found.kept else "nothing matches; nothing was removed")
        return
    verb = "would go" if dry_run else "removed"
    console.print(terminal.text(f"{_told(found, freed, trouble)} {verb}"), soft_wrap=True)
    if freed is not None and freed.fresh_blobs:
        said = f"{units.counted(freed.fresh_blobs, 'file')} more, too young to tell: weft artifacts gc frees them later"
        console.print(terminal.text(said, "dim"), soft_wrap=True)
    if trouble:
        terminal.console(stderr=True).print(terminal.text(trouble, "yellow"), soft_wrap=True)


def _document(found: Plan, freed: Collected | None, trouble: str | None, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "runs": [{"id": run.id, "project": run.project, "name": run.name} for run in found.runs],
        "traces": [{"trace_id": trace.trace_id, "project": trace.project} for trace in found.traces],
        "artifacts": [f"{one.project}/{one.name}:v{one.version}" for one in found.artifacts],
        "points": found.points,
        "spans": found.spans,
        "kept": found.kept,
        "freed": freed,
        "trouble": trouble,
    }
