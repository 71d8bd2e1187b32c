"""What the metrics of runs come to: series, summaries, and what a summary is made of. For `Reader`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, select

from weft.tracking.errors import UsageError
from weft.tracking.runs.metricrules import MetricRules, metric_of
from weft.tracking.runs.metricstats import LONGEST, Order, Standing, Stats, ends
from weft.tracking.store import schema
from weft.tracking.store.chunks import Line
from weft.tracking.store.jsontext import decoded
from weft.tracking.store.lookups import among
from weft.tracking.store.metriclines import FOREVER, Metric, lineage_of, lines_of, metrics_of, picked
from weft.tracking.store.metricrow import stats_of
from weft.tracking.store.readmodels import Series
from weft.tracking.store.sampling import thinned
from weft.tracking.store.summaries import summary

_r = schema.run.c
_k = schema.metric_key.c
_d = schema.metric_definition.c
_LAST = (_k.run_key, _k.key, _k.counted, _k.last, _k.whole, _k.rich, _k.stale)
"""What the summary of a metric is made of where nothing is defined for it."""


def history(
    connection: Connection,
    run_uid: str,
    keys: Sequence[str] | None = None,
    max_points: int | None = None,
    stream: str = "default",
) -> dict[str, Series]:
    if max_points is not None and (not isinstance(max_points, int) or max_points < 1):
        raise UsageError(f"max_points is {max_points!r}; it must be a whole number of at least 1")
    lineage = lineage_of(connection, run_uid)
    found: dict[str, Series] = {}
    rules = _rules(connection, [lineage[-1].run_key]).get(lineage[-1].run_key) or MetricRules()
    for key, line in lines_of(connection, metrics_of(connection, lineage, keys, stream)).items():
        if not line.steps:
            continue
        total, late = len(line.steps), line.late.count(1)
        nonfinite = 0 if math.isfinite(sum(line.values)) else sum(not math.isfinite(value) for value in line.values)
        if max_points is not None and total > max_points:
            kept = thinned(line.values, max_points)
            line = picked(line, kept)
        found[key] = Series(key, line.steps, line.values, line.at_ns, total, late, nonfinite, rules.of(key))
    return found


def summaries(connection: Connection, runs: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """By run key: what its metrics come to, under what was set by hand and not logged since."""
    if not runs:
        return {}
    found: dict[int, list[Mapping[str, Any]]] = {}
    rules = _rules(connection, sorted(runs))
    wanted = _LAST if not rules else list(_k)
    query = select(*wanted).where(among(connection, _k.run_key, sorted(runs)), _k.stream == "")
    for row in connection.execute(query).mappings():
        found.setdefault(row["run_key"], []).append(cast("Mapping[str, Any]", row))
    return {key: summary(found.get(key, ()), rules.get(key) or MetricRules(), own) for key, own in runs.items()}


def standing(connection: Connection, run_uid: str, until: int | None = None) -> Standing:
    """What a run's summary is made of; `until`: of its points up to that step alone."""
    lineage = lineage_of(connection, run_uid)
    run_key = lineage[-1].run_key
    own = decoded(connection.execute(select(_r.summary).where(_r.id == run_key)).scalar()) or {}
    metrics = (
        connection.execute(select(schema.metric_key).where(_k.run_key == run_key, _k.stream == "")).mappings().all()
    )
    part = lineage[-1]._replace(until=FOREVER if until is None else until)
    lines = (
        {}
        if until is None
        else lines_of(connection, {row["key"]: [Metric(row["id"], part, row["whole"])] for row in metrics})
    )
    stats: dict[str, Stats] = {}
    rich: dict[str, tuple[Order, bytes | None]] = {}
    for row in metrics:
        if until is None:
            found = stats_of(cast("Mapping[str, Any]", row))
        else:
            found = _counted(lines[row["key"]])
            found.whole = row["whole"]
        if found.counted and (until is None or row["key"] not in own):
            found.first_at, found.last_at = _placed(found.first_at), _placed(found.last_at)
            stats[row["key"]] = found
        if row["rich"] is not None and (until is None or row["last_step"] <= until):
            data = row["rich"].encode()
            rich[row["key"]] = ((row["last_step"], True, 0), data if len(data) <= LONGEST else None)
    mine = {key: value for key, value in own.items() if key not in stats and key not in rich}
    return Standing(mine, stats, rich, list(_rules(connection, [run_key]).get(run_key) or ()))


def _counted(line: Line) -> Stats:
    stats = Stats()
    if line.steps:
        orders = [(step, not late, at) for at, (step, late) in enumerate(zip(line.steps, line.late, strict=True))]
        stats.add(line.values, ends(orders))
    return stats


def _placed(order: Order | None) -> Order | None:
    """Before whatever a new process logs at the same step."""
    return None if order is None else (*order[:2], 0)


def _rules(connection: Connection, run_keys: Sequence[int]) -> dict[int, MetricRules]:
    found: dict[int, MetricRules] = {}
    query = select(schema.metric_definition).where(among(connection, _d.run_key, run_keys))
    for row in connection.execute(query).mappings():
        found.setdefault(row["run_key"], MetricRules()).put(metric_of(row["name"], cast("Mapping[str, Any]", row)))
    return found
