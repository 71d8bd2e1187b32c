"""A row of `metric_key`, and the aggregates in it. For the sink that fills it and whoever reads summaries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from weft.tracking.runs.metricstats import Stats
from weft.tracking.store import schema
from weft.tracking.store.transaction import Row

COLUMNS = [column.name for column in schema.metric_key.columns]
NEVER = -(1 << 63)
FIRST, LAST = (
    tuple(f"{which}_{part}" for part in ("step", "on_time", "at_ns", "segment", "seq")) for which in ("first", "last")
)
BEFORE_ALL = (NEVER, False, 0, "", -1)


def empty(key: int, run_key: int, stream: str, name: str) -> Row:
    given = {"id": key, "run_key": run_key, "key": name, "stream": stream, "stale": False, "whole": True}
    given |= dict.fromkeys(("n", "late", "nonfinite", "counted", "finite", "newest_ns", "unsealed"), 0)
    given |= dict(zip(LAST, BEFORE_ALL, strict=True))
    return tuple(given.get(column) for column in COLUMNS)


def stats_of(metric: Mapping[str, Any]) -> Stats:
    """The aggregates of a row."""
    stats = Stats()
    stats.counted, stats.finite, stats.whole = metric["counted"], metric["finite"], bool(metric["whole"])
    if stats.finite:
        stats.least, stats.greatest = metric["least"], metric["greatest"]
        stats.total = tuple(math.inf if part is None else part for part in orjson.loads(metric["total"]))
    if stats.counted:
        stats.first = math.nan if metric["first"] is None else metric["first"]
        stats.first_at = order_of(metric, FIRST)
    if stats.counted and metric["rich"] is None:
        stats.last = math.nan if metric["last"] is None else metric["last"]
        stats.last_at = order_of(metric, LAST)
    return stats


def order_of(metric: Mapping[str, Any], columns: Sequence[str]) -> Any:
    return tuple(metric[column] for column in columns)


def keep(metric: dict[str, Any], stats: Stats, last_at: Any, rich: str | None) -> None:
    """The aggregates, in the row."""
    metric |= {"counted": stats.counted, "finite": stats.finite, "rich": rich}
    metric |= {"least": null(stats.least), "greatest": null(stats.greatest), "first": null(stats.first)}
    metric["total"] = orjson.dumps(stats.total).decode() if stats.finite else None
    metric["last"] = null(stats.last) if rich is None else None
    metric.update(zip(FIRST, stats.first_at or (None,) * 5, strict=True))
    metric.update(zip(LAST, last_at or BEFORE_ALL, strict=True))


def null(value: float) -> float | None:
    return None if math.isnan(value) else value
