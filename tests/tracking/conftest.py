"""Fixtures of the core's tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from weft.tracking import runtime
from weft.tracking.journal import frames
from weft.tracking.journal.records import Record, SegmentClosed, SegmentOpened
from weft.tracking.store.store import Store


@pytest.fixture
def journaled() -> Callable[[], list[Record]]:
    """What lies in the journal of the active home now, as it was written, without the segments' own frames."""

    def read() -> list[Record]:
        found: list[Record] = []
        for path in sorted(Path(runtime.active().home.journal).glob("*.wj")):
            data = path.read_bytes()
            run = frames.scan(memoryview(data)[len(frames.HEADER) :], len(frames.HEADER))
            assert run.stop is frames.Stop.END
            found += [frame.record for frame in run.frames]
        return [record for record in found if not isinstance(record, (SegmentOpened, SegmentClosed))]

    return read


class PostgresServer:
    """A PostgreSQL of the tests' own, on a Unix socket: started once a session, gone with it."""

    def __init__(self, bin_folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="weft-pg-"))  # short: a socket's path has a hundred bytes
        self._databases = 0
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            user = _unprivileged()
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        data = self._folder / "data"
        initdb = [bin_folder / "initdb", "-D", data, "-U", "weft", "-A", "trust", "-E", "UTF8", "--no-sync"]
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": self._folder}
        made = subprocess.run([*initdb, "--locale=C"], check=False, **quiet, **self._as)
        assert made.returncode == 0, made.stdout.decode()
        command = [
            bin_folder / "postgres",
            "-D",
            data,
            "-k",
            self._folder,
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder, **self._as
        )
        self._engine = sqlalchemy.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        self._wait()

    def database(self, template: str = "template0") -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"weft{self._databases}"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url(name)

    @cached_property
    def template(self) -> str:
        """A database that holds an empty store: copying is faster than migrating."""
        url = self.database()
        Store.open(url).close()
        return url.partition("@/")[2].partition("?")[0]

    def stop(self) -> None:
        self._engine.dispose()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://weft@/{database}?host={self._folder}"

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with self._engine.connect():
                    return
            except sqlalchemy.exc.OperationalError:
                assert self._process.poll() is None, "PostgreSQL ended at its start"
                assert time.monotonic() < deadline, "PostgreSQL did not start within 30 s"
                time.sleep(0.02)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("running as root, and there is no user `postgres` or `nobody` to run PostgreSQL as")


def _postgres_bin() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    place = _postgres_bin()
    if place is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = PostgresServer(place)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that is not there yet, on every database that stores live in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'weft.db'}"
    url: str = request.getfixturevalue("postgres_server").database()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "weft.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, on every database that stores live in."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.database(server.template)
    with Store.open(url, create=False) as opened:
        yield opened
