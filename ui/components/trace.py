"""One trace as tree, waterfall and details (`trace.js`). Makes the component's data; holds no state of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson

from weft.tracking import units
from weft.tracking.store.readmodels import ArtifactRecord, ScoreRecord, SpanRecord, TraceRecord
from weft.ui import links, messages, tree
from weft.ui.components.bundle import load
from weft.ui.values import encodable, showable

_render = load("trace")
TOKEN_WORDS = {
    "input_tokens": "in",
    "output_tokens": "out",
    "cache_read_tokens": "cached",
    "cache_write_tokens": "cache written",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio in",
    "output_audio_tokens": "audio out",
}


class Neighbours(NamedTuple):
    """Where the buttons lead."""

    newer: str | None
    older: str | None
    back: str


def view(
    trace: TraceRecord,
    spans: Sequence[SpanRecord],
    details: Mapping[str, dict[str, Any]],
    *,
    selected: str | None,
    around: Neighbours,
    height: str,
    key: str,
) -> str | None:
    """Draw the trace; `details` are of the spans whose payloads are at hand. Returns a span whose are wanted."""
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
            "facts": _facts(trace, now),
            "total": total,
            "ticks": [(at / 4, units.duration(total * at // 4) if at else "0") for at in range(5)],
            "newer": around.newer,
            "older": around.older,
        },
        "back": around.back,
        "spans": [_row(node, first, total, now) for node in nodes],
        "selected": selected,
        "details": details,
        "height": height,
    }
    result = _render(key=key, data=data, on_select_change=_nothing)
    return str(result.select) if result.select else None


def _facts(trace: TraceRecord, now: int) -> list[tuple[str, str, str, str | None]]:
    """[text, name, hover, link]"""
    tokens = None
    if trace.input_tokens is not None or trace.output_tokens is not None:
        tokens = (trace.input_tokens or 0) + (trace.output_tokens or 0)
    facts: list[tuple[str, str, str, str | None]] = [
        (units.duration(trace.duration_ns), "", "Duration of the root call", None),
        (
            units.count(tokens),
            "tok",
            f"{units.count(trace.input_tokens)} in, {units.count(trace.output_tokens)} out"
            if tokens is not None
            else "No call in it reported token usage",
            None,
        ),
        (
            units.usd(trace.cost),
            "" if trace.cost is not None else "cost",
            "Cost" if trace.cost is not None else "No call in it could be priced",
            None,
        ),
        (units.count(trace.span_count), "span" if trace.span_count == 1 else "spans", "Calls in this trace", None),
    ]
    if trace.run_id:
        facts.append(
            (encodable(trace.run_id), "", "The run that it belongs to", links.run(trace.project, trace.run_id))
        )
    if trace.thread_id:
        facts.append((encodable(trace.thread_id), "thread", "Conversation", None))
    if trace.user_id:
        facts.append((encodable(trace.user_id), "user", "User", None))
    facts.append((units.age(trace.start_ns, now), "", units.moment(trace.start_ns), None))
    return facts


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
        "facts": _span_facts(span, first),
    }


def _span_facts(span: SpanRecord, first: int) -> list[tuple[str, str, str]]:
    """[name, text, hover]"""
    facts = [("", units.duration(span.duration_ns), "Duration")]
    if span.start_ns > first:
        facts.append(("after", units.duration(span.start_ns - first), f"Started {units.moment(span.start_ns)}"))
    if span.model:
        facts.append(("", encodable(span.model), f"Model{f', {span.provider}' if span.provider else ''}"))
    for name, count in (span.usage or {}).items():
        if word := TOKEN_WORDS.get(name):
            facts.append((word, units.compact(count), f"{units.count(count)} {name.replace('_', ' ')}"))
    if span.cost is not None:
        made_of = units.breakdown(span.cost_parts)
        why = f"Cost, by {span.price_source or 'an unknown price table'}" + (f": {made_of}" if made_of else "")
        facts.append(("", units.usd(span.cost), encodable(why)))
    elif span.usage:
        why = f"No price is known for {span.model or 'this model'}: weft prices set gives it one"
        facts.append(("cost", units.UNKNOWN, encodable(why)))
    facts += [("!", encodable(flag.partition(" (")[0]), encodable(flag)) for flag in span.usage_flags]
    return facts


def detail(span: SpanRecord, code: ArtifactRecord | None = None) -> dict[str, Any]:
    """A span's payloads, JSON-safe, and the code that ran, where it is known."""
    chat = messages.conversation(span.inputs, span.output)
    shown: dict[str, Any] = {
        "chat": chat,
        "usageLine": _usage_line(span) if chat else "",
        "attributes": showable(dict(span.attributes)),
        "events": [_event(event, span.start_ns) for event in span.events],
        "links": [_link(link) for link in span.links],
        "scores": [_score(score) for score in span.scores],
        "error": _error(span.error),
        "raw": showable(asdict(span)),
    }
    if code is not None:
        shown["code"] = _code(code)
    if span.inputs is not None:
        shown["inputs"] = showable(span.inputs)
    if span.output is not None or span.status == "ok":
        shown["output"] = showable(span.output)
    shown["stamp"] = hash(orjson.dumps(shown, option=orjson.OPT_NON_STR_KEYS)) & 0xFFFFFFFF
    return shown


def _usage_line(span: SpanRecord) -> str:
    usage = dict(span.usage or {})
    parts = []
    if "input_tokens" in usage:
        cached = f" ({units.count(usage['cache_read_tokens'])} cached)" if usage.get("cache_read_tokens") else ""
        parts.append(f"{units.count(usage['input_tokens'])} in{cached}")
    if "output_tokens" in usage:
        parts.append(f"{units.count(usage['output_tokens'])} out")
    if span.cost is not None:
        made_of = units.breakdown(span.cost_parts)
        parts.append(units.usd(span.cost) + (f" ({made_of})" if made_of else ""))
    return encodable(" · ".join([*parts, *span.usage_flags]))


def _event(event: Mapping[str, Any], start_ns: int) -> dict[str, Any]:
    at = event.get("at_ns")
    return {
        "name": encodable(str(event.get("name", "event"))),
        "at": f"+{units.duration(at - start_ns)}" if isinstance(at, int) else "",
        "attributes": showable(event.get("attributes") or {}),
    }


def _link(link: Mapping[str, Any]) -> dict[str, Any]:
    trace_id, span_id = str(link.get("trace_id", "")), str(link.get("span_id", ""))
    return {
        "href": links.to("trace", {"id": trace_id, "span": span_id}),
        "text": f"span {span_id} of trace {trace_id}",
        "attributes": showable(link.get("attributes") or {}),
    }


def _score(score: ScoreRecord) -> dict[str, Any]:
    text = f"failed: {score.error}" if score.error else score.label or units.number(score.value)
    if score.kind == "note" and score.label is None and score.value is None:
        text = ""  # a note is its reason
    return {
        "name": encodable(score.name),
        "text": encodable(text),
        "by": encodable(f"by {score.author}") if score.author else "",
        "reason": encodable(score.reason or ""),
    }


def _code(code: ArtifactRecord) -> dict[str, str]:
    file, line = code.metadata.get("file"), code.metadata.get("line")
    return {
        "source": showable(str(code.metadata.get("source") or "")),
        "where": encodable(f"{file}:{line}" if file else code.name),
        "version": f"v{code.version}",
    }


def _error(error: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not error:
        return None
    return {name: showable(str(error.get(name) or "")) for name in ("type", "message", "stacktrace")}


def _nothing() -> None:
    """Streamlit reports only events that have a callback."""
