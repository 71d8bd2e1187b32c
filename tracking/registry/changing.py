"""One collection while it is changed: under the home's lock, with what was recorded taken in before and after.

So two processes see each other's actions, and the numbers that they are told are those that stay. Where the lock cannot
be had (a file system without locks, another home on the same store) the records decide by their times, alike for every
reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from weft.tracking import runtime
from weft.tracking.errors import StoreError, UsageError
from weft.tracking.journal.locks import exclusive
from weft.tracking.journal.records import SCHEMA, RegistryChanged
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import redact
from weft.tracking.registry.authors import author
from weft.tracking.registry.evidence import Subject
from weft.tracking.registry.fold import Source
from weft.tracking.registry.paths import CollectionPath
from weft.tracking.registry.sources import Given

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.settings import Settings
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord
    from weft.tracking.store.store import Store

T = TypeVar("T")
LOCK = "registry.lock"
LOCK_SECONDS = 10.0


class Change:
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
        there = live(self.record, given.source)
        self.check_guarded(aliases, there, force=force)
        if self.record is None:
            self.write("created", None, [], {"type": given.type})
        if there is None:
            number = {"number": self._next_number} if self._next_number is not None else {}
            self.write("linked", given.source, aliases, {"type": given.type} | number | forced(force and bool(aliases)))
        elif new := [one for one in aliases if one not in there.aliases]:
            self.write("aliased", given.source, new, forced(force))

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
def changing(rt: Runtime, path: CollectionPath, who: str, *, whole: bool = False) -> Iterator[Change]:
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
        yield Change(rt, store, path, who)


def do(rt: Runtime, path: CollectionPath, by: str | None, act: Callable[[Change], T]) -> T:
    must_record(rt)
    with changing(rt, path, author(rt.settings, by)) as change:
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


def must_record(rt: Runtime) -> None:
    if not rt.recording:
        raise UsageError("nothing can be changed in mode disabled, which writes nothing: unset WEFT_MODE")


def live(record: CollectionRecord | None, source: Source) -> LinkRecord | None:
    links = record.links if record is not None else ()
    return next((one for one in links if source_of(one) == source), None)


def source_of(link: LinkRecord) -> Source:
    return Source(link.project, link.name, link.digest)


def forced(force: bool) -> dict[str, Any]:
    return {"force": True} if force else {}
