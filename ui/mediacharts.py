"""Logged charts (`weft.plot`) and histograms as ECharts wants them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from weft.tracking import units
from weft.ui.values import visible

Rows = Sequence[Sequence[Any]]
MOST_POINTS = 5_000
"""Rows of a chart that go to the browser: every so many-th of more."""
SLICES = 40
"""Of the values of histograms by step."""
BINS = 20


class Drawn(NamedTuple):
    """A histogram at a step."""

    step: int
    counts: Sequence[float]
    edges: Sequence[float]


def spec(
    chart: str, columns: Sequence[str], rows: Rows, fields: dict[str, str], strings: dict[str, str]
) -> dict[str, Any] | None:
    """The chart; None where the app has none of its kind, or its columns hold nothing that could be drawn."""
    index = {role: columns.index(name) for role, name in fields.items() if name in columns}
    try:
        if chart == "lineseries":
            return _lines(rows, index["step"], index["lineVal"], index["lineKey"], strings.get("xname", "x"), "")
        if chart in ("line", "roc", "pr"):
            group = index.get("stroke", index.get("class"))
            made = _lines(rows, index["x"], index["y"], group, fields["x"], fields["y"])
            if chart == "roc":
                made["series"].append(_diagonal())
            return made | ({"xAxis": _share(fields["x"]), "yAxis": _share(fields["y"])} if chart != "line" else {})
        if chart == "scatter":
            return _scatter(rows, index["x"], index["y"], fields)
        if chart == "bar":
            return _bars([visible(str(row[index["label"]])) for row in rows], [row[index["value"]] for row in rows])
        if chart == "histogram":
            return _binned([row[index["value"]] for row in rows])
        if chart == "confusion_matrix":
            return _matrix(rows, index["Actual"], index["Predicted"], index["nPredictions"])
    except (LookupError, TypeError, ValueError):
        return None
    return None


def histogram(counts: Sequence[float], edges: Sequence[float]) -> dict[str, Any]:
    """One histogram."""
    names = [f"{units.number(low)} – {units.number(high)}" for low, high in pairwise(edges)]
    made = _bars(names, list(counts))
    made["series"][0]["barCategoryGap"] = "1%"
    made["xAxis"]["axisLabel"] = {"hideOverlap": True, "showMinLabel": False, "showMaxLabel": False}
    return made


def by_step(found: Sequence[Drawn]) -> dict[str, Any]:
    """Histograms over steps: how much of each lies in equal slices of the range that all of them have."""
    low = min(each.edges[0] for each in found)
    high = max(each.edges[-1] for each in found)
    width = (high - low) / SLICES or 1.0
    cells: list[list[Any]] = []
    most = 0.0
    for at, each in enumerate(found):
        total = sum(each.counts) or 1.0
        for slice_at, share in enumerate(_spread(each, low, width)):
            if share:
                cells.append([at, slice_at, round(share / total, 5)])
                most = max(most, share / total)
    return {
        **_frame(),
        "xAxis": {"type": "category", "data": [str(each.step) for each in found], "name": ""},
        "yAxis": {"type": "category", "data": [units.number(low + (at + 0.5) * width) for at in range(SLICES)]},
        "visualMap": _ramp(most),
        "tooltip": {"confine": True},
        "series": [{"name": "share", "type": "heatmap", "data": cells}],
    }


def _spread(each: Drawn, low: float, width: float) -> list[float]:
    """Its counts in other slices, each bin spread evenly over what it covers."""
    made = [0.0] * SLICES
    for count, start, end in zip(each.counts, each.edges, each.edges[1:], strict=False):
        if not count:
            continue
        first = min(SLICES - 1, max(0, int((start - low) / width)))
        last = min(SLICES - 1, max(first, math.ceil((end - low) / width) - 1))
        for at in range(first, last + 1):
            covered = min(end, low + (at + 1) * width) - max(start, low + at * width)
            made[at] += count * (max(covered, 0.0) / (end - start) if end > start and last > first else 1.0)
    return made


def _frame(left: int = 8, top: int = 16, bottom: int = 8) -> dict[str, Any]:
    grid = {"left": left, "right": 16, "top": top, "bottom": bottom, "containLabel": True}
    return {"animation": False, "grid": grid}


def _named(axis: dict[str, Any], name: str) -> dict[str, Any]:
    return {**axis, "name": visible(name), "nameLocation": "middle", "nameGap": 26} if name else axis


def _lines(rows: Rows, x: int, y: int, group: int | None, across: str, up: str) -> dict[str, Any]:
    series: dict[str, list[list[Any]]] = {}
    words = any(isinstance(row[x], str) for row in rows)
    for row in _thinned(rows):
        name = visible(str(row[group])) if group is not None else visible(up)
        series.setdefault(name, []).append([visible(row[x]) if words else _finite(row[x]), _finite(row[y])])
    axis: dict[str, Any] = {"type": "category"} if words else {"type": "value", "min": "dataMin", "max": "dataMax"}
    several = len(series) > 1
    return {
        **_frame(left=24 if up else 8, top=32 if several else 16, bottom=24),
        "xAxis": _named({**axis, "splitLine": {"show": False}}, across),
        "yAxis": _named({"type": "value", "scale": True, "splitNumber": 4}, up),
        "legend": {"show": several, "type": "scroll", "top": 0, "icon": "roundRect", "itemHeight": 3},
        "tooltip": {"trigger": "axis", "confine": True},
        "series": [
            {"name": name, "type": "line", "data": points, "showSymbol": len(points) < 30, "symbolSize": 4}
            for name, points in series.items()
        ],
    }


def _share(name: str) -> dict[str, Any]:
    return _named({"type": "value", "min": 0, "max": 1, "interval": 0.25}, name)


def _diagonal() -> dict[str, Any]:
    return {
        "name": "chance",
        "type": "line",
        "data": [[0, 0], [1, 1]],
        "showSymbol": False,
        "silent": True,
        "color": "#8A94A0",
        "lineStyle": {"type": "dashed", "width": 1, "color": "#8A94A0"},
        "tooltip": {"show": False},
    }


def _scatter(rows: Rows, x: int, y: int, fields: dict[str, str]) -> dict[str, Any]:
    words = any(isinstance(row[x], str) for row in rows)
    points = [[visible(row[x]) if words else _finite(row[x]), _finite(row[y])] for row in _thinned(rows)]
    axis: dict[str, Any] = {"type": "category"} if words else {"type": "value", "scale": True}
    return {
        **_frame(left=24, bottom=24),
        "xAxis": _named({**axis, "splitLine": {"show": False}}, fields["x"]),
        "yAxis": _named({"type": "value", "scale": True, "splitNumber": 4}, fields["y"]),
        "tooltip": {"confine": True},
        "series": [{"type": "scatter", "data": points, "symbolSize": 6, "itemStyle": {"opacity": 0.7}}],
    }


def _bars(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {
        **_frame(),
        "xAxis": {"type": "category", "data": list(names)[:MOST_POINTS], "axisTick": {"alignWithLabel": True}},
        "yAxis": {"type": "value", "splitNumber": 4},
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"type": "shadow"}},
        "series": [{"type": "bar", "data": [_finite(value) for value in values[:MOST_POINTS]], "barMaxWidth": 48}],
    }


def _binned(values: Sequence[Any]) -> dict[str, Any]:
    numbers = [value for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
    if not numbers:
        raise ValueError("nothing to count")
    low, high = min(numbers), max(numbers)
    width = (high - low) / BINS or 1.0
    counts = [0] * BINS
    for value in numbers:
        counts[min(BINS - 1, int((value - low) / width))] += 1
    return histogram(counts, [low + at * width for at in range(BINS + 1)])


def _matrix(rows: Rows, actual: int, predicted: int, count: int) -> dict[str, Any]:
    names = list(dict.fromkeys(visible(str(row[at])) for at in (actual, predicted) for row in rows))
    place = {name: at for at, name in enumerate(names)}
    cells = [[place[visible(str(row[predicted]))], place[visible(str(row[actual]))], row[count]] for row in rows]
    return {
        **_frame(left=28, top=8, bottom=28),
        "xAxis": _named({"type": "category", "data": names, "splitArea": {"show": True}}, "predicted"),
        "yAxis": {**_named({"type": "category", "data": names, "inverse": True}, "actual"), "nameGap": 42},
        "visualMap": _ramp(max((float(row[count]) for row in rows), default=1.0)),
        "tooltip": {"confine": True},
        "series": [
            {"name": "count", "type": "heatmap", "data": cells, "label": _DIGITS | {"show": len(names) <= 20}},
        ],
    }


_DIGITS = {"color": "#FFFFFF", "textBorderColor": "rgba(12, 28, 44, 0.8)", "textBorderWidth": 2}
"""Legible on every blue, on light ground and on dark."""


def _ramp(most: float) -> dict[str, Any]:
    """From the page's own ground to blue, by opacity: it holds in both themes."""
    return {
        "show": False,
        "min": 0,
        "max": most or 1,
        "inRange": {"color": ["rgba(47, 134, 197, 0.06)", "rgba(47, 134, 197, 1)"]},
    }


def _thinned(rows: Rows) -> Rows:
    return rows if len(rows) <= MOST_POINTS else rows[:: math.ceil(len(rows) / MOST_POINTS)]


def _finite(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None
