"""What the store holds becomes SQL's values: money to the last digit, JSON that arrows read."""

from __future__ import annotations

import base64
import datetime
import math
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.sql.columntypes import array, json_text

pytest.importorskip("pyarrow")


@settings(deadline=None)  # the first one imports pyarrow
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_money_keeps_every_digit(pico: list[int | None]) -> None:
    found = array("usd", pico).to_pylist()
    assert found == [None if value is None else Decimal(value).scaleb(-12) for value in pico]


@given(st.lists(st.integers(0, 2**62) | st.none()))
def test_times_are_utc_microseconds(ns: list[int | None]) -> None:
    for value, told in zip(ns, array("time", ns).to_pylist(), strict=True):
        if value is None:
            assert told is None
        else:
            zero = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
            assert told == zero + datetime.timedelta(microseconds=value // 1000)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        ({"a": math.nan, "b": -math.inf}, {"a": "NaN", "b": "-Infinity"}),
        ([2**80], [str(2**80)]),
        ({1: "x", (2, 3): "y"}, {"1": "x", "[2,3]": "y"}),
        ([b"abc"], [base64.b64encode(b"abc").decode()]),
        ({"$weft": "mine", "v": 1, "w": 2}, {"$weft": "mine", "v": 1, "w": 2}),
        (["\ud800"], ["\\ud800"]),
        (b'{"as":"stored","n":{"$weft":"float","v":"NaN"}}', {"as": "stored", "n": "NaN"}),
    ],
)
def test_what_json_lacks_is_told_as_text(value: Any, told: Any) -> None:
    assert orjson.loads(json_text(value)) == told


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text(), _values))
def test_any_value_is_plain_json(value: dict[str, Any]) -> None:
    text = json_text(value)
    text.encode()
    assert '"$weft"' not in text or "$weft" in repr(value)
    assert isinstance(orjson.loads(text), dict)


def test_texts_without_a_sound_encoding_are_shown_not_lost() -> None:
    assert array("text", ["\ud800x", "é", None]).to_pylist() == ["\\ud800x", "é", None]
    assert array("texts", [["\udfff"], [], None]).to_pylist() == [["\\udfff"], [], None]
