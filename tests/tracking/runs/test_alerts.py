"""An alert is kept with its run, said in the log, and not repeated at once."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.errors import UsageError
from weft.tracking.runs import starting
from weft.tracking.runs.alerts import AlertLevel, Throttle, wait_seconds
from weft.tracking.store.access import open_store


def test_alerts_are_kept_and_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with starting.init("p", id="mine") as run:
        run.alert("diverged", "the loss\nis NaN", level=AlertLevel.WARN)
        run.alert("diverged", "again")
        run.alert("diverged", "at once", wait_duration=0)
        run.alert("key", "sk-proj-" + "a1B2" * 10, level="error", wait_duration=timedelta(minutes=1))
    with starting.init("p", id="other") as run:
        run.alert("diverged")
    with open_store() as store:
        reader = store.reader()
        mine = reader.alerts(reader.runs({"id": "mine"}).rows[0].uid)
        assert [(alert.run_id, alert.title) for alert in reader.alerts(limit=1)] == [("other", "diverged")]
    assert [(alert.title, alert.text, alert.level, alert.project) for alert in mine] == [
        ("key", "[redacted:api-key]", "ERROR", "p"),
        ("diverged", "at once", "INFO", "p"),
        ("diverged", "the loss\nis NaN", "WARN", "p"),
    ]
    said = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "weft.alerts"]
    assert said[0] == (logging.WARNING, "run p/mine: diverged: the loss is NaN")


@pytest.mark.parametrize(
    "arguments", [{"title": 7}, {"text": None}, {"level": "loud"}, {"wait_duration": -1}, {"wait_duration": "soon"}]
)
def test_a_wrong_alert_raises(home: Path, arguments: dict[str, Any]) -> None:
    with starting.init("p") as run, pytest.raises(UsageError):
        run.alert(**{"title": "t", "text": "x", **arguments})


def test_one_title_passes_once_in_its_time() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    passed = []
    for now[0] in (0, 30, 59, 60, 61):
        passed.append(throttle.passes("a", wait_seconds(None)))
    assert passed == [True, False, False, True, False]
    assert throttle.passes("b", 60)
