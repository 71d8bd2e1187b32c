"""The store: a database by URL, its revision checked first and cheaply, created or migrated where that is asked for.

`Store.open(url)` gives `.sink()` to the ingester and `.reader()` to whoever asks. Alembic is imported only to create or
to migrate. SQLite runs in WAL mode, where readers wait for nobody; writers wait for each other.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from weft.tracking.errors import MissingExtraError, NewerStoreError, StoreError
from weft.tracking.home import may_write
from weft.tracking.journal.locks import exclusive
from weft.tracking.store.sqlitefile import read_only_uri
from weft.tracking.store.transaction import Transaction

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.sink import Sink
    from weft.tracking.store.spansink import Estimator

log = logging.getLogger("weft.store")

REVISIONS = ("0001", "0002", "0003")
"""Every schema revision there has been, oldest first; the last is this version's (`migrations/versions`)."""
BUSY_SECONDS = 30
"""How long a writer waits for another one."""
QUIET_SECONDS = 2.0
"""So much of it without a word."""
AGAIN_SECONDS = 60.0
"""Who waited in vain does not wait again before this is over."""
_SQLITE = "sqlite:///"
MIGRATE_LOCK = 0x77656675


class Store:
    """An open store. Threads may share it; close it, or use it as a context manager."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self._url = url
        self._engine = engine
        _stores.add(self)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open the store at an SQLAlchemy URL (`sqlite:////absolute/path.db`, `postgresql://user@host/database`).

        Args:
            create: make the store when it is not there and migrate it when it is older; otherwise both are errors.

        Raises:
            NewerStoreError: a newer weft wrote it.
            StoreError: it cannot be opened, is no store of weft's, or (without `create`) is missing or older.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        parsed = _parse(url)
        store = cls(parsed, _engine(parsed))
        try:
            store._prepare(create)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def url(self) -> str:
        """Without the password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def path(self) -> Path | None:
        """SQLite's file."""
        return _path(self._url)

    @property
    def files(self) -> list[Path]:
        """SQLite's files: the database, and beside it what was written last."""
        path = self.path
        if path is None:
            return []
        return [file for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]

    @property
    def revision(self) -> str:
        """The schema revision, which `open` made sure of."""
        return REVISIONS[-1]

    def sink(self, estimate: Estimator | None = None) -> Sink:
        """What the ingester writes through.

        Args:
            estimate: counts the tokens of model calls that report none; None: they stay unknown.
        """
        from weft.tracking.store.sink import Sink  # what only reads need not load what writes

        return Sink(self, estimate)

    def reader(self) -> Reader:
        """What answers questions."""
        from weft.tracking.store.reader import Reader  # and the other way round

        return Reader(self)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store throughout.

        Raises:
            StoreError: the database failed.
        """
        with self._said("read"), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # SQLite's transactions are so by nature
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A write transaction: committed at the end, undone on an exception. Waits for another writer.

        Raises:
            StoreError: the database failed.
        """
        with self._said("write"), self._engine.connect() as plain:
            connection = plain.execution_options(weft_write=True)
            with connection.begin():
                yield Transaction(connection)

    @contextmanager
    def trying(self) -> Iterator[tuple[Transaction, Connection]]:
        """A write transaction that is undone at the end, and its connection, which sees what it did.

        Raises:
            StoreError: the database failed.
        """
        with self._said("write"), self._engine.connect() as plain:
            connection = plain.execution_options(weft_write=True)
            undone = connection.begin()
            try:
                yield Transaction(connection), connection
            finally:
                undone.rollback()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        driver: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"weft could not {what} the store {self.url}: {_cause(error.orig)}") from error
        except driver as error:
            raise StoreError(f"weft could not {what} the store {self.url}: {_cause(error)}") from error

    def _prepare(self, create: bool) -> None:
        path = self.path
        if path is not None and not path.exists():
            if not create:
                raise StoreError(f"there is no store at {path}. Run `weft ingest` to make it.")
            _touch(path)
        elif path is not None and not path.is_file():
            raise StoreError(f"weft could not open the store {path}: it is no file.")
        if self._known(create):
            return
        with self._alone(path):
            # Somebody else may have done it while we waited.
            if not self._known(create):
                self._migrate()

    def _known(self, create: bool) -> bool:
        """Whether the store is of this version; False where it must be made or migrated."""
        with self.reading() as connection:
            found = _revision(connection)
        if found == REVISIONS[-1]:
            return True
        if found is not None and found not in REVISIONS:
            raise NewerStoreError(
                f"the store {self.url} has schema revision {found}; this weft knows revisions up to {REVISIONS[-1]}. "
                "A newer weft wrote it: upgrade this one (pip install -U weft), or set WEFT_STORE to another store."
            )
        if not create:
            state = "not been made yet" if found is None else f"schema revision {found}, older than {REVISIONS[-1]}"
            raise StoreError(f"the store {self.url} has {state}. Run `weft ingest` to bring it up to date.")
        return False

    @contextmanager
    def _alone(self, path: Path | None) -> Iterator[None]:
        """Of several processes that find an old or empty store, one migrates and the others wait."""
        if path is None:
            with self._engine.connect() as guard:
                guard.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATE_LOCK})")
                try:
                    yield
                finally:
                    guard.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATE_LOCK})")
                    guard.commit()
            return
        try:
            with exclusive(path.with_name(f"{path.name}.lock"), BUSY_SECONDS) as held:
                if not held:
                    raise StoreError(
                        f"weft could not migrate the store {path}: another process has been doing so for "
                        f"{BUSY_SECONDS} s. Wait for it, or end it, and try again."
                    )
                yield
        except OSError as error:
            raise StoreError(f"weft could not make the store {path}: {error.strerror}.") from error

    def _migrate(self) -> None:
        from weft.tracking.store import metricsink, migrations  # alembic costs 0.3 s, and only this needs it

        with self._said("create or migrate"):
            if self.path is not None:
                self._set_journal_mode(self.path)
            with self._engine.connect().execution_options(weft_write=True) as connection, connection.begin():
                migrations.upgrade(connection, REVISIONS[-1])
                metricsink.count_all(Transaction(connection))

    def _set_journal_mode(self, path: Path) -> None:
        """WAL, so that readers never wait for the writer; not on a network, where its shared memory would lie."""
        from weft.tracking import filesystems  # psutil, which only making or migrating a store needs

        mode = "DELETE" if filesystems.kind_of(path) in filesystems.NETWORK else "WAL"
        raw = self._engine.raw_connection()  # below SQLAlchemy: this must not run within a transaction
        try:
            raw.cursor().execute(f"PRAGMA journal_mode = {mode}")
        except sqlite3.Error as error:
            raise DBAPIError(f"PRAGMA journal_mode = {mode}", None, error) from error
        finally:
            raw.close()


def _touch(path: Path) -> None:
    """An empty file, which is an empty database, that nobody else may read."""
    if not path.parent.is_dir():
        raise StoreError(f"weft could not make the store {path}: {path.parent} is no folder.")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError(
            f"weft could not make the store {path}: {error.strerror}. Make the file and its folder writable, "
            "or set WEFT_STORE to another."
        ) from error


def _parse(url: str) -> URL:
    try:
        # SQLite's path as it stands: a folder may be called a?b or 100%.
        local = url.startswith(_SQLITE)
        parsed = URL.create("sqlite", database=url[len(_SQLITE) :] or None) if local else make_url(url)
    except ArgumentError as error:
        raise StoreError(
            f"{url!r} is no store URL. Set WEFT_STORE to sqlite:////absolute/path.db or postgresql://user@host/database"
        ) from error
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreError(
            f"the store URL {url!r} names {backend}; weft keeps its store in SQLite or PostgreSQL. "
            "Set WEFT_STORE to sqlite:////absolute/path.db or postgresql://user@host/database"
        )
    if _path(parsed) is None:
        raise StoreError(f"the store URL {url!r} names no file. Set WEFT_STORE to sqlite:////absolute/path.db")
    return parsed


def _path(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        path = _path(url)
        if path is not None and path.is_file() and not may_write(path.parent):
            # Each question asks for a connection of its own: what the file is may have changed since the last one.
            engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args={"uri": True})
            event.listen(engine, "do_connect", _sqlite_read_only)
        else:
            engine = sqlalchemy.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    try:
        return sqlalchemy.create_engine(url, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise MissingExtraError("A PostgreSQL store", "postgres") from error


def _sqlite_read_only(_dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
    arguments[0] = read_only_uri(Path(arguments[0]))


def _sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: sqlite3 would not, before a read
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA wal_autocheckpoint = 4000")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for the lock; one that starts with it can.
    if connection.get_execution_options().get("weft_write"):
        _begin_to_write(connection.connection.dbapi_connection, str(connection.engine.url.database))
    else:
        connection.exec_driver_sql("BEGIN")


_gave_up: dict[str, float] = {}
"""When (monotonic) this process last waited in vain for another writer of a store."""


def _begin_to_write(connection: Any, path: str) -> None:
    """Wait for whoever writes: a moment, then with a word of it, and once only while that one goes on.

    Raises:
        sqlite3.OperationalError: it is still locked.
    """
    vain = time.monotonic() - _gave_up.get(path, -math.inf) < AGAIN_SECONDS
    try:
        try:
            _locked_within(connection, 0.0 if vain else QUIET_SECONDS)
            return
        except sqlite3.OperationalError as error:
            if vain or "locked" not in str(error):
                raise
        rest = BUSY_SECONDS - QUIET_SECONDS
        log.warning("waiting for another program that writes to the store %s, %.0f s at most", path, rest)
        try:
            _locked_within(connection, rest)
        except sqlite3.OperationalError:
            _gave_up[path] = time.monotonic()
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _locked_within(connection: Any, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    connection.execute("BEGIN IMMEDIATE")


def _revision(connection: Connection) -> str | None:
    """The schema revision; None where there is no schema yet.

    Raises:
        StoreError: the database holds something else.
    """
    if connection.dialect.name == "sqlite":
        names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if names and "alembic_version" not in names:
            raise StoreError(
                f"{connection.engine.url.database} is an SQLite database, but no store of weft's: it holds "
                f"{', '.join(sorted(names)[:5])}. Set WEFT_STORE to another file."
            )
        if not names:
            return None
    elif connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


_DAMAGED = (
    "Keep that file (`sqlite3 FILE .recover` may mend it): the journal holds what is not in it yet and the last seven "
    "days, older history is only there."
)


def _cause(error: BaseException | None) -> str:
    said = str(error).strip().splitlines()
    text = said[0] if said else type(error).__name__
    hints = {
        "file is not a database": f"Put a backup in its place, or set WEFT_STORE to another. {_DAMAGED}",
        "malformed": f"Put a backup in its place, or move it aside and run `weft ingest`. {_DAMAGED}",
        "readonly": "Make the file and its folder writable, or set WEFT_STORE to another.",
        "unable to open": "Make the file and its folder writable, or set WEFT_STORE to another.",
        "disk is full": "Free some space; records wait in the journal.",
        "database is locked": "Another program holds it: end that, or wait; records wait in the journal.",
        "disk I/O": "Look at the disk; records wait in the journal.",
    }
    hint = next((hint for part, hint in hints.items() if part in text), "")
    if not hint and not isinstance(error, sqlite3.Error):
        hint = "See that the database runs and WEFT_STORE is right; records wait in the journal."
    return f"{text}. {hint}" if hint else text


_stores: weakref.WeakSet[Store] = weakref.WeakSet()


def _after_fork() -> None:
    """The parent's connections are not the child's: it opens its own, and leaves those as they are."""
    for store in list(_stores):
        store._engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
