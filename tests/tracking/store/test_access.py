"""Opening the store to read: what it holds is shown, even where nothing can be written to it."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from weft import op
from weft.tracking import runtime
from weft.tracking.store.access import open_store


def test_a_store_that_cannot_be_written_is_read_all_the_same(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    @op
    def answer(question: str) -> str:
        return question

    answer("first")
    open_store().close()
    path = Path(runtime.active().settings.url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON segment BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    database.close()
    answer("second")
    with caplog.at_level(logging.WARNING, "weft.ingest"), open_store() as store:
        assert store.reader().traces().total == 1
    assert "nothing new was taken in; what the store holds is shown" in caplog.text
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER full")
    database.close()
    with open_store() as store:
        assert store.reader().traces().total == 2
