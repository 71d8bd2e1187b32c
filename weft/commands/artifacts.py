"""`weft artifacts`: versions of datasets, models and results, listed, fetched, compared, traced back and cleaned up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.text import Text

from weft.commands import terminal
from weft.commands.artifacttables import listing
from weft.tracking import runtime, units
from weft.tracking.artifacts import protection
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.finding import Reference, choose, version_of
from weft.tracking.artifacts.lineage import Lineage, layers
from weft.tracking.artifacts.recording import LATEST, log_version, remove
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.collecting import collect
from weft.tracking.errors import Error, UsageError
from weft.tracking.home import Home
from weft.tracking.names import check_aliases, check_project
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.previews import preview
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.store.store import Store

app = typer.Typer(help="Artifacts: versioned files.", no_args_is_help=True, add_completion=False)

FILES_SHOWN = 50
CODE = "op"
"""The type of an op's code: every op that was called has versions, which a list shows only when asked for."""
Named = Annotated[str, typer.Argument(help="name, name:alias or name:v3, each perhaps after project/.")]
Project = Annotated[str | None, typer.Option(help="Its project, when the name is known in several.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class _Found(NamedTuple):
    record: ArtifactRecord
    version: ArtifactVersion


@app.command()
def ls(
    name: Annotated[str | None, typer.Argument(help="Only the versions of this artifact.")] = None,
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, such as dataset.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also the code versions of @op.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, manifests included.")] = False,
) -> None:
    """List versions, newest first."""
    asked = (("name", name), ("project", project), ("type", type_))
    where: dict[str, Any] = {key: value for key, value in asked if value is not None}
    chosen = where if all_ or name or type_ else where | {"type": {"$ne": CODE}}
    with open_store() as store:
        reader = store.reader()
        page = reader.artifacts(chosen, limit=limit, manifests=json)
        hidden = 0 if json or chosen is where else reader.artifacts(where, limit=1, manifests=False).total - page.total
    if json:
        terminal.print_json(page.rows)
        return
    console = terminal.console()
    if page.rows:
        several = project is None and len({row.project for row in page.rows}) > 1
        console.print(listing(console, page.rows, time.time_ns(), projects=several))
    else:
        console.print("no artifacts match" if where else "no artifacts yet: run.log_artifact() logs one")
    if page.total > len(page.rows):
        console.print(f"{len(page.rows)} of {page.total:,} versions; --limit shows more", style="dim")
    if hidden:
        console.print(f"--all shows {units.counted(hidden, 'code version')} of @op too", style="dim")


@app.command()
def show(artifact: Named, project: Project = None, json: Json = False) -> None:
    """Show one version: what is said of it, its files, who made and used it."""
    with _opened(artifact, project) as (store, found):
        protected = protection.protected_by(store, found.record)
    record = found.record
    if json:
        terminal.print_json({"artifact": record, "protected_by": protected})
        return
    console = terminal.console()
    aliases = f"  ({', '.join(record.aliases)})" if record.aliases else ""
    console.print(terminal.text(f"{record.project}/{record.name}:v{record.version}{aliases}", "bold"), soft_wrap=True)
    if record.description:
        console.print(terminal.text(record.description), soft_wrap=True)
    table = terminal.table("", "")
    kept = "for ever" if record.ttl_s is None else units.duration(record.ttl_s * 1_000_000_000)
    facts = [
        ("type", record.type),
        ("digest", record.digest),
        ("holds", f"{units.counted(record.file_count, 'file')}, {units.size(record.size_bytes)}"),
        ("created", units.age(record.created_ns, time.time_ns())),
        ("tags", ", ".join(record.tags)),
        ("kept", kept + (f"; {'; '.join(protected)}" if protected else "")),
        ("made by", ", ".join(record.maker_paths)),
        ("used by", ", ".join(record.user_paths)),
        *((f"metadata {key}", preview(encode(value))) for key, value in record.metadata.items()),
    ]
    for name, value in facts:
        if value:
            table.add_row(terminal.text(name, "dim"), terminal.text(value))
    console.print(table)
    files = terminal.table("file", "size", "digest", right=("size",))
    for path, entry in list(record.manifest.items())[:FILES_SHOWN]:
        told = entry.get("ref") or str(entry["digest"])[:12]
        files.add_row(terminal.text(path), units.size(entry.get("size_bytes")), terminal.text(told, "dim", limit=60))
    console.print(files)
    if record.file_count > FILES_SHOWN:
        console.print(f"{FILES_SHOWN} of {record.file_count:,} files; --json shows all", style="dim")


@app.command()
def get(
    artifact: Named,
    to: Annotated[Path | None, typer.Option(help="Folder to write to; default artifacts/<name>-v3.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Only files whose path begins with this.")] = None,
    checkout: Annotated[bool, typer.Option(help="Delete whatever else lies in the folder.")] = False,
    project: Project = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was fetched as JSON.")] = False,
) -> None:
    """Download a version; every file is checked by its hash."""
    if checkout and prefix is not None:
        raise UsageError("--checkout makes a folder exactly the version, so --prefix cannot be given with it")
    with _opened(artifact, project) as (_, found):
        record = found.record
    some = [path for path in record.manifest if prefix is None or path.startswith(prefix)]
    if record.manifest and not some:
        few = ", ".join(repr(path) for path in list(record.manifest)[:3]) + (
            ", ..." if len(record.manifest) > 3 else ""
        )
        raise UsageError(f"no file of {found.version.qualified_name} begins with {prefix!r}; it holds {few}")
    try:
        folder = found.version.checkout(to) if checkout else found.version.download(to, path_prefix=prefix)
    except OSError as error:
        place = error.filename or to or "."
        raise Error(
            f"could not write {artifact} to {place}: {error.strerror}. Give another folder with --to"
        ) from error
    if json:
        terminal.print_json({"folder": folder, "artifact": record})
        return
    size = sum(record.manifest[path].get("size_bytes") or 0 for path in some)
    said = f"{record.name}:v{record.version}  {units.counted(len(some), 'file')}, {units.size(size)}  →  {folder}"
    terminal.console().print(terminal.text(said), soft_wrap=True)


@app.command()
def put(
    path: Annotated[str, typer.Argument(help="A file, a folder, or the address of what lies elsewhere.")],
    name: Annotated[str, typer.Option(help="What the artifact is called, perhaps after project/.")],
    type_: Annotated[str, typer.Option("--type", help="What kind of thing it is.")] = "dataset",
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="An alias besides latest; may be given again.")] = None,
    json: Json = False,
) -> None:
    """Log a file or folder as a version, outside of any run."""
    rt = runtime.active()
    place, _, called = name.rpartition("/")
    made = Artifact(called, type_, description)
    aliases = [one for one in check_aliases(alias) if one != LATEST]
    if "://" in path:
        made.add_reference(path)
    elif Path(path).is_dir():
        made.add_dir(path)
    elif not Path(path).exists():
        raise UsageError(f"nothing is at {path}; give a file, a folder, or an address such as s3://bucket/key")
    else:
        made.add_file(path)
    where = check_project(place) if place else rt.settings.project
    if not log_version(rt, made, project=where, aliases=aliases):
        raise Error(f"{path} could not be kept, so nothing was logged. `weft doctor` says more")
    with open_store() as store:
        record = choose(store.reader(), Reference(where, called, made.digest))
    if json:
        terminal.print_json(record)
        return
    holds = f"{units.counted(record.file_count, 'file')}, {units.size(record.size_bytes)}"
    terminal.console().print(terminal.text(f"{where}/{called}:v{record.version}  {holds}"), soft_wrap=True)


@app.command()
def diff(before: Named, after: Named, project: Project = None, json: Json = False) -> None:
    """Compare two versions: files that were added, removed, changed, and metadata."""
    with _opened(before, project) as (_, first):
        pass
    with _opened(after, project or first.record.project) as (_, second):
        pass
    found = first.version.diff(second.version)
    if json:
        terminal.print_json(found)
        return
    console = terminal.console()
    for sign, style, paths in (
        ("+", "green", found.added),
        ("-", "red", found.removed),
        ("~", "yellow", found.changed),
    ):
        for path in paths:
            console.print(terminal.text(f"{sign} {path}", style), soft_wrap=True)
    for key, (old, new) in found.metadata.items():
        told = f"metadata {key}: {preview(encode(old))} → {preview(encode(new))}"
        console.print(terminal.text(told, "cyan"), soft_wrap=True)
    said = (
        f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, "
        f"{found.unchanged} the same"
    )
    console.print(terminal.text(said if found else "the two are the same", "dim"))


@app.command()
def verify(
    artifact: Named,
    folder: Annotated[Path, typer.Argument(help="The folder to compare with it.")],
    project: Project = None,
    json: Json = False,
) -> None:
    """Compare a folder with a version: exit 1 where a file is missing, different, or does not belong there."""
    with _opened(artifact, project) as (_, found):
        pass
    trouble = None
    try:
        found.version.verify(folder)
    except UsageError as error:
        trouble = str(error)
    if json:
        terminal.print_json({"artifact": found.version.qualified_name, "folder": folder, "trouble": trouble})
    elif trouble is None:
        said = f"{folder} is {found.version.qualified_name}, {units.counted(len(found.version.manifest), 'file')}"
        terminal.console().print(terminal.text(said), soft_wrap=True)
    else:
        raise Error(trouble)
    if trouble is not None:
        raise typer.Exit(terminal.FAILURE)


@app.command()
def rm(
    artifact: Annotated[str, typer.Argument(help="name:alias or name:v3, perhaps after project/.")],
    aliases: Annotated[bool, typer.Option("--aliases", help="Also where it has aliases besides latest.")] = False,
    project: Project = None,
    json: Json = False,
) -> None:
    """Delete a version. Its number is never given again; `weft artifacts gc` frees its files."""
    if ":" not in artifact:
        raise UsageError(f"{artifact} does not say which version: give {artifact}:v3 or {artifact}:latest")
    with _opened(artifact, project) as (store, found):
        record = found.record
        protection.check_version(store, record, delete_aliases=aliases)
        remove(record.project, record.name, record.digest)
    if json:
        terminal.print_json({"deleted": found.version.qualified_name, "digest": record.digest})
        return
    said = f"{found.version.qualified_name} is deleted; `weft artifacts gc` frees what only it held"
    terminal.console().print(terminal.text(said), soft_wrap=True)


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    json: Json = False,
) -> None:
    """Remove versions whose time (TTL) is over, and free files that nothing names any more."""
    done = collect(dry_run=dry_run)
    if json:
        terminal.print_json(done)
        return
    console = terminal.console()
    for one in done.expired:
        what = f"stays: {', '.join(one.kept_by)}" if one.kept_by else "would go" if dry_run else "is gone"
        told = f"{one.version}  its time ended {units.moment(one.expired_ns)}, it {what}"
        console.print(terminal.text(told), soft_wrap=True)
    verb = "would free" if dry_run else "freed"
    said = f"{verb} {units.counted(done.blobs + done.drafts, 'file')}, {units.size(done.bytes)}"
    if done.drafts:
        said += f", {done.drafts:,} of them drafts that a program left which ended before it logged them"
    said += f"; {units.counted(done.kept_blobs, 'file')} in use, {units.size(done.kept_bytes)}"
    if done.fresh_blobs:
        said += f"; {units.counted(done.fresh_blobs, 'file')} that nothing names yet, too young to tell"
    console.print(terminal.text(said), soft_wrap=True)


@app.command()
def lineage(
    artifact: Named,
    up: Annotated[bool, typer.Option("--up", help="Only what it came of.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came of it.")] = False,
    depth: Annotated[int | None, typer.Option(min=0, help="Most steps from it; a run is one.")] = None,
    dot: Annotated[bool, typer.Option("--dot", help="Print Graphviz.")] = False,
    project: Project = None,
    json: Json = False,
) -> None:
    """The runs and versions that a version came of, and that came of it."""
    direction = "both" if up == down else "up" if up else "down"
    with _opened(artifact, project) as (store, found):
        record = found.record
        graph = store.reader().lineage(record.project, record.name, record.version, direction=direction, depth=depth)
    if json:
        terminal.print_json(graph)
    elif dot:
        typer.echo(graph.to_dot())
    else:
        _print(graph, depth)


def _print(graph: Lineage, depth: int | None) -> None:
    console = terminal.console()
    steps = layers(graph)
    into: dict[str, list[str]] = {}
    named = {node.id: node for node in graph.nodes}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(named[edge.source].label)
    table = terminal.table("step", "what", "name", "type", "came of", right=("step",))
    for node in sorted(graph.nodes, key=lambda node: steps[node.id]):
        sources = into.get(node.id, [])
        told = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
        table.add_row(
            f"{steps[node.id]:+d}" if steps[node.id] else "0",
            node.kind,
            Text(terminal.escape(node.label), style="bold" if node.id == graph.root else "", overflow="fold"),
            terminal.text(node.type, limit=20),
            terminal.text(told, "dim", limit=60),
        )
    console.print(table)
    if not graph.whole:
        more = "--depth, --up and --down narrow it" if depth is None else "a larger --depth goes further"
        console.print(f"there is more than is shown: {more}", style="dim")


@contextmanager
def _opened(text: str, project: str | None) -> Iterator[tuple[Store, _Found]]:
    """The store, and the version meant."""
    reference = Reference.parse(text)
    with open_store() as store:
        record = choose(store.reader(), reference, project)
        yield store, _Found(record, version_of(record, Blobs(Home(runtime.active().settings.home))))
