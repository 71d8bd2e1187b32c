"""Runs beside each other: what differs in settings and results, and their charts in one. `/compare?runs=p/id&runs=…`"""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.runs.runvalues import flat
from weft.tracking.store.readmodels import RunRecord
from weft.ui import charts, comparison, links, lists, page, runcharts
from weft.ui.comparison import HUES, MOST, Side
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable, visible

POINTS = 600
"""Of a metric and run that go to the browser."""
VIEWS = ("Differences", "All values")


def show() -> None:
    """Draw the screen."""
    asked = list(dict.fromkeys(st.query_params.get_all("runs")))
    found = {path: data().run(*_split(path)) for path in asked[:MOST]}
    runs = [run for run in found.values() if run is not None]
    up = ("Runs", links.to("runs", page.scope()))
    page.head("Compare", *([units.counted(len(runs), "run")] if runs else []), up=up)
    gone = [path for path, run in found.items() if run is None]
    if gone:
        lists.awaited(data().version())
    if not asked:
        words = "Choose two or more in the list by the boxes before their names."
        page.notice("No runs to compare", words, up[1], "All runs")
        return
    if gone:
        page.note(f"Not here, perhaps removed or not yet taken in: {', '.join(gone)}")
    if len(asked) > MOST:
        page.note(f"The first {MOST} of {units.count(len(asked))} are shown.")
    if not runs:
        return
    live_s = lists.LIVE_SECONDS if any(run.state == "running" for run in runs) else None
    st.fragment(_head, run_every=live_s)([(run.project, run.id) for run in runs])
    runcharts.controls()
    st.fragment(_charts, run_every=live_s)([(run.uid, run.name) for run in runs])


def _split(path: str) -> tuple[str | None, str]:
    """`project/id`, or an id of the project that is shown."""
    project, _, ident = path.rpartition("/")
    return project or page.project(), ident


def _head(keys: Sequence[tuple[str, str]]) -> None:
    runs = [run for key in keys if (run := data().run(*key)) is not None]
    with page.part("The runs"):
        st.html(f"<div class='weft-runs'>{''.join(map(_legend, runs, HUES))}</div>")
    with page.part("What differs"):
        _differences(runs)


def _legend(run: RunRecord, hue: str) -> str:
    name, href = html.escape(visible(run.name), quote=True), html.escape(links.run(run.project, run.id), quote=True)
    look = page.STATES.get(run.state, "cancelled")
    age = units.age(run.started_ns, time.time_ns())
    return (
        f"<span><i style='background: var(--weft-{hue})'></i>"
        f"<a class='weft-go' target='_self' href='{href}' title='{name}'>{name}</a>"
        f"<em class='weft-{look}'>{html.escape(run.state)}</em><small>{page.took(run)}, {age}</small></span>"
    )


def _differences(runs: Sequence[RunRecord]) -> None:
    view = st.segmented_control(
        "Values", VIEWS, default=VIEWS[0], required=True, key="values", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    lines = [
        (kind, line)
        for kind, sides in (("config", [run.config for run in runs]), ("summary", [run.summary for run in runs]))
        for line in comparison.lines([_plain(side) for side in sides])
        if view == VIEWS[1] or not line.same
    ]
    lines.sort(key=lambda each: each[1].rank)
    table(
        [
            Column("Name", "minmax(140px, 1.4fr)", type="name", look="mono"),
            Column("Of", "80px", look="soft"),
            *(Column(encodable(run.name), "minmax(110px, 1fr)", look="num", help=encodable(run.name)) for run in runs),
        ],
        [_row(kind, line) for kind, line in lines],
        key="differences",
        label="Differences",
        height="264px",
        none="They have the same settings and results." if len(runs) > 1 else "There is no other run to differ from.",
    )


def _row(kind: str, line: comparison.Line) -> Row:
    name = encodable(line.name)
    return Row(f"{kind}.{name}", None, [{"text": name, "title": name}, kind, *map(comparison.told, line.values)])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """By dotted names; names with an underscore ahead are bookkeeping, and media have views of their own."""
    return {
        name: value
        for name, value in flat(values)
        if not name.startswith("_") and not (isinstance(value, dict) and "_type" in value)
    }


def _charts(runs: Sequence[tuple[str, str]]) -> None:
    with page.part("The charts"):
        held = [(name, data().history(uid, None, POINTS)) for uid, name in runs]
        keys = dict.fromkeys(key for _, history in held for key in runcharts.drawn(history))
        if not keys:
            page.label("Charts", "No metric matches" if runcharts.sought() else "Nothing was logged by step")
            return
        by_time, smooth = runcharts.by_time_and_smooth()

        def draw(key: str) -> None:
            sides = [Side(name, history.get(key), runcharts.axis_of(history, key)) for name, history in held]
            _overlaid(key, sides, by_time, smooth)

        runcharts.sections(list(keys), draw, across=3)


def _overlaid(key: str, runs: Sequence[Side], by_time: bool, smooth: float) -> None:
    has = sum(run.series is not None for run in runs)
    page.label(key, "" if has == len(runs) else f"{has} of {len(runs)} runs")
    st.echarts_chart(
        comparison.overlaid(runs, by_time=by_time, smooth=smooth),
        height=charts.HEIGHT,
        key=f"chart-{key}",
        renderer="canvas",
        alt=visible(f"{key} of {len(runs)} runs"),
    )
