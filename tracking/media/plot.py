"""`weft.plot`: charts over tables, to be logged: `run.log({"roc": weft.plot.roc_curve(labels, probabilities)})`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracking.errors import UsageError
from weft.tracking.media import curves
from weft.tracking.media.arrays import fetched, is_array
from weft.tracking.media.chart import Chart

if TYPE_CHECKING:
    from weft.tracking.tables import Table

MOST_POINTS = 2_000
"""Of one class's curve, evenly chosen: more would fill the disk and show nothing. `curves` has them all."""
_SPECS = {
    "wandb/line/v0": "line",
    "wandb/lineseries/v0": "lineseries",
    "wandb/scatter/v0": "scatter",
    "wandb/bar/v0": "bar",
    "wandb/histogram/v0": "histogram",
    "wandb/confusion_matrix/v1": "confusion_matrix",
    "wandb/area-under-curve/v0": "line",
}
"""wandb's names of the charts that the app draws."""


def line(table: Table, x: str, y: str, stroke: str | None = None, title: str = "", split_table: bool = False) -> Chart:
    """A line through the rows, or one a value of the column `stroke`.

    Args:
        split_table: for scripts written for wandb; the rows stay with the chart.

    Raises:
        UsageError: there is no such column.
    """
    fields = {"x": x, "y": y} | ({"stroke": stroke} if stroke else {})
    return plot_table("wandb/line/v0", table, fields, {"title": title})


def line_series(
    xs: Sequence[Any],
    ys: Sequence[Sequence[Any]],
    keys: Sequence[str] | None = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,
) -> Chart:
    """Several lines.

    Args:
        xs: the positions of all lines, or a list of them for each.
        ys: the heights of each line.
        keys: a name for each line.

    Raises:
        UsageError: lengths do not fit.
    """
    heights = [_list(each) for each in _list(ys)]
    places = _list(xs)
    nested = [_list(each) for each in places if _is_list(each)]
    each_x = nested if len(nested) == len(places) and places else [places] * len(heights)
    if len(each_x) != len(heights):
        raise UsageError(f"line_series() got {len(each_x)} lists in xs and {len(heights)} in ys")
    names = [f"key_{at}" for at in range(len(heights))] if keys is None else [str(key) for key in keys]
    if len(names) != len(heights):
        raise UsageError(f"line_series() got {len(names)} keys for {len(heights)} lines")
    rows = []
    for name, across, up in zip(names, each_x, heights, strict=True):
        if len(across) != len(up):
            raise UsageError(f"line {name!r:.60} of line_series() has {len(across)} x and {len(up)} y")
        rows += [[at, name, value] for at, value in zip(across, up, strict=True)]
    fields = {"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"}
    return Chart("lineseries", ["step", "lineKey", "lineVal"], rows, fields, {"title": title, "xname": xname})


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> Chart:
    """A mark a row.

    Raises:
        UsageError: there is no such column.
    """
    return plot_table("wandb/scatter/v0", table, {"x": x, "y": y}, {"title": title})


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> Chart:
    """A bar a row.

    Raises:
        UsageError: there is no such column.
    """
    return plot_table("wandb/bar/v0", table, {"label": label, "value": value}, {"title": title})


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> Chart:
    """How often the numbers of a column occur, by equal slices.

    Raises:
        UsageError: there is no such column.
    """
    return plot_table("wandb/histogram/v0", table, {"value": value}, {"title": title})


def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "",
    split_table: bool = False,
) -> Chart:
    """How often each class was taken for each.

    Args:
        probs: a probability a class, for each example; or
        preds: the class that was chosen, for each example.
        y_true: the right class of each example.
        class_names: names of the classes 0, 1, 2, ...; default the classes that occur, as they are.

    Raises:
        UsageError: both or neither of probs and preds are given, lengths differ, or a class has no name.
    """
    if (probs is None) == (preds is None):
        raise UsageError("confusion_matrix() takes probs= or preds=, one of them")
    if y_true is None:
        raise UsageError("confusion_matrix() needs y_true=")
    right = _list(y_true)
    if probs is not None:
        rows = [_list(row) for row in _list(probs)]
        chosen = [row.index(max(row)) for row in rows]
    else:
        chosen = _list(preds)
    if len(chosen) != len(right):
        raise UsageError(f"confusion_matrix() got {len(chosen)} predictions and {len(right)} right classes")
    names = _class_names(class_names, [*right, *chosen])
    counts = {(actual, told): 0 for actual in names.values() for told in names.values()}
    for actual, told in zip(right, chosen, strict=True):
        counts[names[actual], names[told]] += 1
    columns = ["Actual", "Predicted", "nPredictions"]
    rows = [[actual, told, count] for (actual, told), count in counts.items()]
    return Chart("confusion_matrix", columns, rows, {name: name for name in columns}, {"title": title})


def roc_curve(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[str] | Mapping[Any, str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    title: str | None = None,
    split_table: bool = False,
) -> Chart:
    """True over false positives, a line a class, as `sklearn.metrics.roc_curve` computes it; at most 2,000 points each.

    Args:
        y_true: the right class of each example.
        y_probas: a probability a class for each example, classes in order; or, of two classes, that of the second.
        labels: names of the classes, in order or by class.
        classes_to_plot: only these.

    Raises:
        UsageError: lengths do not fit, or a probability is NaN.
    """
    rows: list[list[Any]] = []
    areas = {}
    for name, positive, scores in _one_against_all("roc_curve", y_true, y_probas, labels, classes_to_plot):
        curve = curves.roc(positive, scores)
        areas[name] = curves.area(curve.fpr, curve.tpr)
        rows += _thinned([[name, across, up] for across, up in zip(curve.fpr, curve.tpr, strict=True)])
    told = {"title": title or "ROC", "areas": _areas("AUC", areas)}
    return Chart("roc", ["class", "fpr", "tpr"], rows, {"x": "fpr", "y": "tpr", "class": "class"}, told)


def pr_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | Mapping[Any, str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    interp_size: int | None = 21,
    title: str | None = None,
    split_table: bool = False,
) -> Chart:
    """Precision over recall, a line a class.

    Args:
        y_true, y_probas, labels, classes_to_plot: as in `roc_curve`.
        interp_size: at so many equal steps of recall the best precision that has it; None: the points that
            `sklearn.metrics.precision_recall_curve` computes, at most 2,000 of each.

    Raises:
        UsageError: lengths do not fit, or a probability is NaN.
    """
    if interp_size is not None and (
        isinstance(interp_size, bool) or not isinstance(interp_size, int) or interp_size < 2
    ):
        raise UsageError(f"interp_size must be a whole number of at least 2, or None; got {interp_size!r:.40}")
    rows: list[list[Any]] = []
    areas = {}
    for name, positive, scores in _one_against_all("pr_curve", y_true, y_probas, labels, classes_to_plot):
        curve = curves.precision_recall(positive, scores)
        areas[name] = curves.average_precision(curve)
        recall, precision = (
            (curve.recall, curve.precision) if interp_size is None else curves.resampled(curve, interp_size)
        )
        rows += _thinned([[name, across, up] for across, up in zip(recall, precision, strict=True)])
    told = {"title": title or "Precision v. Recall", "areas": _areas("AP", areas)}
    fields = {"x": "recall", "y": "precision", "class": "class"}
    return Chart("pr", ["class", "recall", "precision"], rows, fields, told)


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: Mapping[str, str],
    string_fields: Mapping[str, str] | None = None,
    split_table: bool = False,
) -> Chart:
    """A chart by the name of its kind.

    Args:
        vega_spec_name: one of wandb's ("wandb/line/v0"); of others the app shows the rows.
        data_table: a Table or a DataFrame.
        fields: columns by what they are in the chart.
        string_fields: its texts, such as the title.

    Raises:
        UsageError: there is no such column.
        TypeError: it is no table.
    """
    from weft.tracking.tables import Table  # tables hold media, and so import this package

    if not isinstance(data_table, Table):
        if not hasattr(data_table, "columns"):
            raise TypeError(f"a chart needs a Table or a DataFrame, got {type(data_table).__name__}")
        data_table = Table(dataframe=data_table, allow_mixed_types=True)
    kind = _SPECS.get(vega_spec_name, str(vega_spec_name))
    return Chart(kind, data_table.columns, list(data_table.rows), fields, string_fields)


def _one_against_all(
    what: str, y_true: Any, y_probas: Any, labels: Any, classes_to_plot: Any
) -> list[tuple[str, list[bool], list[float]]]:
    """For each class its name, which examples are of it, and how probable it was for each."""
    if y_true is None or y_probas is None:
        raise UsageError(f"{what}() needs y_true and y_probas")
    right = _list(y_true)
    rows = [_list(row) if _is_list(row) else [1 - row, row] for row in _list(y_probas)]
    if len(right) != len(rows) or not rows:
        raise UsageError(f"{what}() got {len(right)} right classes and {len(rows)} examples in y_probas")
    widths = {len(row) for row in rows}
    classes = sorted(dict.fromkeys(right), key=lambda each: (isinstance(each, str), each))
    if len(widths) != 1:
        raise UsageError(f"{what}() got examples with different numbers of probabilities")
    [width] = widths
    if len(classes) != width:
        if not all(isinstance(each, int) and 0 <= each < width for each in classes):
            raise UsageError(f"{what}() got {width} probabilities an example for {len(classes)} classes")
        classes = list(range(width))  # some classes do not occur
    chosen = classes if classes_to_plot is None else [each for each in classes if each in _list(classes_to_plot)]
    found = []
    for at, each in enumerate(classes):
        scores = [float(row[at]) for row in rows]
        if any(score != score for score in scores):
            raise UsageError(f"{what}(): a probability of class {each!r:.40} is NaN")
        if each in chosen:
            found.append((_label(labels, at, each), [one == each for one in right], scores))
    return found


def _thinned(points: list[list[Any]]) -> list[list[Any]]:
    """At most `MOST_POINTS` of them, the first and the last among them."""
    last = len(points) - 1
    if last < MOST_POINTS:
        return points
    return [points[round(at * last / (MOST_POINTS - 1))] for at in range(MOST_POINTS)]


def _label(labels: Any, at: int, each: Any) -> str:
    if isinstance(labels, Mapping):
        return str(labels.get(each, each))
    names = _list(labels) if labels is not None else []
    return str(names[at]) if at < len(names) else str(each)


def _class_names(class_names: Sequence[str] | None, seen: list[Any]) -> dict[Any, str]:
    """Names by class, in order."""
    if class_names is None:
        return {each: str(each) for each in sorted(dict.fromkeys(seen), key=lambda each: (isinstance(each, str), each))}
    names = [str(name) for name in _list(class_names)]
    by_name = {name: name for name in names}
    if all(isinstance(each, str) for each in seen) and by_name.keys() >= set(seen):
        return by_name
    strange = [each for each in seen if isinstance(each, str) or not 0 <= each < len(names)]
    if strange:
        raise UsageError(f"confusion_matrix() got {len(names)} class_names, and class {strange[0]!r:.40}")
    return dict(enumerate(names))


def _areas(what: str, areas: Mapping[str, float]) -> str:
    return ", ".join(f"{name}: {what} {value:.3f}" for name, value in areas.items())


def _is_list(value: Any) -> bool:
    return is_array(value) or isinstance(value, (list, tuple))


def _list(value: Any) -> list[Any]:
    """Arrays, tensors and columns as plain lists."""
    if is_array(value):
        value = fetched(value)
    for way in ("tolist", "to_list"):
        if callable(getattr(value, way, None)):
            return list(getattr(value, way)())
    return list(value)
