"""Logged charts and histograms as ECharts wants them; what cannot be drawn is None, never an exception."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft
from weft.tracking.media import Chart
from weft.ui import mediacharts
from weft.ui.mediacharts import Drawn

TABLE = weft.Table(columns=["x", "y", "name"], data=[[0, 1.0, "a"], [1, math.nan, "b"], [2, 3, "a"]])


def drawn(chart: Chart) -> Any:
    made = mediacharts.spec(chart.chart, chart.columns, chart.rows, chart.fields, chart.strings)
    orjson.dumps(made)
    return made


def test_lines_are_one_a_value_of_the_stroke_and_nan_is_a_gap() -> None:
    made = drawn(weft.plot.line(TABLE, "x", "y", stroke="name"))
    assert {line["name"]: line["data"] for line in made["series"]} == {"a": [[0, 1.0], [2, 3]], "b": [[1, None]]}
    assert drawn(weft.plot.line(TABLE, "x", "y"))["series"][0]["data"][1] == [1, None]


def test_every_kind_that_plot_makes_is_drawn() -> None:
    charts = [
        weft.plot.line(TABLE, "name", "y"),
        weft.plot.line_series([0, 1], [[1, 2], [3, 4]]),
        weft.plot.scatter(TABLE, "x", "y"),
        weft.plot.bar(TABLE, "name", "y"),
        weft.plot.histogram(TABLE, "y"),
        weft.plot.confusion_matrix(y_true=[0, 1], preds=[1, 1]),
        weft.plot.roc_curve([0, 1], [0.1, 0.9]),
        weft.plot.pr_curve([0, 1], [0.1, 0.9]),
    ]
    assert all(drawn(chart)["series"] for chart in charts)


def test_a_confusion_matrix_has_the_right_class_downwards() -> None:
    made = drawn(weft.plot.confusion_matrix(y_true=[0, 0, 1], preds=[1, 1, 1], class_names=["cat", "dog"]))
    assert (made["xAxis"]["data"], made["yAxis"]["data"]) == (["cat", "dog"], ["cat", "dog"])
    assert sorted(made["series"][0]["data"]) == [[0, 0, 0], [0, 1, 0], [1, 0, 2], [1, 1, 1]]


@pytest.mark.parametrize(
    ("chart", "rows", "fields"),
    [
        ("me/mine/v0", [[1, 2]], {"x": "a"}),
        ("line", [[1, 2]], {"x": "a"}),
        ("line", [[1]], {"x": "a", "y": "b"}),
        ("histogram", [["words", 1]], {"value": "a"}),
        ("confusion_matrix", [["a", "b"]], {"Actual": "a", "Predicted": "b", "nPredictions": "b"}),
        ("bar", [[None, None]], {"label": "gone", "value": "b"}),
    ],
)
def test_what_cannot_be_drawn_is_none(chart: str, rows: Any, fields: dict[str, str]) -> None:
    assert mediacharts.spec(chart, ["a", "b"], rows, fields, {}) is None


def test_control_characters_are_shown_as_signs() -> None:
    made = drawn(weft.plot.bar(weft.Table(columns=["a", "b"], data=[["\x1b[31m\u202e", 1]]), "a", "b"))
    assert made["xAxis"]["data"] == ["⟨ESC⟩[31m⟨U+202E⟩"]


def test_long_charts_are_thinned() -> None:
    rows = [[at, at] for at in range(20_000)]
    made = mediacharts.spec("line", ["a", "b"], rows, {"x": "a", "y": "b"}, {})
    assert made is not None
    assert 2500 < len(made["series"][0]["data"]) <= mediacharts.MOST_POINTS


@settings(deadline=None)  # other processes may have the processor
@given(
    st.lists(
        st.lists(st.floats(-100, 100), min_size=1, max_size=30),
        min_size=1,
        max_size=5,
    )
)
def test_histograms_over_steps_keep_what_each_holds(steps: list[list[float]]) -> None:
    """The shares of every step add up to one, whatever its range is."""
    made = [weft.Histogram(values, num_bins=7) for values in steps]
    found = mediacharts.by_step([Drawn(at, each.histogram, each.bins) for at, each in enumerate(made)])
    shares = [0.0] * len(steps)
    for at, _, share in found["series"][0]["data"]:
        shares[at] += share
    assert shares == pytest.approx([1.0] * len(steps), abs=0.01)
