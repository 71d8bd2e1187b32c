"""One trace: tree and waterfall, and whatever the span under the cursor holds. `/trace?id=…&span=…`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import streamlit as st

from weft.tracking.errors import Error
from weft.tracking.store.readmodels import SpanRecord, TraceRecord
from weft.ui import feedback, links, page
from weft.ui.components.spandetail import detail
from weft.ui.components.trace import Neighbours, Outcome, Said, view
from weft.ui.data import data

LIVE_SECONDS = 1.0
AHEAD_SPANS = 60
AHEAD_BYTES = 400_000
"""Payloads that go to the browser before they are asked for: a trace of ordinary size needs no round trip."""
SAID_SECONDS = 60.0
"""How long a finished trace is looked at again for what was just said of it: on a busy machine the watcher is late."""
SAID, AUTHOR, OUTCOME = "weft.said", "weft.author", "weft.outcome"
HEX = set("0123456789abcdef")


def show() -> None:
    """Draw the screen."""
    trace_id = st.query_params.get("id", "").strip().lower()
    record = data().trace(trace_id) if trace_id and set(trace_id) <= HEX and len(trace_id) == 32 else None
    if record is None:
        _missing(trace_id)
        return
    live = record.status == "running" or _awaited()
    st.fragment(_body, run_every=LIVE_SECONDS if live else None)(trace_id, live)


def _awaited() -> bool:
    """Whether something was said a moment ago."""
    return bool(time.monotonic() < st.session_state.get(SAID, 0.0))


def _missing(trace_id: str) -> None:
    page.head("Trace")
    page.notice(
        "No such trace" if trace_id else "No trace chosen",
        f"There is no trace {trace_id!r} in this store. It may wait to be ingested (weft doctor says so), belong to "
        "another home (WEFT_HOME), or have been removed."
        if trace_id
        else "Open one from the list.",
        links.to("traces"),
        "All traces",
    )


def _body(trace_id: str, live: bool) -> None:
    record = data().trace(trace_id)
    if record is None or (live and record.status != "running" and not _awaited()):
        st.rerun()
        return
    spans = data().spans(trace_id)
    cursor = f"cursor-{trace_id}"
    selected = st.session_state.get(cursor) or st.query_params.get("span") or record.root_span_id
    asked = view(
        record,
        spans,
        _details(trace_id, spans, selected),
        selected=selected,
        around=_around(record),
        author=st.session_state.get(AUTHOR) or feedback.author(),
        outcome=st.session_state.get(OUTCOME, Outcome()),
        height="calc(100vh - 34px)",
        key="trace",  # one for all traces: a new one beside the last could leave both standing after a quick click
    )
    if asked.said is not None:
        _say(record, spans, asked.said)
        st.rerun()
    if asked.select and asked.select != selected:
        st.session_state[cursor] = asked.select
        st.rerun(scope="fragment")


def _say(record: TraceRecord, spans: Sequence[SpanRecord], said: Said) -> None:
    """Keep it: of the root it is said of the trace. Whatever goes wrong is told beside the buttons."""
    st.session_state[AUTHOR] = said.author.strip()
    failed = ""
    try:
        on = next((span for span in spans if span.span_id == said.span_id), None)
        if on is None:
            raise feedback.FeedbackError("Not kept: that span is no longer here.")
        feedback.say(record if said.span_id == record.root_span_id else on, said.kind, said.text, said.author)
        st.session_state[SAID] = time.monotonic() + SAID_SECONDS
    except Error as error:
        failed = str(error)
    st.session_state[OUTCOME] = Outcome(st.session_state.get(OUTCOME, Outcome()).number + 1, failed)


def _details(trace_id: str, spans: Sequence[SpanRecord], selected: str | None) -> dict[str, Any]:
    """Payloads of the chosen span, and of all of a small trace's while they fit."""
    chosen = {selected} if selected else set()
    if len(spans) <= AHEAD_SPANS:
        chosen |= {span.span_id for span in spans}
    known = {span.span_id for span in spans}
    wanted = sorted(span_id for span_id in chosen if span_id in known)
    return data().computed(
        "details", [trace_id, wanted, selected], lambda: _fitting(_scored(trace_id, wanted), selected)
    )


def _scored(trace_id: str, wanted: Sequence[str]) -> list[SpanRecord]:
    """The spans whole; what was said of the trace as such stands with its root."""
    said = [score for score in data().scores({"trace_id": trace_id}) if score.span_id is None]
    return [
        span if span.parent_id or not said else replace(span, scores=[*span.scores, *said])
        for span in data().payloads(trace_id, wanted)
    ]


def _fitting(spans: Sequence[SpanRecord], selected: str | None) -> dict[str, Any]:
    room, fitting = AHEAD_BYTES, {}
    codes = data().codes({span.version for span in spans if span.version})
    for span in sorted(spans, key=lambda span: span.span_id != selected):
        shown = detail(span, codes.get(span.version or ""))
        room -= len(orjson.dumps(shown, option=orjson.OPT_NON_STR_KEYS))
        if room < 0 and span.span_id != selected:
            break
        fitting[span.span_id] = shown
    return fitting


def _around(record: TraceRecord) -> Neighbours:
    """The traces before and after it in its project."""
    newer = (
        data().traces({"project": record.project, "start_ns": {"$gt": record.start_ns}}, order="start_ns", limit=1).rows
    )
    older = data().traces({"project": record.project, "start_ns": {"$lt": record.start_ns}}, limit=1).rows
    return Neighbours(
        links.trace(newer[0].trace_id, page.project()) if newer else None,
        links.trace(older[0].trace_id, page.project()) if older else None,
        links.to("traces", {"project": page.project()}),
    )
