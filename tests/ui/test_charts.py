"""The arithmetic behind a metric's chart."""

from __future__ import annotations

import math

import orjson
import pytest

from weft.tracking.store.readmodels import Series
from weft.ui import charts


def series(values: list[float], total: int | None = None) -> Series:
    return Series("m", range(len(values)), values, [at * 10**9 for at in range(len(values))], total or len(values))


def test_sections_count_as_people_do() -> None:
    """layer_2 before layer_10; plain names first; what stands before the first separator is the section."""
    found = charts.sections(["b.10", "b.9", "loss_10", "loss_9", "b.x", "a/2"])
    assert found == {"Charts": ["loss_9", "loss_10"], "a": ["a/2"], "b": ["b.9", "b.10", "b.x"]}


def test_smoothing_is_a_corrected_moving_average() -> None:
    """By hand: weight 0.5 over 1, 2, 3 is 1, 5/3, 17/7; weight 0 changes nothing; a constant stays."""
    assert charts.smoothed([1, 2, 3], 0.5) == pytest.approx([1, 5 / 3, 17 / 7])
    assert charts.smoothed([1, 2, 3], 0) == [1, 2, 3]
    assert charts.smoothed([4, 4, 4], 0.97) == pytest.approx([4, 4, 4])


def test_smoothing_leaves_gaps() -> None:
    """NaN stays NaN and does not poison what follows."""
    found = charts.smoothed([1, math.nan, 3], 0.5)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx((0.5 * 0.5 + 0.5 * 3) / 0.75)


def test_a_band_keeps_every_spike() -> None:
    """One value in 10,000 is still the highest of its slice."""
    values = [0.0] * 10_000
    values[5_000] = 9.0
    made = charts.band([float(at) for at in range(10_000)], values, 100)
    assert max(made.high) == 9.0
    assert len(made.at) == 100
    assert all(low <= high for low, high in zip(made.low, made.high, strict=True))


def test_a_band_of_nothing_finite_is_empty() -> None:
    """NaN alone draws nothing."""
    assert charts.band([0.0, 1.0], [math.nan, math.inf]).at == []


def test_sections_group_by_prefix() -> None:
    """Plain names first, then by what stands before the slash or dot."""
    assert charts.sections(["val/loss", "loss", "train.loss", "val/acc"]) == {
        "Charts": ["loss"],
        "train": ["train.loss"],
        "val": ["val/acc", "val/loss"],
    }


@pytest.mark.parametrize("values", [[], [1.0], [math.nan, math.inf], [1.0, 2.0, 3.0]])
def test_a_spec_is_json(values: list[float]) -> None:
    """Whatever was logged can be drawn: no NaN reaches the browser."""
    orjson.dumps(charts.spec(series(values), by_time=False, smooth=0.6))
    assert "NaN" not in str(charts.spec(series(values), by_time=True, smooth=0))


def test_a_thinned_history_shows_its_band() -> None:
    """Where points were left out, the lowest and highest stand behind the line."""
    whole, thinned = (charts.spec(series([1.0] * 9, total), by_time=False, smooth=0) for total in (9, 900))
    assert [each["name"] for each in whole["series"]] == ["m"]
    assert [each["name"] for each in thinned["series"]] == ["min", "max", "m"]


def test_an_axis_that_was_defined_is_what_it_was_by_each_step() -> None:
    """Its last value so far; where it has none yet, or goes back, the steps are."""
    loss = Series("loss", [0, 5, 10], [3.0, 2.0, 1.0], [0, 1, 2], 3)
    epoch = Series("epoch", [0, 4, 9], [0.0, 1.0, 2.0], [0, 1, 2], 3)
    assert charts.axis(loss, False, epoch) == [0.0, 1.0, 2.0]
    assert charts.axis(loss, True, epoch) == [0.0, 1e-9, 2e-9]
    late, back = Series("epoch", [3], [1.0], [0], 1), Series("epoch", [0, 4], [2.0, 1.0], [0, 1], 2)
    for other in (None, late, back, loss):
        assert charts.axis(loss, False, other) == [0.0, 5.0, 10.0]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], 0),
        ([math.nan, math.inf], 0),
        ([0.0], 0),
        ([0.5, -9e6], 0),
        ([2.0**59], 15),
        ([-3e-8], -9),
        ([5e-324], -300),
    ],
)
def test_a_power_of_ten_is_taken_out_of_what_is_too_long_for_an_axis(values: list[float], found: int) -> None:
    """A multiple of three, and told: in the axis's name and the line's."""
    assert charts.exponent(values) == found
    made = charts.spec(series(values), by_time=False, smooth=0)
    assert made["yAxis"].get("name") == (f"×1e{found}" if found else None)
    if found:
        assert made["series"][-1]["data"][0][1] == pytest.approx(values[0] / 10**found)


def test_what_has_nothing_before_its_first_separator_is_with_the_plain_ones() -> None:
    assert charts.sections(["../../up", "loss"]) == {"Charts": ["loss", "../../up"]}
