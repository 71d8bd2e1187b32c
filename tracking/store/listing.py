"""One page of a list: filtered, in order, from an offset or behind a cursor. Every list of the readers is made here.

A page costs what it shows: an index gives the order and a cursor says where to go on, so page 10,000 is as fast as the
first, and rows that arrive in between move nothing. Where a filter asks of JSON, rows are looked at in order until the
page is full, at most `MOST_LOOKED_AT` of them.
"""

from __future__ import annotations

import base64
import binascii
import heapq
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Column, ColumnElement, Connection, FromClause, Select, and_, func, or_, select, tuple_
from sqlalchemy.sql.util import find_tables

from weft.tracking.errors import UsageError
from weft.tracking.store import paths
from weft.tracking.store.columns import Condition
from weft.tracking.store.filters import Document, Fields, Filter, Named, Where, compile_filter, document_of, order_of
from weft.tracking.store.lookups import among

MOST_LOOKED_AT = 200_000
"""Rows whose JSON one question reads."""
_PART = 500
"""Rows that are looked at together."""
_MOST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list is made of."""

    table: FromClause
    """Whose rows they are."""
    source: FromClause
    """That, joined with all tables that its fields name."""
    key: ColumnElement[Any]
    """The row's own key: ties are broken by it."""
    fields: Fields
    orders: Mapping[str, ColumnElement[Any]]
    """By which columns it can be ordered; by paths into documents besides."""
    first: str
    """The order in which JSON is read where another is asked for by path: `-start_ns`."""
    count: ColumnElement[Any] | None = None
    """How many rows there are in all, as `meta` keeps it."""
    columns: Sequence[ColumnElement[Any]] = ()
    """What is read of a list that is no table."""

    def needed(self, condition: Condition) -> FromClause:
        """The table alone where the condition asks no other: SQLite would join it to no purpose."""
        asked = find_tables(condition, check_columns=True, include_joins=True)
        return (
            self.source if any(table in asked for table in _tables(self.source) - _tables(self.table)) else self.table
        )


def _tables(source: FromClause) -> set[Any]:
    return set(find_tables(source, include_joins=False))


class Listed(NamedTuple):
    """A page as rows of the query."""

    rows: Sequence[Any]
    total: int
    exact: bool
    cursor: str | None
    notes: Sequence[str]


class _Order(NamedTuple):
    name: str
    column: ColumnElement[Any]
    down: bool


def page(
    connection: Connection,
    listing: Listing,
    query: Select[Any],
    where: Where | None,
    *,
    order: str,
    limit: int | None,
    offset: int = 0,
    after: str | None = None,
    also: Condition | None = None,
) -> Listed:
    """The rows of `query` (without condition and order) that a filter means, one page of them.

    Args:
        after: the cursor of the page before; with the same filter and order.
        also: a condition beside the filter.

    Raises:
        UsageError: what cannot be meant by filter, order, limit, offset or cursor.
    """
    _whole(limit=limit, offset=offset)
    found = compile_filter(where, listing.fields, connection)
    if also is not None:
        found = found._replace(condition=found.condition & also)
    if not isinstance(order, str):
        raise UsageError(f'an order is a text like "-start_ns", not {order!r:.80}; valid: {", ".join(listing.orders)}')
    name = order.removeprefix("-")
    column = listing.orders[name] if name in listing.orders else order_of(name, listing.fields)
    if column is None:
        return _by_path(connection, listing, query, found, order, limit, offset, after)
    by = _Order(order, column, order.startswith("-"))
    if found.test is not None:
        return _looked_through(connection, listing, query, found, by, limit, offset, after)
    ordered = by.column.label("weft_order")
    # a subquery by its name: SQLite would ask it a second time
    named = by.column if isinstance(by.column, Column) else ordered
    plain = query.where(found.condition).order_by(*_ordering(by, listing.key, named))
    if after is not None:
        plain = plain.where(_behind(by, listing.key, after))
    plain = plain.add_columns(ordered, listing.key.label("weft_key"))
    if limit is not None:
        plain = plain.limit(min(limit + 1, _MOST))
    if offset:
        plain = plain.offset(min(offset, _MOST))
    rows = connection.execute(plain).all()
    more = limit is not None and len(rows) > limit
    rows = rows[:limit] if more else rows
    if after is None and not more and (rows or not offset):
        total = offset + len(rows)
    elif not where and also is None and listing.count is not None:
        total = connection.execute(select(listing.count)).scalar() or 0
    else:
        counted = select(func.count()).select_from(listing.needed(found.condition)).where(found.condition)
        total = int(connection.execute(counted).scalar_one())
    cursor = _cursor(order, rows[-1].weft_order, rows[-1].weft_key) if more and rows else None
    return Listed(rows, total, True, cursor, ())


def keys(connection: Connection, listing: Listing, where: Where | None) -> tuple[Condition, Sequence[str]]:
    """A filter as a condition that SQL alone can ask, and what is to be known of it: for totals over a filter."""
    found = compile_filter(where, listing.fields, connection)
    if found.test is None:
        return found.condition, ()
    column = listing.orders[listing.first.removeprefix("-")]
    look = _Look(connection, listing, found, _Order(listing.first, column, True), None)
    return among(connection, listing.key, [key for key, _ in look]), look.notes


def _by_path(
    connection: Connection,
    listing: Listing,
    query: Select[Any],
    found: Filter,
    order: str,
    limit: int | None,
    offset: int,
    after: str | None,
) -> Listed:
    """In order of a value within JSON: numbers, then text, then what has none. All that match are read."""
    down, name = order.startswith("-"), order.removeprefix("-")
    document, path = _order_path(order, listing)
    at = len(found.extras)
    extras = (*found.extras, *document.columns)
    column = listing.orders[listing.first.removeprefix("-")]
    by = _Order(name, column, True)
    look = _Look(connection, listing, found._replace(extras=extras), by, None)
    ranked = [
        (paths.rank(paths.found(document.load(*values[at : at + len(document.columns)]), path)), key)
        for key, values in look
    ]
    if after is not None:
        (kind, value), last = _read_cursor(order, after, by_path=True)
        border = _place(((kind, value), last), down)
        ranked = [item for item in ranked if _place(item, down) > border]
    wanted = len(ranked) if limit is None else offset + limit + 1
    chosen = heapq.nsmallest(wanted, ranked, key=lambda item: _place(item, down))[offset:]
    more = limit is not None and len(chosen) > limit
    chosen = chosen[:limit] if more else chosen
    cursor = _cursor(order, list(chosen[-1][0]), chosen[-1][1]) if more and chosen else None
    total = len(ranked) if after is None else offset + len(chosen)
    return Listed(
        _rows(connection, listing, query, chosen), total, not look.notes and after is None, cursor, look.notes
    )


class _Down:
    """Turns a comparison round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Down) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and self.value == other.value


def _place(item: tuple[paths.Rank, int], down: bool) -> Any:
    (kind, value), key = item
    return (kind, _Down(value), -key) if down else (kind, value, key)


def _looked_through(
    connection: Connection,
    listing: Listing,
    query: Select[Any],
    found: Filter,
    by: _Order,
    limit: int | None,
    offset: int,
    after: str | None,
) -> Listed:
    """The filter asks of JSON: rows are looked at in order, until the page is full."""
    look = _Look(connection, listing, found, by, after, bounded=limit is not None)
    hits: list[tuple[Any, int]] = []
    passed, more = 0, False
    with closing(iter(look)) as looked:  # a server's cursor does not stay open when the page is full
        for key, _ in looked:
            if passed < offset:
                passed += 1
            elif limit is None or len(hits) < limit:
                hits.append((look.value, key))
            else:
                more = True
                break
    rows = _rows(connection, listing, query, hits)
    cursor = None
    if more and hits:
        cursor = _cursor(by.name, *hits[-1])
    elif look.stopped is not None:
        cursor = _cursor(by.name, *look.stopped)
    total = passed + len(hits) + (1 if more else 0)
    return Listed(rows, total, not more and look.stopped is None and after is None, cursor, look.notes)


class _Look:
    """The rows that a filter means, in order, each asked in Python: (key, values of the filter's extras)."""

    def __init__(
        self,
        connection: Connection,
        listing: Listing,
        found: Filter,
        by: _Order,
        after: str | None,
        bounded: bool = True,
    ) -> None:
        self._connection = connection
        self._listing = listing
        self._found = found
        self._by = by
        self._after = after
        self._bounded = bounded
        self.value: Any = None
        """What the row at hand is ordered by."""
        self.stopped: tuple[Any, int] | None = None
        """Where the limit of rows was met."""

    @property
    def notes(self) -> Sequence[str]:
        if self.stopped is None:
            return ()
        return (
            f"{MOST_LOOKED_AT:,} rows were looked at, not all: narrow the filter, by time for one, to see the rest",
        )

    def __iter__(self) -> Generator[tuple[int, Sequence[Any]], None, None]:
        key, by, found = self._listing.key, self._by, self._found
        table = self._listing.needed(found.condition)
        narrow = select(key, by.column).select_from(table).where(found.condition)
        narrow = narrow.order_by(*_ordering(by, key))
        if self._after is not None:
            narrow = narrow.where(_behind(by, key, self._after))
        if self._bounded:
            narrow = narrow.limit(MOST_LOOKED_AT + 1)
        wide = select(key, *found.extras).select_from(self._listing.source)
        looked = 0
        rows = self._connection.execute(narrow.execution_options(yield_per=_PART))
        with closing(rows):
            for part in rows.partitions(_PART):
                values = self._connection.execute(wide.where(key.in_([row[0] for row in part])))
                extras = {row[0]: row[1:] for row in values}
                for number, value in part:
                    if self._bounded and looked == MOST_LOOKED_AT:
                        return
                    looked += 1
                    if self._bounded and looked == MOST_LOOKED_AT:
                        self.stopped = (value, number)
                    if found.test is None or found.test(extras[number]):
                        self.value = value
                        yield number, extras[number]
        self.stopped = None


def _rows(
    connection: Connection, listing: Listing, query: Select[Any], hits: Sequence[tuple[Any, int]]
) -> Sequence[Any]:
    """The query's rows of these keys, in their order."""
    chosen = query.add_columns(listing.key.label("weft_key"))
    by_key = {}
    wanted = [key for _, key in hits]
    for at in range(0, len(wanted), 900):
        for row in connection.execute(chosen.where(listing.key.in_(wanted[at : at + 900]))):
            by_key[row.weft_key] = row
    return [by_key[key] for key in wanted]


def _order_path(order: str, listing: Listing) -> Any:
    found = document_of(order.removeprefix("-"), {k: f for k, f in listing.fields.items() if k not in listing.orders})
    if found is None:
        within = {Document: "path", Named: "name"}
        more = [f"{k}.<{within[type(f)]}>" for k, f in listing.fields.items() if type(f) in within]
        shown = [*listing.orders, *more]
        raise UsageError(f"cannot order by {order!r}; valid: {', '.join(shown)} (with - in front: descending)")
    return found


def _ordering(by: _Order, key: ColumnElement[Any], column: ColumnElement[Any] | None = None) -> list[Any]:
    """Unknown values last in either direction, ties by the row's key.

    Args:
        column: the column under a name; default itself.
    """
    named = by.column if column is None else column
    direction = named.desc() if by.down else named.asc()
    if _nullable(by):
        direction = direction.nulls_last()
    return [direction, key.desc() if by.down else key.asc()]


def _nullable(by: _Order) -> bool:
    return bool(getattr(by.column, "nullable", True))


def _behind(by: _Order, key: ColumnElement[Any], after: str) -> Condition:
    """What comes behind a cursor in this order."""
    value, last = _read_cursor(by.name, after)
    column = by.column
    if value is None:
        return and_(column.is_(None), key < last if by.down else key > last)
    here = tuple_(column, key)
    border = tuple_(value, last)
    further: Condition = here < border if by.down else here > border
    return or_(further, column.is_(None)) if _nullable(by) else further


def _cursor(order: str, value: Any, key: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([order, value, key], default=int)).decode().rstrip("=")


def _read_cursor(order: str, cursor: str, by_path: bool = False) -> tuple[Any, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        said, value, key = orjson.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        ranked = isinstance(value, list) and len(value) == 2 and isinstance(value[0], int)
        fits = ranked if by_path else value is None or isinstance(value, (int, float, str))
        if said == order and fits and isinstance(key, int) and abs(key) < 1 << 63:
            return value, key
    except (AttributeError, ValueError, TypeError, binascii.Error):
        pass
    raise UsageError(f"{cursor!r} is no cursor of a list in order of {order!r}: give `Page.cursor` of the page before")


def _whole(**numbers: Any) -> None:
    for name, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise UsageError(f"{name} is {value!r}; it must be a whole number of at least 0")
