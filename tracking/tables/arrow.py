"""A table's columns as Arrow and back: native types where they hold every value as it is, else JSON text, marked so.

pyarrow is an extra: it comes with the first call. Nothing that is read is ever unpickled.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from weft.tracking.errors import MissingExtraError
from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.tables.columntypes import plain

if TYPE_CHECKING:
    import pyarrow

    from weft.tracking.blobs import Blobs

StoreBlob = Callable[[bytes], str]

KIND = b"weft.kind"
"""Field metadata: `json` where cells are JSON text in the tagged form."""
ROWS_A_GROUP = 1 << 16
"""Rows that are converted, written and read at a time."""
_INT64 = range(-(1 << 63), 1 << 63)
_EXACT = 1 << 53
_DIGITS = 38
"""Of a decimal number in 128 bits."""


def pyarrow_for(what: str) -> Any:
    """The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow  # optional, and slow to import
    except ImportError as error:
        raise MissingExtraError(what, "tables") from error
    return pyarrow


def to_arrow(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], what: str, store_blob: StoreBlob | None = None
) -> pyarrow.Table:
    """Rows as an Arrow table, in chunks of a row group.

    Args:
        what: the call that asks, for the message where pyarrow is missing.
        store_blob: where images and other big content of cells go; without it they are described or written inline.
    """
    arrow = pyarrow_for(what)
    fields, arrays = [], []
    for at, name in enumerate(columns):
        kind, array = _column(arrow, [plain(row[at]) for row in rows], store_blob)
        fields.append(arrow.field(name, array.type, metadata={KIND: kind.encode()}))
        arrays.append(array)
    return arrow.table(arrays, schema=arrow.schema(fields))


def from_arrow(content: pyarrow.Table, blobs: Blobs | None = None) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of Python values; JSON text that we wrote as what it says, media as media."""
    columns = []
    for field, column in zip(content.schema, content.columns, strict=True):
        values = column.to_pylist()
        if (field.metadata or {}).get(KIND) == b"json":
            values = [_cell(cell, blobs) if isinstance(cell, str) else cell for cell in values]
        columns.append(values)
    return [field.name for field in content.schema], [list(row) for row in zip(*columns, strict=True)]


def _cell(text: str, blobs: Blobs | None) -> Any:
    value = decode(text)
    if '"_type"' not in text:
        return value
    from weft.tracking.media.restoring import revived  # most tables hold no media

    return revived(value, blobs)


def _column(arrow: Any, values: Sequence[Any], store_blob: StoreBlob | None) -> tuple[str, pyarrow.ChunkedArray]:
    """The narrowest native type that holds every value as it is; JSON text where none does."""
    native = _native(arrow, values)
    if native is not None:
        try:
            return "native", _chunked(arrow, values, native, lambda value: value)
        except (arrow.ArrowInvalid, UnicodeEncodeError, OverflowError):  # a lone surrogate, a year out of range
            pass
    return "json", _chunked(arrow, values, arrow.string(), lambda value: encode(value, store_blob=store_blob).decode())


def _chunked(arrow: Any, values: Sequence[Any], kind: Any, write: Callable[[Any], Any]) -> pyarrow.ChunkedArray:
    chunks = [
        arrow.array(
            [None if value is None else write(value) for value in values[start : start + ROWS_A_GROUP]],
            type=kind,
            from_pandas=False,
        )
        for start in range(0, len(values), ROWS_A_GROUP)
    ]
    return arrow.chunked_array(chunks, type=kind)


def _native(arrow: Any, values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {list}:
        inner = _scalar(arrow, [item for value in values if value is not None for item in value])
        return None if inner is None else arrow.list_(inner)
    if kinds == {bytes}:
        return arrow.binary()
    if kinds == {datetime.date}:
        return arrow.date32()
    if kinds == {datetime.datetime}:
        return _timestamp(arrow, [value for value in values if value is not None])
    if kinds == {Decimal}:
        return _decimal(arrow, [value for value in values if value is not None])
    return arrow.string() if not kinds else _scalar(arrow, values)


def _decimal(arrow: Any, values: Sequence[Decimal]) -> Any:
    """With as many places as the one that has most; None where that is more than 38 digits, or one is no number."""
    before, behind = 1, 0
    for value in values:
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):  # NaN and infinities have a letter there
            return None
        before, behind = max(before, len(digits) + exponent), max(behind, -exponent)
    return arrow.decimal128(before + behind, behind) if before + behind <= _DIGITS else None


def _scalar(arrow: Any, values: Sequence[Any]) -> Any:
    """The type of numbers, booleans or texts; None where no one type holds them exactly."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return arrow.bool_()
    if kinds == {int}:
        return arrow.int64() if all(value is None or value in _INT64 for value in values) else None
    if kinds == {float}:
        return arrow.float64()
    if kinds == {int, float}:
        exact = all(type(value) is not int or -_EXACT <= value <= _EXACT for value in values)
        return arrow.float64() if exact else None
    return arrow.string() if kinds == {str} else None


def _timestamp(arrow: Any, values: Sequence[datetime.datetime]) -> Any:
    """Times without a zone as they are; those of any zone as the same instants in UTC."""
    aware = {value.tzinfo is not None for value in values}
    if len(aware) > 1:
        return None
    return arrow.timestamp("us", tz="UTC" if aware.pop() else None)
