"""A metric's history as a chart: smoothing, bands and axes. The arithmetic is pure; `chart` draws with ECharts."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import Series
from weft.ui import page
from weft.ui.values import visible

_SEPARATOR = re.compile(r"[/.]")
_DIGITS = re.compile(r"([0-9]{1,18})")
ACROSS = {
    "type": "value",
    "min": "dataMin",
    "max": "dataMax",
    "splitLine": {"show": False},
    "axisLine": {"onZero": False},  # below, also where all values are negative
}
HEIGHT = 220
BAND_POINTS = 240


class Band(NamedTuple):
    """The lowest and highest value by slice of the axis: a spike stays in sight however long the history is."""

    at: list[float]
    low: list[float]
    high: list[float]


def sections(keys: Sequence[str]) -> dict[str, list[str]]:
    """Metrics by what stands before their first `/` or, for those of a logged dict, `.`; plain names come first."""
    found: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: (_SEPARATOR.search(key) is not None, natural(key))):
        parts = _SEPARATOR.split(key, maxsplit=1)
        found.setdefault(parts[0] if len(parts) > 1 and parts[0] else "Charts", []).append(key)
    return found


def natural(name: str) -> list[tuple[bool, int, str]]:
    """By which names are sorted as people count: layer_2 before layer_10."""
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _DIGITS.split(name) if part]


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average, corrected for its start (as in Adam, Kingma and Ba 2015); gaps stay gaps.

    Args:
        weight: 0 leaves the values as they are; below 1.
    """
    if not weight:
        return list(values)
    out: list[float] = []
    average, seen = 0.0, 0
    for value in values:
        if not math.isfinite(value):
            out.append(value)
            continue
        seen += 1
        average = weight * average + (1 - weight) * value
        out.append(average / (1 - weight**seen))
    return out


def band(at: Sequence[float], values: Sequence[float], slices: int = BAND_POINTS) -> Band:
    """Lowest and highest by equal slices of the axis; what is not finite is left out."""
    points = [(x, value) for x, value in zip(at, values, strict=True) if math.isfinite(value)]
    made = Band([], [], [])
    if not points:
        return made
    first, width = points[0][0], (points[-1][0] - points[0][0]) or 1
    current = -1
    for x, value in points:
        place = min(slices - 1, int((x - first) / width * slices))
        if place != current:
            current = place
            made.at.append(x)
            made.low.append(value)
            made.high.append(value)
        else:
            made.low[-1] = min(made.low[-1], value)
            made.high[-1] = max(made.high[-1], value)
    return made


def lasts(at: Sequence[float], slices: int = BAND_POINTS) -> list[int]:
    """The index of the last point in each of equal slices of the axis."""
    if not at:
        return []
    first, width = at[0], (at[-1] - at[0]) or 1
    found = {min(slices - 1, int((x - first) / width * slices)): index for index, x in enumerate(at)}
    return list(found.values())


def axis(series: Series, by_time: bool, against: Series | None = None) -> list[float]:
    """Steps, seconds since the first point, or what another metric was then: its last value by that step.

    Args:
        against: the metric that `define_metric` made the axis; where it has nothing yet, or goes back, steps are.
    """
    if not by_time:
        return _against(series, against) or [float(step) for step in series.steps]
    start = series.times_ns[0] if series.times_ns else 0
    return [(at - start) / 1e9 for at in series.times_ns]


def exponent(values: Sequence[float]) -> int:
    """The power of ten, a multiple of three, that is taken out of the axis; 0 where plain numbers are short enough."""
    most = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if most and not 1e-4 <= most < 1e7:
        return max(-300, 3 * math.floor(math.log10(most) / 3))
    return 0


def stands_on(series: Series, other: Series | None) -> bool:
    """Whether a metric can be drawn over another one."""
    return bool(_against(series, other))


def _against(series: Series, other: Series | None) -> list[float]:
    if other is None or other.key == series.key or not len(other.steps) or not len(series.steps):
        return []
    places = [bisect_right(other.steps, step) - 1 for step in series.steps]
    found = [float(other.values[place]) for place in places] if places[0] >= 0 else []
    rising = all(math.isfinite(x) for x in found) and all(a <= b for a, b in pairwise(found))
    return found if rising else []


def spec(series: Series, *, by_time: bool, smooth: float, against: Series | None = None) -> dict[str, Any]:
    """The chart as ECharts wants it."""
    at = axis(series, by_time, against)
    scale = exponent(series.values)
    if scale:
        series = replace(series, values=[value / 10**scale for value in series.values])
    drawn: list[dict[str, Any]] = []
    thinned = series.total > len(series.steps)
    if thinned:
        drawn += _band_series(band(at, series.values))
    elif smooth:
        drawn.append(_line("raw", _points(at, series.values), opacity=0.25, width=1))
    shown = _points(at, smoothed(series.values, smooth))
    if thinned:  # the band tells the extremes; a line through them all would hide it
        shown = [shown[index] for index in lasts(at)]
    line = _line(f"{series.key} (×1e{scale})" if scale else series.key, shown, opacity=1, width=1.75)
    if len(at) == 1:
        line |= {"showSymbol": True, "symbolSize": 7}
    drawn.append(line)
    return {
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 22 if scale else 10, "bottom": 4, "containLabel": True},
        "xAxis": ACROSS,
        "yAxis": {"type": "value", "scale": True, "splitNumber": 4}
        | ({"name": f"×1e{scale}", "nameGap": 6, "nameTextStyle": {"align": "left"}} if scale else {}),
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"type": "line"}},
        "dataZoom": [{"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False}],
        "series": drawn,
    }


def _points(at: Sequence[float], values: Sequence[float]) -> list[list[float | None]]:
    return [[x, value if math.isfinite(value) else None] for x, value in zip(at, values, strict=True)]


def _line(name: str, points: list[list[float | None]], *, opacity: float, width: float) -> dict[str, Any]:
    return {
        "name": visible(name),
        "type": "line",
        "data": points,
        "showSymbol": False,
        "color": _HUE,
        "lineStyle": {"width": width, "opacity": opacity},
        "emphasis": {"disabled": True},
        "silent": opacity < 1,
        "tooltip": {"show": opacity == 1},
    }


_HUE = "#2F86C5"


def _band_series(made: Band) -> list[dict[str, Any]]:
    """Two stacked lines: an invisible floor, and the height above it, filled."""
    shared = {"type": "line", "stack": "band", "showSymbol": False, "silent": True, "tooltip": {"show": False}}
    floor = [[x, low] for x, low in zip(made.at, made.low, strict=True)]
    height = [[x, high - low] for x, low, high in zip(made.at, made.low, made.high, strict=True)]
    return [
        {**shared, "name": "min", "data": floor, "lineStyle": {"opacity": 0}, "stackStrategy": "all"},
        {
            **shared,
            "name": "max",
            "data": height,
            "lineStyle": {"opacity": 0},
            "areaStyle": {"color": _HUE, "opacity": 0.18},
            "stackStrategy": "all",
        },
    ]


def chart(series: Series, *, by_time: bool, smooth: float, against: Series | None = None) -> None:
    """Draw it, under its name and last value."""
    told = [f"last {units.number(series.values[-1] if series.values else None)}", units.counted(series.total, "point")]
    if series.nonfinite:
        all_of_it = series.nonfinite == series.total
        told.append("nothing finite to draw" if all_of_it else f"{units.count(series.nonfinite)} not finite")
    if series.late:
        told.append(f"{units.count(series.late)} late")
    by = "time" if by_time else against.key if against and _against(series, against) else "step"
    if by not in ("time", "step"):
        told.append(f"by {by}")
    if series.total > len(series.steps):
        told.append("band: min to max")
    page.label(series.key, " · ".join(told))
    st.echarts_chart(
        spec(series, by_time=by_time, smooth=smooth, against=against),
        height=HEIGHT,
        key=f"chart-{series.key}",
        renderer="canvas",
        alt=visible(f"{series.key} by {by}"),
    )
