"""One run: its charts by step or time, smoothed on demand, its last values, settings and what else it logged."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson
import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import RunRecord, Series
from weft.ui import cells, charts, links, page, runlogs, runmedia, runplace, runsystem, runtables
from weft.ui.components.json import tree
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable, showable, visible

LIVE_SECONDS = 2.0
VIEWS = ("Charts", "Logs", "System", "Environment")
POINTS = 1200
"""Points of a metric that go to the browser."""
SHOWN_CHARTS = 24
SMOOTH = {"No smoothing": 0.0, "Smooth 0.3": 0.3, "Smooth 0.6": 0.6, "Smooth 0.9": 0.9, "Smooth 0.97": 0.97}
"""Weights of the moving average."""


def show() -> None:
    """Draw the screen."""
    ident = st.query_params.get("id", "")
    run = data().run(page.project() or st.query_params.get("project"), ident)
    if run is None:
        page.head("Run")
        page.notice("No such run", page.gone("run", ident), links.to("runs"), "All runs")
        return
    _head(run)
    view = _view()
    live_s = LIVE_SECONDS if run.state == "running" else None
    if view == "Logs":
        runlogs.show(run, live_s)
    elif view == "System":
        runsystem.show(run, live_s)
    elif view == "Environment":
        runplace.show(run)
    else:
        _metrics(run, ident, live_s)


def _view() -> str:
    """Which of a run's views is open, by the URL."""
    chosen = st.segmented_control(
        "View", VIEWS, default=VIEWS[0], required=True, key="view", bind="query-params", label_visibility="collapsed"
    )
    return str(chosen)


def _metrics(run: RunRecord, ident: str, live_s: float | None) -> None:
    left, right = st.columns([2.6, 1], gap="medium")
    with left:
        _controls()
        st.fragment(_charts, run_every=live_s)(run.project, ident)
    with right:
        with page.part("The summary"):
            _summary(run)
        with page.part("The configuration"):
            page.label("Config")
            config_part(run)
        with page.part("The artifacts"):
            _artifacts(run)


def _head(run: RunRecord) -> None:
    link = ("All its traces", links.to("traces", {"project": run.project, "run": run.id})) if run.trace_count else None
    page.run_head(
        run.name,
        run.state,
        [
            ("", encodable(run.id)),
            ("took", page.took(run)),
            ("steps", units.count(run.step)),
            ("traces", units.count(run.trace_count)),
            *([("group", encodable(run.group))] if run.group else []),
            *([("tags", encodable(", ".join(run.tags)))] if run.tags else []),
            ("", units.age(run.started_ns, time.time_ns())),
        ],
        link,
    )
    if run.notes:
        st.text(visible(run.notes))
    if run.error:
        error = run.error
        page.failure(f"{error.get('type', 'Error')}: {error.get('message', '')}", str(error.get("stacktrace") or ""))


def _controls() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text_input(
            "Metric",
            key="metric",
            bind="query-params",
            placeholder="Find a metric",
            icon=":material/search:",
            label_visibility="collapsed",
            width=220,
        )
        st.segmented_control(
            "Horizontal axis",
            ("Step", "Time"),
            default="Step",
            required=True,
            key="x",
            bind="query-params",
            label_visibility="collapsed",
        )
        st.selectbox(
            "Smoothing", list(SMOOTH), key="smooth", bind="query-params", label_visibility="collapsed", width=160
        )


def _charts(project: str, ident: str) -> None:
    run = data().run(project, ident)
    if run is None:
        return
    with page.part("The charts"):
        wanted = (st.session_state.get("metric") or "").strip().lower()
        history = data().history(run.uid, None, POINTS)
        found = {key: series for key, series in history.items() if wanted in key.lower()}
        if not found:
            page.label("Charts", "No metric matches" if history else "Nothing was logged by step")
        for section, keys in charts.sections(list(found)).items():
            page.label(section, units.count(len(keys)))
            _section(found, keys[:SHOWN_CHARTS])
            if len(keys) > SHOWN_CHARTS:
                page.label("", f"{units.count(len(keys) - SHOWN_CHARTS)} more: find them by name above")
    with page.part("What else was logged"):
        logged = data().rich(run.uid)
        _rich(logged, runmedia.show(run.uid) | runtables.show(run, logged))


def _section(found: Mapping[str, Series], keys: list[str]) -> None:
    by_time = st.session_state.get("x") == "Time"
    smooth = SMOOTH.get(st.session_state.get("smooth", ""), 0.0)
    for at in range(0, len(keys), 2):
        for column, key in zip(st.columns(2, gap="small"), keys[at : at + 2], strict=False):
            with column, st.container(border=True, key=f"weft-chart-{key}"):
                charts.chart(found[key], by_time=by_time, smooth=smooth)


def _summary(run: RunRecord) -> None:
    page.label("Summary")
    rows = [(name, value) for name, value in run.summary.items() if not name.startswith("_")]
    if not rows:
        page.label("", "Nothing yet")
        return
    table(
        [Column("Metric", "minmax(90px, 1fr)", look="mono soft"), Column("Last", "minmax(80px, 1fr)", look="num")],
        [Row(name, None, [cells.text(name), _value(value)]) for name, value in rows],
        key="summary",
        label="Summary",
        height="320px",
    )


def _value(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"text": units.number(value), "title": repr(value)}
    if isinstance(value, (dict, list)) and (words := runtables.said(value) or runmedia.said(value)) is not None:
        return cells.text(words)
    return cells.text(value if isinstance(value, str) else orjson.dumps(showable(value)).decode())


def config_part(run: RunRecord) -> None:
    """A run's settings, as a tree."""
    if not run.config:
        page.label("", "None was given")
        return
    tree(dict(run.config), key="config", height="420px")


def _artifacts(run: RunRecord) -> None:
    made = data().artifacts({"producer_run": run.id, "project": run.project}).rows
    if not made:
        return
    page.label("Artifacts", units.count(len(made)))
    page.facts(
        [
            (f"{artifact.name}:v{artifact.version}", f"{artifact.type}, {units.size(artifact.size_bytes)}")
            for artifact in made
        ]
    )


def _rich(rows: Sequence[Mapping[str, Any]], shown: Set[str]) -> None:
    """What is no number and not shown by itself."""
    logged = [row for row in rows if row["key"] not in shown]
    if not logged:
        return
    page.label("Also logged", units.count(len(logged)))
    table(
        [
            Column("Key", "minmax(90px, 160px)", look="mono"),
            Column("Step", "80px", look="num"),
            Column("Value", "minmax(200px, 1fr)"),
        ],
        [
            Row(
                str(at),
                None,
                [
                    cells.text(str(row["key"])),
                    units.count(row.get("step")),
                    _value(row.get("value")),
                ],
            )
            for at, row in enumerate(logged[-200:])
        ],
        key="rich",
        label="Also logged",
        height="300px",
    )
