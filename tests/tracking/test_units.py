"""Quantities as text read as `ui.md` asks: 1.24 s, 840 ms, 34.1k tok, $0.0042, 93.1% ± 1.4; unknown is a dash."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking import units


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "–"),
        (0, "0 ns"),
        (850, "850 ns"),
        (12_300, "12 µs"),
        (1_240_000, "1.24 ms"),
        (840_000_000, "840 ms"),
        (999_499_999, "999 ms"),
        (999_600_000, "1.00 s"),
        (1_240_000_000, "1.24 s"),
        (12_440_000_000, "12.4 s"),
        (59_960_000_000, "1 min"),
        (125_000_000_000, "2 min 5 s"),
        (3_599_700_000_000, "1 h"),
        (11_520_000_000_000, "3 h 12 min"),
        (187_200_000_000_000, "2 d 4 h"),
        (-840_000_000, "-840 ms"),
    ],
)
def test_a_duration_has_three_digits_or_two_units(ns: int | None, text: str) -> None:
    assert units.duration(ns) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(None, "–"), (0, "0 tok"), (322, "322 tok"), (1_934, "1.9k tok"), (34_100, "34.1k tok"), (999_960, "1.0M tok")],
)
def test_tokens_are_compact(n: int | None, text: str) -> None:
    assert units.tokens(n) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "–"),
        (Decimal(0), "$0.00"),
        (Decimal("0.0042"), "$0.0042"),
        (Decimal("0.00036"), "$0.00036"),
        (Decimal("18.4"), "$18.40"),
        (Decimal("1234.567"), "$1,234.57"),
        (Decimal("0.000000012"), "$0.000000012"),
        (Decimal("-0.5"), "-$0.50"),
        (0.0042, "$0.0042"),
        (Decimal("NaN"), "–"),
    ],
)
def test_money_keeps_two_digits_of_small_sums(amount: Decimal | None, text: str) -> None:
    assert units.usd(amount) == text


def test_an_age_counts_back_and_ends_in_a_date() -> None:
    now = 1_795_000_000_000_000_000
    second = 1_000_000_000
    assert units.age(None, now) == "–"
    assert units.age(now - 2 * second, now) == "just now"
    assert units.age(now + 2 * second, now) == "just now"
    assert units.age(now - 42 * second, now) == "42 s ago"
    assert units.age(now - 200 * second, now) == "3 min ago"
    assert units.age(now - 5 * 3600 * second, now) == "5 h ago"
    assert units.age(now - 12 * 86400 * second, now) == "12 d ago"
    assert units.age(now - 40 * 86400 * second, now) == "2026-10-09"
    assert units.moment(now) == "2026-11-18 11:06:40 UTC"
    assert units.moment(None) == "–"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (None, "–"),
        (512, "512 B"),
        (1536, "1.5 KiB"),
        (64 << 20, "64.0 MiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (3 << 40, "3.0 TiB"),
    ],
)
def test_sizes_are_binary(n: int | None, text: str) -> None:
    assert units.size(n) == text


def test_percentages_carry_their_half_width() -> None:
    assert units.percent(0.931) == "93.1%"
    assert units.percent(0.931, 0.014) == "93.1% ± 1.4"
    assert units.percent(0.931, math.nan) == "93.1%"
    assert units.percent(None, 0.1) == "–"
    assert units.percent(math.nan) == "–"


def test_plus_minus_drops_an_unknown_half_width() -> None:
    assert units.plus_minus(0.9123, 0.0312) == "0.912 ± 0.031"
    assert units.plus_minus(112.44, 19.33) == "112 ± 19"
    assert units.plus_minus(0.5, 0.0) == "0.5 ± 0"
    assert units.plus_minus(3e-9, 2e-10) == "3.000e-09 ± 2.0e-10"
    assert units.plus_minus(0.9123, None) == "0.9123"
    assert units.plus_minus(None, 0.1) == "–"


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (None, "–"),
        (True, "true"),
        (12_408, "12,408"),
        (0.123456, "0.1235"),
        (1234.5, "1,234"),
        (1e-7, "1e-07"),
        (1.23456e-7, "1.235e-07"),
        (3.2e12, "3.2e+12"),
        (math.nan, "NaN"),
        (-math.inf, "-∞"),
        (0.0, "0"),
        (10**20, "1e+20"),
        (123_456 * 10**15, "1.235e+20"),
    ],
)
def test_numbers_keep_four_digits(x: float | None, text: str) -> None:
    assert units.number(x) == text


def test_compact_covers_every_magnitude() -> None:
    assert [units.compact(n) for n in (None, 950, 1_900, 2_500_000, 3 * 10**9, 4 * 10**12, math.inf, 0.25)] == [
        "–", "950", "1.9k", "2.5M", "3.0G", "4.0T", "∞", "0.25",
    ]  # fmt: skip
    assert units.count(12_408) == "12,408"
    assert units.count(None) == "–"


@given(st.floats(), st.integers(-(2**63), 2**63))
def test_every_number_has_a_text(x: float, n: int) -> None:
    for text in (
        units.number(x),
        units.number(n),
        units.compact(x),
        units.compact(n),
        units.size(n),
        units.duration(n),
    ):
        assert text
    assert units.usd(x)
    assert units.percent(x)


@pytest.mark.parametrize(("n", "text"), [(0, "0 records"), (1, "1 record"), (12_408, "12,408 records")])
def test_one_is_singular(n: int, text: str) -> None:
    assert units.counted(n, "record") == text
    assert units.counted(n, "entry", "entries") == text.replace("records", "entries").replace("record", "entry")


@pytest.mark.parametrize("text", ["a list", "an int", "a float", "an Action", "a UUID", "a NoneType"])
def test_a_type_has_its_article(text: str) -> None:
    assert units.article(text.split()[1]) == text


def test_a_cost_says_what_it_is_made_of_where_that_is_several_things() -> None:
    assert units.breakdown({"input_tokens": Decimal("0.003"), "cache_read_tokens": Decimal("0.0001")}) == (
        "input $0.0030 · cached $0.00010"
    )
    assert units.breakdown({"input_tokens": Decimal(1)}) == units.breakdown(None) == ""
