"""Points of a metric as compressed columns: `seal` makes the bytes of a chunk, the rest reads them back. Pure.

A chunk is one Zstandard frame of:

    byte            1, the format
    uint32          n, how many points (numbers are little-endian)
    six columns     step, at_ns, segment_key, seq, late (whole numbers), value (float64)

A column of whole numbers is a byte that says how, then: 0: first and difference (int64 each), all alike; 1: the first
(int64), then n-1 differences; 2: n numbers as they are (where a difference would need more than 64 bits). Differences,
numbers and values are written plane by plane: all lowest bytes, then all second ones, and so on, which compress far
better. A float is its 64 bits, so that NaN, -0.0 and infinities come back as they were.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import NamedTuple, TypeVar

import zstandard

SIZE = 8192
"""Points that make a chunk worth while."""
LEVEL = 3
_FORMAT = 1
_HEAD = struct.Struct("<BI")
_ALIKE, _DIFFERENCES, _PLAIN = range(3)
_LIMIT = 1 << 63
A = TypeVar("A", "array[int]", "array[float]")


class Columns(NamedTuple):
    """Points in order of (step, time, segment, seq), a sequence a column."""

    steps: Sequence[int]
    at_ns: Sequence[int]
    segments: Sequence[int]
    seqs: Sequence[int]
    late: Sequence[int]
    values: Sequence[float]


class Line(NamedTuple):
    """What of them is shown: arrays, since a million numbers as objects of Python take 60 MB and most of a read's time;
    steps one by one are a range."""

    steps: Sequence[int]
    at_ns: Sequence[int]
    values: Sequence[float]
    late: Sequence[int]
    """Bytes, for their size: 0 or 1."""


def seal(columns: Columns) -> bytes:
    """The bytes of a chunk. All columns are of one length, of at least one point."""
    whole = (columns.steps, columns.at_ns, columns.segments, columns.seqs, columns.late)
    values = _planes(array("d", columns.values))
    body = b"".join((_HEAD.pack(_FORMAT, len(columns.values)), *map(_packed, whole), values))
    return zstandard.ZstdCompressor(level=LEVEL).compress(body)


def unseal(data: bytes) -> Columns:
    """All columns of a chunk.

    Raises:
        ValueError: these bytes are no chunk, or of a later format.
    """
    body, n = _body(data)
    at = _HEAD.size
    steps, at = _unpacked(body, at, n)
    at_ns, at = _unpacked(body, at, n)
    segments, at = _unpacked(body, at, n)
    seqs, at = _unpacked(body, at, n)
    late, at = _unpacked(body, at, n)
    return Columns(steps, at_ns, segments, seqs, late, _values(body, at, n))


def line(data: bytes, known: dict[bytes, Sequence[int]] | None = None) -> Line:
    """What is shown of the points: the columns that only tell them apart are passed over.

    Args:
        known: columns of times as they are written, and what they say; the one of this chunk is added. Metrics that are
            logged together have the same ones, and reading one takes most of a chunk's time.

    Raises:
        ValueError: as `unseal`.
    """
    body, n = _body(data)
    steps, at = _unpacked(body, _HEAD.size, n)
    after = _behind(body, at, n)
    written = body[at:after] if known is not None else b""
    at_ns = known.get(written) if known is not None else None
    if at_ns is None:
        at_ns, _ = _unpacked(body, at, n)
        if known is not None:
            known[written] = at_ns
    at = _behind(body, _behind(body, after, n), n)
    return Line(steps, at_ns, _values(body, _behind(body, at, n), n), _flags(body, at, n))


def _body(data: bytes) -> tuple[bytes, int]:
    try:
        body = zstandard.ZstdDecompressor().decompress(data)
        version, n = _HEAD.unpack_from(body)
    except (zstandard.ZstdError, struct.error) as error:
        raise ValueError(f"a chunk of metric points cannot be read: {error}") from error
    if version != _FORMAT:
        raise ValueError(f"a chunk of metric points has format {version}; this version of weft knows {_FORMAT}")
    return body, n


def _packed(numbers: Sequence[int]) -> bytes:
    first = numbers[0]
    differences = list(map(sub, numbers[1:], numbers[:-1]))
    if not differences or (differences[0] == differences[-1] and len(set(differences)) == 1):
        step = differences[0] if differences else 0
        if -_LIMIT <= step < _LIMIT:
            return struct.pack("<Bqq", _ALIKE, first, step)
    elif min(differences) >= -_LIMIT and max(differences) < _LIMIT:
        return struct.pack("<Bq", _DIFFERENCES, first) + _planes(array("q", differences))
    return struct.pack("<B", _PLAIN) + _planes(array("q", numbers))


def _unpacked(body: bytes, at: int, n: int) -> tuple[Sequence[int], int]:
    how = body[at]
    after = _behind(body, at, n)
    if how == _ALIKE:
        first, step = struct.unpack_from("<qq", body, at + 1)
        return (range(first, first + step * n, step) if step else array("q", [first]) * n), after
    if how == _DIFFERENCES:
        (first,) = struct.unpack_from("<q", body, at + 1)
        numbers = list(accumulate(_unplaned(array("q"), body, at + 9, n - 1), initial=first))
        return array("q", numbers), after
    return _unplaned(array("q"), body, at + 1, n), after


def _flags(body: bytes, at: int, n: int) -> bytes:
    """Numbers that are 0 or 1. The usual case, all alike, is not counted out."""
    if body[at] == _ALIKE and body[at + 9 : at + 17] == bytes(8):
        return body[at + 1 : at + 2] * n
    return bytes(list(_unpacked(body, at, n)[0]))


def _behind(body: bytes, at: int, n: int) -> int:
    return at + (17 if body[at] == _ALIKE else 9 + 8 * (n - 1) if body[at] == _DIFFERENCES else 1 + 8 * n)


def _values(body: bytes, at: int, n: int) -> array[float]:
    return _unplaned(array("d"), body, at, n)


def _planes(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    data = numbers.tobytes()
    return b"".join(data[plane::8] for plane in range(8))


def _unplaned(numbers: A, body: bytes, at: int, n: int) -> A:
    """Append n numbers to an empty array."""
    data = bytearray(8 * n)
    for plane in range(8):
        data[plane::8] = body[at + plane * n : at + (plane + 1) * n]
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
