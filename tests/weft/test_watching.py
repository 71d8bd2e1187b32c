"""A watcher outlives trouble with its store, and says that there is some."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import weft
from weft.tracking.home import Home
from weft.tracking.store.access import open_store


@pytest.fixture
def watcher(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`weft ingest --watch` as the app starts it, on the home of this test."""
    command = [sys.executable, "-m", "weft.cli", "ingest", "--watch", "--parent", str(os.getpid())]
    env = {**os.environ, "WEFT_HOME": str(home), "WEFT_STRICT": "0"}
    process = subprocess.Popen(command, env=env)
    yield process
    process.terminate()
    process.wait(10)


def until(holds: Callable[[], bool], seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def stored() -> int:
    with open_store(drain=False) as store:
        return store.reader().traces().total


def test_a_store_that_breaks_and_heals_is_fed_again(home: Path, watcher: subprocess.Popen[bytes]) -> None:
    """Meanwhile a file of the home says why, for the app; nothing is lost."""

    @weft.op
    def call() -> None: ...

    call()
    assert until(lambda: (home / "weft.db").exists() and stored() == 1)
    trouble = Home(home).watch_trouble
    breaker = sqlite3.connect(home / "weft.db", isolation_level=None)
    breaker.execute("ALTER TABLE meta RENAME TO meta_aside")
    call()
    assert until(trouble.exists)
    assert watcher.poll() is None
    assert trouble.read_text()
    breaker.execute("ALTER TABLE meta_aside RENAME TO meta")
    breaker.close()
    assert until(lambda: stored() == 2)
    assert until(lambda: not trouble.exists())


def test_a_second_watcher_takes_over_when_the_first_ends(home: Path, watcher: subprocess.Popen[bytes]) -> None:
    """The app starts one while another is at work; when that ends, it goes on."""

    @weft.op
    def call() -> None: ...

    call()
    assert until(lambda: (home / "weft.db").exists() and stored() == 1)
    second = subprocess.Popen(
        watcher.args, stderr=subprocess.DEVNULL, env={**os.environ, "WEFT_HOME": str(home), "WEFT_STRICT": "0"}
    )
    try:
        time.sleep(1.5)
        assert second.poll() is None
        watcher.terminate()
        watcher.wait(10)
        call()
        assert until(lambda: stored() == 2)
    finally:
        second.terminate()
        second.wait(10)
