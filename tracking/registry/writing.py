"""Does things in the registry: looks what is there, checks, writes one record an action. For runs, the API, the CLI.

Whoever changes a collection holds the home's registry lock, and takes in what was recorded before and after: so two
processes see each other's actions, and the numbers that they are told are those that stay. Where the lock cannot be had
(a file system without locks, another home on the same store) the records decide by their times, alike for every reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from weft.tracking import names, runtime
from weft.tracking.errors import GateError, HomeError, StoreError, UsageError
from weft.tracking.journal.locks import exclusive
from weft.tracking.journal.records import SCHEMA, RegistryChanged
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact, redact_text
from weft.tracking.registry import evidence, requirements
from weft.tracking.registry.authors import author
from weft.tracking.registry.evidence import Evidence, Subject
from weft.tracking.registry.fold import Source
from weft.tracking.registry.paths import CollectionPath, check_alias, check_aliases
from weft.tracking.registry.sources import Given, collection_of, link_of

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.settings import Settings
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord
    from weft.tracking.store.store import Store

T = TypeVar("T")
LOCK = "registry.lock"
LOCK_SECONDS = 10.0
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
    change: _Change | None = None
    try:
        with _changing(rt, path, who) as change:
            change.link(given, chosen, force=force)
            record = change.settle()
            found = _live(record, given.source)
            return make(change.reader, record, found) if record is not None and found is not None else None
    except (StoreError, HomeError, OSError) as error:
        if change is None or not change.written:
            _Change(rt, None, path, who).write("linked", given.source, chosen, {"type": given.type})
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
    """Move an alias to a version, linking it where it is not, if what is required of it is found.

    Raises:
        GateError: it is not; the message has what was required beside what was found.
        UsageError: no such alias or requirement, or the collection holds another type.
        StoreError: the store cannot be read, so nothing is known of the version.
    """
    _must_record(rt)
    alias, required = check_alias(to, "promoted to"), requirements.parse(require)
    said = names.check_optional_text("note", note)
    who = author(rt.settings, by)
    with _changing(rt, path, who, whole=True) as change:  # the evaluation may just have ended, in another process
        change.check_type(given)
        found = evidence.gather(change.reader, change.subject(given.source), required)
        details: dict[str, Any] = {"require": _asked(require)} if require is not None else {}
        details |= {"evidence": [one.to_dict() for one in found]} if found else {}
        details |= {"note": redact_text(said, rt.settings.redact)[:NOTE_LENGTH]} if said else {}
        if not all(one.passed for one in found):
            if change.record is not None:
                change.write("refused", given.source, [alias], details)
                change.settle()
            raise _refusal(change.named(given.source), path, alias, found)
        record = change.record
        former = record.aliases.get(alias) if record is not None else None
        mine = _live(record, given.source)
        moved = mine is None or alias not in mine.aliases
        if moved:
            change.link(given, [], force=True)
            previous = {"from": former} if former is not None else {}
            change.write("promoted", given.source, [alias], details | previous)
            record = change.settle()
            mine = _live(record, given.source)
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

    def act(change: _Change) -> LinkRecord:
        record = collection_of(change.reader, path)
        found = link_of(record, which)
        guarded = [alias for alias in found.aliases if alias in record.protected]
        if guarded and not force:
            raise UsageError(
                f"{path}:v{found.number} has the protected alias {guarded[0]}: promote another first, or force it"
            )
        change.write("unlinked", _source(found), [], {"number": found.number} | _forced(force))
        return found

    return _do(rt, path, by, act)


def alias(
    rt: Runtime, path: CollectionPath, which: str, names_: Iterable[str], *, by: str | None = None, force: bool = False
) -> None:
    """Move aliases to a linked version.

    Raises:
        NotFoundError: it is not there.
        UsageError: one is no alias, or is protected.
    """
    chosen = [check_alias(name, "moved") for name in names_]

    def act(change: _Change) -> None:
        record = collection_of(change.reader, path)
        found = link_of(record, which)
        new = [name for name in chosen if name not in found.aliases]
        change.check_guarded(new, found, force=force)
        if new:
            change.write("aliased", _source(found), new, _forced(force))

    _do(rt, path, by, act)


def unalias(
    rt: Runtime, path: CollectionPath, names_: Iterable[str], *, by: str | None = None, force: bool = False
) -> None:
    """Take aliases away.

    Raises:
        NotFoundError: there is no such collection.
        UsageError: one is no alias, or is protected.
    """
    chosen = [check_alias(name, "taken away") for name in names_]

    def act(change: _Change) -> None:
        record = collection_of(change.reader, path)
        there = [name for name in chosen if name in record.aliases]
        change.check_guarded(there, None, force=force)
        if there:
            change.write("unaliased", None, there, _forced(force))

    _do(rt, path, by, act)


def protect(rt: Runtime, path: CollectionPath, name: str, *, on: bool = True, by: str | None = None) -> None:
    """From now on an alias moves by `promote` only, or where somebody forces it; or (`on=False`) as others do again.

    Raises:
        NotFoundError: there is no such collection.
        UsageError: it is no alias.
    """
    chosen = check_alias(name, "protected")

    def act(change: _Change) -> None:
        record = collection_of(change.reader, path)
        if (chosen in record.protected) != on:
            change.write("protected" if on else "unprotected", None, [chosen])

    _do(rt, path, by, act)


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

    def act(change: _Change) -> None:
        record = collection_of(change.reader, path)
        details: dict[str, Any] = {}
        if text is not None and text != (record.description or ""):
            details["description"] = redact_text(text, rt.settings.redact)
        if labels is not None and labels != list(record.tags):
            details["tags"] = labels
        if details:
            change.write("described", None, [], details)

    _do(rt, path, by, act)


def delete(rt: Runtime, path: CollectionPath, *, by: str | None = None, force: bool = False) -> None:
    """Delete a collection with its links; the versions, its history and its numbers stay.

    Raises:
        NotFoundError: there is none.
        UsageError: it has a protected alias.
    """

    def act(change: _Change) -> None:
        record = collection_of(change.reader, path)
        change.check_guarded([name for name in record.aliases if name in record.protected], None, force=force)
        change.write("deleted", None, [], _forced(force))

    _do(rt, path, by, act)


class _Change:
    """One collection while it is changed."""

    def __init__(self, rt: Runtime, store: Store | None, path: CollectionPath, who: str) -> None:
        self._rt, self._store, self._path, self._author = rt, store, path, who
        self._last_ns = 0
        self._next_number: int | None = None
        self.written = 0
        """Records, so far."""
        self.record: CollectionRecord | None = None
        """What it was when the lock was taken; None: there is none."""
        if store is not None:
            self._read()

    @property
    def reader(self) -> Reader:
        if self._store is None:
            raise StoreError("the store could not be opened")
        return self._store.reader()

    def check_type(self, given: Given) -> None:
        record = self.record
        if record is not None and record.type != given.type:
            raise UsageError(
                f"{record.path} holds versions of type {record.type!r}, and {self.named(given.source)} is of type "
                f"{given.type!r}: link it into another collection"
            )

    def check_guarded(self, aliases: Iterable[str], at: LinkRecord | None, *, force: bool) -> None:
        record = self.record
        held = set(at.aliases) if at is not None else set()
        guarded = [one for one in aliases if record is not None and one in record.protected and one not in held]
        if guarded and not force:
            raise UsageError(
                f"the alias {guarded[0]} of {self._path} is protected: it moves by promote() only, or by force"
            )

    def link(self, given: Given, aliases: list[str], *, force: bool) -> None:
        """Make the collection and the link, as far as they are not there."""
        self.check_type(given)
        there = _live(self.record, given.source)
        self.check_guarded(aliases, there, force=force)
        if self.record is None:
            self.write("created", None, [], {"type": given.type})
        if there is None:
            number = {"number": self._next_number} if self._next_number is not None else {}
            self.write(
                "linked", given.source, aliases, {"type": given.type} | number | _forced(force and bool(aliases))
            )
        elif new := [one for one in aliases if one not in there.aliases]:
            self.write("aliased", given.source, new, _forced(force))

    def write(
        self,
        action: str,
        source: Source | None = None,
        aliases: Iterable[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """One record; later than all others of the collection, whatever the clock says."""
        rt = self._rt
        self._last_ns = max(rt.ids.wall_ns(), self._last_ns + 1)
        said = redact(encode(dict(details)), rt.faults, rt.settings.redact) if details else None
        project, name, digest = source or (None, None, None)
        self.written += 1
        rt.journal.append(
            RegistryChanged(
                SCHEMA,
                rt.ids.uid(),
                str(self._path),
                action,
                self._last_ns,
                self._author,
                project,
                name,
                digest,
                list(aliases),
                said,
            )
        )

    def settle(self) -> CollectionRecord | None:
        """Take in what was written; the collection as it is then."""
        if self._store is not None:
            _take_in(self._store, settings_of(self._rt))
            self._read()
        return self.record

    def subject(self, source: Source) -> Subject | None:
        """The version as the store has it."""
        where = {"project": source.project, "name": source.name, "digest": source.digest}
        rows = self.reader.artifacts(where, limit=1, manifests=False).rows
        return Subject(source.project, source.name, rows[0].version) if rows else None

    def named(self, source: Source) -> str:
        """`project/name:v3`."""
        subject = self.subject(source)
        return f"{source.project}/{source.name}:" + (f"v{subject.version}" if subject else source.digest[:12])

    def _read(self) -> None:
        from weft.tracking.store import registryreader  # as below

        assert self._store is not None
        rows = self.reader.collections({"path": str(self._path)}, limit=1).rows
        self.record = rows[0] if rows else None
        with self._store.reading() as connection:
            self._next_number, last_ns = registryreader.standing(connection, str(self._path))
        self._last_ns = max(self._last_ns, last_ns)


@contextmanager
def _changing(rt: Runtime, path: CollectionPath, who: str, *, whole: bool = False) -> Iterator[_Change]:
    """
    Args:
        whole: take in all that others recorded, however long that takes.
    """
    from weft.tracking.journal.ingest import FOREIGN_SECONDS
    from weft.tracking.store.access import open_store  # brings SQLAlchemy, which logging never needs

    home = rt.home
    home.ensure()
    foreign_s = None if whole else FOREIGN_SECONDS
    with exclusive(home.path / LOCK, LOCK_SECONDS), open_store(settings_of(rt), foreign_s=foreign_s) as store:
        yield _Change(rt, store, path, who)


def _do(rt: Runtime, path: CollectionPath, by: str | None, act: Callable[[_Change], T]) -> T:
    _must_record(rt)
    with _changing(rt, path, author(rt.settings, by)) as change:
        done = act(change)
        change.settle()
        return done


def _take_in(store: Store, settings: Settings) -> None:
    from weft.tracking.store.access import take_in  # as above

    take_in(store, settings, foreign_s=0.0)


def settings_of(rt: Runtime) -> Settings:
    """A run's settings differ from its process's, whose journal and store it has."""
    active = runtime.active()
    return active.settings if active.journal is rt.journal else rt.settings


def _must_record(rt: Runtime) -> None:
    if not rt.recording:
        raise UsageError("nothing can be changed in mode disabled, which writes nothing: unset WEFT_MODE")


def _live(record: CollectionRecord | None, source: Source) -> LinkRecord | None:
    links = record.links if record is not None else ()
    return next((one for one in links if _source(one) == source), None)


def _source(link: LinkRecord) -> Source:
    return Source(link.project, link.name, link.digest)


def _forced(force: bool) -> dict[str, Any]:
    return {"force": True} if force else {}


def _asked(require: Any) -> list[dict[str, Any]]:
    """As it was written: `requirements.parse` has checked it."""
    return [dict(one) for one in ([require] if isinstance(require, Mapping) else require)]


def _refusal(version: str, path: CollectionPath, alias: str, found: list[Evidence]) -> GateError:
    missed = [
        f"{one.evaluation}{f' ({one.run})' if one.run else ''}: required {finding.required}, found {finding.found}"
        for one in found
        for finding in one.findings
        if not finding.passed
    ]
    refused = GateError(f"{version} is not promoted to {alias} in {path}. {'; '.join(missed)}")
    refused.evidence = tuple(found)
    return refused
