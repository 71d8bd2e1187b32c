"""Runs beside each other: where their settings and results differ, and their metrics in one chart. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from weft.tracking import units
from weft.tracking.store.readmodels import Series
from weft.ui import charts
from weft.ui.values import encodable, one_line, showable, visible

HUES = ("blue", "orange", "green", "purple", "sky", "violet", "brown", "vermillion")
"""Of the runs in their order: as Streamlit gives them to the series of a chart."""
MOST = len(HUES)
"""Runs that are compared: of more, two would look alike."""


class Line(NamedTuple):
    """A setting or result, as each run has it; None where it has none."""

    name: str
    values: tuple[Any, ...]
    kinds: int
    """How many values there are among the runs that have it."""
    missing: int
    """How many runs do not have it."""

    @property
    def same(self) -> bool:
        """Whether all have it, and the same."""
        return self.kinds == 1 and not self.missing

    @property
    def rank(self) -> int:
        """Where it stands among others: those whose values differ lead, those that are the same come last."""
        return 0 if self.kinds > 1 else 1 if self.missing else 2


def lines(sides: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Every name that one of them has, in the order in which they come."""
    found = []
    for name in dict.fromkeys(name for side in sides for name in side):
        kinds = len({_word(side[name]) for side in sides if name in side})
        missing = sum(name not in side for side in sides)
        found.append(Line(name, tuple(side.get(name) for side in sides), kinds, missing))
    return found


def _word(value: Any) -> bytes:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 and 1 look the same, and are
    return orjson.dumps(showable(value), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def told(value: Any) -> dict[str, Any] | str:
    """One of its values in a cell."""
    if value is None:
        return {"text": units.UNKNOWN, "title": "It has none", "tone": "soft"}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"text": units.number(value), "title": repr(value)}
    text = value if isinstance(value, str) else _word(value).decode()
    return {"text": encodable(one_line(text)), "title": encodable(text[:1200])}


class Side(NamedTuple):
    """A run's part in a chart."""

    name: str
    series: Series | None
    """What it logged; one that logged nothing keeps its place, so that each run has its colour in every chart."""
    against: Series | None = None
    """What `define_metric` made the axis."""


def overlaid(runs: Sequence[Side], *, by_time: bool, smooth: float) -> dict[str, Any]:
    """One metric of several runs as ECharts wants it. They share an axis: steps, unless each of them has another."""
    scale = charts.exponent([value for run in runs if run.series for value in run.series.values])
    shared = all(run.series is None or charts.stands_on(run.series, run.against) for run in runs)
    return {
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 22 if scale else 10, "bottom": 4, "containLabel": True},
        "xAxis": charts.ACROSS,
        "yAxis": {"type": "value", "scale": True, "splitNumber": 4}
        | ({"name": f"×1e{scale}", "nameGap": 6, "nameTextStyle": {"align": "left"}} if scale else {}),
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"type": "line"}, "order": "valueDesc"},
        "dataZoom": [{"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False}],
        "series": [_line(run, run.against if shared else None, scale, by_time, smooth) for run in runs],
    }


def _line(run: Side, against: Series | None, scale: int, by_time: bool, smooth: float) -> dict[str, Any]:
    points: list[list[float | None]] = []
    if (series := run.series) is not None:
        values = charts.smoothed([value / 10**scale for value in series.values] if scale else series.values, smooth)
        at = charts.axis(series, by_time, against)
        points = [[x, value if math.isfinite(value) else None] for x, value in zip(at, values, strict=True)]
        if series.total > len(series.steps):  # a line through the extremes of each would hide the others
            points = [points[index] for index in charts.lasts(at)]
    return {
        "name": visible(run.name),
        "type": "line",
        "data": points,
        "showSymbol": len(points) == 1,
        "symbolSize": 7,
        "lineStyle": {"width": 1.6},
        "emphasis": {"focus": "series"},
    }
