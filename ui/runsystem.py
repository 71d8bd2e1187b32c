"""The System view of a run: what machine and processes took, in charts over time. The grouping is pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import RunRecord, Series
from weft.ui import page
from weft.ui.data import data
from weft.ui.values import visible

POINTS = 600
HEIGHT = 200
ALONE_MS = 30_000
"""Shown on either side of a single measurement; else the axis would be days long."""
CORES_DRAWN = 16
"""Lines of single cores in one chart; with more of them the whole is all there is to see."""


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that one chart shows."""

    title: str
    unit: str
    keys: Sequence[str]
    names: Sequence[str]
    """What each is called in it."""


_CHARTS: tuple[tuple[str, str, str, str], ...] = (
    ("Processor of the run", "%", r"system\.cpu", "run"),
    ("Processor by core", "%", r"system\.cpu\.(\d+)\.cpu_percent", "core"),
    ("Memory of the run", "MiB", r"system\.proc\.memory\.rssMB", "resident"),
    ("Memory", "%", r"system\.(proc\.memory\.percent|memory_percent)", ""),
    ("GPU", "%", r"system\.gpu\.(\d+)\.gpu", "GPU"),
    ("GPU memory", "%", r"system\.gpu\.(\d+)\.memoryAllocated", "GPU"),
    ("GPU power", "W", r"system\.gpu\.(\d+)\.powerWatts", "GPU"),
    ("GPU temperature", "°C", r"system\.gpu\.(\d+)\.temp", "GPU"),
    ("GPU memory of the run", "bytes", r"system\.gpu\.process\.(\d+)\.memoryAllocatedBytes", "GPU"),
    ("Network", "bytes", r"system\.network\.(sent|recv)", ""),
    ("Disks", "MiB", r"system\.disk\.(.+\.(?:in|out))", ""),
    ("Disk space", "%", r"system\.disk\.(.+)\.usagePercent", ""),
    ("Threads of the run", "", r"system\.proc\.cpu\.threads", "threads"),
)
"""(title, unit, names, what to call a line): the charts in their order; what none of them names is not drawn."""
_CALLED = {"memory_percent": "machine", "proc.memory.percent": "run", "recv": "received"}


def groups(keys: Sequence[str]) -> list[Group]:
    """Which charts there are, of the metrics that are there."""
    found: list[Group] = []
    for title, unit, pattern, called in _CHARTS:
        matches = [match for key in keys if (match := re.fullmatch(pattern, key))]
        matches.sort(key=lambda match: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", match[0])])
        if not matches or (title.endswith("core") and len(matches) > CORES_DRAWN):
            continue
        names = []
        for match in matches:
            inner = match[1] if match.re.groups else ""
            names.append(f"{called} {inner}".strip() if called else _CALLED.get(inner, inner))
        found.append(Group(title, unit, [match[0] for match in matches], names))
    return found


def show(run: RunRecord, live_s: float | None) -> None:
    """Draw the view, again every `live_s` seconds."""
    st.fragment(_charts, run_every=live_s)(run.uid)


def _charts(uid: str) -> None:
    with page.part("The system metrics"):
        history = data().system(uid, POINTS)
        drawn = groups(list(history))
        if not drawn:
            page.label("System", "Nothing was measured: it was turned off (WEFT_SYSTEM_INTERVAL=0)")
            return
        for at in range(0, len(drawn), 2):
            for column, group in zip(st.columns(2, gap="small"), drawn[at : at + 2], strict=False):
                with column, st.container(border=True, key=f"weft-system-{group.title}"):
                    _chart(group, history)


def _chart(group: Group, history: Mapping[str, Series]) -> None:
    last = [_told(history[key].values[-1], group.unit) for key in group.keys if history[key].values]
    page.label(group.title, f"last {last[0]}" if len(last) == 1 else group.unit.replace("bytes", "MiB"))
    st.echarts_chart(
        spec(group, history),
        height=HEIGHT,
        key=f"system-{group.title}",
        renderer="canvas",
        alt=f"{group.title} by time",
    )


def _told(value: float, unit: str) -> str:
    return (
        units.size(int(value)) if unit == "bytes" and math.isfinite(value) else f"{units.number(value)} {unit}".strip()
    )


def spec(group: Group, history: Mapping[str, Series]) -> dict[str, Any]:
    """The chart as ECharts wants it."""
    factor = 1 / (1 << 20) if group.unit == "bytes" else 1.0
    lines = []
    for key, name in zip(group.keys, group.names, strict=True):
        series = history[key]
        points = [
            [at // 1_000_000, round(value * factor, 3) if math.isfinite(value) else None]
            for at, value in zip(series.times_ns, series.values, strict=True)
        ]
        lines.append(
            {
                "name": visible(name),
                "type": "line",
                "data": points,
                "showSymbol": len(points) == 1,
                "lineStyle": {"width": 1.5},
                "emphasis": {"disabled": True},
            }
        )
    times = [at for key in group.keys for at in history[key].times_ns]
    alone = (
        {"min": times[0] // 1_000_000 - ALONE_MS, "max": times[0] // 1_000_000 + ALONE_MS} if len({*times}) == 1 else {}
    )
    several = len(lines) > 1
    top = {"max": 100, "interval": 25} if group.unit == "%" else {}
    return {
        "animation": False,
        "grid": {"left": 8, "right": 14, "top": 30 if several else 10, "bottom": 4, "containLabel": True},
        "legend": {"show": several, "type": "scroll", "top": 0, "left": 0, "icon": "roundRect", "itemHeight": 3},
        "xAxis": {"type": "time", **alone, "splitLine": {"show": False}, "axisLabel": {"hideOverlap": True}},
        "yAxis": {"type": "value", "min": 0, "splitNumber": 4, **top},
        "tooltip": {"trigger": "axis", "confine": True},
        "series": lines,
    }
