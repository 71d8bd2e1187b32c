"""`weft.Histogram`: how many of a lot of numbers lie where. Arrays by numpy, lists without it."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from weft.tracking.errors import UsageError
from weft.tracking.media.arrays import fetched, flat, is_array
from weft.tracking.media.base import Media, Record, StoreBlob, size_field

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs

MAX_BINS = 512


class Histogram(Media):
    """Counts by equal slices between the least and the greatest number.

    Args:
        sequence: numbers: an array, a tensor, or lists however nested. NaN and infinities are left out and counted.
        np_histogram: instead of them, what `numpy.histogram` answers: counts and one edge more.
        num_bins: slices, at most 512.
        caption: shown below it.

    Raises:
        UsageError: neither or both are given, there are no numbers in it, or too many bins.

    Example:
        >>> run.log({"weights": weft.Histogram(layer.weight)})
    """

    kind: ClassVar[str] = "histogram"
    batch: ClassVar[str] = "histograms"
    folder: ClassVar[str] = "histograms"

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: Any = None,
        num_bins: int = 64,
        *,
        caption: str | None = None,
    ) -> None:
        super().__init__(caption)
        self.histogram: list[float]
        """Counts."""
        self.bins: list[float]
        """Edges: one more than counts."""
        self.left_out = 0
        """Numbers that are NaN or infinite."""
        if (sequence is None) == (np_histogram is None):
            raise UsageError("Histogram() takes a sequence of numbers or np_histogram=, one of them")
        if np_histogram is not None:
            self.histogram, self.bins = _given(np_histogram)
            return
        if isinstance(num_bins, bool) or not isinstance(num_bins, int) or not 1 <= num_bins <= MAX_BINS:
            raise UsageError(f"num_bins must be a whole number from 1 to {MAX_BINS}, got {num_bins!r:.40}")
        if is_array(sequence):
            sequence = fetched(sequence)
        elif callable(getattr(sequence, "to_numpy", None)):  # a column of pandas, polars or Arrow
            sequence = sequence.to_numpy()
        if hasattr(sequence, "ndim"):
            self.histogram, self.bins, self.left_out = _of_array(sequence, num_bins)
        else:
            self.histogram, self.bins, self.left_out = _of_list(sequence, num_bins)

    def _fields(self, store_blob: StoreBlob | None) -> Record:
        found: Record = {"values": self.histogram, "bins": self.bins}
        return {**found, "left_out": self.left_out} if self.left_out else found

    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        self.histogram, self.bins = _given((record["values"], record["bins"]))
        self.left_out = size_field(record, "left_out") or 0

    def __repr__(self) -> str:
        return f"<weft.Histogram {len(self.histogram)} bins, {sum(self.histogram):g} values>"


def _given(value: Any) -> tuple[list[float], list[float]]:
    try:
        counts, edges = ([_number(item) for item in _listed(part)] for part in value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"np_histogram must be counts and edges, as numpy.histogram answers: {error}") from None
    if len(edges) != len(counts) + 1 or not counts or len(counts) > MAX_BINS:
        raise UsageError(
            f"np_histogram needs 1 to {MAX_BINS} counts and one edge more; got {len(counts)} and {len(edges)}"
        )
    if not all(map(math.isfinite, (*counts, *edges))) or edges != sorted(edges):
        raise UsageError("np_histogram needs finite counts, and edges that rise")
    return counts, edges


def _listed(part: Any) -> list[Any]:
    if is_array(part):
        part = fetched(part)
    return list(part.tolist() if hasattr(part, "tolist") else part)


def _number(item: Any) -> float:
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        raise TypeError(f"{item!r:.40} is no number")
    return item


def _of_array(values: Any, bins: int) -> tuple[list[float], list[float], int]:
    numpy: Any = sys.modules["numpy"]
    if values.dtype.kind not in "buif":
        raise UsageError(f"Histogram() needs real numbers, this array holds {values.dtype}")
    values = values.ravel()
    if values.dtype.kind == "b":
        values = values.astype(numpy.uint8)
    elif values.dtype.kind == "f" and values.dtype.itemsize < 4:
        values = values.astype(numpy.float32)  # halves lose digits when they are added and divided
    left_out = 0
    if values.dtype.kind == "f":
        sound = numpy.isfinite(values)
        left_out = int(values.size - numpy.count_nonzero(sound))
        values = values[sound] if left_out else values
    if not values.size:
        return [0] * bins, _edges(0.0, 1.0, bins), left_out
    edges = _edges(*_range(float(values.min()), float(values.max())), bins)
    counts, _ = numpy.histogram(values, bins=numpy.asarray(edges))
    return counts.tolist(), edges, left_out


def _of_list(values: Any, bins: int) -> tuple[list[float], list[float], int]:
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        raise UsageError(f"Histogram() needs numbers, got {type(values).__name__}")
    found = flat(values if isinstance(values, (list, tuple)) else list(values))
    plain = [item.item() if callable(getattr(item, "item", None)) else item for item in found]
    if not all(isinstance(item, (int, float, Decimal, Fraction)) for item in plain):
        raise UsageError("Histogram() needs numbers, and some of these are none")
    numbers = [number for number in map(_float, plain) if math.isfinite(number)]
    left_out = len(plain) - len(numbers)
    if not numbers:
        return [0] * bins, _edges(0.0, 1.0, bins), left_out
    edges = _edges(*_range(min(numbers), max(numbers)), bins)
    counts: list[float] = [0] * (len(edges) - 1)
    for number in numbers:
        counts[min(bisect_right(edges, number) - 1, len(counts) - 1)] += 1
    return counts, edges, left_out


def _float(item: Any) -> float:
    try:
        return float(item)
    except OverflowError:  # a whole number beyond all floats
        return math.inf


def _range(low: float, high: float) -> tuple[float, float]:
    """A single value gets a slice of 1 around it, as numpy has it."""
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _edges(low: float, high: float, bins: int) -> list[float]:
    """Of equal slices; where floats between the ends are fewer, of as many as there are."""
    width = high - low
    if math.isinf(width):
        found: Sequence[float] = [low * (1 - at / bins) + high * (at / bins) for at in range(bins)]
    else:
        step = width / bins
        found = [low + at * step for at in range(bins)]
    rising = [edge for at, edge in enumerate(found) if (not at or edge > found[at - 1]) and edge < high]
    return [*rising, high] if rising else [low, math.nextafter(low, math.inf)]
