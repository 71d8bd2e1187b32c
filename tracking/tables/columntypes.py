"""What kind of value a column holds, and whether the next one fits; and which objects of other libraries are frames.

Called by `Table` for every cell. Pure; other libraries are recognised, never imported.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weft.tracking.errors import UsageError

ANY = "any"
_KINDS: Mapping[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    bytes: "bytes",
    bytearray: "bytes",
    memoryview: "bytes",
    datetime.datetime: "timestamp",
    datetime.date: "timestamp",
    list: "list",
    tuple: "list",
    set: "list",
    frozenset: "list",
    dict: "dict",
}
_NUMPY = {"b": "boolean", "i": "number", "u": "number", "f": "number", "M": "timestamp", "U": "string", "S": "bytes"}
"""Kind by the letter of a numpy dtype."""


@dataclass(slots=True)
class ColumnType:
    """What a column takes. `kind` is boolean, number, string, bytes, timestamp, list, dict, a class's name (media and
    other objects), `any`, or None while no value has said it."""

    kind: str | None = None
    optional: bool = True

    def check(self, value: Any, row: int, column: str) -> None:
        """Take a value: the first one says what the column holds.

        Args:
            row, column: which cell it is, for the message.

        Raises:
            TypeError: it is of another kind, or None where none may be.
        """
        found = _KINDS.get(type(value)) or kind_of(value)
        if found is None:
            if not self.optional:
                raise TypeError(
                    f"{_cell(row, column)} is None, and the column takes none. Pass optional=True to allow it"
                )
        elif self.kind is None:
            self.kind = found
        elif found != self.kind != ANY:
            raise TypeError(
                f"{_cell(row, column)} is of type {found} ({value!r:.60}), the column holds type {self.kind}. "
                "Convert it, or make the Table with allow_mixed_types=True"
            )


def _cell(row: int, column: str) -> str:
    return f"row {row} of the Table, column {column!r},"


def kind_of(value: Any) -> str | None:
    """The kind of a value; None for None."""
    if value is None:
        return None
    known = _KINDS.get(type(value))
    return known if known is not None else _kind_of_type(type(value), value)


def _kind_of_type(cls: type, value: Any = None) -> str:
    numpy = sys.modules.get("numpy")  # whose array this is has imported it
    if numpy is not None and issubclass(cls, numpy.generic):
        dtype = numpy.dtype(cls) if value is None else value.dtype
        return _NUMPY.get(dtype.kind, cls.__name__)
    if numpy is not None and issubclass(cls, numpy.ndarray):
        return "list"
    return next((_KINDS[base] for base in cls.__mro__ if base in _KINDS), cls.__name__)


def kind_from(dtype: Any) -> str | None:
    """The kind that a `dtype` argument means: a Python or numpy type, a numpy dtype, a kind's own name, None.

    Raises:
        UsageError: it means none.
    """
    if dtype is None:
        return None
    if dtype is Any or dtype is object:
        return ANY
    if isinstance(dtype, type):
        return _kind_of_type(dtype)
    if isinstance(dtype, str) and dtype in {ANY, *_KINDS.values()}:
        return dtype
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(dtype, numpy.dtype):
        return _NUMPY.get(dtype.kind, ANY)
    raise UsageError(
        f"a column's dtype is a type (str, float, ...) or one of {', '.join(sorted({ANY, *_KINDS.values()}))}; "
        f"got {dtype!r:.80}"
    )


def per_column(what: str, given: Any, columns: list[str]) -> list[Any]:
    """One item for all columns, or a list (or dict by name) of one each.

    Raises:
        UsageError: the list has another length, the dict a strange name.
    """
    if isinstance(given, Mapping):
        strange = [str(name) for name in given if name not in columns]
        if strange:
            raise UsageError(f"{what} names no column of the Table: {', '.join(strange)}; it has {', '.join(columns)}")
        return [given.get(name, True if what == "optional" else None) for name in columns]
    if isinstance(given, Iterable) and not isinstance(given, (str, type)):
        items = list(given)
        if len(items) != len(columns):
            raise UsageError(f"{what} has {len(items)} items for {len(columns)} columns")
        return items
    return [given] * len(columns)


def is_frame(value: object) -> bool:
    """Whether this is a data frame of pandas or polars, or an Arrow table; none of them is imported to find out."""
    return any(isinstance(value, cls) for cls in _frame_classes())


def _frame_classes() -> Iterator[type]:
    for module, name in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table")):
        cls = getattr(sys.modules.get(module), name, None)  # who passes one has imported it
        if isinstance(cls, type):
            yield cls


def plain(value: Any) -> Any:
    """numpy's, torch's and pandas' values as Python's own, where nothing is lost; their words for nothing as None."""
    if type(value) in _KINDS or value is None:
        return value
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    torch: Any = sys.modules.get("torch")
    if pandas is not None and (value is getattr(pandas, "NaT", ...) or value is getattr(pandas, "NA", ...)):
        return None
    if numpy is not None and isinstance(value, numpy.generic) and not isinstance(value, numpy.datetime64):
        return value.item()
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind in "biufUSO":
        return value.tolist()
    if torch is not None and isinstance(value, torch.Tensor):
        from weft.tracking.media.arrays import fetched  # most tables hold no tensor

        return fetched(value).tolist()
    if isinstance(value, datetime.datetime) and type(value) is not datetime.datetime:
        convert = getattr(value, "to_pydatetime", None)
        if callable(convert) and not getattr(value, "nanosecond", 0):
            return convert()
    return value
