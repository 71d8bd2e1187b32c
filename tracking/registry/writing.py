"""Does things in the registry: checks what is asked, writes one record an action. For runs, the API, the CLI.

What the gate has a word in, `promote` and `protect`, is in `promoting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from weft.tracking import names
from weft.tracking.errors import HomeError, StoreError, UsageError
from weft.tracking.payloads.redaction import clean_name, redact_text
from weft.tracking.registry.authors import author
from weft.tracking.registry.changing import Change, changing, do, forced, live, source_of
from weft.tracking.registry.paths import CollectionPath, check_alias, check_aliases
from weft.tracking.registry.sources import Given, collection_of, link_of

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord

T = TypeVar("T")
DESCRIPTION_LENGTH = 100_000


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
