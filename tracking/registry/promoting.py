"""Promotions through the gate, and what a protected alias requires of every one of them. For the API and the CLI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.tracking import names
from weft.tracking.errors import GateError, StoreError, UsageError
from weft.tracking.payloads.redaction import redact_text
from weft.tracking.registry import evidence, requirements
from weft.tracking.registry.authors import author
from weft.tracking.registry.changing import Change, changing, do, live, must_record, source_of
from weft.tracking.registry.evidence import Evidence
from weft.tracking.registry.paths import CollectionPath, check_alias
from weft.tracking.registry.sources import Given, collection_of

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.readmodels import CollectionRecord

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


@dataclass(frozen=True, slots=True)
class Guard:
    """What a protected alias requires."""

    required: Sequence[Mapping[str, Any]]
    """As `require=` takes it; empty: nothing."""
    holder: str | None
    """`v3`, of the collection: who has the alias now and keeps it, where something is required."""
    evidence: tuple[Evidence, ...]
    """What would be found if it were promoted now."""


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


def protect(
    rt: Runtime,
    path: CollectionPath,
    name: str,
    *,
    on: bool = True,
    require: object = None,
    by: str | None = None,
) -> Guard:
    """From now on an alias moves by `promote` only, or where somebody forces it; or (`on=False`) as others do again,
    and nothing is required any more.

    Args:
        require: what every promotion to it must show, whoever promotes, in the place of what was required so far.
            None: that stays. An empty list: nothing.

    Raises:
        NotFoundError: there is no such collection.
        UsageError: it is no alias, or no requirement.
    """
    chosen = check_alias(name, "protected")
    asked = None if require is None else requirements.kept(requirements.parse(require)) if require != [] else []
    if asked and not on:
        raise UsageError(f"what is not protected requires nothing: protect {chosen}, or leave require= out")

    def act(change: Change) -> Guard:
        record = collection_of(change.reader, path)
        changed = on and asked is not None and requirements.asked(asked) != list(record.required.get(chosen, ()))
        kept = requirements.kept(_standing(record, chosen)) if on and asked is None else asked or []
        if (chosen in record.protected) != on or changed:
            change.write("protected" if on else "unprotected", None, [chosen], {"require": asked} if changed else None)
        required = requirements.asked(kept if on else [])
        holder = next((link for link in record.links if chosen in link.aliases), None)
        if holder is None or not required:
            return Guard(required, None, ())
        found = evidence.gather(change.reader, change.subject(source_of(holder)), requirements.parse(required))
        return Guard(required, f"v{holder.number}", tuple(found))

    return do(rt, path, by, act)


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
