"""What is kept of a metric's points for its summary: counts, extremes, an exact total, the first and the last.

The run's own summary and the store's both count with this; what they know is the same in whatever order points come.
Numbers that are NaN or infinite are counted, and are neither least nor greatest, nor part of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from weft.tracking.runs.metricrules import Metric

Order = tuple[Any, ...]
"""Where a point stands: (step, whether it came in time, and what tells points of one step apart). A late point is
before those of its step that came in time, so that it never takes their place."""


class Ends(NamedTuple):
    """The first and the last of some points: their orders, and where they stand among them."""

    first_at: Order
    first: int
    last_at: Order
    last: int


KINDS = ("min", "max", "mean", "last", "first", "best", "copy", "none")
MADE = ("_step", "_runtime", "_timestamp")
"""What rows of a history have besides what was logged. wandb has these in every summary, too; there they answer who
asks for them by name, and are in no list."""
ABSENT: Any = object()
"""A summary has no such key."""
LONG: Any = object()
LONGEST = 1024
"""Bytes of JSON: a last value that is no number and longer than this is left out of summaries."""


class Stats:
    """Of one metric. `least` and `greatest` mean nothing while nothing `finite` was met."""

    __slots__ = ("counted", "finite", "first", "first_at", "greatest", "last", "last_at", "least", "total", "whole")

    def __init__(self, *, whole: bool = True) -> None:
        self.whole = whole
        """Whether all of them came as whole numbers (`int`), and are shown as such."""
        self.counted = 0
        self.finite = 0
        self.least = math.nan
        self.greatest = math.nan
        self.total: tuple[float, ...] = ()
        """As `exact` makes it."""
        self.first = math.nan
        self.first_at: Order | None = None
        self.last = math.nan
        self.last_at: Order | None = None

    def add(self, values: Sequence[float], ends: Ends) -> None:
        """Count these points, at least one."""
        self.counted += len(values)
        self.whole = self.whole and float not in map(type, values)
        first_at, first, last_at, last = ends
        if self.first_at is None or first_at < self.first_at:
            self.first_at, self.first = first_at, values[first]
        if self.last_at is None or last_at > self.last_at:
            self.last_at, self.last = last_at, values[last]
        numbers = values if math.isfinite(sum(values)) else [value for value in values if math.isfinite(value)]
        if not numbers:
            return
        least, greatest = min(numbers), max(numbers)
        if self.finite:
            least, greatest = min(least, self.least), max(greatest, self.greatest)
        self.least, self.greatest = (
            least + 0.0,
            greatest + 0.0,
        )  # 0.0 and -0.0 are equal: which came first must not show
        self.finite += len(numbers)
        self.total = exact([*self.total, *numbers])

    @property
    def mean(self) -> float:
        """NaN where there is no finite number."""
        return math.fsum(self.total) / self.finite if self.finite else math.nan


class Standing(NamedTuple):
    """What the summary of a run is made of, for a process that goes on with it."""

    own: Mapping[str, Any]
    """Set by hand, and not logged since."""
    stats: Mapping[str, Stats]
    rich: Mapping[str, tuple[Order, bytes | None]]
    """Last values that are no numbers: their order, their JSON (None where it is too long to be shown)."""
    metrics: Sequence[Metric]
    """Its definitions."""


def ends(orders: Sequence[Order]) -> Ends:
    """Of points in any order."""
    first, last = min(orders), max(orders)
    return Ends(first, orders.index(first), last, orders.index(last))


def exact(values: Iterable[float]) -> tuple[float, ...]:
    """The exact sum, as the shortest list of floats that add up to it, each the sum's rounded rest.

    It depends on nothing but the sum, so that no order and no grouping of the additions shows (Shewchuk 1997,
    as `math.fsum`). Beyond the largest float it is infinite.
    """
    rest = list(values)
    found: list[float] = []
    try:
        while part := math.fsum(rest):
            found.append(part)
            if math.isinf(part):
                break
            rest.append(-part)
    except OverflowError:
        return (math.inf,)
    return tuple(found)


def as_logged(value: float, whole: bool) -> float | int:
    """A number of a metric, which is counted and kept as a float, as whoever logged it knows it."""
    return int(value) if whole else float(value)


def shown(stats: Stats, rich: Any, kinds: Sequence[str], goal: str | None) -> Any:
    """A metric's entry in the summary.

    Args:
        rich: its last value, where that is no number; LONG where it is too long to be shown, else ABSENT.
        kinds: of `KINDS`; none: the last value.
        goal: `maximize`, or anything else for less is better: which of the extremes is the best.

    Returns:
        The last value, a dict of what `kinds` name, or ABSENT.
    """
    if "none" in kinds:
        return ABSENT
    last = ABSENT if rich is LONG else rich
    if rich is ABSENT and stats.counted:
        last = as_logged(stats.last, stats.whole)
    named = [kind for kind in KINDS if kind in kinds and kind != "copy"]
    if not named:
        return last
    known: dict[str, Any] = {}
    if stats.counted:
        least, greatest, first = (as_logged(n, stats.whole) for n in (stats.least, stats.greatest, stats.first))
        best = greatest if goal == "maximize" else least
        known = {"min": least, "max": greatest, "mean": stats.mean, "first": first, "best": best}
    if last is not ABSENT:
        known = known | {"last": last}
    return {kind: known[kind] for kind in named if kind in known} or ABSENT
