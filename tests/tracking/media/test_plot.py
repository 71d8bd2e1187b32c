"""`weft.plot`: the rows and axes of each chart, and what is wrong told at the call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weft
from weft.tracking.errors import UsageError
from weft.tracking.media import Chart, curves, plot, restore

TABLE = weft.Table(columns=["step", "loss", "run"], data=[[0, 1.0, "a"], [1, 0.5, "b"]])


@pytest.mark.parametrize(
    ("found", "chart", "fields"),
    [
        (plot.line(TABLE, "step", "loss"), "line", {"x": "step", "y": "loss"}),
        (plot.line(TABLE, "step", "loss", "run", "t", True), "line", {"x": "step", "y": "loss", "stroke": "run"}),
        (plot.scatter(TABLE, "step", "loss"), "scatter", {"x": "step", "y": "loss"}),
        (plot.bar(TABLE, "run", "loss"), "bar", {"label": "run", "value": "loss"}),
        (plot.histogram(TABLE, "loss", title="t"), "histogram", {"value": "loss"}),
        (plot.plot_table("wandb/scatter/v0", TABLE, {"x": "step", "y": "loss"}), "scatter", {"x": "step", "y": "loss"}),
        (plot.plot_table("me/mine/v2", TABLE, {"x": "run"}, {"title": "t"}), "me/mine/v2", {"x": "run"}),
    ],
)
def test_charts_of_a_table_keep_its_rows(found: Chart, chart: str, fields: dict[str, str]) -> None:
    assert (found.chart, found.fields, found.rows) == (chart, fields, TABLE.rows)
    assert found.table == TABLE
    assert restore(found.record()) == found
    with pytest.raises(UsageError, match=r"no column 'x'.*step, loss, run"):
        weft.plot.line(TABLE, "x", "loss")


def test_a_data_frame_is_a_table_too() -> None:
    pandas = pytest.importorskip("pandas")
    assert weft.plot.bar(pandas.DataFrame({"a": ["x"], "b": [1]}), "a", "b").rows == [["x", 1]]
    with pytest.raises(TypeError, match="Table"):
        weft.plot.bar([1, 2], "a", "b")  # type: ignore[arg-type]


def test_series_share_their_places_or_have_their_own() -> None:
    shared = weft.plot.line_series([0, 1], [[5, 6], [7, 8]], keys=["a", "b"])
    own = weft.plot.line_series(np.array([[0, 1], [0, 1]]), np.array([[5, 6], [7, 8]]), keys=["a", "b"])
    assert shared.rows == own.rows == [[0, "a", 5], [1, "a", 6], [0, "b", 7], [1, "b", 8]]
    assert {row[1] for row in weft.plot.line_series([0], [[1], [2]]).rows} == {"key_0", "key_1"}
    for wrong in (
        {"xs": [0], "ys": [[1, 2]]},
        {"xs": [[0], [1]], "ys": [[1]]},
        {"xs": [0], "ys": [[1]], "keys": ["a", "b"]},
    ):
        with pytest.raises(UsageError, match="line_series"):
            weft.plot.line_series(**wrong)  # type: ignore[arg-type]


def test_a_confusion_matrix_counts_every_pair_of_classes() -> None:
    made = weft.plot.confusion_matrix(y_true=[0, 1, 1], preds=np.array([0, 0, 1]), class_names=["cat", "dog", "bird"])
    assert len(made.rows) == 9
    assert [row for row in made.rows if row[2]] == [["cat", "cat", 1], ["dog", "cat", 1], ["dog", "dog", 1]]
    probable = weft.plot.confusion_matrix(probs=np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), y_true=[0, 1, 1])
    assert [row for row in probable.rows if row[2]] == [["0", "0", 1], ["1", "0", 1], ["1", "1", 1]]
    named = weft.plot.confusion_matrix(y_true=["a", "b"], preds=["a", "a"], class_names=["a", "b", "c"])
    assert len(named.rows) == 9


@pytest.mark.parametrize(
    "arguments",
    [
        {"y_true": [0]},
        {"y_true": [0], "preds": [0], "probs": [[1.0]]},
        {"preds": [0]},
        {"y_true": [0, 1], "preds": [0]},
        {"y_true": [0], "preds": [3], "class_names": ["a"]},
        {"y_true": ["x"], "preds": ["a"], "class_names": ["a"]},
    ],
)
def test_a_wrong_confusion_matrix_is_told(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="confusion_matrix"):
        weft.plot.confusion_matrix(**arguments)


def test_curves_have_a_line_a_class() -> None:
    labels, probabilities = [0, 1, 2, 1], [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]
    roc = weft.plot.roc_curve(labels, np.array(probabilities), labels=["a", "b", "c"], classes_to_plot=[0, 2])
    assert {row[0] for row in roc.rows} == {"a", "c"}
    assert (roc.rows[0], roc.rows[-1]) == (["a", 0.0, 0.0], ["c", 1.0, 1.0])
    assert "AUC 1.000" in roc.strings["areas"]
    pr = weft.plot.pr_curve(labels, probabilities, interp_size=5)
    assert [row[1] for row in pr.rows[:5]] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert len(weft.plot.pr_curve(labels, probabilities, interp_size=None).rows) > 3


def test_of_two_classes_one_column_of_probabilities_will_do() -> None:
    one, two = weft.plot.roc_curve([0, 1], [0.2, 0.9]), weft.plot.roc_curve([0, 1], [[0.8, 0.2], [0.1, 0.9]])
    assert [row for row in one.rows if row[0] == "1"] == [row for row in two.rows if row[0] == "1"]


@pytest.mark.parametrize(
    ("y_true", "y_probas"),
    [
        (None, [[1.0]]),
        ([0, 1], [[0.5, 0.5]]),
        ([], []),
        ([0, 1], [[0.5], [0.5, 0.5]]),
        (["a", "b"], [[0.1, 0.2, 0.7]] * 2),
        ([0, 1], [[float("nan"), 0.5], [0.5, 0.5]]),
    ],
)
def test_wrong_curves_are_told(y_true: Any, y_probas: Any) -> None:
    for make in (weft.plot.roc_curve, weft.plot.pr_curve):
        with pytest.raises(UsageError, match="curve"):
            make(y_true, y_probas)
    with pytest.raises(UsageError, match="interp_size"):
        weft.plot.pr_curve([0, 1], [0.1, 0.2], interp_size=1)


def test_a_long_curve_keeps_2000_points_and_its_area_is_exact() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 20_000), rng.random(20_000)
    made = weft.plot.roc_curve(labels, scores, classes_to_plot=[1])
    assert len(made.rows) == 2000
    assert (made.rows[0][1:], made.rows[-1][1:]) == ([0.0, 0.0], [1.0, 1.0])
    exact = curves.roc([label == 1 for label in labels.tolist()], scores.tolist())
    assert made.strings["areas"] == f"1: AUC {curves.area(exact.fpr, exact.tpr):.3f}"
