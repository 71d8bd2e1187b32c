"""The first screen: how the project does, and the way to what happened last."""

from __future__ import annotations

import time

import streamlit as st

from weft.ui import cells, links, page
from weft.ui.components import strips
from weft.ui.components.table import table
from weft.ui.data import data
from weft.ui.scorecards import EVALUATION
from weft.ui.screens import evaluations, runs

LIVE_SECONDS = 3.0
LATEST = 8
CODE = """pip install "weft[all]"
weft demo                # an agent, its evaluation, and this app

# or trace your own:
import weft

@weft.op
def answer(question: str) -> str: ..."""


def show() -> None:
    """Draw the screen."""
    page.head("Overview", page.project() or "all projects")
    st.fragment(_body, run_every=LIVE_SECONDS)()


def _body() -> None:
    where = page.scope()
    latest = data().traces(where, limit=LATEST)
    scored = data().runs(where | {"job_type": EVALUATION}, limit=5)
    trained = data().runs(where | runs.NOT_EVALUATION, limit=5)
    if not (latest.total or scored.total or trained.total):
        page.empty("Nothing recorded yet", "Run the demo, or trace your own code; it shows here at once.", CODE)
        return
    if latest.total:
        with page.part("The figures"):
            stats = data().trace_stats(where, buckets=strips.BUCKETS)
            strips.strips(
                stats, ("traces", "errors", "latency", "tokens", "cost"), key="figures", height=126, tall=True
            )
        page.more("Latest traces", links.to("traces", {"project": page.project()}), latest.total)
        with page.part("The traces"):
            names = cells.score_names(latest.rows)
            table(
                cells.trace_columns(names, order=False),
                cells.trace_rows(latest.rows, time.time_ns(), names, page.project()),
                key="latest",
                label="Latest traces",
                page="latest",
                live=True,
                keys=True,
            )
    if scored.total:
        page.more("Latest evaluations", links.to("evaluations", {"project": page.project()}), scored.total)
        with page.part("The evaluations"):
            evaluations.listing(scored.rows, key="latest-evaluations", brief=True)
    if trained.total:
        page.more("Latest runs", links.to("runs", {"project": page.project()}), trained.total)
        with page.part("The runs"):
            runs.listing(trained.rows, key="latest-runs", brief=True)
