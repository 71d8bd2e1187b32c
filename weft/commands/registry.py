"""`weft registry`: collections of linked versions, promotions through a gate, and who did what."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.commands import registrytables as tables
from weft.commands import terminal
from weft.tracking import runtime, units
from weft.tracking.errors import Error, GateError, UsageError
from weft.tracking.registry import linking, promoting, requirements, writing
from weft.tracking.registry.paths import LATEST, CollectionPath, LinkReference
from weft.tracking.registry.requirements import EVAL
from weft.tracking.registry.sources import collection_of
from weft.tracking.store.access import open_store

app = typer.Typer(
    help="The registry: linked versions, promoted through a gate.", no_args_is_help=True, add_completion=False
)

SHOWN = 20
Name = Annotated[str, typer.Argument(help="registry/collection, or collection: then of the registry model.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who does it; default WEFT_USER, git's user, your login.")]
Force = Annotated[bool, typer.Option("--force", help="Also where an alias is protected.")]
Eval = Annotated[str | None, typer.Option("--eval", help="The evaluation that must show it.")]
Require = Annotated[
    list[str] | None,
    typer.Option(
        help='What: "accuracy>=0.9", "accuracy ci>=0.85", "cost_usd<1"; may be given again, and what follows '
        '"eval=NAME" is of that evaluation.'
    ),
]
_REQUIRED = re.compile(r"([^\s<>=!]+)(?:\s*=(?!=))?\s*(\S.*)", re.DOTALL)


@app.command()
def ls(
    registry: Annotated[str | None, typer.Argument(help="Only this registry.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only collections of this type.")] = None,
    alias: Annotated[str | None, typer.Option(help="Only those that have it, such as production.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, last changed first.")] = SHOWN,
    json: Json = False,
) -> None:
    """List collections, the one where something was done last first."""
    asked = (("registry", registry), ("type", type_), ("aliases", alias))
    where: dict[str, Any] = {key: value for key, value in asked if value is not None}
    with open_store() as store:
        page = store.reader().collections(where, limit=limit)
    if json:
        terminal.print_json([tables.plain(record) for record in page.rows])
        return
    console = terminal.console()
    if not page.rows:
        console.print("no collections match" if where else "no collections yet: weft registry link makes the first")
        return
    now = time.time_ns()
    table = terminal.table("collection", "type", "versions", "latest", "aliases", "changed", right=("versions",))
    for record in page.rows:
        latest = record.aliases.get(LATEST)
        others = [
            f"{alias}{'!' if alias in record.protected else ''} v{number}"
            for alias, number in record.aliases.items()
            if alias != LATEST
        ]
        table.add_row(
            terminal.text(record.path, limit=40),
            terminal.text(record.type, limit=16),
            f"{len(record.links):,}",
            terminal.text(f"v{latest}" if latest is not None else units.UNKNOWN),
            terminal.text(", ".join(others)),
            units.age(record.updated_ns, now),
        )
    console.print(table)
    if any(alias in record.protected for record in page.rows for alias in record.aliases):
        console.print("! a protected alias: it moves by promotion only", style="dim")
    if page.total > len(page.rows):
        console.print(f"{len(page.rows)} of {page.total:,} collections; --limit shows more", style="dim")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show a collection: its card, its versions, and what was done last."""
    path = CollectionPath.parse(name)
    with open_store() as store:
        reader = store.reader()
        record = collection_of(reader, path)
        events = reader.registry_events(record.path, limit=5)
    if json:
        terminal.print_json(tables.plain(record))
        return
    console = terminal.console()
    console.print(terminal.text(record.path, "bold"), soft_wrap=True)
    for line in (record.description or "").splitlines():
        console.print(terminal.text(line), soft_wrap=True)
    facts = terminal.table("", "")
    now = time.time_ns()
    for key, value in (
        ("type", record.type),
        ("tags", ", ".join(record.tags)),
        ("protected", ", ".join(record.protected)),
        *((f"{alias} requires", requirements.told(asked)) for alias, asked in record.required.items()),
        ("made", f"{units.age(record.created_ns, now)} by {record.author}"),
    ):
        if value:
            facts.add_row(terminal.text(key, "dim"), terminal.text(value))
    console.print(facts)
    table = terminal.table("version", "aliases", "linked from", "by", "when")
    for link in record.links:
        table.add_row(
            f"v{link.number}",
            terminal.text(", ".join(link.aliases), limit=32),
            terminal.text(tables.source(link), limit=48),
            terminal.text(link.author, "dim", limit=20),
            units.age(link.linked_ns, now),
        )
    console.print(table)
    tables.print_history(events, now, evidence=False)


@app.command()
def link(
    version: Annotated[str, typer.Argument(help="name:v3, project/name:alias, or registry:collection:v1.")],
    collection: Name,
    alias: Annotated[list[str] | None, typer.Option(help="An alias in the collection; may be given again.")] = None,
    by: By = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Link a version into a collection, which its first link makes; or give its link more aliases."""
    done = linking.link_artifact(version, collection, alias, by=by, force=force)
    if done is None:
        raise Error(f"{version} could not be linked now. `weft doctor` says more")
    if json:
        terminal.print_json(
            {"linked": done.qualified_name, "source": done.source_qualified_name, "aliases": done.aliases}
        )
        return
    held = f"  ({', '.join(done.aliases)})" if done.aliases else ""
    said = f"{done.source_qualified_name}  →  {done.collection}:{done.version}{held}"
    terminal.console().print(terminal.text(said), soft_wrap=True)


@app.command()
def unlink(
    version: Annotated[str, typer.Argument(help="registry/collection:v3, or an alias instead of v3.")],
    by: By = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Take a version out of a collection. The version itself stays; its number is never given again."""
    reference = LinkReference.parse(version)
    if reference.which is None:
        raise UsageError(f"{version} does not say which version: give {reference.path}:v3 or {reference.path}:latest")
    gone = writing.unlink(runtime.active(), reference.path, reference.which, by=by, force=force)
    if json:
        terminal.print_json({"unlinked": f"{reference.path}:v{gone.number}", "source": tables.source(gone)})
        return
    said = f"{reference.path}:v{gone.number} is unlinked; {tables.source(gone)} stays"
    terminal.console().print(terminal.text(said), soft_wrap=True)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="name:v3, project/name:alias, or registry:collection:staging.")],
    collection: Annotated[
        str | None, typer.Argument(help="registry/collection, where VERSION does not say it.")
    ] = None,
    to: Annotated[str, typer.Option(help="The alias that moves.")] = "production",
    eval_: Eval = None,
    require: Require = None,
    note: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Move an alias to a version, if an evaluation of it shows what is required: else exit 100, and nothing moves.

    What the alias requires of every promotion (weft registry protect) is asked, too.
    """
    refused: GateError | None = None
    try:
        done = linking.promote(version, collection, to, _required(eval_, require or []), note, by=by)
    except GateError as error:
        refused = error
    evidence = refused.evidence if refused is not None else done.evidence
    if json:
        told = {"refused": True, "message": str(refused)} if refused is not None else {"refused": False} | asdict(done)
        terminal.print_json(told | {"evidence": [one.to_dict() for one in evidence]})
    else:
        tables.print_evidence(evidence)
        if refused is not None:
            terminal.console().print(terminal.text(f"▲ {version} is not promoted to {to}", "red"), soft_wrap=True)
        else:
            before = f", which was on {done.previous}" if done.moved and done.previous else ""
            moved = f"● {done.source} is {done.collection}:{to} ({done.version}){before}"
            said = moved if done.moved else f"● {done.source} is {done.collection}:{to} already"
            terminal.console().print(terminal.text(said, "green"), soft_wrap=True)
    if refused is not None:
        raise typer.Exit(terminal.GATE)


@app.command()
def protect(
    collection: Name,
    alias: Annotated[str, typer.Argument(help="Such as production.")],
    eval_: Eval = None,
    require: Require = None,
    no_require: Annotated[bool, typer.Option("--no-require", help="Require nothing any more.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Let it move by any link again; nothing is required.")] = False,
    by: By = None,
    json: Json = False,
) -> None:
    """From now on an alias moves by promotion only, or by force.

    With --eval every promotion to it, whoever promotes, must show what is required here.
    """
    path = CollectionPath.parse(collection)
    asked = _required(eval_, require or [])
    if no_require and asked is not None:
        raise UsageError("--no-require takes what is required away: leave --eval and --require out")
    guard = promoting.protect(runtime.active(), path, alias, on=not off, require=[] if no_require else asked, by=by)
    if json:
        told = {"collection": str(path), "alias": alias, "protected": not off, "required": guard.required}
        terminal.print_json(told | {"holder": guard.holder, "evidence": [one.to_dict() for one in guard.evidence]})
        return
    always = f", which requires {requirements.told(guard.required)}" if guard.required else ""
    said = f"{alias} of {path} {'moves by any link again' if off else f'moves by promotion only{always}'}"
    terminal.console().print(terminal.text(said), soft_wrap=True)
    if guard.holder is not None:
        tables.print_evidence(guard.evidence)
        shows = "shows that" if all(one.passed for one in guard.evidence) else "does not show that, and keeps it"
        terminal.console().print(terminal.text(f"{guard.holder}, which has it now, {shows}"), soft_wrap=True)


@app.command()
def alias(
    version: Annotated[str, typer.Argument(help="registry/collection:v3, or an alias instead of v3.")],
    aliases: Annotated[list[str], typer.Argument(help="What moves there; with --off what is taken away.")],
    off: Annotated[bool, typer.Option("--off", help="Take them away.")] = False,
    by: By = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Move aliases to a linked version, or take them away from it (of a collection alone: from whichever has them)."""
    reference = LinkReference.parse(version)
    rt = runtime.active()
    if off:
        writing.unalias(rt, reference.path, aliases, reference.which, by=by, force=force)
    else:
        writing.alias(rt, reference.path, reference.which or LATEST, aliases, by=by, force=force)
    with open_store() as store:
        record = collection_of(store.reader(), reference.path)
    if json:
        terminal.print_json(tables.plain(record))
        return
    said = ", ".join(f"{name} v{number}" for name, number in record.aliases.items())
    terminal.console().print(terminal.text(f"{record.path}: {said}"), soft_wrap=True)


@app.command()
def describe(
    collection: Name,
    card: Annotated[Path | None, typer.Argument(help="A markdown file; left out: only tags change.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="All its tags from now on; may be given again.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Write a collection's card and tags."""
    if card is None and tag is None:
        raise UsageError("weft registry describe was given nothing to write: a markdown file, or --tag")
    path = CollectionPath.parse(collection)
    text = None
    if card is not None:
        try:
            text = card.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Error(f"the card {card} could not be read: {why}") from error
    writing.describe(runtime.active(), path, text, tag, by=by)
    if json:
        with open_store() as store:
            terminal.print_json(tables.plain(collection_of(store.reader(), path)))
        return
    terminal.console().print(terminal.text(f"{path} is described"), soft_wrap=True)


@app.command()
def rm(
    collection: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, delete nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    by: By = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Delete a collection with its links. The versions, its history and the numbers that it gave stay."""
    path = CollectionPath.parse(collection)
    with open_store() as store:
        held = collection_of(store.reader(), path)
    what = f"the collection {path} with {units.counted(len(held.links), 'link')}"
    if not dry_run:
        terminal.confirm(f"Delete {what}?", yes=yes, what=what)
        writing.delete(runtime.active(), path, by=by, force=force)
    if json:
        terminal.print_json({"dry_run": dry_run, "deleted": str(path), "links": len(held.links)})
        return
    said = f"{what} would be deleted" if dry_run else f"{path} is deleted; what was linked in it stays"
    terminal.console().print(terminal.text(said), soft_wrap=True)


@app.command()
def history(
    collection: Annotated[str | None, typer.Argument(help="Only of this collection; deleted ones too.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = SHOWN,
    json: Json = False,
) -> None:
    """Who did what, and what promotions required and found. Nothing is ever taken from it."""
    path = None if collection is None else str(CollectionPath.parse(collection))
    with open_store() as store:
        events = store.reader().registry_events(path, limit=limit)
    if json:
        terminal.print_json(events)
        return
    if not events:
        terminal.console().print(f"nothing was done in {terminal.escape(path or 'the registry')} yet")
        return
    tables.print_history(events, time.time_ns(), evidence=True, path=path is None)


def _required(evaluation: str | None, texts: Sequence[str]) -> list[dict[str, Any]] | None:
    required: list[dict[str, Any]] = [] if evaluation is None else [{EVAL: evaluation}]
    for text in texts:
        found = _REQUIRED.fullmatch(text.strip())
        if found is None or found[2] == "=":
            raise UsageError(f'--require {text!r:.80}: write "accuracy>=0.9", "accuracy ci>=0.85" or "score 0.2..0.4"')
        if found[1] == EVAL:
            required.append({EVAL: found[2]})
        elif not required:
            raise UsageError("--require says what an evaluation must show: say which with --eval NAME")
        else:
            required[-1].setdefault(found[1], []).append(found[2])
    return required or None
