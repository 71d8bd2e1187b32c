"""ROC and precision-recall curves in plain Python, point by point as scikit-learn computes them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Roc(NamedTuple):
    """Receiver operating characteristic: from (0, 0) to (1, 1)."""

    fpr: list[float]
    """False positives among what is negative; NaN where nothing is."""
    tpr: list[float]
    """True positives among what is positive; NaN where nothing is."""
    thresholds: list[float]
    """Scores from which on something counts as positive; falling, infinity first."""


class PrecisionRecall(NamedTuple):
    """Precision over recall: from the lowest threshold on to (1, 0)."""

    precision: list[float]
    recall: list[float]
    thresholds: list[float]
    """One fewer, rising."""


def roc(positive: Sequence[bool], scores: Sequence[float]) -> Roc:
    """As `sklearn.metrics.roc_curve`: points between two others on a line are left out.

    Raises:
        ValueError: the lengths differ, there is nothing, or a score is NaN.
    """
    false, true, thresholds = _counts(positive, scores)
    last = len(false) - 1
    kept = [
        at
        for at in range(len(false))
        if at in (0, last)
        or false[at + 1] - false[at] != false[at] - false[at - 1]
        or true[at + 1] - true[at] != true[at] - true[at - 1]
    ]
    negatives, positives = false[-1], true[-1]
    return Roc(
        [_share(each, negatives) for each in (0, *(false[at] for at in kept))],
        [_share(each, positives) for each in (0, *(true[at] for at in kept))],
        [math.inf, *(thresholds[at] for at in kept)],
    )


def precision_recall(positive: Sequence[bool], scores: Sequence[float]) -> PrecisionRecall:
    """As `sklearn.metrics.precision_recall_curve`; where nothing is positive recall is 1.

    Raises:
        ValueError: the lengths differ, there is nothing, or a score is NaN.
    """
    false, true, thresholds = _counts(positive, scores)
    total = true[-1]
    precision = [hits / (hits + misses) for hits, misses in zip(true, false, strict=True)]
    recall = [hits / total if total else 1.0 for hits in true]
    return PrecisionRecall([*precision[::-1], 1.0], [*recall[::-1], 0.0], thresholds[::-1])


def area(x: Sequence[float], y: Sequence[float]) -> float:
    """Below the curve, by trapezes."""
    return math.fsum(
        (right - left) * (low + high) / 2 for (left, right), (low, high) in zip(pairwise(x), pairwise(y), strict=True)
    )


def average_precision(curve: PrecisionRecall) -> float:
    """Precision by the recall that each threshold adds, as `sklearn.metrics.average_precision_score`."""
    return math.fsum(
        (before - after) * precision
        for (before, after), precision in zip(pairwise(curve.recall), curve.precision, strict=False)
    )


def resampled(curve: PrecisionRecall, points: int) -> tuple[list[float], list[float]]:
    """Recall and precision at so many equal steps of recall from 1 to 0: at each the best precision that has it."""
    best: list[float] = []
    for value in curve.precision:
        best.append(max(value, best[-1]) if best else value)
    recalls = [(points - 1 - at) / (points - 1) for at in range(points)]
    found, at = [], 0
    for wanted in recalls:
        while at + 1 < len(best) and curve.recall[at + 1] >= wanted:
            at += 1
        found.append(best[at])
    return recalls, found


def _counts(positive: Sequence[bool], scores: Sequence[float]) -> tuple[list[int], list[int], list[float]]:
    """False and true positives at each distinct score, from the highest down."""
    if len(positive) != len(scores) or not scores:
        raise ValueError(f"as many labels as scores are needed, got {len(positive)} and {len(scores)}")
    if any(math.isnan(score) for score in scores):
        raise ValueError("a score is NaN")
    false: list[int] = []
    true: list[int] = []
    thresholds: list[float] = []
    misses = hits = 0
    before = None
    for at in sorted(range(len(scores)), key=scores.__getitem__, reverse=True):
        score = scores[at]
        if score != before:
            if before is not None:
                false.append(misses)
                true.append(hits)
            thresholds.append(score)
            before = score
        if positive[at]:
            hits += 1
        else:
            misses += 1
    return [*false, misses], [*true, hits], thresholds


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
