"""Conversations: the list of them, and one as its turns. `/sessions`, `/session?id=…`."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import Page, SpanRecord, ThreadRecord, TraceRecord
from weft.ui import cells, links, lists, page
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable, one_line, visible

LIVE_SECONDS = 2.0
TURNS = 50
"""Of a conversation on a page."""
PREVIEW = 600
"""Characters of a turn's input or output."""
EMPTY = lists.Empty(
    "No sessions yet",
    "Give calls that belong together a thread; its turns show here.",
    """import weft

with weft.thread("conversation-1"):
    answer("how do decorators work?")
    answer("and how do I write one?")""",
)


def show() -> None:
    """Draw the list."""
    page.head("Sessions")
    with lists.bar("Search ids") as text:
        asked = {"thread_id": {"$contains": text}} if text else {}
    st.fragment(_body, run_every=LIVE_SECONDS)(page.scope() | asked)


def _body(where: dict[str, Any]) -> None:
    def draw(found: Page[ThreadRecord], order: str, number: int) -> str | None:
        now, with_project = time.time_ns(), page.project() is None
        return table(
            _columns(with_project),
            [_row(thread, now, with_project) for thread in found.rows],
            key="sessions",
            label="Sessions",
            height=lists.HEIGHT,
            order=order,
            page=(where, order, number),
            live=True,
            keys=True,
            none="No session matches.",
        )

    lists.listed(
        "sessions",
        lambda order, offset: data().threads(where, order, lists.PAGE, offset),
        draw,
        order="-last_ns",
        empty=None if "thread_id" in where else EMPTY,
    )


def _columns(with_project: bool) -> list[Column]:
    return [
        Column("Session", "minmax(160px, 2fr)", look="strong", link=True, sort="thread_id"),
        *([Column("Project", "minmax(90px, 1fr)", look="soft")] if with_project else []),
        Column("Turns", "72px", look="num", sort="turn_count"),
        Column("Errors", "72px", look="num", sort="error_count", help="Turns that failed"),
        Column("p50", "86px", look="num", help="Half of the turns took no longer"),
        Column("p99", "86px", look="num", help="99% of the turns took no longer"),
        Column("Tokens", "76px", look="num", help="Of the traces that belong to it"),
        Column("Cost", "86px", look="num", sort="cost"),
        Column("Started", "110px", look="soft num", sort="start_ns"),
        Column("Last active", "110px", look="soft num", sort="last_ns"),
    ]


def _row(thread: ThreadRecord, now: int, with_project: bool) -> Row:
    errors = {"text": units.count(thread.error_count), "tone": "error" if thread.error_count else "soft"}
    cost = units.usd(thread.cost) if thread.cost is not None else cells.unknown("No call in it could be priced")
    return Row(
        f"{thread.project}/{thread.thread_id}",
        links.session(thread.project, thread.thread_id),
        [
            cells.text(thread.thread_id) or "unnamed",
            *([cells.text(thread.project)] if with_project else []),
            units.count(thread.turn_count),
            errors,
            cells.unknown("No turn has ended yet") if thread.p50_ns is None else units.duration(thread.p50_ns),
            cells.unknown("No turn has ended yet") if thread.p99_ns is None else units.duration(thread.p99_ns),
            cells.tokens(thread),
            cost,
            cells.age(thread.start_ns, now),
            cells.age(thread.last_ns, now),
        ],
    )


def show_one() -> None:
    """Draw one conversation."""
    thread_id = st.query_params.get("id", "")
    st.fragment(_one, run_every=LIVE_SECONDS)(thread_id, page.project())


def _one(thread_id: str, project: str | None) -> None:
    where = {"thread_id": thread_id} | ({"project": project} if project else {})
    threads = data().threads(where, "-last_ns", 2, 0).rows if thread_id else []
    if not threads:
        page.head("Session")
        page.notice(
            "No such session" if thread_id else "No session chosen",
            page.gone("session", thread_id) if thread_id else "Open one from the list.",
            links.to("sessions", {"project": project}),
            "All sessions",
        )
        return
    thread = threads[0]
    page.head(thread.thread_id, *_facts(thread), up=("Sessions", links.to("sessions", {"project": page.project()})))
    with page.part("The turns"):
        found, number = page.paged(
            lambda offset: data().turns(thread_id, thread.project, lists.PAGE, offset), lists.PAGE
        )
        traces = data().traces({"trace_id": {"$in": sorted({turn.trace_id for turn in found.rows})}}, limit=TURNS).rows
        st.html(_conversation(found.rows, {trace.trace_id: trace for trace in traces}, time.time_ns()))
        page.pages(found.total, number, TURNS, found.exact)


def _facts(thread: ThreadRecord) -> list[str]:
    facts = [units.counted(thread.turn_count, "turn")]
    if thread.error_count:
        facts.append(units.counted(thread.error_count, "error"))
    facts.append(f"p50 {units.duration(thread.p50_ns)}")
    if thread.input_tokens is not None or thread.output_tokens is not None:
        facts.append(units.tokens((thread.input_tokens or 0) + (thread.output_tokens or 0)))
    if thread.cost is not None:
        facts.append(units.usd(thread.cost))
    return [*facts, thread.project, f"last active {units.age(thread.last_ns, time.time_ns())}"]


def _conversation(turns: Sequence[SpanRecord], traces: Mapping[str, TraceRecord], now: int) -> str:
    """What was asked and answered, turn by turn; each leads to its trace. User text is escaped, always."""
    return f"<div class='weft-talk'>{''.join(_turn(turn, traces.get(turn.trace_id), now) for turn in turns)}</div>"


def _turn(turn: SpanRecord, trace: TraceRecord | None, now: int) -> str:
    root = trace is not None and trace.root_span_id == turn.span_id
    href = links.to("trace", {"id": turn.trace_id, "span": None if root else turn.span_id, "project": turn.project})
    told = [units.duration(turn.duration_ns) if turn.duration_ns is not None else turn.status]
    if trace is not None and root and (trace.input_tokens is not None or trace.output_tokens is not None):
        told.append(units.tokens((trace.input_tokens or 0) + (trace.output_tokens or 0)))
    if trace is not None and root and trace.cost is not None:
        told.append(units.usd(trace.cost))
    if trace is not None and root:
        told += [f"{name} {word}" for name, word in trace.labels.items()]
    look = turn.status if turn.status in page.STATES.values() else "cancelled"
    state = "" if turn.status == "ok" else f"<em class='weft-{look}'>{html.escape(visible(turn.status))}</em>"
    return (
        f"<section><a class='weft-go' target='_self' href='{html.escape(href, quote=True)}'>"
        f"<b>{_shown(turn.name, 80)}</b></a>{state}<span>{_shown(' · '.join(told), 200)}</span>"
        f"<time title='{html.escape(units.moment(turn.start_ns), quote=True)}'>{units.age(turn.start_ns, now)}</time>"
        f"{_said('asked', turn.input_preview)}"
        f"{_said('failed' if turn.status == 'error' else 'told', turn.output_preview)}</section>"
    )


def _said(side: str, preview: str) -> str:
    shown = cells.preview(preview, PREVIEW)
    text = shown["text"] if isinstance(shown, dict) else shown
    return f"<p class='{side}'>{html.escape(visible(text))}</p>" if text else ""


def _shown(text: str, limit: int) -> str:
    return html.escape(visible(one_line(encodable(text), limit)))
