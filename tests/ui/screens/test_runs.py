"""Which columns the list of runs has."""

from __future__ import annotations

import pytest

from weft.ui.screens import runs


def test_metrics_that_most_runs_have_come_first_and_of_those_the_ones_that_judge() -> None:
    """Neither bookkeeping nor texts and booleans are metrics."""
    often = {"epoch": 3.0, "val/f1": 0.5, "_step": 9, "note": "x", "done": True}
    assert runs._telling([often, often, {"loss": 1.0}]) == ["val/f1", "epoch", "loss"]


@pytest.mark.parametrize(
    ("configs", "found"),
    [
        ([{"lr": 1, "seed": 0}, {"lr": 2, "seed": 0}], ["lr"]),
        ([{"lr": 1, "one": 5}, {"lr": 1}, {"lr": 1}], ["lr"]),
        ([{"a": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 2}], ["a", "b"]),
        ([{"layers": [1]}, {"layers": [2]}], []),
        ([], []),
    ],
)
def test_settings_that_differ_have_a_column(configs: list[dict[str, object]], found: list[str]) -> None:
    """Those that most runs have first; with nothing that differs, what most of them have."""
    assert runs._differing(configs) == found
