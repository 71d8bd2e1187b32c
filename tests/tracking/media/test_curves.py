"""ROC and precision-recall as scikit-learn has them: worked numbers, laws, and the library itself where it is here."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.media import curves

EXAMPLES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.9, 1.0])), min_size=1, max_size=60
)


def test_the_example_of_scikit_learns_page() -> None:
    """labels 0 0 1 1, scores 0.1 0.4 0.35 0.8 (sklearn.metrics.roc_curve, precision_recall_curve)."""
    labels, scores = [False, False, True, True], [0.1, 0.4, 0.35, 0.8]
    assert curves.roc(labels, scores) == (
        [0.0, 0.0, 0.5, 0.5, 1.0],
        [0.0, 0.5, 0.5, 1.0, 1.0],
        [math.inf, 0.8, 0.4, 0.35, 0.1],
    )
    found = curves.precision_recall(labels, scores)
    assert found.precision == [0.5, 2 / 3, 0.5, 1.0, 1.0]
    assert found.recall == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert found.thresholds == [0.1, 0.35, 0.4, 0.8]
    assert curves.area([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0]) == 0.75
    assert curves.average_precision(found) == pytest.approx(0.8333333333333333, abs=1e-15)


@settings(deadline=None)  # other processes may have the processor
@given(EXAMPLES.filter(lambda rows: len({positive for positive, _ in rows}) == 2))
def test_the_area_is_the_share_of_pairs_in_right_order(rows: list[tuple[bool, float]]) -> None:
    """Mann and Whitney's: ties count half."""
    roc = curves.roc([positive for positive, _ in rows], [score for _, score in rows])
    pairs = [(up, down) for yes, up in rows if yes for no, down in rows if not no]
    share = sum(1.0 if up > down else 0.5 if up == down else 0.0 for up, down in pairs) / len(pairs)
    assert curves.area(roc.fpr, roc.tpr) == pytest.approx(share, abs=1e-12)
    assert (roc.fpr[0], roc.tpr[0], roc.fpr[-1], roc.tpr[-1]) == (0, 0, 1, 1)


@settings(deadline=None)  # other processes may have the processor
@given(EXAMPLES)
def test_every_point_counts_what_is_at_or_above_its_threshold(rows: list[tuple[bool, float]]) -> None:
    labels, scores = [positive for positive, _ in rows], [score for _, score in rows]
    found = curves.precision_recall(labels, scores)
    for precision, recall, threshold in zip(found.precision, found.recall, found.thresholds, strict=False):
        taken = [positive for positive, score in rows if score >= threshold]
        assert precision == sum(taken) / len(taken)
        assert recall == (sum(taken) / sum(labels) if any(labels) else 1.0)
    assert found.thresholds == sorted(set(scores))


@settings(deadline=None)  # other processes may have the processor
@given(EXAMPLES)
def test_they_are_scikit_learns_to_1e_12(rows: list[tuple[bool, float]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = [positive for positive, _ in rows], [score for _, score in rows]
    if len(set(labels)) < 2:
        return  # it warns, and is asked of the laws above
    ours, theirs = curves.roc(labels, scores), metrics.roc_curve(labels, scores)
    assert_close(ours, theirs)
    assert_close(curves.precision_recall(labels, scores), metrics.precision_recall_curve(labels, scores))
    assert curves.average_precision(curves.precision_recall(labels, scores)) == pytest.approx(
        metrics.average_precision_score(labels, scores), abs=1e-12
    )
    assert curves.area(ours.fpr, ours.tpr) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


def assert_close(ours: Any, theirs: Any) -> None:
    for left, right in zip(ours, theirs, strict=True):
        assert list(left) == pytest.approx(list(right), abs=1e-12)


@settings(deadline=None)  # other processes may have the processor
@given(EXAMPLES.filter(lambda rows: any(positive for positive, _ in rows)), st.integers(2, 30))
def test_resampled_is_the_best_precision_that_has_the_recall(rows: list[tuple[bool, float]], points: int) -> None:
    curve = curves.precision_recall([positive for positive, _ in rows], [score for _, score in rows])
    recalls, precisions = curves.resampled(curve, points)
    assert (recalls[0], recalls[-1], len(recalls)) == (1.0, 0.0, points)
    for wanted, found in zip(recalls, precisions, strict=True):
        best = max(p for p, r in zip(curve.precision, curve.recall, strict=True) if r >= wanted)
        assert found == best


@pytest.mark.parametrize(("labels", "scores"), [([], []), ([True], []), ([True], [math.nan])])
def test_nothing_and_nan_are_refused(labels: Any, scores: Any) -> None:
    with pytest.raises(ValueError, match=r"label|NaN"):
        curves.roc(labels, scores)
    with pytest.raises(ValueError, match=r"label|NaN"):
        curves.precision_recall(labels, scores)


def test_where_nothing_is_positive_shares_of_it_are_nan() -> None:
    found = curves.roc([False, False], [0.1, 0.2])
    assert all(math.isnan(each) for each in found.tpr)
    assert found.fpr[-1] == 1.0
