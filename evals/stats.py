"""Statistics of scores, pure: numbers in, estimates out. Called by results and by anybody who wants to check them.

Nothing here knows a score, a run or a file. A "±" shown anywhere in weft is half the width of its 95% interval.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Z95 = 1.959963984540054
"""97.5th percentile of the standard normal distribution: two-sided 95%."""


class Interval(NamedTuple):
    """A 95% confidence interval."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """What stands behind a "±"."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and how far it can be trusted."""

    n: int
    """Values it was made from."""
    mean: float | None
    """None: there was no value."""
    stderr: float | None
    """None: fewer than two independent values (clusters) say nothing about their spread."""
    ci: Interval | None
    """95%: Wilson for booleans; Student's t for other numbers, None where their `stderr` is None."""


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, summed without rounding drift (`math.fsum`).

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("the mean of no values is not defined")
    return math.fsum(values) / len(values)


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean of independent values: s / sqrt(n), s with n - 1 degrees of freedom.

    Source: the central limit theorem as in Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2.1.

    Returns:
        None for fewer than two values: one value says nothing about the spread.
    """
    n = len(values)
    if n < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (n - 1) / n)


def clustered_stderr(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """Standard error of the mean where values of one cluster (the trials of one row) depend on each other.

    sqrt( C/(C-1) / n^2 * sum over clusters of (sum of the deviations in it)^2 ), with C clusters and n values. With
    every value its own cluster this is exactly `standard_error`; with clusters of one size, the standard error of their
    means.

    Source: the cluster-robust variance of Liang and Zeger (1986) for a mean with the finite-cluster factor C/(C-1), as
    in Miller, arXiv 2411.00640, section 2.2 and appendix A.

    Returns:
        None for fewer than two clusters.

    Raises:
        ValueError: the two sequences differ in length.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters; each value needs the name of its cluster")
    if not values:
        return None
    centre = mean(values)
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + (value - centre)
    count = len(sums)
    if count < 2:
        return None
    total = math.fsum(deviation**2 for deviation in sums.values())
    return math.sqrt(count / (count - 1) * total) / len(values)


def wilson(successes: float, n: float, z: float = Z95) -> Interval:
    """Wilson's score interval of a proportion: sound for small n and at 0 and 1, never outside [0, 1].

    Source: Wilson, JASA 22 (1927) 209-212; recommended by Brown, Cai and DasGupta, Statistical Science 16 (2001)
    101-133.

    Args:
        successes: may be fractional, as may `n`, when `n` is an effective sample size.

    Raises:
        ValueError: n is not above 0, or successes not in 0..n.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} is no proportion; 0 <= successes <= n and n > 0 must hold")
    share = successes / n
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    centre, scale = share + z * z / (2 * n), 1 + z * z / n
    # At the edges the exact bound is 0 or 1; floating point would leave it a hair off.
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes == n else min(1.0, (centre + spread) / scale)
    return Interval(low, high)


def estimate(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, *, binary: bool | None = None
) -> Estimate:
    """Mean, standard error and 95% interval.

    Args:
        clusters: what each value belongs to (the row of a trial); None: all are independent.
        binary: whether the values are successes and failures; None: whether every one is a bool.

    Binary values get Wilson's interval; where clusters hold more than one value, with the effective sample size
    p(1-p)/stderr^2, at most n (Franco, Little, Louis and Slud, J. Survey Statistics and Methodology 7 (2019) 334-364),
    or the number of clusters where nothing varies. Other numbers get mean ± t * stderr with clusters - 1 degrees of
    freedom.
    """
    n = len(values)
    if n == 0:
        return Estimate(0, None, None, None)
    if binary is None:
        binary = all(isinstance(value, bool) for value in values)
    centre = mean(values)
    groups = n if clusters is None else len(set(clusters))
    error = standard_error(values) if clusters is None else clustered_stderr(values, clusters)
    if binary:
        effective = float(n)
        if groups < n:
            variance = error * error if error else 0.0
            effective = min(float(n), max(1.0, centre * (1 - centre) / variance)) if variance else float(groups)
        return Estimate(n, centre, error, wilson(min(centre * effective, effective), effective))
    if error is None:
        return Estimate(n, centre, None, None)
    half = t_quantile(0.975, groups - 1) * error
    return Estimate(n, centre, error, Interval(centre - half, centre + half))


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of them lie, interpolated linearly (type 7 of Hyndman and Fan, 1996).

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("a quantile of no values is not defined")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that at least one of k drawn from n attempts, c of them right, is right: 1 - C(n-c, k) / C(n, k).

    Source: Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), equation 1.

    Raises:
        ValueError: not 0 <= c <= n, or not 1 <= k <= n.
    """
    _check_draw(n, c, k)
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """Chance that all of k drawn from n attempts, c of them right, are right: C(c, k) / C(n, k).

    Source: Yao et al., "tau-bench" (arXiv 2406.12045), section 4.

    Raises:
        ValueError: not 0 <= c <= n, or not 1 <= k <= n.
    """
    _check_draw(n, c, k)
    return math.comb(c, k) / math.comb(n, k)


def _check_draw(n: int, c: int, k: int) -> None:
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"k={k} of n={n} attempts, c={c} right: 0 <= c <= n and 1 <= k <= n must hold")


def t_quantile(share: float, df: float) -> float:
    """Quantile of Student's t: the x with P(T <= x) = share, to about 1e-12; found by bisection of the distribution.

    Raises:
        ValueError: share is not in (0, 1), or df not above 0.
    """
    if not 0 < share < 1 or df <= 0:
        raise ValueError(f"no t quantile at {share} with {df} degrees of freedom; 0 < share < 1 and df > 0 must hold")
    if share < 0.5:
        return -t_quantile(1 - share, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < share:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_cdf(middle, df) < share else (low, middle)
    return (low + high) / 2


def t_cdf(x: float, df: float) -> float:
    """P(T <= x) of Student's t: 1 - I(df/(df + x^2); df/2, 1/2) / 2 for x >= 0 (Abramowitz and Stegun 26.7.1)."""
    tail = _incomplete_beta(df / (df + x * x), df / 2, 0.5) / 2
    return 1 - tail if x >= 0 else tail


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I(x; a, b) by its continued fraction (DLMF 8.17.22), Lentz's method."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # there the fraction converges slowly; the mirror image converges fast
        return 1.0 - _incomplete_beta(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    fraction = d
    for m in range(1, 500):
        for top in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1 + top * d, tiny)
            c = _away_from_zero(1 + top / c, tiny)
            fraction *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return math.exp(log_front) * fraction / a


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
