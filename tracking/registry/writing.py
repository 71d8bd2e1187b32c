"""Does things in the registry: checks what is asked, writes one record an action. For runs, the API, the CLI."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from weft.tracking import names
from weft.tracking.errors import GateError, HomeError, StoreError, UsageError
from weft.tracking.payloads.redaction import clean_name, redact_text
from weft.tracking.registry import evidence, requirements
from weft.tracking.registry.authors import author
from weft.tracking.registry.changing import Change, changing, do, forced, live, must_record, source_of
from weft.tracking.registry.evidence import Evidence
from weft.tracking.registry.paths import CollectionPath, check_alias, check_aliases
from weft.tracking.registry.sources import Given, collection_of, link_of

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord

T = TypeVar("T")
DESCRIPTION_LENGTH = 100_000
NOTE_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion that the gate let through."""

    collection: str
    """`registry/name`."""
    version: str
    """`v3`, of the collection."""
    source: str
    """`project/name:v7`."""
    alias: str
    previous: str | None
    """Who had the alias before."""
    moved: bool
    """False: it was there already, and nothing was written."""
    evidence: tuple[Evidence, ...]
    """What was required and found, one an evaluation; empty: nothing was required."""


def link(
    rt: Runtime,
    given: Given,
    path: CollectionPath,
    aliases: Iterable[str],
    make: Callable[[Reader, CollectionRecord, LinkRecord], T | None],
    *,
    by: str | None = None,
    force: bool = False,
) -> T | None:
    """Link a version, or give its link more aliases.

    Args:
        make: what to return of the link. None: the store cannot be read; the link is in the journal all the same.

    Raises:
        UsageError: the collection holds another type, or an alias is protected; nothing was written.
    """
    chosen = check_aliases(list(aliases))
    who = author(rt.settings, by)
    change: Change | None = None
    try:
        with changing(rt, path, who) as change:
            change.link(given, chosen, force=force)
            record = change.settle()
            found = live(record, given.source)
            return make(change.reader, record, found) if record is not None and found is not None else None
    except (StoreError, HomeError, OSError) as error:
        if change is None or not change.written:
            Change(rt, None, path, who).write("linked", given.source, chosen, {"type": given.type})
        rt.faults.note("look into the registry", error, hint="The link is recorded; whether it may be, is seen later.")
        return None


def promote(
    rt: Runtime,
    given: Given,
    path: CollectionPath,
    to: str,
    require: object = None,
    note: str | None = None,
    *,
    by: str | None = None,
) -> Promotion:
    """Move an alias to a version, linking it where it is not, if what is required of it is found: here, and of every
    promotion to that alias (`protect`).

    Raises:
        GateError: it is not; the message has what was required beside what was found.
        UsageError: no such alias or requirement, or the collection holds another type.
        StoreError: the store cannot be read, so nothing is known of the version.
    """
    must_record(rt)
    alias, required = check_alias(to, "promoted to"), requirements.parse(require)
    said = names.check_optional_text("note", note)
    who = author(rt.settings, by)
    with changing(rt, path, who, whole=True) as change:  # the evaluation may just have ended, in another process
        change.check_type(given)
        standing = _standing(change.record, alias)
        wanted = tuple(dict.fromkeys((*required, *standing)))
        found = evidence.gather(change.reader, change.subject(given.source), wanted)
        details: dict[str, Any] = {"require": _asked(require)} if require is not None else {}
        details |= {"standing": requirements.kept(standing)} if standing else {}
        details |= {"evidence": [one.to_dict() for one in found]} if found else {}
        details |= {"note": _short(redact_text(said, rt.settings.redact))} if said else {}
        if not all(one.passed for one in found):
            change.write("refused", given.source, [alias], details)
            change.settle()
            raise _refusal(change.named(given.source), path, alias, found, standing)
        record = change.record
        former = record.aliases.get(alias) if record is not None else None
        mine = live(record, given.source)
        moved = mine is None or alias not in mine.aliases
        if moved:
            change.link(given, [], force=True)
            previous = {"from": former} if former is not None else {}
            change.write("promoted", given.source, [alias], details | previous)
            record = change.settle()
            mine = live(record, given.source)
        if mine is None or alias not in mine.aliases:
            raise StoreError(
                f"the promotion to {alias} in {path} is recorded, but not taken in yet, or the alias was moved since. "
                f"`weft registry history {path}` says"
            )
        before = f"v{former}" if former is not None else None
        return Promotion(str(path), f"v{mine.number}", change.named(given.source), alias, before, moved, tuple(found))


def unlink(rt: Runtime, path: CollectionPath, which: str, *, by: str | None = None, force: bool = False) -> LinkRecord:
    """Take a version out of a collection; the version itself stays, and its number there is never given again.

    Raises:
        NotFoundError: it is not there.
        UsageError: it has a protected alias.
    """

    def act(change: Change) -> LinkRecord:
        record = collection_of(change.reader, path)
        found = link_of(record, which)
        guarded = [alias for alias in found.aliases if alias in record.protected]
        if guarded and not force:
            raise UsageError(
                f"{path}:v{found.number} has the protected alias {guarded[0]}: promote another first, or force it"
            )
        change.write("unlinked", source_of(found), [], {"number": found.number} | forced(force))
        return found

    return do(rt, path, by, act)


def alias(
    rt: Runtime, path: CollectionPath, which: str, names_: Iterable[str], *, by: str | None = None, force: bool = False
) -> None:
    """Move aliases to a linked version.

    Raises:
        NotFoundError: it is not there.
        UsageError: one is no alias, or is protected.
    """
    chosen = [check_alias(name, "moved") for name in names_]

    def act(change: Change) -> None:
        record = collection_of(change.reader, path)
        found = link_of(record, which)
        new = [name for name in chosen if name not in found.aliases]
        change.check_guarded(new, found, force=force)
        if new:
            change.write("aliased", source_of(found), new, forced(force))

    do(rt, path, by, act)


def unalias(
    rt: Runtime,
    path: CollectionPath,
    names_: Iterable[str],
    which: str | None = None,
    *,
    by: str | None = None,
    force: bool = False,
) -> None:
    """Take aliases away.

    Args:
        which: only from this version (`v3`, or an alias): what moved on to another one stays there.

    Raises:
        NotFoundError: there is no such collection, or no such version in it.
        UsageError: one is no alias, or is protected.
    """
    chosen = [check_alias(name, "taken away") for name in names_]

    def act(change: Change) -> None:
        record = collection_of(change.reader, path)
        held = record.aliases if which is None else link_of(record, which).aliases
        there = [name for name in chosen if name in held]
        change.check_guarded(there, None, force=force)
        if there:
            change.write("unaliased", None, there, forced(force))

    do(rt, path, by, act)


def protect(
    rt: Runtime,
    path: CollectionPath,
    name: str,
    *,
    on: bool = True,
    require: object = None,
    by: str | None = None,
) -> Sequence[Mapping[str, Any]]:
    """From now on an alias moves by `promote` only, or where somebody forces it; or (`on=False`) as others do again,
    and nothing is required any more.

    Args:
        require: what every promotion to it must show, whoever promotes, in the place of what was required so far.
            None: that stays. An empty list: nothing.

    Returns:
        What is required from now on, as `require=` takes it.

    Raises:
        NotFoundError: there is no such collection.
        UsageError: it is no alias, or no requirement.
    """
    chosen = check_alias(name, "protected")
    asked = None if require is None else requirements.kept(requirements.parse(require)) if require != [] else []
    if asked and not on:
        raise UsageError(f"what is not protected requires nothing: protect {chosen}, or leave require= out")

    def act(change: Change) -> Sequence[Mapping[str, Any]]:
        record = collection_of(change.reader, path)
        held = requirements.kept(_standing(record, chosen))
        changed = on and asked is not None and asked != held
        if (chosen in record.protected) != on or changed:
            change.write("protected" if on else "unprotected", None, [chosen], {"require": asked} if changed else None)
        return requirements.asked((held if asked is None else asked) if on else [])

    return do(rt, path, by, act)


def describe(
    rt: Runtime,
    path: CollectionPath,
    description: str | None = None,
    tags: Iterable[str] | None = None,
    *,
    by: str | None = None,
) -> None:
    """Write a collection's card (markdown) and tags anew; None leaves each as it is.

    Raises:
        NotFoundError: there is no such collection.
        UsageError: one of them is none.
    """
    text = names.check_optional_text("a collection's description", description)
    if text is not None and len(text) > DESCRIPTION_LENGTH:
        raise UsageError(
            f"a collection's description has at most {DESCRIPTION_LENGTH:,} characters, this {len(text):,}"
        )
    labels = None if tags is None else [clean_name(tag, rt.settings.redact) for tag in names.check_tags(tags)]

    def act(change: Change) -> None:
        record = collection_of(change.reader, path)
        details: dict[str, Any] = {}
        if text is not None and text != (record.description or ""):
            details["description"] = redact_text(text, rt.settings.redact)
        if labels is not None and labels != list(record.tags):
            details["tags"] = labels
        if details:
            change.write("described", None, [], details)

    do(rt, path, by, act)


def delete(rt: Runtime, path: CollectionPath, *, by: str | None = None, force: bool = False) -> None:
    """Delete a collection with its links; the versions, its history and its numbers stay.

    Raises:
        NotFoundError: there is none.
        UsageError: it has a protected alias.
    """

    def act(change: Change) -> None:
        record = collection_of(change.reader, path)
        change.check_guarded([name for name in record.aliases if name in record.protected], None, force=force)
        change.write("deleted", None, [], forced(force))

    do(rt, path, by, act)


def _short(note: str) -> str:
    return note if len(note) <= NOTE_LENGTH else f"{note[:NOTE_LENGTH]}… ({len(note):,} characters)"


def _standing(record: CollectionRecord | None, alias: str) -> tuple[requirements.Requirement, ...]:
    """What every promotion to this alias must show."""
    asked = record.required.get(alias) if record is not None else None
    try:
        return requirements.parse(asked)
    except UsageError as error:
        raise UsageError(f"this version of weft cannot read what {alias} requires: {error}") from error


def _asked(require: Any) -> list[dict[str, Any]]:
    """As it was written: `requirements.parse` has checked it."""
    return [dict(one) for one in ([require] if isinstance(require, Mapping) else require)]


def _refusal(
    version: str,
    path: CollectionPath,
    alias: str,
    found: list[Evidence],
    standing: Sequence[requirements.Requirement],
) -> GateError:
    missed = [
        f"{one.evaluation}{f' ({one.run})' if one.run else ''}: required {finding.required}, found {finding.found}"
        for one in found
        for finding in one.findings
        if not finding.passed
    ]
    asked = requirements.told(requirements.asked(requirements.kept(standing)))
    always = f". Every promotion to {alias} requires {asked}" if standing else ""
    refused = GateError(f"{version} is not promoted to {alias} in {path}. {'; '.join(missed)}{always}")
    refused.evidence = tuple(found)
    return refused
