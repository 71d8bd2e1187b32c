"""Counts by slices: numpy's, with and without it."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.media import Histogram, restore

FINITE = st.floats(-1e6, 1e6)


@settings(deadline=None)  # other processes may have the processor
@given(st.lists(FINITE, min_size=1, max_size=200), st.integers(1, 100))
def test_lists_and_arrays_count_alike_and_lose_none(values: list[float], bins: int) -> None:
    lists, arrays = Histogram(values, num_bins=bins), Histogram(np.array(values), num_bins=bins)
    assert lists == arrays
    assert sum(lists.histogram) == len(values)
    assert len(lists.bins) == len(lists.histogram) + 1
    assert lists.bins == sorted(lists.bins)


@settings(deadline=None)  # other processes may have the processor
@given(st.lists(st.floats(0, 100), min_size=2, max_size=100).filter(lambda values: max(values) - min(values) > 1e-3))
def test_it_is_numpys_histogram(values: list[float]) -> None:
    made = Histogram(values, num_bins=10)
    counts, _ = np.histogram(values, bins=np.array(made.bins))
    assert made.histogram == counts.tolist()
    assert np.allclose(made.bins, np.histogram_bin_edges(values, bins=10), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64", "bool"])
def test_every_kind_of_number(dtype: str) -> None:
    made = Histogram(np.array([[0, 1], [1, 1]], dtype), num_bins=2)
    assert made.histogram == [1, 3]


def test_columns_of_data_frames_are_arrays() -> None:
    column = pd.Series([1.0, 2.0, math.nan])
    for given_column in (column, pd.DataFrame({"a": column}), pyarrow.array([1.0, 2.0, math.nan])):
        made = Histogram(given_column, num_bins=2)
        assert (made.histogram, made.left_out) == ([1, 1], 1)


def test_nan_and_infinities_are_left_out_and_counted() -> None:
    for values in ([1.0, math.nan, math.inf, 2.0], np.array([1.0, np.nan, np.inf, 2.0])):
        made = Histogram(values, num_bins=1)
        assert (made.histogram, made.left_out) == ([2], 2)
        assert restore(made.record()) == made
    assert Histogram([math.nan]).histogram == [0] * 64
    assert Histogram(np.array([])).left_out == 0


def test_numbers_that_no_float_holds_are_left_out_and_exact_ones_are_numbers() -> None:
    made = Histogram([10**400, Decimal("1.5"), Fraction(1, 2)], num_bins=2)
    assert (made.histogram, made.bins, made.left_out) == ([1, 1], [0.5, 1.0, 1.5], 1)


@pytest.mark.parametrize("values", [[-1e308, 1e308], [5e-324, 1e-323], [1.0, math.nextafter(1.0, 2)], [3, 3, 3]])
def test_ranges_that_floats_hardly_hold(values: list[float]) -> None:
    for given_ in (values, np.array(values)):
        made = Histogram(given_)
        assert sum(made.histogram) == len(values)
        assert all(left < right for left, right in zip(made.bins, made.bins[1:], strict=False))


def test_what_numpy_answers_is_taken() -> None:
    made = Histogram(np_histogram=np.histogram([1, 2, 3], bins=2))
    assert made.histogram == [1, 2]
    assert made == Histogram(np_histogram=([1, 2], [1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sequence": [1], "np_histogram": ([1], [0, 1])},
        {"sequence": [1], "num_bins": 513},
        {"sequence": [1], "num_bins": 0},
        {"sequence": ["a"]},
        {"sequence": "text"},
        {"sequence": 7},
        {"sequence": np.array(["a"])},
        {"sequence": np.array([1j])},
        {"np_histogram": ([1], [0])},
        {"np_histogram": ([1], [1, 0])},
        {"np_histogram": ([math.nan], [0, 1])},
        {"np_histogram": 5},
        {"np_histogram": ([1] * 513, list(range(514)))},
    ],
)
def test_what_is_no_histogram_is_told_at_the_call(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Histogram(**arguments)
