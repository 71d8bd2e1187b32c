"""The list of traces: filters in the URL, totals and small charts over the same filter, paged in SQL."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import Page, TraceRecord, TraceStats
from weft.tracking.store.textwords import words
from weft.ui import cells, lists, page
from weft.ui.components import strips
from weft.ui.components.filters import Choice, filters
from weft.ui.components.table import table
from weft.ui.data import data
from weft.ui.theme import KIND_SERIES

LIVE_SECONDS = 2.0
STATUSES = ("ok", "error", "running", "interrupted", "cancelled")
SINCE = {
    "Last hour": 3600,
    "Last 24 hours": 24 * 3600,
    "Last 7 days": 7 * 24 * 3600,
    "Last 30 days": 30 * 24 * 3600,
}
EMPTY = lists.Empty(
    "No traces yet",
    "Call a function that weft traces; it shows here at once.",
    """import weft

@weft.op
def answer(question: str) -> str: ...

answer("how do decorators work?")""",
)


def show() -> None:
    """Draw the screen."""
    where, filtered = _filters()
    if not filtered and not data().traces(where, limit=1).rows:
        page.empty(*EMPTY)
        lists.awaited(data().version())
        return
    with st.container(key="weft-traces"):
        st.fragment(_body, run_every=LIVE_SECONDS)(where)


def _filters() -> tuple[dict[str, Any], bool]:
    page.head("Traces")
    choices = [
        Choice("status", "Status", STATUSES, statuses=True),
        Choice("kind", "Kind", tuple(KIND_SERIES)),
        Choice("name", "Name", data().names(page.project())),
        Choice("since", "Time", list(SINCE), multi=False),
        Choice("tag", "Tag", _tags()),
    ]
    shown = choices if choices[-1].options or choices[-1].chosen else choices[:-1]
    with lists.bar("Search names, inputs and outputs") as text:
        filters(shown, key="filters")
        _custom_range()
    where = page.scope()
    if run := st.query_params.get("run"):
        where["run_id"] = run
        with st.container(horizontal=True, vertical_alignment="center"):
            page.label(f"of run {run}")
            if st.button("All traces", icon=":material/close:", key="of-run"):
                del st.query_params["run"]
                st.rerun()
    chosen, kinds, names, since, tags = (choice.chosen for choice in choices)
    asked = _where(chosen, kinds, names, SINCE[since[0]] if since else None, tags)
    asked |= _search(text)
    return where | asked, bool(asked)


def _tags() -> list[str]:
    """Tags of the project's latest traces: choices, from the very rows that the unfiltered list shows."""
    latest = data().traces(page.scope(), limit=lists.PAGE).rows
    return sorted({tag for record in latest for tag in record.tags})


def _search(text: str) -> dict[str, Any]:
    """By the words' index; what is being typed may be the beginning of a word. What has no word in it, as it stands."""
    if not text:
        return {}
    if not words(text):
        return {"text": {"$contains": text}}
    return {"text": {"$search": text + "*" if words(text[-1]) else text}}


def _custom_range() -> None:
    """A range that was dragged, and the way out of it."""
    if "from" not in st.query_params:
        return
    first, last = _dragged()
    label = f"{_moment(first)} – {_moment(last)}"
    if st.button(label, icon=":material/close:", key="range", help="Show any time again"):
        del st.query_params["from"]
        del st.query_params["to"]
        st.rerun()


def _dragged() -> tuple[int, int]:
    """The URL's range in Unix milliseconds; what is no number counts as none."""
    try:
        return int(st.query_params.get("from", "")), int(st.query_params.get("to", ""))
    except ValueError:
        return 0, time.time_ns() // 1_000_000


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone():%d %b %H:%M:%S}"


def _where(
    chosen: list[str], kinds: list[str], names: list[str], seconds: int | None, tags: list[str]
) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if chosen:
        where["status"] = {"$in": chosen}
    if kinds:
        where["kind"] = {"$in": kinds}
    if names:
        where["name"] = {"$in": names}
    if tags:
        where["tags"] = {"$in": tags}
    if "from" in st.query_params:
        first, last = _dragged()
        where["start_ns"] = {"$gte": first * 1_000_000, "$lt": last * 1_000_000}
    elif seconds:
        # By the minute: a bound that moves with every rerun would make every answer a new question.
        where["start_ns"] = {"$gte": (time.time_ns() // 60_000_000_000) * 60_000_000_000 - seconds * 1_000_000_000}
    return where


def _body(where: dict[str, Any]) -> None:
    totals, charts, listing, foot = (st.container() for _ in range(4))
    with listing:
        _listing(where, foot)
    with charts, page.part("The charts"):
        stats = data().trace_stats(where, buckets=strips.BUCKETS)
        with totals:
            _totals(stats)
        if dragged := strips.strips(stats, ("latency", "errors", "cost"), key="strips", height=92):
            st.query_params["from"], st.query_params["to"] = str(dragged.from_ms), str(dragged.to_ms)
            st.rerun()


def _listing(where: dict[str, Any], foot: Any) -> None:
    def draw(found: Page[TraceRecord], order: str, number: int) -> str | None:
        names = cells.score_names(found.rows)
        if "$contains" in where.get("text", {}):
            page.note("There is no word in that: it was looked for as it stands, in names and previews only.")
        for note in found.notes:
            page.note(note)
        return table(
            cells.trace_columns(names),
            cells.trace_rows(found.rows, time.time_ns(), names, page.project()),
            key="traces",
            label="Traces",
            height="calc(100vh - 276px)",
            order=order,
            page=(where, order, number),
            live=True,
            keys=True,
            none="No trace matches these filters.",
        )

    lists.listed(
        "traces",
        lambda order, offset: data().traces(where, order=order, limit=lists.PAGE, offset=offset),
        draw,
        order="-start_ns",
        foot=foot,
    )


def _totals(stats: TraceStats) -> None:
    page.label(
        units.counted(stats.count, "trace"),
        " · ".join(
            (
                units.counted(stats.error_count, "error"),
                f"p50 {units.duration(stats.p50_ns)}",
                f"p95 {units.duration(stats.p95_ns)}",
                units.tokens(stats.tokens),
                units.usd(stats.cost),
            )
        ),
    )
