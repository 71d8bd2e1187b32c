"""Frees what nothing names any more: versions whose time is over, then blobs that no record of this home mentions.

Nothing is freed on a guess. The journal is taken in wholly first; whatever of it cannot be read keeps everything. A
blob is named wherever the store holds its digest, in whichever column, of whichever kind of record; and one that was
written or met again a short time ago stays, since the record that names it may be on its way.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, MetaData, Table, Text, inspect, select
from sqlalchemy.sql.sqltypes import String

from weft.tracking import draftowners, filesystems, runtime
from weft.tracking.artifacts import protection, recording
from weft.tracking.artifacts.knownfiles import FOLDER as KNOWN
from weft.tracking.artifacts.manifest import unpacked
from weft.tracking.blobs import DRAFT, FRESH_SECONDS
from weft.tracking.errors import StoreError
from weft.tracking.home import Home
from weft.tracking.journal import frames
from weft.tracking.journal.locks import exclusive
from weft.tracking.journal.records import ArtifactLogged
from weft.tracking.journal.segments import Segments
from weft.tracking.settings import Settings
from weft.tracking.store import artifactreader, schema
from weft.tracking.store.access import drain_into, open_store
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.store.store import Store
from weft.tracking.store.transaction import Transaction

DRAFT_SECONDS = 7 * 86_400.0
"""After so long the draft of an artifact that nobody logged is an orphan, where its owner cannot be asked for."""
KNOWN_SECONDS = 90 * 86_400.0
LOCK_SECONDS = 30.0
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_DIGEST_BYTES = re.compile(_DIGEST.pattern.encode())
_GONE = ".gone"
_ROWS = 2_000
_CHUNK = 4 << 20
_OVERLAP = 66
"""A digest and what stands on both sides of it."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A version whose time is over."""

    version: str
    """`project/name:v3`."""
    expired_ns: int
    kept_by: tuple[str, ...] = ()
    """Why it stays all the same: aliases, what protects it. Empty: it goes."""


@dataclass(slots=True)
class Collected:
    """What was freed, or would be."""

    dry_run: bool
    expired: list[Expired] = field(default_factory=list)
    blobs: int = 0
    bytes: int = 0
    drafts: int = 0
    """Copies of artifacts that were never logged; their bytes are counted too."""
    kept_blobs: int = 0
    kept_bytes: int = 0
    fresh_blobs: int = 0
    """Nothing names them, and they are too young to be freed."""


def collect(
    settings: Settings | None = None,
    *,
    dry_run: bool = False,
    fresh_s: float = FRESH_SECONDS,
    now_ns: int | None = None,
    without: Callable[[Transaction], None] | None = None,
) -> Collected:
    """Remove expired versions and free their blobs, and whatever else nothing names.

    Args:
        dry_run: only say what would be done.
        fresh_s: blobs younger than so many seconds stay.
        without: for a dry run: removes something from the store, which is undone; what only that named counts as free.

    Raises:
        StoreError: the store or the journal cannot be read wholly, so what is named cannot be known; nothing was freed.
        HomeError: the home cannot be used.
    """
    settings = settings or runtime.active().settings
    home = Home(settings.home)
    done = Collected(dry_run)
    with open_store(settings) as store:
        _take_all_in(store, settings, home)
        going = _expire(store, done, time.time_ns() if now_ns is None else now_ns)
        if going and not dry_run:
            for record in going:
                recording.remove(record.project, record.name, record.digest)
            _take_all_in(store, settings, home)
        # Nobody takes records in meanwhile: what is in the store, and what waits behind it, is one state.
        with home.using("collect its files"), exclusive(home.ingest_lock, LOCK_SECONDS) as held:
            if not held:
                raise StoreError("another process takes the journal in, so nothing was freed. Try again")
            if not dry_run:
                _put_back(home)
            _mark_and_free(store, home, going, done, fresh_s, without if dry_run else None)
            _sweep(home, done)
    return done


def _mark_and_free(
    store: Store,
    home: Home,
    going: list[ArtifactRecord],
    done: Collected,
    fresh_s: float,
    without: Callable[[Transaction], None] | None,
) -> None:
    here = dict(_blobs(home))
    skip = {(record.project, record.name, record.digest) for record in going}
    if without is None:
        named = _named(store, here, skip)
    else:
        with store.trying() as (transaction, connection):
            without(transaction)
            named = _named_by(connection, here, skip)
    own = home.path / "weft.db"
    if own.exists() and (store.path is None or store.path.resolve() != own.resolve()):
        # Another store of this home, from before WEFT_STORE named this one: what it names stays too.
        with Store.open(f"sqlite:///{own}", create=False) as other:
            named |= _named(other, here, skip=set())
    named |= _waiting(store, home) & here.keys()
    _free(here, _with_theirs(here, named), done, fresh_s)


def _take_all_in(store: Store, settings: Settings, home: Home) -> None:
    drained = drain_into(store, settings)
    unread = [*drained.newer, *drained.unreadable]
    if drained.busy or drained.waiting_bytes or unread:
        what = (
            f"{len(unread)} segments of the journal cannot be read ({', '.join(unread[:3])})"
            if unread
            else ("part of the journal waits to be taken in, by another process")
        )
        raise StoreError(
            f"{what}, so it is not known which files are named there: nothing was freed. See `weft doctor`"
        )
    with store.reading() as connection:
        homes = set(connection.execute(select(schema.segment.c.home).distinct()).scalars())
    if home.uid not in homes and any(True for _ in _blobs(home)):
        raise StoreError(
            f"the store {settings.url} has never heard of the home {home.path}, so it does not know which of its files "
            "are named: nothing was freed. Set WEFT_STORE to the store of this home"
        )


def _expire(store: Store, done: Collected, now_ns: int) -> list[ArtifactRecord]:
    reader, going = store.reader(), list[ArtifactRecord]()
    for record in reader.artifacts({"ttl_s": {"$gte": 0}}, limit=None, manifests=False).rows:
        expires_ns = record.logged_ns + (record.ttl_s or 0) * 1_000_000_000
        if expires_ns > now_ns:
            continue
        kept = [f"alias {alias}" for alias in protection.own_aliases(record)] + protection.protected_by(store, record)
        done.expired.append(Expired(f"{record.project}/{record.name}:v{record.version}", expires_ns, tuple(kept)))
        if not kept:
            going.append(record)
    return going


def _blobs(home: Home) -> Iterator[tuple[str, Path]]:
    """Those there are, by digest."""
    if not home.blobs.is_dir():
        return
    for folder in home.blobs.iterdir():
        if len(folder.name) == 2 and folder.is_dir():
            for file in folder.iterdir():
                if _DIGEST.fullmatch(folder.name + file.name):
                    yield folder.name + file.name, file


def _named(store: Store, here: dict[str, Path], skip: set[tuple[str, str, str]]) -> set[str]:
    """Blobs that something in the store names. `skip`: versions that go, where they are still there (a dry run)."""
    with store.reading() as connection:
        return _named_by(connection, here, skip)


def _named_by(connection: Connection, here: dict[str, Path], skip: set[tuple[str, str, str]]) -> set[str]:
    named: set[str] = set()
    after = None
    while True:
        page = artifactreader.artifacts(connection, None, "-created_ns", 200, 0, after)
        for record in page.rows:
            if (record.project, record.name, record.digest) not in skip:
                named.update(entry["digest"] for entry in record.manifest.values())
        after = page.cursor
        if after is None:
            break
    for table_name in inspect(connection).get_table_names():
        if table_name not in ("artifact_version", "manifest_part"):
            for text in _texts(connection, table_name):
                named.update(_digests(text))
    return named & here.keys()


def _texts(connection: Any, table_name: str) -> Iterator[str | bytes]:
    """Everything a table holds in words or bytes, whichever column it stands in."""
    table = Table(table_name, MetaData(), autoload_with=connection)
    columns = [column for column in table.columns if isinstance(column.type, (Text, String, LargeBinary))]
    if not columns:
        return
    result = connection.execution_options(stream_results=True, yield_per=_ROWS).execute(select(*columns))
    for row in result:
        for value in row:
            if isinstance(value, (str, bytes)) and len(value) >= 64:
                yield value
            elif isinstance(value, memoryview):
                yield bytes(value)


def _digests(text: str | bytes) -> Iterator[str]:
    if isinstance(text, bytes):
        for found in _DIGEST_BYTES.findall(text):
            yield found.decode()
    else:
        yield from _DIGEST.findall(text)


def _waiting(store: Store, home: Home) -> set[str]:
    """What the journal names behind what was taken in: records that came meanwhile, and whatever damage left over."""
    named: set[str] = set()
    positions = store.sink().positions(home.uid)
    for segment in (*Segments(home).pending(), *Segments(home).set_apart()):
        apart = segment.path.parent != home.journal
        start = 0 if apart else positions.get(segment.name, 0)
        with segment.path.open("rb") as file:
            file.seek(start)
            data = file.read()
        named.update(_digests(data))
        for frame in frames.salvage(data, start).frames:
            if isinstance(frame.record, ArtifactLogged):
                named.update(_digests(unpacked(frame.record.manifest)))
    return named


def _with_theirs(here: dict[str, Path], named: set[str]) -> set[str]:
    """These blobs, and those that they name: a payload that was too long for its record names pictures of its own."""
    waiting = list(named)
    while waiting:
        for digest in _inside(here[waiting.pop()]):
            if digest in here and digest not in named:
                named.add(digest)
                waiting.append(digest)
    return named


def _inside(path: Path) -> set[str]:
    """Digests in a blob that is JSON; others name none."""
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            if file.read(1) not in (b"{", b"[", b'"'):
                return found
            rest = b""
            while chunk := file.read(_CHUNK):
                data = rest + chunk
                found.update(_digests(data))
                rest = data[-_OVERLAP:]
    except FileNotFoundError:  # somebody else collects
        return set()
    return found


def _free(here: dict[str, Path], named: set[str], done: Collected, fresh_s: float) -> None:
    for digest, path in here.items():
        try:
            info = path.stat()
        except FileNotFoundError:
            continue
        if digest in named:
            done.kept_blobs += 1
            done.kept_bytes += info.st_size
        elif info.st_mtime > time.time() - fresh_s:
            done.fresh_blobs += 1
        elif done.dry_run or _delete(path, fresh_s):
            done.blobs += 1
            done.bytes += info.st_size
        else:
            done.fresh_blobs += 1


def _delete(path: Path, fresh_s: float) -> bool:
    """Delete a blob, unless somebody met it again at this moment: moved aside it is met by nobody."""
    aside = path.with_name(path.name + _GONE)
    try:
        path.replace(aside)
    except FileNotFoundError:
        return False
    if aside.stat().st_mtime > time.time() - fresh_s:
        aside.replace(path)
        return False
    aside.unlink()
    return True


def _put_back(home: Home) -> None:
    """Blobs that a killed collection left aside are looked at like any other."""
    for file in home.blobs.glob(f"??/*{_GONE}"):
        file.replace(file.with_name(file.name.removesuffix(_GONE)))


def _sweep(home: Home, done: Collected) -> None:
    """Drafts that nobody will settle, lists of files long not looked at."""
    now, told = time.time(), filesystems.kind_of(home.path) not in filesystems.NETWORK
    for file in home.blobs.glob(f"*{DRAFT}"):
        with suppress(FileNotFoundError):  # settled, or its artifact is gone
            info = file.stat()
            dead = draftowners.is_dead(home, file.name) if told else None
            if dead or (dead is None and info.st_mtime < now - DRAFT_SECONDS):
                done.drafts += 1
                done.bytes += info.st_size
                if not done.dry_run:
                    file.unlink()
    for file in (home.path / KNOWN).glob("*"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime < now - KNOWN_SECONDS and not done.dry_run:
                file.unlink()
    if told and not done.dry_run:
        draftowners.forget_dead(home)
