"""Runs beside each other: what differs, and one chart for all."""

from __future__ import annotations

import math

import orjson

from weft.tracking.store.readmodels import Series
from weft.ui.comparison import MOST, Side, lines, overlaid, told


def series(values: list[float], steps: list[int] | None = None, key: str = "m") -> Series:
    steps = steps or list(range(len(values)))
    return Series(key, steps, values, [at * 10**9 for at in steps], len(values))


def test_what_differs_leads_and_what_is_the_same_is_told_apart() -> None:
    """Equal by value, whatever the order of keys; a missing setting is a difference; NaN is the same as NaN."""
    found = lines([{"lr": 0.1, "same": {"a": 1, "b": 2}, "only": 1, "nan": math.nan},
                   {"lr": 0.2, "same": {"b": 2, "a": 1}, "nan": math.nan}])  # fmt: skip
    assert [(line.name, line.values, line.same) for line in found if line.name != "nan"] == [
        ("lr", (0.1, 0.2), False),
        ("same", ({"a": 1, "b": 2}, {"b": 2, "a": 1}), True),
        ("only", (1, None), False),
    ]
    assert [line.name for line in sorted(found, key=lambda line: line.rank)] == ["lr", "only", "same", "nan"]
    assert next(line for line in found if line.name == "nan").same


def test_a_whole_number_is_the_same_whichever_way_it_was_written() -> None:
    """As logged by one run as 10, by the other as 10.0: both are shown as 10."""
    assert [line.same for line in lines([{"a": 10, "b": 2.0**70}, {"a": 10.0, "b": 2**70}])] == [True, True]


def test_true_is_no_one_and_null_is_no_absence() -> None:
    found = lines([{"a": True, "b": None}, {"a": 1}])
    assert [(line.kinds, line.missing) for line in found] == [(2, 0), (1, 1)]


def test_cells_show_numbers_short_and_say_them_whole() -> None:
    assert told(0.123456789) == {"text": "0.1235", "title": "0.123456789"}
    assert told("\ud800 x")["text"].encode()  # type: ignore[index]
    assert told(None)["title"] == "It has none"  # type: ignore[index]
    assert told(True) == {"text": "true", "title": "true"}


def test_every_run_keeps_its_place_and_so_its_colour() -> None:
    """Also where it logged nothing; NaN is a gap; the whole is JSON."""
    drawn = overlaid(
        [Side("a", series([1.0, math.nan, 3.0])), Side("b", None), Side("c", series([2.0]))], by_time=False, smooth=0
    )
    assert [one["name"] for one in drawn["series"]] == ["a", "b", "c"]
    assert drawn["series"][0]["data"] == [[0.0, 1.0], [1.0, None], [2.0, 3.0]]
    assert drawn["series"][1]["data"] == []
    assert drawn["series"][2]["showSymbol"]
    assert orjson.dumps(drawn)
    assert MOST == 8


def test_runs_share_an_axis() -> None:
    """Epochs where each has them; steps for all where one has not: two axes in one chart would lie."""
    first = Side("a", series([1.0, 2.0], [10, 20]), series([1.0, 2.0], [10, 20], "epoch"))
    other = Side("b", series([3.0, 4.0], [5, 6]), series([1.0, 2.0], [5, 6], "epoch"))
    both = overlaid([first, other, Side("c", None)], by_time=False, smooth=0)["series"]
    assert [[x for x, _ in one["data"]] for one in both] == [[1.0, 2.0], [1.0, 2.0], []]
    mixed = overlaid([first, other._replace(against=None)], by_time=False, smooth=0)["series"]
    assert [[x for x, _ in one["data"]] for one in mixed] == [[10.0, 20.0], [5.0, 6.0]]


def test_large_values_share_their_exponent() -> None:
    drawn = overlaid([Side("a", series([1e12])), Side("b", series([2e9]))], by_time=False, smooth=0)
    assert drawn["yAxis"]["name"] == "×1e12"
    assert [one["data"][0][1] for one in drawn["series"]] == [1.0, 0.002]
