"""Another program that holds the store is waited for once, and not in silence; NUL is asked for as it is stored."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path

import pytest

import weft
from weft.tracking.errors import StoreError
from weft.tracking.store import store as stores
from weft.tracking.store.access import open_store
from weft.tracking.store.store import Store


@pytest.fixture
def held(home: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """A connection of somebody else that writes to the store of this home, and does not end."""
    monkeypatch.setattr(stores, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(stores, "BUSY_SECONDS", 1.2)
    open_store().close()
    other = sqlite3.connect(home / "weft.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_held_store_is_waited_for_once_and_it_is_said(
    held: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with weft.span("recorded all the same"):
        pass
    began = time.monotonic()
    with caplog.at_level(logging.WARNING), weft.Api() as api:
        assert len(api.traces()) == 0
        assert len(api.traces()) == 0
    assert 1.0 < time.monotonic() - began < 2.2
    assert [record.message for record in caplog.records if "waiting for another program" in record.message]
    held.execute("ROLLBACK")
    with weft.Api() as api:
        assert len(api.traces()) == 1


def test_a_store_that_is_let_go_of_meanwhile_is_written(held: sqlite3.Connection) -> None:
    with weft.span("late"):
        pass
    threading.Timer(0.5, held.execute, ("ROLLBACK",)).start()
    with weft.Api() as api:
        assert [row.name for row in api.traces()] == ["late"]


def test_a_writer_is_told_why_it_could_not(held: sqlite3.Connection, home: Path) -> None:
    with (
        Store.open(f"sqlite:///{home / 'weft.db'}") as store,
        pytest.raises(StoreError, match="Another program holds it"),
        store.writing(),
    ):
        pytest.fail("it is held")


def test_what_holds_a_nul_is_found_by_it(store_url: str, home: Path) -> None:
    weft.configure(home=home, store_url=store_url)
    with weft.thread("\x00nul"), weft.span("a\x00b"):
        weft.score("s\x00", "l\x00")
    with weft.Api() as api:
        assert len(api.spans({"thread_id": "\x00nul"})) == 1
        assert len(api.traces({"name": "a\x00b"})) == 1
        assert len(api.scores({"name": "s\x00"})) == 1
        assert len(api.threads({"thread_id": "\x00nul"})) == 1
