"""One trace as tree, waterfall and details (`trace.js`). Makes the component's data; holds no state of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from weft.tracking import units
from weft.tracking.store.readmodels import SpanRecord, TraceRecord
from weft.ui import links, tree
from weft.ui.components.bundle import load
from weft.ui.components.spandetail import ESTIMATED, estimated, facts
from weft.ui.values import encodable

_render = load("trace", "markdown")


class Neighbours(NamedTuple):
    """Where the buttons lead."""

    newer: str | None
    older: str | None
    back: str


class Said(NamedTuple):
    """What a visitor says of a call."""

    span_id: str
    kind: str
    """reaction or note."""
    text: str
    author: str


class Outcome(NamedTuple):
    """What became of what was said last."""

    number: int = 0
    """How much has been said so far."""
    failed: str = ""
    """Why it could not be kept; empty: it was."""


class Asked(NamedTuple):
    """What the visitor wants."""

    select: str | None = None
    """A span whose payloads are not at hand."""
    said: Said | None = None


def view(
    trace: TraceRecord,
    spans: Sequence[SpanRecord],
    details: Mapping[str, dict[str, Any]],
    *,
    selected: str | None,
    around: Neighbours,
    author: str,
    outcome: Outcome,
    height: str,
    key: str,
) -> Asked:
    """Draw the trace.

    Args:
        details: of the spans whose payloads are at hand.
        author: who says what is said here, until the visitor writes another name.
    """
    now = time.time_ns()
    nodes = tree.arrange(spans, now)
    first = min((span.start_ns for span in spans), default=trace.start_ns)
    last = max((tree.end_ns(span, now) for span in spans), default=first)
    total = max(1, last - first)
    data = {
        "trace": {
            "id": trace.trace_id,
            "name": encodable(trace.name) or "unnamed",
            "status": trace.status,
            "facts": _facts(trace, _guessed(spans), now),
            "tags": [encodable(tag) for tag in trace.tags],
            "total": total,
            "ticks": [
                (at / 4, units.duration(total * at // 4) if at else "0") for at in range(5 if last > first else 1)
            ],
            "newer": around.newer,
            "older": around.older,
        },
        "back": around.back,
        "spans": [_row(node, first, total, now) for node in nodes],
        "selected": selected,
        "details": details,
        "author": encodable(author),
        "said": {"number": outcome.number, "failed": encodable(outcome.failed)},
        "height": height,
    }
    result = _render(key=key, data=data, on_select_change=_nothing, on_say_change=_nothing)
    return Asked(str(result.select) if result.select else None, _said(result.say))


def _said(told: Any) -> Said | None:
    """What the browser sent, if it is what ours would send."""
    if not isinstance(told, Mapping):
        return None
    words = [told.get(name) for name in Said._fields]
    return Said(*words) if all(isinstance(word, str) for word in words) else None  # type: ignore[arg-type]


def _guessed(spans: Sequence[SpanRecord]) -> int:
    """Calls whose tokens were estimated."""
    return sum(1 for span in spans if estimated(span))


def _facts(trace: TraceRecord, guessed: int, now: int) -> list[tuple[str, str, str, str | None]]:
    """[text, name, hover, link]"""
    tokens = None
    if trace.input_tokens is not None or trace.output_tokens is not None:
        tokens = (trace.input_tokens or 0) + (trace.output_tokens or 0)
    mark = ESTIMATED if guessed else ""
    why = f"; {units.counted(guessed, 'call')} in it reported no tokens: theirs were estimated" if guessed else ""
    told: list[tuple[str, str, str, str | None]] = [
        (units.duration(trace.duration_ns), "", "Duration of the root call", None),
        (
            mark + units.count(tokens) if tokens is not None else units.UNKNOWN,
            "tok",
            f"{units.count(trace.input_tokens)} in, {units.count(trace.output_tokens)} out{why}"
            if tokens is not None
            else "No call in it reported token usage",
            None,
        ),
        (
            mark + units.usd(trace.cost) if trace.cost is not None else units.UNKNOWN,
            "" if trace.cost is not None else "cost",
            f"Cost{why}" if trace.cost is not None else "No call in it could be priced",
            None,
        ),
        (units.count(trace.span_count), "span" if trace.span_count == 1 else "spans", "Calls in this trace", None),
    ]
    if trace.run_id:
        told.append((encodable(trace.run_id), "", "The run that it belongs to", links.run(trace.project, trace.run_id)))
    if trace.thread_id:
        told.append(
            (encodable(trace.thread_id), "session", "Its session", links.session(trace.project, trace.thread_id))
        )
    if trace.user_id:
        told.append((encodable(trace.user_id), "user", "User", None))
    told.append((units.age(trace.start_ns, now), "", units.moment(trace.start_ns), None))
    return told


def _row(node: tree.Node, first: int, total: int, now: int) -> dict[str, Any]:
    span = node.span
    length = tree.end_ns(span, now) - span.start_ns
    running = span.duration_ns is None
    return {
        "id": span.span_id,
        "parent": span.parent_id,
        "name": encodable(span.name) or "unnamed",
        "kind": span.kind,
        "status": span.status,
        "model": span.model,
        "depth": node.depth,
        "kids": node.children,
        "below": node.below,
        # Bold is where the time went: on the critical path, and 2% of the trace or more.
        "critical": node.critical and length * 50 >= total,
        "start": span.start_ns - first,
        "length": length,
        "time": f"{units.duration(length)}…"
        if running and span.status == "running"
        else units.duration(span.duration_ns),
        "note": f"started after {units.duration(span.start_ns - first)}",
        "facts": facts(span, first),
    }


def _nothing() -> None:
    """Streamlit reports only events that have a callback."""
