"""What `Run.log` takes as names: a wrong one raises at the call, and nothing of that call is recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.api import Api
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import MetricsLogged, Record
from weft.tracking.runs import starting

Journaled = Callable[[], list[Record]]


def _logged(journaled: Journaled) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, record.values) for record in journaled() if isinstance(record, MetricsLogged)]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"": 1}, UsageError),
        ({" ": 1.5}, UsageError),
        ({"loss": 1.0, "": 2}, UsageError),
        ({"": "text"}, UsageError),
        ({"": {"a": 1}}, UsageError),
        ({7: 1.0}, TypeError),
        ({"loss": 1.0, "acc": {(1, 2): 0.5}}, TypeError),
    ],
    ids=str,
)
def test_a_wrong_name_raises_and_nothing_of_the_call_is_recorded(
    home: Path, journaled: Journaled, values: dict[Any, Any], error: type[Exception]
) -> None:
    with starting.init("p") as run:
        run.log({"loss": 0.5})
        for _ in range(2):
            with pytest.raises(error, match=r"log\(\)"):
                run.log(values)
        assert run.step == 1
        run.log({"loss": 0.25})
    assert _logged(journaled) == [(0, {"loss": 0.5}), (1, {"loss": 0.25})]


def test_a_score_per_class_is_a_metric_per_class(home: Path) -> None:
    with starting.init("p") as run:
        for score in (0.5, 0.75):
            run.log({"acc": {0: score, 1: 1 - score}})
        assert run.summary["acc.0"] == 0.75
        assert dict(run.summary["acc"]) == {"0": 0.75, "1": 0.25}
    with Api() as api:
        rows = list(api.run(run.path).scan_history(keys=["acc.0", "acc.1"]))
    assert [(row["acc.0"], row["acc.1"]) for row in rows] == [(0.5, 0.5), (0.75, 0.25)]
