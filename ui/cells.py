"""Records as table cells: one look for a trace, a status, a score wherever it is listed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from weft.tracking import units
from weft.tracking.store.readmodels import TraceRecord
from weft.ui import links
from weft.ui.components.table import Column, Row
from weft.ui.page import STATES
from weft.ui.scorecards import TELLING
from weft.ui.values import encodable, one_line

_ANSWER = re.compile(rf'\{{"(?:{"|".join(TELLING)})":\s*"((?:[^"\\]|\\.)*)')


def status(name: str) -> dict[str, Any]:
    """A call's status."""
    return {"status": name, "text": name}


def state(name: str) -> dict[str, Any]:
    """A run's state, in its own word."""
    return {"status": STATES.get(name, "cancelled"), "text": name}


def text(value: str | None, limit: int = 160) -> dict[str, Any] | str:
    """One line; the hover has more."""
    if not value:
        return ""
    value = encodable(value)
    short = one_line(value, limit)
    return {"text": short, "title": value[:1200]}


def preview(value: str) -> dict[str, Any] | str:
    """A payload's first characters; of a mapping that begins with what it answers, just that."""
    found = _ANSWER.match(value)
    shown = text(found[1].replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\") if found else value)
    if isinstance(shown, dict):
        shown["title"] = encodable(value[:1200])
    return shown


def age(ns: int | None, now_ns: int) -> dict[str, Any]:
    """`3 min ago`, exact on hover."""
    return {"text": units.age(ns, now_ns), "title": units.moment(ns)}


def unknown(reason: str) -> dict[str, Any]:
    """An en dash, and why on hover."""
    return {"text": units.UNKNOWN, "title": reason, "tone": "soft"}


def duration(ns: int | None, running_ns: int | None = None) -> dict[str, Any] | str:
    """How long; what still runs says for how long so far, what was cut off has none."""
    if ns is None and running_ns is not None:
        return {"text": f"{units.duration(max(0, running_ns))}…", "title": "It is still running", "tone": "soft"}
    return unknown("It ended without saying when") if ns is None else units.duration(ns)


def tokens(record: TraceRecord) -> dict[str, Any] | str:
    """Input and output together, apart on hover."""
    if record.input_tokens is None and record.output_tokens is None:
        return unknown("No call in it reported token usage")
    total = (record.input_tokens or 0) + (record.output_tokens or 0)
    return {
        "text": units.compact(total),
        "title": f"{units.count(record.input_tokens)} in, {units.count(record.output_tokens)} out",
    }


def scores(found: Mapping[str, float | None]) -> dict[str, Any]:
    """Values in [0, 1] get a bar, and come first; the hover has all."""

    def bounded(value: float | None) -> bool:
        return value is not None and 0 <= value <= 1

    first = sorted(found.items(), key=lambda item: not bounded(item[1]))[:2]
    return {
        "scores": [(name, value if bounded(value) else None, units.number(value)) for name, value in first],
        "title": "\n".join(f"{name}: {units.number(value)}" for name, value in found.items()),
    }


def trace_columns(with_scores: bool, order: bool = True) -> list[Column]:
    """The list of traces."""
    columns = [
        Column("Status", "108px", "status", sort="status" if order else None),
        Column("Name", "minmax(120px, 1fr)", look="strong", link=True, sort="name" if order else None),
        Column("Input", "minmax(120px, 1.9fr)"),
        Column("Output", "minmax(120px, 1.9fr)"),
    ]
    if with_scores:
        columns.append(Column("Scores", "minmax(90px, 170px)", "scores"))
    return [
        *columns,
        Column("Duration", "88px", look="num", sort="duration_ns" if order else None),
        Column("Tokens", "70px", look="num"),
        Column("Cost", "86px", look="num", sort="cost" if order else None),
        Column("Started", "100px", look="soft num", sort="start_ns" if order else None),
    ]


def trace_rows(records: Sequence[TraceRecord], now_ns: int, with_scores: bool, project: str | None) -> list[Row]:
    """Its rows."""
    return [_trace_row(record, now_ns, with_scores, project) for record in records]


def _trace_row(record: TraceRecord, now_ns: int, with_scores: bool, project: str | None) -> Row:
    output = preview(record.output_preview)
    if record.status == "error" and isinstance(output, dict):
        output["tone"] = "error"
    spans = f"{record.kind} · {units.count(record.span_count)} spans"
    cost = units.usd(record.cost) if record.cost is not None else unknown("No call in it could be priced")
    return Row(
        record.trace_id,
        links.trace(record.trace_id, project),
        [
            status(record.status),
            {"text": one_line(encodable(record.name)) or "unnamed", "kind": record.kind, "title": spans},
            preview(record.input_preview),
            output,
            *([scores(record.scores)] if with_scores else []),
            duration(record.duration_ns, now_ns - record.start_ns if record.status == "running" else None),
            tokens(record),
            cost,
            age(record.start_ns, now_ns),
        ],
    )
