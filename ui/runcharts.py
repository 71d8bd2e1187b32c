"""The charts of a run: by section, by step, time or the axis that was defined, smoothed on demand."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import Series
from weft.ui import charts, page
from weft.ui.data import data

POINTS = 1200
"""Points of a metric that go to the browser."""
SHOWN = 24
"""Charts that are drawn at once: sections beyond these are closed, and a longer one shows so many at a time."""
SMOOTH = {"No smoothing": 0.0, "Smooth 0.3": 0.3, "Smooth 0.6": 0.6, "Smooth 0.9": 0.9, "Smooth 0.97": 0.97}
"""Weights of the moving average."""


def controls() -> None:
    """What is shown, and how."""
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


def has(run_uid: str) -> bool:
    """Whether anything was logged by step."""
    return bool(data().history(run_uid, None, POINTS))


def show(run_uid: str) -> None:
    """Draw them: all that match, or all but the hidden ones and what is only the axis of others."""
    wanted = (st.session_state.get("metric") or "").strip().lower()
    history = data().history(run_uid, None, POINTS)
    axes = {series.metric.step_metric for series in history.values() if series.metric}
    found = [
        key
        for key, series in history.items()
        if (wanted in key.lower() if wanted else key not in axes and not (series.metric and series.metric.hidden))
    ]
    if not found:
        page.label("Charts", "No metric matches" if wanted else "All metrics are hidden (define_metric)")
    left = SHOWN
    for section, keys in charts.sections(found).items():
        with page.part(f"The charts of {section}"):
            _section(section, keys, history, left > 0)
        left -= len(keys)


def _section(section: str, keys: list[str], history: Mapping[str, Series], opened: bool) -> None:
    """One that is closed costs nothing until somebody opens it."""
    name = f"weft-section-{section}"
    box = st.expander(
        f"**{page.plain(section)}** :gray[{units.count(len(keys))}]",
        expanded=opened,
        key=name,
        type="compact",
        on_change="rerun",
    )
    if not box.open:
        return
    with box:
        asked = f"{name}.shown"
        most = int(st.session_state.get(asked, SHOWN))
        _grid(keys[:most], history)
        if len(keys) > most and st.button(
            f"Show {units.count(min(SHOWN, len(keys) - most))} more of {units.count(len(keys))}", key=f"{name}.more"
        ):
            st.session_state[asked] = most + SHOWN
            st.rerun(scope="fragment")


def _grid(keys: list[str], history: Mapping[str, Series]) -> None:
    by_time = st.session_state.get("x") == "Time"
    smooth = SMOOTH.get(st.session_state.get("smooth", ""), 0.0)
    for at in range(0, len(keys), 2):
        for column, key in zip(st.columns(2, gap="small"), keys[at : at + 2], strict=False):
            series = history[key]
            against = history.get(series.metric.step_metric or "") if series.metric else None
            with column, st.container(border=True, key=f"weft-chart-{key}"):
                charts.chart(series, by_time=by_time, smooth=smooth, against=against)
