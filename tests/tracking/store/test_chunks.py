"""Sealed columns give back what went in, to the bit, and are small."""

from __future__ import annotations

import math
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.store.chunks import Columns, line, seal, unseal

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
SPECIAL = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308])
POINTS = st.lists(st.tuples(INT64, INT64, INT64, INT64, st.integers(0, 1), SPECIAL | st.floats()), min_size=1)


def bits(values: list[float]) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


@given(POINTS)
def test_everything_comes_back_to_the_bit(points: list[tuple[int, int, int, int, int, float]]) -> None:
    columns = Columns(*zip(*points, strict=True))
    found = unseal(seal(columns))
    assert [list(column) for column in found[:5]] == [list(column) for column in columns[:5]]
    assert bits(list(found.values)) == bits(list(columns.values))
    short = line(seal(columns))
    assert [list(short.steps), list(short.at_ns), list(short.late)] == [
        list(columns.steps),
        list(columns.at_ns),
        list(columns.late),
    ]
    assert bits(list(short.values)) == bits(list(columns.values))


@given(st.integers(-(1 << 62), 1 << 62), st.integers(-1000, 1000), st.integers(1, 50))
def test_even_steps_are_kept_as_two_numbers(first: int, step: int, n: int) -> None:
    steps = [first + step * at for at in range(n)]
    columns = Columns(steps, steps, steps, steps, [0] * n, [1.5] * n)
    assert list(unseal(seal(columns)).steps) == steps
    assert list(line(seal(columns)).at_ns) == steps


def test_a_training_loops_points_take_less_than_16_bytes() -> None:
    """Steps one by one, times with jitter, values of full precision."""
    n = 8192
    times = [1_700_000_000_000_000_000 + 2_000_000 * at + (at * 7919) % 400_000 for at in range(n)]
    values = [math.sin(at) for at in range(n)]
    data = seal(Columns(range(n), times, [3] * n, range(16, 16 + 60 * n, 60), [0] * n, values))
    assert len(data) / n < 12


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", zstandard.compress(b""), zstandard.compress(b"\x02\x01\0\0\0"), zstandard.compress(b"\x01")],
)
def test_what_is_no_chunk_is_said(data: bytes) -> None:
    with pytest.raises(ValueError, match="chunk of metric points"):
        unseal(data)
