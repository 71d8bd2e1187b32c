"""One span for the details pane of the trace view: its payloads, what was said of it, its code, what was lost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from weft.tracking import units
from weft.tracking.store.readmodels import ArtifactRecord, ScoreRecord, SpanRecord
from weft.ui import links, messages
from weft.ui.values import as_json, encodable, showable

TOKEN_WORDS = {
    "input_tokens": "in",
    "output_tokens": "out",
    "cache_read_tokens": "cached",
    "cache_write_tokens": "cache written",
    "cache_write_1h_tokens": "cache written for 1 h",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio in",
    "output_audio_tokens": "audio out",
    "input_image_tokens": "image in",
    "output_image_tokens": "image out",
}
ESTIMATED = "≈ "
"""Before numbers that were counted here, not reported."""
LOST = {
    "otel.dropped_attributes_count": "{} not kept by the span limits of the program's OpenTelemetry: attribute",
    "otel.dropped_events_count": "{} not kept by the span limits of the program's OpenTelemetry: event",
    "otel.dropped_links_count": "{} not kept by the span limits of the program's OpenTelemetry: link",
    "weft.dropped_events": "{} not kept, beyond what one span may have: event",
}
"""Attributes that count what is missing, and how that is said: the words before the colon, then the thing's name."""


def estimated(span: SpanRecord) -> str:
    """How its tokens were estimated; empty where they were reported, or are unknown."""
    return next((flag for flag in span.usage_flags if flag.startswith("estimated")), "")


def facts(span: SpanRecord, first: int) -> list[tuple[str, str, str]]:
    """[name, text, hover]; a name `!` marks a warning.

    Args:
        first: when the trace began, in Unix nanoseconds.
    """
    told = [("", units.duration(span.duration_ns), "Duration")]
    if span.start_ns > first:
        told.append(("after", units.duration(span.start_ns - first), f"Started {units.moment(span.start_ns)}"))
    if span.model:
        told.append(("", encodable(span.model), encodable(f"Model{f', {span.provider}' if span.provider else ''}")))
    guess = estimated(span)
    mark, why = (ESTIMATED, f": {guess}, not reported") if guess else ("", "")
    for name, count in (span.usage or {}).items():
        if word := TOKEN_WORDS.get(name):
            hover = f"{units.count(count)} {name.replace('_', ' ')}{why}"
            told.append((word, mark + units.compact(count), encodable(hover)))
    if span.cost is not None:
        made_of = units.breakdown(span.cost_parts)
        priced = f"Cost, by {span.price_source or 'an unknown price table'}" + (f": {made_of}" if made_of else "")
        hover = f"{priced}; of tokens that were {guess}" if guess else priced
        told.append(("", mark + units.usd(span.cost), encodable(hover)))
    elif span.usage:
        unknown = f"No price is known for {span.model or 'this model'}: weft prices set gives it one"
        told.append(("cost", units.UNKNOWN, encodable(unknown)))
    return told + [("!", encodable(flag.partition(" (")[0]), encodable(flag)) for flag in span.usage_flags]


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
        "tags": [encodable(tag) for tag in span.tags],
        "lost": lost(span.attributes),
        "error": _error(span.error),
        "raw": as_json(asdict(span)),
    }
    if span.version:
        shown["code"] = _code(span.version, code)
    if span.inputs is not None:
        shown["inputs"] = showable(span.inputs)
    if span.output is not None or span.status == "ok":
        shown["output"] = showable(span.output)
    shown["stamp"] = hash(orjson.dumps(shown, option=orjson.OPT_NON_STR_KEYS)) & 0xFFFFFFFF
    return shown


def lost(attributes: Mapping[str, Any]) -> list[str]:
    """What is missing of a span, as far as it says so: `3 attributes not kept by …`."""
    told = []
    for name, words in LOST.items():
        count = attributes.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            said, _, thing = words.rpartition(": ")
            told.append(said.format(units.counted(count, thing)))
    return told


def _usage_line(span: SpanRecord) -> str:
    usage, mark = dict(span.usage or {}), ESTIMATED if estimated(span) else ""
    parts = []
    if "input_tokens" in usage:
        cached = f" ({units.count(usage['cache_read_tokens'])} cached)" if usage.get("cache_read_tokens") else ""
        parts.append(f"{mark}{units.count(usage['input_tokens'])} in{cached}")
    if "output_tokens" in usage:
        parts.append(f"{mark}{units.count(usage['output_tokens'])} out")
    if span.cost is not None:
        made_of = units.breakdown(span.cost_parts)
        parts.append(mark + units.usd(span.cost) + (f" ({made_of})" if made_of else ""))
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
        "text": encodable(f"span {span_id} of trace {trace_id}"),
        "attributes": showable(link.get("attributes") or {}),
    }


def _score(score: ScoreRecord) -> dict[str, Any]:
    text = f"failed: {score.error}" if score.error else _said(score)
    return {
        "id": score.uid,
        "name": encodable(score.name),
        "kind": encodable(score.kind),
        "text": encodable(text),
        "author": encodable(score.author or ""),
        "by": encodable(_by(score)),
        "at": units.moment(score.at_ns),
        "reason": encodable(score.reason or ""),
    }


def _said(score: ScoreRecord) -> str:
    """Its number and its word; a note has neither, it is its reason."""
    value = units.number(score.value) if score.value is not None else ""
    told = " · ".join(part for part in (value, score.label or "") if part)
    return told or ("" if score.reason else units.UNKNOWN)


def _by(score: ScoreRecord) -> str:
    """Who says so: a person by name, else the scorer that its source names."""
    if score.author:
        return f"by {score.author}"
    scorer = (score.source or {}).get("scorer")
    return f"by {scorer}" if isinstance(scorer, str) else ""


def _code(version: str, code: ArtifactRecord | None) -> dict[str, Any]:
    digest = encodable(version[:12])
    if code is None:
        return {"source": "", "where": "Its source is not in this store", "version": digest, "line": 1}
    file, line = code.metadata.get("file"), code.metadata.get("line")
    return {
        "source": showable(str(code.metadata.get("source") or "")),
        "where": encodable(f"{file}:{line}" if file else code.name),
        "version": f"{encodable(code.name)} v{code.version} · {digest}",
        "line": line if isinstance(line, int) else 1,
    }


def _error(error: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not error:
        return None
    return {name: showable(str(error.get(name) or "")) for name in ("type", "message", "stacktrace")}
