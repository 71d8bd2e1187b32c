"""The one filter compiler: Mongo-style questions over declared fields. Every listing filters with it.

`{"status": "error", "start_ns": {"$gte": 5}, "$or": [{"name": "a"}, {"inputs.question": {"$contains": "b"}}]}`. Logic
is two-valued, as Mongo's: what is null differs from every value, so `$ne` and `$not` find it.

What columns can tell becomes an SQL condition. What lies within JSON (and what SQL has no words for, like `$regex`) is
asked of each row in Python, by `paths`: the same on every database, of the very values that are shown, and nothing that
a path is made of ever reaches the database. `listing` runs both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, false, func, or_, select, true

from weft.tracking.errors import UsageError
from weft.tracking.store import paths
from weft.tracking.store.columns import (
    IN_SQL,
    OF_ITEMS,
    Condition,
    Field,
    column_condition,
    negated,
    number_of,
    text_of,
)

Where = Mapping[str, Any]
Test = Callable[[Sequence[Any]], bool]
"""Asks one row, by the values of `Filter.extras`."""


@dataclass(frozen=True, slots=True)
class Document:
    """JSON that may be asked by path."""

    columns: Sequence[ColumnElement[Any]]
    """Where it comes from."""
    load: Callable[..., Any]
    """Their values to the document as it is shown."""
    needle: Sequence[ColumnElement[Any]] = ()
    """Columns one of which holds every text of the document as it stands: asked first, by the database."""
    items: bool = False
    """A list of text: every operator asks for one of its items."""


@dataclass(frozen=True, slots=True)
class Related:
    """Rows of another table that belong to this one (scores), of which one must meet the whole filter."""

    fields: Mapping[str, Field]
    via: Callable[[Condition], Condition]
    by: str
    """The field there that `<this>.<name>` names."""


@dataclass(frozen=True, slots=True)
class Named:
    """Numbers and texts of a row under names that are data (a summary's), in a table of their own."""

    table: Table
    """With the columns `name`, `number` and `text`."""
    of: ColumnElement[Any]
    """Whose they are, there."""
    key: ColumnElement[Any]
    """The same, here."""

    def field(self, name: str, kind: str) -> Field:
        """A name's values of one kind, `number` or `text`."""
        column = self.table.c[kind]
        rows = select(self.of).where(self.table.c.name == _unescaped(name))
        return Field(column, text_of if kind == "text" else number_of, via=lambda met: self.key.in_(rows.where(met)))

    def column(self, name: str, kind: str) -> ColumnElement[Any]:
        """The same as a column of the row here."""
        mine = (self.of == self.key) & (self.table.c.name == _unescaped(name))
        return select(self.table.c[kind]).where(mine).scalar_subquery()


def _unescaped(name: str) -> str:
    return name.replace("\\.", ".")


Fields = Mapping[str, Field | Document | Related | Named]


class Filter(NamedTuple):
    """A compiled filter: a row is meant that meets `condition` and, where there is one, `test`."""

    condition: Condition
    test: Test | None
    extras: Sequence[ColumnElement[Any]]
    """What must be selected for the test."""


MOST_CONDITIONS = 400
MOST_DEEP = 60


def compile_filter(where: Where | None, fields: Fields, connection: Connection) -> Filter:
    """What a filter means.

    Raises:
        UsageError: an unknown field or operator (the message lists the valid ones) or a value of the wrong type.
    """
    if where is None:
        return Filter(true(), None, ())
    check_size(where)
    compiler = _Compiler(fields, connection)
    part = compiler.all(where)
    return Filter(true() if part.sql is None else part.sql, part.test, compiler.extras)


def check_size(where: Where) -> None:
    """No database takes conditions without end (SQLite: a tree of 1,000), nor does Python's stack."""
    waiting: list[tuple[Any, int]] = [(where, 1)]
    conditions = 0
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, Mapping):
            conditions += len(value)
            inner: Iterable[Any] = value.values()
        elif isinstance(value, list | tuple):
            inner = (item for item in value if isinstance(item, Mapping))
        else:
            continue
        if depth > MOST_DEEP or conditions > MOST_CONDITIONS:
            raise UsageError(
                f"a filter has at most {MOST_CONDITIONS} conditions, nested {MOST_DEEP} deep; this one has more. "
                '{"name": {"$in": [...]}} takes many values as one condition'
            )
        waiting += [(item, depth + 1) for item in inner]


def compile_condition(where: Where | None, fields: Mapping[str, Field], connection: Connection) -> Condition:
    """The same for a table that has columns only, asked with operators that SQL has words for."""
    found = compile_filter(where, fields, connection)
    if found.test is not None:
        raise UsageError(f"this list takes these filter operators only: {', '.join(IN_SQL)}, $and, $or, $nor, $not")
    return found.condition


def document_of(name: str, fields: Fields) -> tuple[Document, tuple[str, ...]] | None:
    """The document and the path within it that a name means, if it means one; a column is one of one value."""
    field, rest = _resolve(name, fields)
    if isinstance(field, Field) and rest is None and field.via is None and not field.texts:
        return Document((field.column,), field.load or _itself, items=field.items), ()
    if isinstance(field, Document):
        return field, () if rest is None else paths.split(name, rest)
    if isinstance(field, Named) and rest is not None:
        columns = (field.column(rest, "number"), field.column(rest, "text"))
        return Document(columns, lambda number, text: text if number is None else number), ()
    return None


def order_of(name: str, fields: Fields) -> ColumnElement[Any] | None:
    """The column that a named value is ordered by: its numbers; None where the name means no such value."""
    field, rest = _resolve(name, fields)
    return field.column(rest, "number") if isinstance(field, Named) and rest is not None else None


def _resolve(name: str, fields: Fields) -> tuple[Field | Document | Related | Named | None, str | None]:
    """The field of a name, and the rest of the name behind its first dot."""
    if name in fields:
        return fields[name], None
    head, dot, rest = name.partition(".")
    found = fields.get(head) if dot else None
    return (None, None) if isinstance(found, Field) else (found, rest)


class _Part(NamedTuple):
    """A piece of a filter: what SQL asks of it, and what is then asked in Python."""

    sql: Condition | None
    test: Test | None = None


class _Compiler:
    """One filter's compilation."""

    def __init__(self, fields: Fields, connection: Connection) -> None:
        self._fields = fields
        self._connection = connection
        self._postgresql = connection.dialect.name == "postgresql"
        self.extras: list[ColumnElement[Any]] = []

    def all(self, where: Any) -> _Part:
        if not isinstance(where, Mapping):
            raise UsageError(f'a filter is a dict like {{"status": "error"}}, not {where!r}')
        return self._and([self._one(name, value) for name, value in where.items()])

    def _one(self, name: Any, value: Any) -> _Part:
        if name in ("$and", "$or", "$nor"):
            if not isinstance(value, Sequence) or isinstance(value, str):
                raise UsageError(f"filter {name} takes a list of filters, not {value!r}")
            parts = [self.all(part) for part in value]
            if name == "$and":
                return self._and(parts)
            return self._or(parts) if name == "$or" else self._not(self._or(parts))
        if name == "$not":
            return self._not(self.all(value))
        field, rest = _resolve(name, self._fields) if isinstance(name, str) else (None, None)
        if field is None:
            raise UsageError(
                f"unknown filter field {name!r}; valid: {', '.join(_shown(self._fields))}, and $and, $or, $nor, $not"
            )
        if isinstance(field, Related):
            return self._related(name, field, rest, value)
        if isinstance(field, Named):
            return self._named(name, field, rest, value)
        if not _is_operators(value):
            value = {"$contains" if isinstance(field, Field) and field.texts else "$eq": value}
        return self._leaves(name, field, value)

    def _named(self, name: str, field: Named, rest: str | None, value: Any) -> _Part:
        if rest is None:
            raise UsageError(f"filter {name!r} takes a name: {name}.<name>")
        parts = []
        for operator, operand in (value if _is_operators(value) else {"$eq": value}).items():
            if operator == "$not":
                parts.append(self._not(self._named(name, field, rest, operand)))
            elif operator in IN_SQL and not _is_field(operand) and not _is_mixed(operand):
                textual = _of_text(operand) or operator in ("$contains", "$startswith", "$endswith")
                kind = "text" if textual else "number"
                asked = float(operand) if isinstance(operand, bool) and operator != "$exists" else operand
                parts.append(_Part(column_condition(self._connection, name, field.field(rest, kind), operator, asked)))
            elif operator == "$as":
                raise UsageError(f"filter {name!r} holds numbers and texts: $as does not apply")
            else:
                parts.append(self._asked(name, operator, operand))
        return self._and(parts)

    def _leaves(self, name: str, field: Field | Document, asked: Mapping[str, Any]) -> _Part:
        if "$as" in asked:
            rest = {operator: operand for operator, operand in asked.items() if operator != "$as"}
            return self._and([self._asked(name, operator, operand, asked["$as"]) for operator, operand in rest.items()])
        return self._and([self._leaf(name, field, operator, operand) for operator, operand in asked.items()])

    def _leaf(self, name: str, field: Field | Document, operator: str, operand: Any) -> _Part:
        if operator == "$not":
            return self._not(self._leaves(name, field, operand if _is_operators(operand) else {"$eq": operand}))
        if isinstance(field, Field):
            in_sql = OF_ITEMS if field.items and field.via is None else IN_SQL
            if (operator in in_sql and not _is_field(operand)) or field.texts:
                return _Part(column_condition(self._connection, name, field, operator, operand))
            if operator not in paths.OPERATORS:
                raise UsageError(f"unknown filter operator {operator!r} of {name!r}; valid: {', '.join(OPERATORS)}")
        return self._asked(name, operator, operand)

    def _asked(self, name: str, operator: str, operand: Any, kind: Any = None) -> _Part:
        """An operator that is asked in Python, of the values as they are or (`kind`) as another type."""
        if operator == "$not":
            asked = operand if _is_operators(operand) else {"$eq": operand}
            return self._not(self._and([self._asked(name, inner, value, kind) for inner, value in asked.items()]))
        values = self._values(name)
        if kind is not None:
            values = _then(paths.cast(name, kind), values)
        if _is_field(operand) and operator in paths.COMPARISONS:
            others = self._values(operand["$field"])
            return _Part(None, lambda row: paths.compared(operator, values(row), others(row)))
        document = document_of(name, self._fields)
        whole = document is not None and document[0].items
        if whole and operator == "$contains":
            operator = "$eq"
        test = paths.test(name, operator, operand)
        hint = None if kind is not None or document is None else self._hint(document[0], operator, operand)
        return _Part(hint, lambda row: test(values(row)))

    def _values(self, name: Any) -> Callable[[Sequence[Any]], list[Any]]:
        """What a row has at a name."""
        found = document_of(name, self._fields) if isinstance(name, str) else None
        if found is None:
            raise UsageError(f"{name!r} cannot be compared so; valid: {', '.join(_shown(self._fields))}")
        document, path = found
        first, count = len(self.extras), len(document.columns)
        self.extras += document.columns
        load = document.load

        def values(row: Sequence[Any]) -> list[Any]:
            return paths.found(load(*row[first : first + count]), path)

        return values

    def _hint(self, document: Document, operator: str, operand: Any) -> Condition | None:
        """What must stand in the text of a document where this holds: the database passes over the rest."""
        wanted: Any = operand
        if operator == "$contains":
            wanted, case = paths.contained("", operand)
            wanted = wanted if case else None
        if operator not in ("$eq", "$contains", "$startswith", "$endswith") or not isinstance(wanted, str):
            return None
        plain = wanted.isascii() and wanted.isprintable() and not set('"\\/') & set(wanted)
        if not document.needle or not plain or len(wanted) < 2:
            return None
        place = func.strpos if self._postgresql else func.instr
        return or_(*(place(column, wanted) > 0 for column in document.needle))

    def _related(self, name: str, field: Related, rest: str | None, value: Any) -> _Part:
        if rest is None:
            if _is_operators(value) and len(value) == 1:
                ((operator, operand),) = value.items()
                if operator == "$exists" and isinstance(operand, bool):
                    found = field.via(true())
                    return _Part(found if operand else negated(found))
                if operator == "$elemMatch":
                    return _Part(field.via(compile_condition(operand, field.fields, self._connection)))
            raise UsageError(
                f'filter {name!r} takes {{"$elemMatch": {{...}}}} over {", ".join(field.fields)}, {{"$exists": true}}, '
                f"or a {field.by}: {name}.<{field.by}>.value"
            )
        about, dot, last = rest.rpartition(".")
        if not dot or last not in field.fields:
            about, last = rest, "label" if _of_text(value) else "value"
        asked = dict(value) if _is_operators(value) else {"$eq": value}
        about = about.replace("\\.", ".")
        if asked.get("$eq", 0) is None or "$ne" in asked or "$nin" in asked or "$not" in asked:
            # None of them: of all with that name, not of one.
            turned = {"$ne": "$eq", "$nin": "$in"}
            parts = []
            for operator, operand in asked.items():
                positive = {turned.get(operator, operator): operand} if operator != "$not" else operand
                found = field.via(self._row_of(field, about, last, positive))
                parts.append(negated(found) if operator in (*turned, "$not") else found)
            return _Part(and_(true(), *parts))
        return _Part(field.via(self._row_of(field, about, last, asked)))

    def _row_of(self, field: Related, about: str, last: str, asked: Any) -> Condition:
        return compile_condition({field.by: about, last: asked}, field.fields, self._connection)

    def _and(self, parts: Sequence[_Part]) -> _Part:
        sql = [part.sql for part in parts if part.sql is not None]
        tests = [part.test for part in parts if part.test is not None]
        condition = and_(*sql) if len(sql) > 1 else sql[0] if sql else true() if not tests else None
        return _Part(condition, _all_of(tests) if tests else None)

    def _or(self, parts: Sequence[_Part]) -> _Part:
        if all(part.test is None for part in parts):
            return _Part(or_(false(), *(part.sql for part in parts if part.sql is not None)))
        tests = [self._tested(part) for part in parts]
        return _Part(None, lambda row: any(test(row) for test in tests))

    def _not(self, part: _Part) -> _Part:
        if part.test is None:
            return _Part(negated(true() if part.sql is None else part.sql))
        test = self._tested(part)
        return _Part(None, lambda row: not test(row))

    def _tested(self, part: _Part) -> Test:
        """A part asked in Python alone: its condition is a column of its own."""
        tests = [] if part.test is None else [part.test]
        if part.sql is not None:
            at = len(self.extras)
            self.extras.append(func.coalesce(part.sql, false()))
            tests.insert(0, lambda row: bool(row[at]))
        return _all_of(tests)


OPERATORS = (*paths.OPERATORS, "$not", "$as")


def _shown(fields: Fields) -> list[str]:
    """The names as a message lists them."""
    tails = {Document: ".<path>", Related: ".<name>", Named: ".<name>"}
    return [name + tails.get(type(field), "") for name, field in fields.items()]


def _is_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(key, str) and key[:1] == "$" for key in value)


def _of_text(value: Any) -> bool:
    """Whether text is compared with."""
    if isinstance(value, Mapping):
        return any(_of_text(operand) for operand in value.values())
    return any(map(_of_text, value)) if isinstance(value, (list, tuple)) else isinstance(value, str)


def _is_mixed(operand: Any) -> bool:
    """A list of texts and numbers."""
    return isinstance(operand, (list, tuple)) and len({isinstance(value, str) for value in operand}) > 1


def _is_field(operand: Any) -> bool:
    return isinstance(operand, Mapping) and operand.keys() == {"$field"}


def _itself(value: Any) -> Any:
    return value


def _then(
    convert: Callable[[list[Any]], list[Any]], values: Callable[[Sequence[Any]], list[Any]]
) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda row: convert(values(row))


def _all_of(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)
