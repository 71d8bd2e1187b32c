"""`weft artifacts`: versions of datasets, models and results, listed and fetched."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.commands import terminal
from weft.tracking import runtime, units
from weft.tracking.blobs import Blobs
from weft.tracking.errors import Error, NotFoundError, UsageError
from weft.tracking.home import Home
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.versions import Reference, version_of

app = typer.Typer(help="Artifacts: versioned files.", no_args_is_help=True, add_completion=False)


@app.command()
def ls(
    name: Annotated[str | None, typer.Argument(help="Only the versions of this artifact.")] = None,
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, such as dataset.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, manifests included.")] = False,
) -> None:
    """List versions, newest first."""
    asked = (("name", name), ("project", project), ("type", type_))
    where: dict[str, Any] = {key: value for key, value in asked if value is not None}
    with open_store() as store:
        page = store.reader().artifacts(where, limit=limit)
    if json:
        terminal.print_json(page.rows)
        return
    console = terminal.console()
    if not page.rows:
        console.print("no artifacts match" if where else "no artifacts yet: run.log_artifact() logs one")
        return
    now = time.time_ns()
    table = terminal.table(
        "artifact", "version", "aliases", "type", "project", "files", "size", "made by", "when", right=("files", "size")
    )
    for row in page.rows:
        table.add_row(
            terminal.text(row.name, limit=40),
            f"v{row.version}",
            terminal.text(", ".join(row.aliases), limit=24),
            terminal.text(row.type, limit=20),
            terminal.text(row.project, limit=20),
            f"{len(row.manifest):,}",
            units.size(row.size_bytes),
            terminal.text(row.producer_run or units.UNKNOWN, "dim", limit=20),
            units.age(row.created_ns, now),
        )
    console.print(table)
    if page.total > len(page.rows):
        console.print(f"{len(page.rows)} of {page.total:,} versions; --limit shows more", style="dim")


@app.command()
def get(
    artifact: Annotated[str, typer.Argument(help="name, name:alias or name:v3, each perhaps after project/.")],
    to: Annotated[Path | None, typer.Option(help="Folder to write to; default artifacts/<name>-v3.")] = None,
    project: Annotated[str | None, typer.Option(help="Its project, when the name is known in several.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was fetched as JSON.")] = False,
) -> None:
    """Download a version; every file is checked by its hash."""
    record = _find(artifact, project)
    try:
        folder = version_of(record, Blobs(Home(runtime.active().settings.home))).download(to)
    except OSError as error:
        place = error.filename or to or "."
        raise Error(
            f"could not write {artifact} to {place}: {error.strerror}. Give another folder with --to"
        ) from error
    if json:
        terminal.print_json({"folder": folder, "artifact": record})
        return
    holds = f"{units.counted(len(record.manifest), 'file')}, {units.size(record.size_bytes)}"
    said = f"{record.name}:v{record.version}  {holds}  →  {folder}"
    terminal.console().print(terminal.text(said), soft_wrap=True)


def _find(text: str, project: str | None) -> ArtifactRecord:
    parsed = Reference.parse(text)
    place = parsed.project or project
    where = {"name": parsed.name} | ({} if place is None else {"project": place})
    with open_store() as store:
        found = list(store.reader().artifacts(where, limit=None).rows)
    projects = sorted({record.project for record in found})
    if len(projects) > 1:
        raise UsageError(f"{parsed.name} is in several projects: {', '.join(projects)}. Give project/{parsed.name}")
    if not found and place is not None:
        raise NotFoundError(f"project {place} has no artifact {parsed.name}. `weft artifacts ls` shows what there is")
    return Reference(place, parsed.name, parsed.which).choose(found)
