"""Small charts over one time axis, which a drag narrows (`strips.js`). Screens give buckets; this makes the marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from weft.tracking import units
from weft.tracking.store.readmodels import TraceBucket, TraceStats
from weft.ui.components.bundle import load

_render = load("strips")
BUCKETS = 48


class Range(NamedTuple):
    """A slice of time, Unix milliseconds."""

    from_ms: int
    to_ms: int


def strips(stats: TraceStats, charts: Sequence[str], *, key: str, height: int, tall: bool = False) -> Range | None:
    """Draw some of latency, errors, cost, traces, tokens; returns the range that was dragged.

    Args:
        tall: the figure leads, for an overview; nothing is dragged there.
    """
    buckets = stats.buckets
    width = buckets[-1].end_ns - buckets[0].start_ns if buckets else 0
    data: dict[str, Any] = {
        "buckets": [
            {"start": b.start_ns // 1_000_000, "end": b.end_ns // 1_000_000, "text": _clock(b.start_ns, width)}
            for b in buckets
        ],
        "first": _clock(buckets[0].start_ns, width) if buckets else "",
        "last": _clock(buckets[-1].end_ns, width) if buckets else "",
        "charts": [_CHARTS[name](stats) for name in charts],
        "tall": tall,
        "still": tall,
    }
    result = _render(key=key, data=data, height=height, on_range_change=_nothing)
    return Range(int(result.range[0]), int(result.range[1])) if result.range else None


def _clock(ns: int, width_ns: int) -> str:
    at = datetime.fromtimestamp(ns / 1e9, UTC).astimezone()
    if width_ns < 3 * 3600 * 10**9:
        return f"{at:%H:%M:%S}"
    return f"{at:%H:%M}" if width_ns < 24 * 3600 * 10**9 else f"{at:%d %b %H:%M}"


def _series(
    name: str,
    hue: str,
    kind: str,
    buckets: Sequence[TraceBucket],
    value: Callable[[TraceBucket], Any],
    text: Callable[[Any], str],
) -> dict[str, Any]:
    found = [value(bucket) for bucket in buckets]
    return {
        "name": name,
        "hue": hue,
        "type": kind,
        "values": [None if each is None else float(each) for each in found],
        "texts": [f"{name} {text(each)}".strip() for each in found],
    }


def _latency(stats: TraceStats) -> dict[str, Any]:
    return {
        "name": "Latency p95",
        "big": units.duration(stats.p95_ns),
        "help": f"p50 {units.duration(stats.p50_ns)}, p95 {units.duration(stats.p95_ns)} over all; logarithmic",
        "log": True,
        "series": [
            _series("p50", "green", "line", stats.buckets, lambda b: b.p50_ns, units.duration),
            _series("p95", "blue", "line", stats.buckets, lambda b: b.p95_ns, units.duration),
        ],
    }


def _errors(stats: TraceStats) -> dict[str, Any]:
    share = stats.error_count / stats.count if stats.count else None
    return {
        "name": "Errors",
        "big": units.count(stats.error_count) + (f"  ({units.percent(share)})" if stats.error_count else ""),
        "help": "Traces whose root failed",
        "series": [_series("", "vermillion", "bars", stats.buckets, lambda b: b.error_count, units.count)],
    }


def _cost(stats: TraceStats) -> dict[str, Any]:
    unknown = "No trace here could be priced: the model is unknown or reported no usage"
    return {
        "name": "Cost",
        "big": units.usd(stats.cost),
        "help": unknown if stats.cost is None else "US dollars, priced once when ingested",
        "series": [_series("", "orange", "bars", stats.buckets, lambda b: b.cost, units.usd)],
    }


def _traces(stats: TraceStats) -> dict[str, Any]:
    return {
        "name": "Traces",
        "big": units.count(stats.count),
        "help": "Root calls",
        "series": [_series("", "green", "bars", stats.buckets, lambda b: b.count, units.count)],
    }


def _tokens(stats: TraceStats) -> dict[str, Any]:
    return {
        "name": "Tokens",
        "big": units.compact(stats.tokens),
        "help": "Input and output tokens",
        "series": [_series("", "violet", "bars", stats.buckets, lambda b: b.tokens, units.tokens)],
    }


_CHARTS: dict[str, Callable[[TraceStats], dict[str, Any]]] = {
    "latency": _latency,
    "errors": _errors,
    "cost": _cost,
    "traces": _traces,
    "tokens": _tokens,
}


def _nothing() -> None:
    """Streamlit reports only events that have a callback."""
