"""Records as table cells: one look for a trace, a status, a score wherever it is listed. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from weft.tracking import units
from weft.tracking.store.readmodels import ThreadRecord, TraceRecord
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


def preview(value: str, limit: int = 160) -> dict[str, Any] | str:
    """A payload's first characters; of a mapping that begins with what it answers, just that."""
    found = _ANSWER.match(value)
    told = found[1].replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\") if found else value
    shown = text(told, limit)
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


def tokens(record: TraceRecord | ThreadRecord) -> dict[str, Any] | str:
    """Input and output together, apart on hover."""
    if record.input_tokens is None and record.output_tokens is None:
        return unknown("No call in it reported token usage")
    total = (record.input_tokens or 0) + (record.output_tokens or 0)
    return {
        "text": units.compact(total),
        "title": f"{units.count(record.input_tokens)} in, {units.count(record.output_tokens)} out",
    }


SCORES_SHOWN = 3
"""Scores with a column of their own; of more than these, the first two have one and the rest are told on hover."""


def score_names(records: Sequence[TraceRecord]) -> list[str]:
    """What these traces were judged by: words and values in [0, 1], then other numbers; what most have first."""
    counts = Counter(name for record in records for name in {*record.scores, *record.labels} if _judged(record, name))
    wide = {
        name for record in records for name, value in record.scores.items() if value is not None and not 0 <= value <= 1
    }
    return sorted(counts, key=lambda name: (name in wide, -counts[name], name))


def _shown(names: Sequence[str]) -> Sequence[str]:
    return names if len(names) <= SCORES_SHOWN else names[: SCORES_SHOWN - 1]


def _judged(record: TraceRecord, name: str) -> bool:
    """A note has neither number nor word: it shows in the trace."""
    return record.scores.get(name) is not None or bool(record.labels.get(name))


def score(record: TraceRecord, name: str) -> dict[str, Any]:
    """One score: a bar for a value in [0, 1], the number, or the word that was said."""
    value, word = record.scores.get(name), record.labels.get(name)
    shown = units.number(value) if value is not None else one_line(encodable(word), 24) if word else ""
    if not shown:
        return {"scores": [], "title": ""}
    told = " · ".join(part for part in (units.number(value) if value is not None else "", word or "") if part)
    bar = value if value is not None and 0 <= value <= 1 else None
    return {"scores": [(encodable(name), bar, shown)], "title": encodable(f"{name}: {told}")}


def _tags(tags: Sequence[str]) -> list[str]:
    """The first tag, and how many others there are; the hover has all."""
    return [f"{one_line(encodable(tags[0]), 40)}{f' +{len(tags) - 1}' if len(tags) > 1 else ''}"] if tags else []


def _other_scores(record: TraceRecord, names: Sequence[str]) -> dict[str, Any]:
    told = [cell["title"] for name in names if (cell := score(record, name))["title"]]
    return {"text": f"+{len(told)}" if told else "", "title": "\n".join(told), "tone": "soft"}


def trace_columns(names: Sequence[str] = (), order: bool = True) -> list[Column]:
    """The list of traces; `names` are those of its scores."""
    columns = [
        Column("Status", "108px", "status", sort="status" if order else None),
        Column("Name", "minmax(120px, 1fr)", look="strong", link=True, sort="name" if order else None),
        Column("Input", "minmax(120px, 1.9fr)"),
        Column("Output", "minmax(120px, 1.9fr)"),
    ]
    columns += [
        Column(encodable(name), "minmax(64px, 92px)", "scores", "num", help=encodable(f"Score: {name}"))
        for name in _shown(names)
    ]
    if len(names) > SCORES_SHOWN:
        columns.append(Column("More", "56px", help="Other scores"))
    return [
        *columns,
        Column("Duration", "88px", look="num", sort="duration_ns" if order else None),
        Column("Tokens", "70px", look="num"),
        Column("Cost", "86px", look="num", sort="cost" if order else None),
        Column("Started", "100px", look="soft num", sort="start_ns" if order else None),
    ]


def trace_rows(records: Sequence[TraceRecord], now_ns: int, names: Sequence[str], project: str | None) -> list[Row]:
    """Its rows."""
    return [_trace_row(record, now_ns, names, project) for record in records]


def _trace_row(record: TraceRecord, now_ns: int, names: Sequence[str], project: str | None) -> Row:
    output = preview(record.output_preview)
    if record.status == "error" and isinstance(output, dict):
        output["tone"] = "error"
    spans = f"{record.kind} · {units.counted(record.span_count, 'span')}"
    if record.tags:
        spans += f" · {', '.join(encodable(tag) for tag in record.tags)}"
    cost = units.usd(record.cost) if record.cost is not None else unknown("No call in it could be priced")
    return Row(
        record.trace_id,
        links.trace(record.trace_id, project),
        [
            status(record.status),
            {
                "text": one_line(encodable(record.name)) or "unnamed",
                "kind": record.kind,
                "title": spans,
                "tags": _tags(record.tags),
            },
            preview(record.input_preview),
            output,
            *(score(record, name) for name in _shown(names)),
            *([_other_scores(record, names[len(_shown(names)) :])] if len(names) > SCORES_SHOWN else []),
            duration(record.duration_ns, now_ns - record.start_ns if record.status == "running" else None),
            tokens(record),
            cost,
            age(record.start_ns, now_ns),
        ],
    )
