"""The charts of a run: by section, by step, time or the axis that was defined, smoothed on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    """Draw them."""
    history = data().history(run_uid, None, POINTS)
    found = drawn(history)
    if not found:
        page.label("Charts", "No metric matches" if sought() else "All metrics are hidden (define_metric)")
    by_time, smooth = by_time_and_smooth()

    def draw(key: str) -> None:
        charts.chart(history[key], by_time=by_time, smooth=smooth, against=axis_of(history, key))

    sections(found, draw)


def drawn(history: Mapping[str, Series]) -> list[str]:
    """Those of a run that the controls ask for: all that match, or all but the hidden ones and what is only an axis."""
    wanted = sought()
    axes = {series.metric.step_metric for series in history.values() if series.metric}
    return [
        key
        for key, series in history.items()
        if (wanted in key.lower() if wanted else key not in axes and not (series.metric and series.metric.hidden))
    ]


def sought() -> str:
    """Part of the names of metrics that are looked for."""
    return (st.session_state.get("metric") or "").strip().lower()


def axis_of(history: Mapping[str, Series], key: str) -> Series | None:
    """The metric that `define_metric` made the axis of another."""
    series = history.get(key)
    return history.get(series.metric.step_metric or "") if series and series.metric else None


def by_time_and_smooth() -> tuple[bool, float]:
    """What the controls say."""
    return st.session_state.get("x") == "Time", SMOOTH.get(st.session_state.get("smooth", ""), 0.0)


def sections(found: Sequence[str], draw: Callable[[str], None], across: int = 2) -> None:
    """Charts by section, so many in a row; `draw` draws that of a key."""
    left = SHOWN
    for section, keys in charts.sections(found).items():
        with page.part(f"The charts of {section}"):
            _section(section, keys, draw, across, left > 0)
        left -= len(keys)


def _section(section: str, keys: list[str], draw: Callable[[str], None], across: int, opened: bool) -> None:
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
        _grid(keys[:most], draw, across)
        if len(keys) > most and st.button(
            f"Show {units.count(min(SHOWN, len(keys) - most))} more of {units.count(len(keys))}", key=f"{name}.more"
        ):
            st.session_state[asked] = most + SHOWN
            st.rerun(scope="fragment")


def _grid(keys: list[str], draw: Callable[[str], None], across: int) -> None:
    for at in range(0, len(keys), across):
        for column, key in zip(st.columns(across, gap="small"), keys[at : at + across], strict=False):
            with column, st.container(border=True, key=f"weft-chart-{key}"):
                draw(key)
