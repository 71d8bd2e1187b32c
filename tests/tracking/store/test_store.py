"""Opening, making, migrating and refusing stores."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from weft.tracking.errors import MissingExtraError, NewerStoreError, StoreError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import MetricsLogged, SpanOpened
from weft.tracking.store.sink import Position
from weft.tracking.store.store import REVISIONS, Store


def _opened(at: int, trace_id: bytes = b"t" * 16) -> Frame:
    return Frame(at, at + 1, SpanOpened(1, trace_id, at.to_bytes(8, "big"), None, "n", "op", at, "p"))


def _set_revision(url: str, revision: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    engine.dispose()


def test_a_store_that_is_not_there_is_made(store_url: str) -> None:
    with Store.open(store_url) as store:
        status = store.reader().status()
    assert (status.traces, status.spans, status.schema_revision) == (0, 0, REVISIONS[-1])


def test_what_was_written_is_there_when_opened_again(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.sink().apply([_opened(1)], Position("h", "s", 2, b"w"))
    with Store.open(store_url, create=False) as store:
        assert store.reader().traces().total == 1
        assert store.sink().positions("h") == {"s": 2}
        assert store.sink().positions("another") == {}


def test_a_newer_store_is_refused(store_url: str) -> None:
    """The message says what was found and what to do."""
    Store.open(store_url).close()
    _set_revision(store_url, "9999")
    with pytest.raises(NewerStoreError, match=r"revision 9999; this weft knows .* upgrade"):
        Store.open(store_url)


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        Store.open(f"sqlite:///{tmp_path / 'weft.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_without_create_an_empty_database_is_said(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "weft.db").touch()
    with pytest.raises(StoreError, match="not been made yet"):
        Store.open(store_url, create=False)


@pytest.mark.parametrize("content", [b"this is no database, whatever its name" * 50, b"SQLite format 3\0"])
def test_a_file_that_is_no_database_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weft.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"(not a database|malformed).*Keep that file.*older history is only there"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no store of weft's: it holds accounts"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_folder_in_its_place_and_a_missing_one_above_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no file"):
        Store.open(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match="is no folder"):
        Store.open(f"sqlite:///{tmp_path / 'missing' / 'weft.db'}")


@pytest.mark.parametrize("url", ["what is this", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_is_none_of_ours_is_said(url: str) -> None:
    with pytest.raises(StoreError, match="store URL"):
        Store.open(url)


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not read the store"):
        Store.open(f"postgresql://weft@/weft?host={tmp_path}")


def test_the_password_is_never_shown(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        Store.open(f"postgresql://weft:hunter2@/weft?host={tmp_path}")
    assert "hunter2" not in str(error.value)


def test_postgresql_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"weft\[postgres\]"):
        Store.open("postgresql://weft@/weft")


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that others may read; the test goes on as somebody who may not write there."""
    folder = Path(tempfile.mkdtemp(prefix="weft-"))
    folder.chmod(0o755)
    yield folder
    if os.geteuid() != os.getuid():
        os.seteuid(os.getuid())
    folder.chmod(0o755)
    shutil.rmtree(folder)


def _lose_rights(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)


def test_where_nothing_can_be_written_no_store_is_made(as_nobody: Path) -> None:
    _lose_rights(as_nobody)
    with pytest.raises(StoreError, match="Make the file and its folder writable"):
        Store.open(f"sqlite:///{as_nobody / 'weft.db'}")


def test_a_read_only_store_says_so_when_written(as_nobody: Path) -> None:
    url = f"sqlite:///{as_nobody / 'weft.db'}"
    Store.open(url).close()
    _lose_rights(as_nobody)
    with pytest.raises(StoreError, match="Make the file and its folder writable"), Store.open(url) as store:
        store.sink().apply([_opened(1)], Position("h", "s", 2, b"w"))


def test_several_processes_may_make_it_at_once(store_url: str) -> None:
    """One makes it, the others wait; nobody fails."""
    script = (
        "import sys; from weft.tracking.store.store import Store; sys.stdin.read(1)\n"
        "with Store.open(sys.argv[1]) as store: print(store.reader().status().schema_revision)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    assert [process.communicate()[0].strip() for process in processes] == [REVISIONS[-1]] * 4
    assert [process.returncode for process in processes] == [0] * 4


def test_opening_a_store_of_this_version_needs_no_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'weft.db'}"
    Store.open(url).close()
    script = (
        "import sys; from weft.tracking.store.store import Store\n"
        "with Store.open(sys.argv[1]) as store: store.reader().traces()\n"
        "assert 'alembic' not in sys.modules and 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, url], check=True)


def test_readers_and_writers_never_meet_a_lock(store: Store) -> None:
    """Two writers and a reader at once: everything is applied, nothing fails, reads see whole batches."""
    failures: list[BaseException] = []
    batches = 25

    def write(number: int) -> None:
        try:
            sink = store.sink()
            for at in range(batches):
                trace_id = bytes([number, at]) * 8
                frames = [_opened(at * 10 + n, trace_id) for n in range(10)]
                sink.apply(frames, Position("h", f"s{number}", at * 10 + 10, b"w"))
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for thread in writers:
        thread.start()
    reader = store.reader()
    while any(thread.is_alive() for thread in writers):
        status = reader.status()
        page = reader.traces(limit=1000)
        assert status.spans == status.traces * 10 <= page.total * 10
        assert len(page.rows) == page.total
    for thread in writers:
        thread.join()

    assert failures == []
    assert reader.status().spans == 2 * batches * 10


def test_a_batch_that_fails_leaves_nothing(store: Store) -> None:
    """Rows and position move together or not at all."""
    good = Frame(1, 2, MetricsLogged(1, b"r" * 16, 0, 1, {"loss": 1.0}))
    nameless = SpanOpened(1, b"t" * 16, b"s" * 8, None, None, "op", 1, "p")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="could not write"):
        store.sink().apply([good, Frame(2, 3, nameless)], Position("h", "s", 3, b"w"))

    assert store.sink().positions("h") == {}
    assert store.reader().runs().total == 0


def test_the_version_changes_with_every_batch(store: Store) -> None:
    """Whoever caches what was read can tell that it is stale."""
    seen = [store.reader().status().version]
    for at in range(3):
        store.sink().apply([_opened(at)], Position("h", "s", at + 1, b"w"))
        seen.append(store.reader().status().version)
    store.sink().end_writer(b"w")
    seen.append(store.reader().status().version)
    assert len(set(seen)) == len(seen)


def test_a_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    Store.open(f"sqlite:///{path}").close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_reads_through_connections_of_its_own(store_url: str) -> None:
    """Parent and child go on as if nothing had happened."""
    script = (
        "import os, sys; from weft.tracking.store.store import Store\n"
        "store = Store.open(sys.argv[1]); reader = store.reader(); assert reader.traces().total == 0\n"
        "child = os.fork()\n"
        "for _ in range(20): assert reader.status().traces == 0\n"
        "if not child: os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0; assert reader.traces().total == 0; store.close()"
    )
    subprocess.run([sys.executable, "-c", script, store_url], check=True)


def test_a_database_that_does_not_answer_is_said_with_what_to_do() -> None:
    pytest.importorskip("psycopg")
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://user:secret@127.0.0.1:{taken.getsockname()[1]}/db"
        with pytest.raises(StoreError, match="See that the database runs and WEFT_STORE is right") as said:
            Store.open(url)
    assert "secret" not in str(said.value)
    assert "\n" not in str(said.value)
