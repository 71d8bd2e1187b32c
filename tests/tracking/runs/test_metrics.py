"""What one `log()` holds: numbers exactly, everything else whole, nothing dropped."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from weft.tracking.errors import UsageError
from weft.tracking.payloads.encoding import Tagged
from weft.tracking.runs import metrics
from weft.tracking.tables import Table


class _Tensor:
    """As torch's look: `numel()` and `item()`."""

    def __init__(self, *values: float) -> None:
        self._values = values

    def numel(self) -> int:
        return len(self._values)

    def item(self) -> float:
        [value] = self._values
        return value


class _Broken:
    @property
    def size(self) -> int:
        raise RuntimeError("not now")

    def item(self) -> float:
        raise RuntimeError("not now")


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (True, 1.0), (0.5, 0.5), (-(2**53), -(2.0**53)), (_Tensor(3.5), 3.5), (math.inf, math.inf)],
)
def test_numbers_are_scalars(value: Any, number: float) -> None:
    assert metrics.scalar(value) == number


@pytest.mark.parametrize(
    "value", [None, "1", b"1", [1], (1,), {"a": 1}, _Tensor(1, 2), _Broken(), Fraction(1, 3), 1j, object()]
)
def test_what_is_no_number_is_none(value: Any) -> None:
    assert metrics.scalar(value) is None


@pytest.mark.parametrize(
    ("value", "scalars", "rich"),
    [
        (2**53, {"n": 2.0**53}, {}),
        (2**53 + 1, {"n": 2.0**53}, {"n": 2**53 + 1}),
        (-(10**16) - 1, {"n": -1e16}, {"n": -(10**16) - 1}),
        (2**80, {"n": 2.0**80}, {}),
        (_Tensor(2**60 + 1), {"n": 2.0**60}, {"n": 2**60 + 1}),
        (10**400, {}, {"n": 10**400}),
        (-(10**400), {}, {"n": -(10**400)}),
    ],
)
def test_a_large_whole_number_is_its_nearest_float_and_what_that_loses_is_kept(
    value: Any, scalars: dict[str, float], rich: dict[str, int]
) -> None:
    parts = metrics.split({"n": value})
    assert (parts.scalars, parts.rich) == (scalars, rich)


def test_numpys_scalars_and_arrays_of_one() -> None:
    numpy = pytest.importorskip("numpy")
    assert metrics.scalar(numpy.float32(0.5)) == 0.5
    assert metrics.scalar(numpy.array([[2]])) == 2.0
    assert metrics.scalar(numpy.bool_(True)) == 1.0
    assert math.isnan(metrics.scalar(numpy.float16("nan")) or 0.0)
    assert metrics.scalar(numpy.array([1, 2])) is None
    assert metrics.scalar(numpy.datetime64("2026-11-20")) is None


def test_data_frames_become_tables() -> None:
    pandas = pytest.importorskip("pandas")
    parts = metrics.split({"val": {"answers": pandas.DataFrame({"q": ["why?"]})}})
    assert parts.tables == {"val.answers": Table(columns=["q"], data=[["why?"]])}


def test_what_was_read_back_can_be_logged_again() -> None:
    """A marker of ours is one value, though it is a dataclass; a dataclass of the user's is a dict."""
    tagged = Tagged("unrecorded", {"cause": "x"})
    assert metrics.split({"a": tagged}).rich == {"a": tagged}


def test_numbers_as_keys_of_nested_dicts_are_names() -> None:
    """A score per class or per threshold, as JSON calls them; two keys of one name are both kept."""
    parts = metrics.split({"acc": {0: 0.9, 1: {2: 0.8}, 0.5: 0.7, "0": 0.1}, "is": {True: 0.6, False: 0.4}})
    assert parts.scalars == {"acc.0": 0.9, "acc.1.2": 0.8, "acc.0.5": 0.7, "is.true": 0.6, "is.false": 0.4}
    assert parts.again == [("acc.0", 0.1)]
    numpy = pytest.importorskip("numpy")
    assert metrics.split({"acc": {numpy.int64(3): 1.0}}).scalars == {"acc.3": 1.0}


@pytest.mark.parametrize("key", [(1, 2), None, b"x", object()])
def test_other_keys_of_nested_dicts_raise(key: Any) -> None:
    with pytest.raises(TypeError, match="names in log"):
        metrics.split({"loss": 1.0, "acc": {"deep": {key: 0.5}}})


def test_nesting_ends_somewhere() -> None:
    """A dict that holds itself is flattened so far, then kept as one value."""
    loop: dict[str, Any] = {}
    loop["x"] = loop
    parts = metrics.split(loop)
    assert list(parts.rich) == [".".join("x" * 33)]


@pytest.mark.parametrize("step", [0, -1, 3.0, (1 << 63) - 1])
def test_whole_steps(step: Any) -> None:
    assert metrics.check_step(step) == int(step)


def test_steps_beyond_the_store_raise() -> None:
    for step in (1 << 63, -(1 << 63) - 1, 1e30):
        with pytest.raises(UsageError, match="64 bits"):
            metrics.check_step(step)


class _Hostile(dict):  # type: ignore[type-arg]
    """Raises at whatever is asked of it."""

    def items(self) -> Any:
        raise RuntimeError("items")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class _Opaque:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("value", [_Hostile(a=1), _Opaque()], ids=["mapping", "object"])
def test_a_value_that_raises_when_it_is_looked_at_is_kept_as_it_is(value: Any) -> None:
    parts = metrics.split({"odd": value, "loss": 1.0})
    assert (parts.scalars, list(parts.rich)) == ({"loss": 1.0}, ["odd"])
