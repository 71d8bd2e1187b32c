"""The Logs view of a run: what it printed, searched, by stream, followed while it runs."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import ConsoleLine, RunRecord
from weft.ui import ansi, page
from weft.ui.components.logs import Line, logs
from weft.ui.data import data

SHOWN = 1000
"""Lines at a time: the last ones, and as many more at each asking."""
STREAMS = ("All", "stdout", "stderr")
_NONE = (
    "Nothing was printed, or the console was not recorded (WEFT_CONSOLE=off).\nrun.write_logs(text) adds lines by hand."
)


def show(run: RunRecord, live_s: float | None) -> None:
    """Draw the view.

    Args:
        live_s: how often it looks for new lines; None: the run has ended.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text_input(
            "Text in the logs",
            key="find",
            bind="query-params",
            placeholder="Search the logs",
            icon=":material/search:",
            label_visibility="collapsed",
            width=260,
        )
        st.segmented_control(
            "Stream",
            STREAMS,
            default="All",
            required=True,
            key="stream",
            bind="query-params",
            label_visibility="collapsed",
        )
    st.fragment(_lines, run_every=live_s)(run.uid)


def _lines(uid: str) -> None:
    with page.part("The logs"):
        search = (st.session_state.get("find") or "").strip() or None
        chosen = st.session_state.get("stream")
        asked = f"weft.logs.{uid}"
        last = int(st.session_state.get(asked, SHOWN))
        found = data().console(uid, search, None if chosen in (None, "All") else str(chosen), last)
        count = f"{units.counted(found.total, 'line')}{' match' if search else ''}"
        shown = f", the last {units.count(len(found.rows))}" if len(found.rows) < found.total else ""
        page.label("Console", count + shown if found.total else "")
        earlier = logs(
            [_line(line, found.total - len(found.rows) + at) for at, line in enumerate(found.rows, 1)],
            key="logs",
            height="620px",
            more=len(found.rows) < found.total,
            none="No line matches." if search or chosen in ("stdout", "stderr") else _NONE,
        )
        if earlier:
            st.session_state[asked] = last + SHOWN
            st.rerun(scope="fragment")


def _line(line: ConsoleLine, number: int) -> Line:
    at = datetime.fromtimestamp(line.at_ns / 1e9, UTC).astimezone()
    ident = f"{line.writer}/{line.stream}/{line.number}"
    spans = [(span.text, span.look) for span in ansi.spans(line.styled)]
    return Line(ident, number, f"{at:%Y-%m-%d %H:%M:%S}", line.stream == "stderr", spans)
