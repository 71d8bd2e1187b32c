"""Which points of a long history are shown: always the same ones, and no spike vanishes. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def thinned(values: Sequence[float], limit: int) -> list[int]:
    """Where at most `limit` of them stand: of each of equal buckets its least, its greatest and its last, in order.

    Deterministic, and no spike vanishes. NaN is neither least nor greatest; a bucket of nothing else keeps its last.
    """
    if limit < 3:
        return _extremes(values, 0, len(values))[-limit:]
    buckets = limit // 3
    size = len(values) / buckets
    kept: list[int] = []
    for at in range(buckets):
        kept += _extremes(values, round(at * size), round((at + 1) * size))
    return kept


def _extremes(values: Sequence[float], start: int, end: int) -> list[int]:
    if start >= end:
        return []
    part = values[start:end]
    numbers = part if math.isfinite(sum(part)) else [value for value in part if value == value]  # all but NaN
    chosen = {end - 1}
    if numbers:
        chosen |= {start + part.index(min(numbers)), start + part.index(max(numbers))}
    return sorted(chosen)


def sampled(steps: Sequence[int], metrics: Iterable[tuple[Sequence[int], Sequence[float]]], limit: int) -> list[int]:
    """At most `limit` of these steps, which are in order: the first and the last, where each metric (steps, values) is
    least and greatest, the extremes of equal parts of each, and of what is left as many as fit, evenly."""
    if len(steps) <= limit:
        return list(steps)
    if limit == 1:
        return [steps[-1]]
    chosen = {steps[0], steps[-1]}

    def take(found: Iterable[int]) -> None:
        for step in found:
            if len(chosen) < limit:
                chosen.add(step)

    meant = set(steps)
    columns = []
    for where, values in metrics:
        at = [index for index, step in enumerate(where) if step in meant]
        if at:
            columns.append(([where[index] for index in at], [values[index] for index in at]))
    for where, values in columns:
        take(where[index] for index in _extremes(values, 0, len(values)))
    share = (limit - len(chosen)) // len(columns) if columns else 0
    if share >= 3:
        for where, values in columns:
            take(where[index] for index in thinned(values, share))
    rest, left = [step for step in steps if step not in chosen], limit - len(chosen)
    take(rest[index * len(rest) // left] for index in range(left))
    return sorted(chosen)
