"""A home that cannot be written (a read-only mount) is read: what its store holds is shown, and said once to be all."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import weft
from weft.tracking.store.access import open_store

NOTHING_NEW = "nothing new was taken in; what the store holds is shown"
ASK = """
import weft
with weft.Api() as api:
    print([trace.name for trace in api.traces()], len(api.spans()), len(api.traces({"text": {"$search": "hello"}})))
"""


def mounted(home: Path, *command: str) -> list[str]:
    """The command line that sees this home on a read-only mount, in a namespace of mounts of its own."""
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return ["unshare", "-r", "-m", "sh", "-c", script, str(home), *command]


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WEFT_HOME": str(home), "WEFT_STRICT": "0", "COLUMNS": "200"}
    return subprocess.run(
        mounted(home, *command), capture_output=True, text=True, timeout=60, check=False, env=environment
    )


@pytest.fixture
def full(home: Path) -> Path:
    """A home with one call in its store and another that waits in the journal."""
    home.mkdir()
    try:
        tried = run(home, "touch", str(home / "x"))
    except FileNotFoundError:
        pytest.skip("there is no unshare here, so no mount of its own")
    if "Read-only file system" not in tried.stderr:
        pytest.skip(f"no read-only mount can be made here: {tried.stderr.strip()[:200]}")

    @weft.op(name="first")
    def first(text: str) -> str:
        return text

    first("hello")
    open_store().close()

    @weft.op(name="second")
    def second() -> None: ...

    second()
    return home


def test_an_api_answers_and_says_once_that_nothing_new_came_in(full: Path) -> None:
    done = run(full, sys.executable, "-c", ASK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['first'] 1 0\n"
    assert done.stderr.count(NOTHING_NEW) == 1
    assert f"{full} cannot be written" in done.stderr


def test_what_a_writer_on_the_other_side_of_the_mount_commits_is_seen(full: Path) -> None:
    """Its `-wal` is not in the database yet."""
    with sqlite3.connect(full / "weft.db") as writer:
        writer.execute("UPDATE trace SET name = 'renamed'")
        writer.commit()
        assert (full / "weft.db-wal").stat().st_size > 0
        done = run(full, sys.executable, "-c", ASK)
    writer.close()
    assert done.stdout.startswith("['renamed']"), done.stderr


def test_a_wal_that_its_dead_writer_left_is_read_too(full: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with sqlite3.connect(full / "weft.db") as writer:
        writer.execute("UPDATE trace SET name = 'renamed'")
        writer.commit()
        shutil.copytree(full, copy)
    writer.close()
    assert run(copy, sys.executable, "-c", ASK).stdout.startswith("['renamed']")

    (copy / "weft.db-shm").unlink()
    done = run(copy, sys.executable, "-m", "weft.cli", "traces", "ls")
    assert done.returncode != 0
    assert "Copy the folder to a place that can be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["traces", "ls"], "first"),
        (["runs", "ls"], "no runs yet"),
        (["artifacts", "ls", "--all"], "first"),
        (["traces", "export", "--format", "jsonl"], "first"),
    ],
)
def test_commands_show_what_is_there(full: Path, command: list[str], shown: str) -> None:
    done = run(full, sys.executable, "-m", "weft.cli", *command)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    assert done.stderr.count(NOTHING_NEW) == 1


def test_a_trace_is_shown(full: Path) -> None:
    with open_store(drain=False) as store:
        (trace,) = store.reader().traces().rows
    done = run(full, sys.executable, "-m", "weft.cli", "traces", "show", trace.trace_id)
    assert done.returncode == 0, done.stderr
    assert "first" in done.stdout
    assert done.stderr.count(NOTHING_NEW) == 1


def test_the_doctor_says_so_and_promises_nothing(full: Path) -> None:
    done = run(full, sys.executable, "-m", "weft.cli", "doctor")
    assert "the home cannot be written: Read-only file system" in done.stdout
    assert "the store can be read" in done.stdout
    assert "1 segment wait to be ingested; nothing can take it in here" in done.stdout
    assert "weft ingest" not in done.stdout


def test_what_would_have_to_write_says_why_it_cannot(full: Path, tmp_path: Path) -> None:
    done = run(full, sys.executable, "-m", "weft.cli", "ingest")
    assert done.returncode == 1
    assert done.stderr.startswith("error: weft could not ingest the journal: Read-only file system")

    for file in full.glob("weft.db*"):
        file.unlink()
    done = run(full, sys.executable, "-m", "weft.cli", "traces", "ls")
    assert done.returncode == 1
    assert "there is no store at" in done.stderr
    assert "copy it to where it can" in done.stderr


def test_the_app_serves_its_first_page(full: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "WEFT_HOME": str(full), "WEFT_STRICT": "0"}
    app = subprocess.Popen(
        mounted(full, sys.executable, "-m", "weft.cli", "ui", "--port", str(port)),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for _ in range(300):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                assert app.poll() is None
                time.sleep(0.1)
        assert answer.status_code == 200
    finally:
        app.terminate()
        said, _ = app.communicate(timeout=30)
    assert "Traceback" not in said
    assert said.count("nothing new is taken in; what the store holds is shown") == 1


def test_where_it_can_be_written_again_what_waited_comes_in(full: Path) -> None:
    assert run(full, sys.executable, "-c", ASK).returncode == 0
    with open_store() as store:
        assert {trace.name for trace in store.reader().traces().rows} == {"first", "second"}
