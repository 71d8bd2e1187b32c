"""The one filter compiler: Mongo-style questions over declared fields to SQL conditions. Every listing filters with it.

`{"status": "error", "start_ns": {"$gte": 5}, "$or": [{"name": "a"}, {"name": {"$contains": "b"}}]}`. Logic is
two-valued, as Mongo's: what is null differs from every value, so `$ne` and `$not` find it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, false, func, literal, not_, or_, true

from weft.tracking.errors import UsageError

Where = Mapping[str, Any]
Convert = Callable[[str, Any], Any]
PICO = 10**12

_COMPARE = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists")
OPERATORS = (*_COMPARE, "$contains", "$endswith")


@dataclass(frozen=True, slots=True)
class Field:
    """What may be filtered by, and how its values become the column's."""

    column: ColumnElement[Any]
    convert: Convert
    via: Callable[[ColumnElement[bool]], ColumnElement[bool]] | None = None
    """For a field of another table: turns the condition on `column` there into one on the row here."""
    texts: Sequence[ColumnElement[Any]] = ()
    """With several columns: a pseudo-field that only `$contains` asks."""
    items: bool = False
    """A list of text, as JSON or (with `via`) as rows: every operator asks for one of its items."""


def text_of(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"filter {name!r} takes text, not {value!r}")
    return value.encode("utf-8", "backslashreplace").decode()  # as what is stored: see `frames.encode`


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


def compile_filter(where: Where | None, fields: Mapping[str, Field], dialect: str) -> ColumnElement[bool]:
    """The SQL condition of a filter.

    Raises:
        UsageError: an unknown field or operator (the message lists the valid ones) or a value of the wrong type.
    """
    if where is None:
        return true()
    return _all(where, fields, dialect)


def compile_order(order: str, columns: Mapping[str, ColumnElement[Any]], key: ColumnElement[Any]) -> list[Any]:
    """ORDER BY of `name` or `-name`, unknown values last, ties by the row's key.

    Raises:
        UsageError: nothing is ordered by that.
    """
    down = order.startswith("-")
    name = order.removeprefix("-")
    if name not in columns:
        raise UsageError(f"cannot order by {order!r}; valid: {', '.join(columns)} (with - in front: descending)")
    column = columns[name]
    direction = column.desc() if down else column.asc()
    if getattr(column, "nullable", True):
        direction = direction.nulls_last()
    return [direction, key.desc() if down else key.asc()]


def through(key: ColumnElement[Any], keys: Select[Any]) -> Callable[[ColumnElement[bool]], ColumnElement[bool]]:
    """For `Field.via`: rows whose `key` is among `keys`, narrowed by the condition."""

    def via(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return key.in_(keys.where(condition))

    return via


def through_one(key: ColumnElement[Any], keys: Select[Any]) -> Callable[[ColumnElement[bool]], ColumnElement[bool]]:
    """`through` where the value is unique: an equality, which keeps an index's order."""

    def via(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        operator = getattr(condition, "operator", None)
        if getattr(operator, "__name__", "") == "eq":
            return key == keys.where(condition).scalar_subquery()
        return key.in_(keys.where(condition))

    return via


def _all(where: Where, fields: Mapping[str, Field], dialect: str) -> ColumnElement[bool]:
    if not isinstance(where, Mapping):
        raise UsageError(f'a filter is a dict like {{"status": "error"}}, not {where!r}')
    parts = [_one(name, value, fields, dialect) for name, value in where.items()]
    return and_(true(), *parts)


def _one(name: str, value: Any, fields: Mapping[str, Field], dialect: str) -> ColumnElement[bool]:
    if name in ("$and", "$or"):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise UsageError(f"filter {name} takes a list of filters, not {value!r}")
        parts = [_all(part, fields, dialect) for part in value]
        return and_(true(), *parts) if name == "$and" else or_(false(), *parts)
    if name == "$not":
        return _negated(_all(value, fields, dialect))
    field = fields.get(name)
    if field is None:
        raise UsageError(f"unknown filter field {name!r}; valid: {', '.join(fields)}, and $and, $or, $not")
    if not isinstance(value, Mapping):
        value = {"$contains" if field.texts else "$eq": value}
    return and_(true(), *(_leaf(name, field, operator, operand, dialect) for operator, operand in value.items()))


def _negated(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return not_(func.coalesce(condition, false()))


def _leaf(name: str, field: Field, operator: str, operand: Any, dialect: str) -> ColumnElement[bool]:
    if operator == "$not":
        return _negated(_one(name, operand, {name: field}, dialect))
    if operator == "$contains":
        return _contains(name, field, operand, dialect)
    if operator == "$endswith":
        return _ends(name, field, operand)
    if operator not in _COMPARE:
        raise UsageError(f"unknown filter operator {operator!r} of {name!r}; valid: {', '.join(OPERATORS)}, $not")
    if field.texts:
        raise UsageError(f"filter {name!r} takes text or $contains, not {operator}")
    if operator in ("$in", "$nin"):
        found = _among(name, field, operator, operand)
        return found if operator == "$in" else _negated(found)
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
        return found if operator == "$eq" else _negated(found)
    return _compared(field, operator, field.convert(name, operand))


def _compared(field: Field, operator: str, value: Any) -> ColumnElement[bool]:
    column, via = field.column, field.via or _same
    match operator:
        case "$eq":
            return via(column == value)
        case "$ne":
            return _negated(via(column == value))
        case "$gt":
            return via(column > value)
        case "$gte":
            return via(column >= value)
        case "$lt":
            return via(column < value)
        case _:
            return via(column <= value)


def _among(name: str, field: Field, operator: str, operand: Any) -> ColumnElement[bool]:
    if not isinstance(operand, Sequence | set | frozenset) or isinstance(operand, str):
        raise UsageError(f"filter {name!r}: {operator} takes a list, not {operand!r}")
    values = [field.convert(name, value) for value in operand if value is not None]
    if field.items:
        return or_(false(), *(_item(field, value) for value in values))
    found = (field.via or _same)(field.column.in_(values))
    return or_(found, _null(field)) if any(value is None for value in operand) else found


def _contains(name: str, field: Field, operand: Any, dialect: str) -> ColumnElement[bool]:
    wanted = text_of(name, operand)
    if field.items:
        return _item(field, wanted)
    columns = field.texts or (field.column,)
    if not field.texts and field.convert is not text_of:
        raise UsageError(f"filter {name!r} is no text: $contains does not apply")
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{escaped}%"
    # LIKE disregards case in SQLite (of ASCII letters), ILIKE in PostgreSQL.
    parts = [
        column.bool_op("ILIKE")(literal(pattern)) if dialect == "postgresql" else column.like(pattern, escape="\\")
        for column in columns
    ]
    return (field.via or _same)(or_(false(), *parts))


def _ends(name: str, field: Field, operand: Any) -> ColumnElement[bool]:
    """By the last digits of an id: the first ones are its time, alike in all that are listed together."""
    if not isinstance(field.convert, HexId):
        raise UsageError(f"filter {name!r} is no id: $endswith does not apply")
    tail = field.convert.end(name, operand)
    return (field.via or _same)(func.substr(field.column, field.convert.digits // 2 - len(tail) + 1) == tail)


def _item(field: Field, value: str) -> ColumnElement[bool]:
    if field.via is not None:
        return field.via(field.column == value)
    # A JSON text ends every item with its quote: this finds whole items only.
    return func.replace(field.column, orjson.dumps(value).decode(), "") != field.column


def _null(field: Field) -> ColumnElement[bool]:
    return field.column.is_(None) if field.via is None else _negated(field.via(true()))


def _same(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return condition
