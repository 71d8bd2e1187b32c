"""What one `log()` call holds, sorted into numbers, rich values, tables. `Run.log` calls it off its fast path.

What is no number is among the rich values: figures and pictures as media, larger arrays as histograms
(`media.conversion`), the rest as it is. A whole number that no float equals is there too, beside its nearest float
among the numbers; one beyond the largest float is there alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.tracking.errors import UsageError
from weft.tracking.faults import let_through
from weft.tracking.payloads.encoding import Tagged
from weft.tracking.tables import Table, is_frame

EXACT = 1 << 53
"""Whole numbers up to here survive as a float."""
_SIGNED = 1 << 63
"""A record's whole numbers are below this."""
_DEPTH = 32
"""Deeper nesting than this (a dict that holds itself, too) is kept as one rich value."""


@dataclass(slots=True)
class Parts:
    """One call's values by kind, under their dotted names."""

    scalars: dict[str, int | float] = field(default_factory=dict)
    rich: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    again: list[tuple[str, float]] = field(default_factory=list)
    """Numbers whose name another one of this call has (`{"a.b": 1, "a": {"b": 2}}`): points of their own."""
    faults: list[tuple[str, Exception]] = field(default_factory=list)
    """What could not be read, by what was being done; markers stand for it among the rich values."""


def check_values(values: object) -> None:
    """
    Raises:
        TypeError: no mapping, or a name that is no text.
        UsageError: a name of spaces alone, or of nothing: no chart could be told by it.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"log() takes a dict of names and values, got {type(values).__name__}: {values!r:.80}")
    for name in values:
        if not isinstance(name, str):
            raise TypeError(f"names in log() must be text, got {type(name).__name__}: {name!r:.80}")
        if not name.strip():
            raise UsageError(f"a name in log() must hold more than spaces, got {name!r:.80}")


def split(values: Mapping[str, Any]) -> Parts:
    """Sort one call's values; nested dicts become dotted names.

    Raises:
        TypeError: a nested dict has a key that is neither text nor number.
    """
    parts = Parts()
    _split(values.items(), "", parts, _DEPTH)
    return parts


def _split(values: Iterable[tuple[str, Any]], prefix: str, parts: Parts, depth: int) -> None:
    for key, value in values:
        name = prefix + key
        number = scalar(value)
        if isinstance(number, int):
            number = _nearest(name, number, parts)
            if number is None:
                continue
        if number is not None:
            if name in parts.scalars:
                parts.again.append((name, number))
            else:
                parts.scalars[name] = number
        elif isinstance(value, Table):
            parts.tables[name] = value
        elif is_frame(value):
            parts.tables[name] = Table(dataframe=value, allow_mixed_types=True)
        elif depth and (below := _below(value)):
            _split(below, f"{name}.", parts, depth - 1)
        else:
            parts.rich[name] = value if type(value) in _PLAIN else _converted(value, parts)


def _nearest(name: str, number: int, parts: Parts) -> int | float | None:
    """The number itself where a float is exactly it; else the float that stands for it, and what that loses is kept
    whole beside it. None: too large."""
    try:
        nearest = float(number)
    except OverflowError:
        parts.rich[name] = number
        return None
    if nearest != number:
        parts.rich[name] = number
        return nearest
    return number if -_SIGNED <= number < _SIGNED else nearest


_PLAIN = frozenset({str, int, bytes, type(None), dict})


def _converted(value: Any, parts: Parts) -> Any:
    from weft.tracking.media.conversion import converted  # what logs numbers and texts alone need not load it

    return converted(value, parts.faults)


def _below(value: Any) -> list[tuple[str, Any]] | None:
    """What a nested mapping, a dataclass, or a list of tables (by place) holds; None for anything else.

    Pairs, since keys of a mapping may differ and be called the same (`{0: a, "0": b}`).

    Raises:
        TypeError: a key is neither text nor number.
    """
    inner: Iterable[tuple[Any, Any]]
    try:
        if isinstance(value, (list, tuple)):
            tables = bool(value) and all(isinstance(each, Table) or is_frame(each) for each in value)
            inner = list(enumerate(value)) if tables else ()
        elif isinstance(value, Mapping):
            inner = dict(value.items()).items()
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            if isinstance(value, Tagged) or hasattr(value, "__weft_payload__"):  # our own, which know their form
                return None
            inner = [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
        else:
            return None
    except Exception as error:  # somebody else's mapping: then it is a rich value, whose encoding says what it is
        let_through(error)
        return None
    return [(key if isinstance(key, str) else _key(key), each) for key, each in inner]


def _key(key: Any) -> str:
    """A number that is a nested dict's key, as JSON (and so wandb) writes it: per class `0`, `1`; `true`; `0.5`."""
    if isinstance(key, bool):
        return "true" if key else "false"
    number = scalar(key)
    if number is None:
        raise TypeError(
            f"names in log() must be text, or numbers in nested dicts; got {type(key).__name__}: {key!r:.80}"
        )
    return str(number)


def scalar(value: Any) -> float | int | None:
    """This number, bool, or array or tensor of one number: a float or an int. None: no number."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (str, bytes, Mapping, list, tuple)) or value is None:
        return None
    try:
        item = getattr(value, "item", None)
        if not callable(item) or _length(value) != 1:
            return None
        inner = item()
    except Exception as error:  # somebody else's object: then it is a rich value, whose encoding says what it is
        let_through(error)
        return None
    return scalar(inner) if isinstance(inner, (bool, int, float)) else None


def _length(value: Any) -> int | None:
    """Elements of an array or tensor: numpy and jax say `size`, torch says `numel()`."""
    try:
        numel = getattr(value, "numel", None)
        count = numel() if callable(numel) else getattr(value, "size", None)
    except Exception as error:  # as in scalar(): somebody else's object
        let_through(error)
        return None
    return count if isinstance(count, int) else None


def check_step(step: object) -> int:
    """A step as a whole number; 3.0 and numpy's integers will do.

    Raises:
        TypeError: it is no whole number.
        UsageError: it needs more than 64 bits.
    """
    if isinstance(step, bool):
        raise TypeError(f"step must be a whole number, got {step!r}")
    if isinstance(step, float) and math.isfinite(step) and step.is_integer():
        step = int(step)
    index = getattr(step, "__index__", None)
    if index is None:
        raise TypeError(f"step must be a whole number, got {type(step).__name__}: {step!r:.80}")
    whole = int(index())
    if not -(1 << 63) <= whole < 1 << 63:
        raise UsageError(f"step must fit in 64 bits, got {whole}")
    return whole
