"""A program that only writes never fills the disk with journal: past the limit an ingester is started, once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from weft.tracking import runtime
from weft.tracking.journal.backlog import Backlog
from weft.tracking.journal.records import SCHEMA, MetricsLogged
from weft.tracking.journal.segments import Segments
from weft.tracking.settings import Settings


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WEFT_AUTO_INGEST", "1")
    return Settings.resolve(home=home)


def _write(count: int) -> None:
    for step in range(count):
        runtime.active().journal.append(MetricsLogged(SCHEMA, b"r" * 16, step, step, {"a": 1.0}))


def test_below_the_limit_nothing_is_started(settings: Settings) -> None:
    _write(5)

    assert not Backlog(settings).relieve()


def test_past_the_limit_an_ingester_drains_the_journal(settings: Settings) -> None:
    _write(50)
    runtime.active().journal.close()
    backlog = Backlog(settings, limit_bytes=1_000)

    assert backlog.relieve()
    assert not backlog.relieve(), "one at a time"
    assert backlog._ingester is not None
    assert backlog._ingester.wait(60) == 0
    assert Segments(runtime.active().home).pending() == []


def test_it_can_be_told_not_to(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(50)
    monkeypatch.setenv("WEFT_AUTO_INGEST", "0")

    assert not Backlog(Settings.resolve(home=settings.home), limit_bytes=1).relieve()
    assert "WEFT_STORE" not in os.environ
