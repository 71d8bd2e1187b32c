"""The numbers against published tables, closed forms and simulation."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.evals import stats


def test_standard_error_is_the_textbook_one() -> None:
    """s / sqrt(n) with n - 1 degrees of freedom."""
    assert stats.standard_error([1.0, 2.0, 3.0, 4.0]) == pytest.approx(math.sqrt(5 / 3 / 4))


def test_one_value_has_no_standard_error() -> None:
    """A single value says nothing about its spread: not 0, but not known."""
    assert stats.standard_error([0.5]) is None
    assert stats.estimate([0.5]) == stats.Estimate(1, 0.5, None, None)


def test_clusters_of_one_give_the_plain_standard_error() -> None:
    """The clustered formula reduces exactly to the simple one."""
    values = [0.1, 0.9, 0.4, 0.7, 0.2]
    assert stats.clustered_stderr(values, range(5)) == pytest.approx(stats.standard_error(values), rel=1e-12)


def test_equal_clusters_give_the_standard_error_of_their_means() -> None:
    """Five copies of each row must not make us five times as sure."""
    means = [0.0, 1.0, 1.0, 0.0, 1.0]
    values = [value for value in means for _ in range(5)]
    clusters = [row for row in range(5) for _ in range(5)]
    assert stats.clustered_stderr(values, clusters) == pytest.approx(stats.standard_error(means), rel=1e-12)
    assert stats.clustered_stderr(values, clusters) > 2 * stats.standard_error(values)


def test_one_cluster_has_no_standard_error() -> None:
    """All trials of one row: the spread between rows is unknown."""
    assert stats.clustered_stderr([1.0, 0.0, 1.0], ["a", "a", "a"]) is None


def test_clusters_must_match_values() -> None:
    """A wrong call is refused, not guessed at."""
    with pytest.raises(ValueError, match="2 values but 1 clusters"):
        stats.clustered_stderr([1.0, 2.0], ["a"])


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_wilson_matches_published_values(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), table I, method 3 for 15 of 148; R's prop.test(correct=FALSE) for the others."""
    interval = stats.wilson(successes, n)
    assert interval == pytest.approx((low, high), abs=6e-5)


def test_wilson_refuses_what_is_no_proportion() -> None:
    """More successes than attempts, or no attempts."""
    for successes, n in ((3, 2), (0, 0), (-1, 5)):
        with pytest.raises(ValueError, match="no proportion"):
            stats.wilson(successes, n)


@pytest.mark.parametrize(
    ("df", "expected"),
    [
        (1, 12.7062047),
        (2, 4.3026527),
        (3, 3.1824463),
        (5, 2.5705818),
        (10, 2.2281389),
        (30, 2.0422725),
        (1e6, 1.959966),
    ],
)
def test_t_quantile_matches_the_tables(df: float, expected: float) -> None:
    """Two-sided 95% of Student's t."""
    assert stats.t_quantile(0.975, df) == pytest.approx(expected, rel=1e-6)
    assert stats.t_quantile(0.025, df) == pytest.approx(-expected, rel=1e-6)


def test_booleans_get_wilson_and_numbers_get_t() -> None:
    """Kind of interval by kind of value; a 0/1 number is a number unless said otherwise."""
    flags = [True, True, False, True]
    assert stats.estimate(flags).ci == stats.wilson(3, 4)
    numbers = stats.estimate([1.0, 1.0, 0.0, 1.0])
    assert numbers.ci is not None
    assert numbers.ci.high == pytest.approx(0.75 + 3.1824463 * 0.25, rel=1e-6)
    assert stats.estimate([1.0, 1.0, 0.0, 1.0], binary=True).ci == stats.wilson(3, 4)


def test_trials_that_agree_do_not_narrow_the_interval() -> None:
    """Five identical trials of four rows know as much as one trial of four rows."""
    once = stats.estimate([True, True, False, True], ["a", "b", "c", "d"])
    flags = [flag for flag in (True, True, False, True) for _ in range(5)]
    often = stats.estimate(flags, [row for row in "abcd" for _ in range(5)])
    assert once.ci is not None
    assert often.ci is not None
    assert often.ci.half_width >= once.ci.half_width * 0.85
    assert stats.estimate([True] * 20, [row for row in "abcd" for _ in range(5)]).ci == stats.wilson(4, 4)


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    """Simulated: binary trials clustered by row, 25 rows of 4 trials."""
    source = random.Random(7)
    hits = 0
    for _ in range(600):
        values, clusters = [], []
        for row in range(25):
            chance = source.choice([0.2, 0.8])
            for _ in range(4):
                values.append(source.random() < chance)
                clusters.append(row)
        interval = stats.estimate(values, clusters).ci
        assert interval is not None
        hits += interval.low <= 0.5 <= interval.high
    assert 0.92 <= hits / 600 <= 0.98


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60))
def test_any_booleans_have_an_interval_in_bounds_around_their_mean(drawn: list[tuple[bool, int]]) -> None:
    """However they are clustered."""
    found = stats.estimate([value for value, _ in drawn], [cluster for _, cluster in drawn])
    assert found.mean is not None
    assert found.ci is not None
    assert 0 <= found.ci.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.ci.high <= 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.floats(-1e3, 1e3))
def test_shifting_all_values_shifts_the_estimate_and_not_its_error(values: list[float], by: float) -> None:
    """An error does not depend on where zero lies."""
    before, after = stats.estimate(values), stats.estimate([value + by for value in values])
    assert before.mean is not None
    assert before.stderr is not None
    assert after.mean == pytest.approx(before.mean + by, abs=1e-6)
    assert after.stderr == pytest.approx(before.stderr, abs=1e-6, rel=1e-6)


def test_nothing_is_an_estimate_without_a_mean() -> None:
    """No values: no number is made up."""
    assert stats.estimate([]) == stats.Estimate(0, None, None, None)


def test_quantiles_interpolate() -> None:
    """The median of an even number lies between the two in the middle."""
    assert stats.quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert stats.quantile([3.0], 0.95) == 3.0


def test_pass_at_k_and_pass_hat_k_by_enumeration() -> None:
    """Both against counting all draws of k from n."""
    from itertools import combinations

    for n, c, k in ((5, 2, 3), (6, 0, 2), (6, 6, 4), (7, 3, 1)):
        draws = list(combinations([True] * c + [False] * (n - c), k))
        assert stats.pass_at_k(n, c, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))
        assert stats.pass_hat_k(n, c, k) == pytest.approx(sum(all(draw) for draw in draws) / len(draws))
    with pytest.raises(ValueError, match="must hold"):
        stats.pass_at_k(3, 1, 4)
