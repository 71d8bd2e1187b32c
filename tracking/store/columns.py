"""Columns that lists are filtered by: how values become theirs, and what SQL asks of them. For `filters`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, literal, not_, or_, true

from weft.tracking.errors import UsageError
from weft.tracking.store import paths
from weft.tracking.store.textindex import Search

Convert = Callable[[str, Any], Any]
Condition = ColumnElement[bool]
PICO = 10**12
IN_SQL = (
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$contains",
    "$startswith",
    "$endswith",
)
"""Operators that SQL has words for."""
OF_ITEMS = ("$eq", "$ne", "$in", "$nin", "$exists", "$contains")
"""The same of a list of text that is kept as JSON."""
MOST_ITEMS = 500
"""Of one `$in` of such a list: a condition each, and SQLite takes a tree of 1,000."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column that may be filtered by, and how its values become the column's."""

    column: ColumnElement[Any]
    convert: Convert
    via: Callable[[Condition], Condition] | None = None
    """For a field of another table: turns the condition on `column` there into one on the row here."""
    texts: Sequence[ColumnElement[Any]] = ()
    """With several columns: a pseudo-field that only `$contains` and `$search` ask."""
    search: Callable[[Search], Condition] | None = None
    """For a pseudo-field: the rows that a full-text search finds."""
    items: bool = False
    """A list of text, as JSON or (with `via`) as rows: every operator asks for one of its items."""
    load: Callable[[Any], Any] | None = None
    """The column's value as it is shown, for what SQL cannot ask; None: it is shown as it is."""


def text_of(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"filter {name!r} takes text, not {value!r}")
    # As what is stored: see `frames.encode`; and PostgreSQL's text has no NUL.
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "␀")


def number_of(name: str, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"filter {name!r} takes a number, not {value!r}")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise UsageError(f"filter {name!r} takes a number of 64 bits, not {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class HexId:
    """Converts an id of that many hex digits to its bytes."""

    digits: int

    def __call__(self, name: str, value: Any) -> bytes:
        return self._bytes(name, value, isinstance(value, str) and len(value) == self.digits, f"{self.digits}")

    def end(self, name: str, value: Any) -> bytes:
        """The last digits of one, an even number of them."""
        fits = isinstance(value, str) and 0 < len(value) <= self.digits and len(value) % 2 == 0
        return self._bytes(name, value, fits, f"an even number of, at most {self.digits},")

    def _bytes(self, name: str, value: Any, fits: bool, wanted: str) -> bytes:
        try:
            if fits:
                return bytes.fromhex(value)
        except ValueError:
            pass
        raise UsageError(f"filter {name!r} takes an id of {wanted} hex digits, not {value!r}")


def usd_of(name: str, value: Any) -> int:
    """USD to the store's pico-USD."""
    try:
        if not isinstance(value, bool) and isinstance(value, (int, float, Decimal)):
            pico = int(Decimal(str(value)) * PICO)
            if abs(pico) < 1 << 63:
                return pico
    except (InvalidOperation, OverflowError, ValueError):
        pass
    raise UsageError(f"filter {name!r} takes an amount of USD, not {value!r}")


def through(key: ColumnElement[Any], keys: Select[Any]) -> Callable[[Condition], Condition]:
    """For `Field.via`: rows whose `key` is among `keys`, narrowed by the condition."""

    def via(condition: Condition) -> Condition:
        return key.in_(keys.where(condition))

    return via


def through_one(key: ColumnElement[Any], keys: Select[Any]) -> Callable[[Condition], Condition]:
    """`through` where the value is unique: an equality, which keeps an index's order."""

    def via(condition: Condition) -> Condition:
        operator = getattr(condition, "operator", None)
        if getattr(operator, "__name__", "") == "eq":
            return key == keys.where(condition).scalar_subquery()
        return key.in_(keys.where(condition))

    return via


def column_condition(connection: Connection, name: str, field: Field, operator: str, operand: Any) -> Condition:
    """What an operator asks of a column.

    Raises:
        UsageError: the operator does not apply to it, or takes something else.
    """
    if field.texts:
        if operator == "$search" and field.search is not None:
            return field.search(Search(connection, text_of(name, operand)))
        if operator != "$contains":
            more = ", $search" if field.search is not None else ""
            raise UsageError(f"filter {name!r} takes text or $contains{more}, not {operator}")
    if operator == "$contains":
        return _contains(name, field, operand, connection.dialect.name == "postgresql")
    if operator in ("$startswith", "$endswith"):
        return _begins_or_ends(name, field, operator, operand)
    if operator in ("$in", "$nin"):
        found = _among(name, field, operator, operand)
        return found if operator == "$in" else negated(found)
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise UsageError(f"filter {name!r}: $exists takes True or False, not {operand!r}")
        return not_(_null(field)) if operand else _null(field)
    if operand is None:
        if operator not in ("$eq", "$ne"):
            raise UsageError(f"filter {name!r}: {operator} takes a value, not None")
        return _null(field) if operator == "$eq" else not_(_null(field))
    if field.items:
        if operator not in ("$eq", "$ne"):
            raise UsageError(f"filter {name!r} is a list of text: {operator} does not apply")
        found = _item(field, text_of(name, operand))
        return found if operator == "$eq" else negated(found)
    return _compared(field, operator, field.convert(name, operand))


def negated(condition: Condition) -> Condition:
    return not_(func.coalesce(condition, false()))


def _compared(field: Field, operator: str, value: Any) -> Condition:
    column, via = field.column, field.via or _same
    match operator:
        case "$eq":
            return via(column == value)
        case "$ne":
            return negated(via(column == value))
        case "$gt":
            return via(column > value)
        case "$gte":
            return via(column >= value)
        case "$lt":
            return via(column < value)
        case _:
            return via(column <= value)


def _among(name: str, field: Field, operator: str, operand: Any) -> Condition:
    if not isinstance(operand, Sequence | set | frozenset) or isinstance(operand, str):
        raise UsageError(f"filter {name!r}: {operator} takes a list, not {operand!r}")
    values = [field.convert(name, value) for value in operand if value is not None]
    if field.items and field.via is None:
        if len(values) > MOST_ITEMS:
            raise UsageError(f"filter {name!r}: {operator} takes up to {MOST_ITEMS} texts, not {len(values):,}")
        return or_(false(), *(_item(field, value) for value in values))
    found = (field.via or _same)(field.column.in_(values))
    return or_(found, _null(field)) if any(value is None for value in operand) else found


def _contains(name: str, field: Field, operand: Any, postgresql: bool) -> Condition:
    wanted, case = paths.contained(name, operand)
    wanted = text_of(name, wanted)
    if field.items:
        return _item(field, wanted)
    columns = field.texts or (field.column,)
    if not field.texts and field.convert is not text_of:
        raise UsageError(f"filter {name!r} is no text: $contains does not apply")
    if case:
        place = func.strpos if postgresql else func.instr
        return (field.via or _same)(or_(false(), *(place(column, wanted) > 0 for column in columns)))
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{escaped}%"
    # LIKE disregards case in SQLite (of ASCII letters), ILIKE in PostgreSQL.
    parts = [
        column.bool_op("ILIKE")(literal(pattern)) if postgresql else column.like(pattern, escape="\\")
        for column in columns
    ]
    return (field.via or _same)(or_(false(), *parts))


def _begins_or_ends(name: str, field: Field, operator: str, operand: Any) -> Condition:
    """By the first or last characters of a text, or the last digits of an id: its first ones are its time, alike in
    all that are listed together."""
    convert, via = field.convert, field.via or _same
    if operator == "$endswith" and isinstance(convert, HexId):
        tail = convert.end(name, operand)
        return via(func.substr(field.column, convert.digits // 2 - len(tail) + 1) == tail)
    if convert is not text_of or field.items:
        raise UsageError(
            f"filter {name!r} is no text{'' if operator == '$startswith' else ' and no id'}: {operator} does not apply"
        )
    wanted = text_of(name, operand)
    if operator == "$startswith":
        return via(func.substr(field.column, 1, len(wanted)) == wanted)
    length = func.length(field.column)
    return via(and_(length >= len(wanted), func.substr(field.column, length - len(wanted) + 1) == wanted))


def _item(field: Field, value: str) -> Condition:
    if field.via is not None:
        return field.via(field.column == value)
    # A JSON text ends every item with its quote: this finds whole items only.
    return func.replace(field.column, orjson.dumps(value).decode(), "") != field.column


def _null(field: Field) -> Condition:
    return field.column.is_(None) if field.via is None else negated(field.via(true()))


def _same(condition: Condition) -> Condition:
    return condition
