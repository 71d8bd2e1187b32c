"""What the metrics of a run come to, of their stored aggregates, beside what was set by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from weft.tracking.runs.metricrules import MetricRules, metric_of
from weft.tracking.runs.metricstats import ABSENT, LONG, LONGEST, as_logged, shown
from weft.tracking.store import schema
from weft.tracking.store.jsontext import decoded
from weft.tracking.store.metricrow import null, stats_of
from weft.tracking.store.transaction import Transaction

_DEFINITION = [column.name for column in schema.metric_definition.columns]


def definitions(tx: Transaction, run_key: int) -> MetricRules:
    """A run's, as it stands in the store."""
    rows = tx.rows(f"SELECT {', '.join(_DEFINITION)} FROM metric_definition WHERE run_key = ?", (run_key,))
    named = [dict(zip(_DEFINITION, row, strict=True)) for row in rows]
    return MetricRules(metric_of(row["name"], row) for row in named)


def summary(metrics: Iterable[Mapping[str, Any]], rules: MetricRules, own: Mapping[str, Any]) -> dict[str, Any]:
    """A summary: what was logged, under what was set by hand and not logged since."""
    found: dict[str, Any] = {}
    for metric in sorted(metrics, key=lambda metric: metric["key"]):
        value = _value(metric, rules)
        if value is not ABSENT:
            found[metric["key"]] = value
    return {**found, **{key: value for key, value in own.items() if key not in found}}


def _value(metric: Mapping[str, Any], rules: MetricRules) -> Any:
    defined = rules.of(metric["key"])
    rich = metric["rich"]
    last = ABSENT if rich is None else LONG if len(rich.encode()) > LONGEST else decoded(rich)
    number = math.nan if metric["last"] is None else metric["last"]
    if metric["stale"]:
        return number
    if not (defined and defined.summary):  # as most: all of its aggregates would cost five times as much
        if last is ABSENT and metric["counted"]:
            return as_logged(number, metric["whole"])
        return ABSENT if last is LONG else last
    return shown(stats_of(metric), last, defined.summary, defined.goal)


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and not ({"_type", "$weft"} & inner.keys()):
            yield from leaves(inner, f"{prefix}{key}.")
        else:
            yield prefix + str(key), inner


def leaf(value: Any) -> tuple[float | None, str | None]:
    """A value as (number, text)."""
    if isinstance(value, (bool, int, float)):
        try:
            return null(float(value)), None
        except OverflowError:
            return math.inf if value > 0 else -math.inf, None
    return None, storable(value) if isinstance(value, str) and len(value) <= LONGEST else None


def storable(text: str) -> str:
    """As a database's text takes it: lone surrogates as escapes, NUL as its picture."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "␀")
