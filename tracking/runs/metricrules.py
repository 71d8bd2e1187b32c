"""What metrics of a run mean: `define_metric`'s definitions, how they merge, and which one a name has.

Pure: `Run` asks and records them, the store resolves them by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from weft.tracking.errors import UsageError
from weft.tracking.runs.metricstats import KINDS

_GOALS = {"min": "minimize", "minimize": "minimize", "max": "maximize", "maximize": "maximize"}
_NAME_CHARS = 1024


@dataclass(frozen=True, slots=True)
class Metric:
    """What a name, or all names that begin with what stands before its `*`, means."""

    name: str
    """Nested names joined by dots."""
    step_metric: str | None = None
    """The metric that is its x axis; None: the step."""
    step_sync: bool = False
    """Whether a log() without the x axis takes its last value along."""
    hidden: bool = False
    """Left out of charts that are made by themselves."""
    summary: tuple[str, ...] = ()
    """min, max, mean, last, first, best, copy, none; empty: the last value."""
    goal: str | None = None
    """minimize or maximize."""


class MetricRules:
    """The definitions of one run. Later ones of a name add to it; a name's own goes before that of a pattern."""

    def __init__(self, known: Iterable[Metric] = ()) -> None:
        self._exact: dict[str, Metric] = {}
        self._patterns: dict[str, Metric] = {}
        self._found: dict[str, Metric | None] = {}
        self.synced = False
        """Whether any definition takes an x axis along."""
        self.step_metrics: frozenset[str] = frozenset()
        """What is an x axis of others."""
        for metric in known:
            self.put(metric)

    def __iter__(self) -> Iterator[Metric]:
        yield from (*self._exact.values(), *self._patterns.values())

    def put(self, metric: Metric) -> None:
        """Take a whole definition in, in place of the one that its name had."""
        (self._patterns if metric.name.endswith("*") else self._exact)[metric.name] = metric
        self._found = {}
        self.synced = any(one.step_sync and one.step_metric for one in self)
        self.step_metrics = frozenset(one.step_metric for one in self if one.step_metric)

    def defined(self, metric: Metric, *, overwrite: bool) -> list[Metric]:
        """The whole definitions that a call of `define_metric` leads to, its x axis's own among them; not put yet."""
        place = self._patterns if metric.name.endswith("*") else self._exact
        old = place.get(metric.name)
        if old is not None and not overwrite:
            metric = replace(
                metric,
                step_metric=metric.step_metric or old.step_metric,
                step_sync=metric.step_sync or old.step_sync,
                hidden=metric.hidden or old.hidden,
                summary=tuple(kind for kind in KINDS if kind in (*metric.summary, *old.summary)),
                goal=metric.goal or old.goal,
            )
        axis = metric.step_metric
        more = [Metric(axis)] if axis is not None and axis not in self._exact and axis != metric.name else []
        return [*more, metric]

    def of(self, name: str) -> Metric | None:
        """The definition that holds for a metric; names that begin with `_` have none but their own."""
        try:
            return self._found[name]
        except KeyError:
            found = self._exact.get(name)
            if found is None and self._patterns and not name.startswith("_"):
                fitting = [p for p in self._patterns if name.startswith(p[:-1])]
                found = self._patterns[max(fitting, key=len)] if fitting else None
            self._found[name] = found
            return found

    def axes(self, names: Iterable[str]) -> set[str]:
        """The x axes that must go along with these metrics, and are not among them."""
        found: set[str] = set()
        for name in names:
            metric = self.of(name)
            if metric is not None and metric.step_sync and metric.step_metric and name != metric.step_metric:
                found.add(metric.step_metric)
        return found.difference(names)


def checked(
    name: Any, step_metric: Any, step_sync: Any, hidden: Any, summary: Any, goal: Any, *, what: str = "define_metric()"
) -> Metric:
    """A definition as `define_metric` is asked for it.

    Raises:
        UsageError: one of the arguments cannot be meant.
    """
    axis = None if step_metric is None else getattr(step_metric, "name", step_metric)
    for flag, value in (("step_sync", step_sync), ("hidden", hidden)):
        if value is not None and not isinstance(value, bool):
            raise UsageError(f"{what}: {flag} is True or False, not {value!r:.80}")
    if axis is not None:
        axis = _name(axis, "step_metric", what)
        if axis.endswith("*"):
            raise UsageError(f"{what}: step_metric names one metric, it may hold no *, got {axis!r:.80}")
    return Metric(
        _name(name, "name", what),
        axis,
        axis is not None if step_sync is None else bool(step_sync),
        bool(hidden),
        _kinds(summary, what),
        _goal(goal, what),
    )


def _name(name: Any, which: str, what: str) -> str:
    if not isinstance(name, str) or not name or len(name) > _NAME_CHARS:
        raise UsageError(f"{what}: {which} is a text of 1 to {_NAME_CHARS} characters, not {name!r:.80}")
    if "*" in name[:-1]:
        raise UsageError(f'{what}: a * stands for the rest of a name, at its end only ("val/*"), got {name!r:.80}')
    return name.replace("\\.", ".")


def _kinds(summary: Any, what: str) -> tuple[str, ...]:
    if summary is None:
        return ()
    listed = summary.split(",") if isinstance(summary, str) else summary
    if not isinstance(listed, (list, tuple)) or not all(isinstance(kind, str) for kind in listed):
        raise UsageError(f'{what}: summary is a text such as "min,max", not {summary!r:.80}')
    kinds = [kind.strip().lower() for kind in listed if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise UsageError(f"{what}: summary takes {', '.join(KINDS)}, separated by commas, not {summary!r:.80}")
    return tuple(kind for kind in KINDS if kind in kinds)


def _goal(goal: Any, what: str) -> str | None:
    if goal is None:
        return None
    found = _GOALS.get(goal.lower()) if isinstance(goal, str) else None
    if found is None:
        raise UsageError(f"{what}: goal is minimize or maximize, not {goal!r:.80}")
    return found


def metric_of(name: str, row: Mapping[str, Any]) -> Metric:
    """A definition as the store keeps it."""
    kinds = tuple(row["summary"].split(",")) if row["summary"] else ()
    return Metric(name, row["step_metric"], bool(row["step_sync"]), bool(row["hidden"]), kinds, row["goal"])
