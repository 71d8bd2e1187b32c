"""Answers about conversations: the turns of a thread, summed up. For `Reader`.

A turn is the topmost call of a thread: the one whose turn id is its own, or a root that has a thread and no turn id (as
other libraries write it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, cast, func, literal_column, or_, select

from weft.tracking.store import schema
from weft.tracking.store.columns import Condition, Field, number_of, text_of, usd_of
from weft.tracking.store.fields import orders, project_field
from weft.tracking.store.filters import Fields, Where
from weft.tracking.store.listing import Listing, page
from weft.tracking.store.lookups import parts, projects, usd
from weft.tracking.store.readmodels import Page, ThreadRecord
from weft.tracking.store.tracereader import percentile

_s = schema.span.c
_t = schema.trace.c


def turn(sqlite: bool) -> Condition:
    """Spans that are turns."""
    own = func.lower(func.hex(_s.span_id)) if sqlite else func.encode(_s.span_id, "hex")
    topmost = or_(_s.turn_id == own, and_(_s.turn_id.is_(None), _s.parent_id.is_(None)))
    return and_(_s.thread_id.is_not(None), _s.project_key.is_not(None), topmost)


def _listing(topmost: Condition) -> Listing:
    turns = (
        select(
            _s.thread_id,
            _s.project_key,
            func.min(_s.id).label("id"),
            func.count().label("turn_count"),
            func.min(_s.start_ns).label("start_ns"),
            func.max(func.coalesce(_s.end_ns, _s.start_ns)).label("last_ns"),
            _sum(case((_s.status == "error", 1), else_=0)).label("error_count"),
        )
        .where(topmost)
        .group_by(_s.thread_id, _s.project_key)
        .subquery("turns")
    )
    used = (
        select(
            _t.thread_id,
            _t.project_key,
            _sum(_t.input_tokens).label("input_tokens"),
            _sum(_t.output_tokens).label("output_tokens"),
            # Money in two parts: a sum of 64-bit numbers may fit none.
            _sum(_t.cost_pico_usd.op("/")(_MILLION)).label("cost_micro"),
            _sum(_t.cost_pico_usd % _MILLION).label("cost_pico"),
        )
        .where(_t.thread_id.is_not(None))
        .group_by(_t.thread_id, _t.project_key)
        .subquery("used")
    )
    c, u = turns.c, used.c
    fields: Fields = {
        "thread_id": Field(c.thread_id, text_of),
        "project": project_field(c.project_key),
        "turn_count": Field(c.turn_count, number_of),
        "start_ns": Field(c.start_ns, number_of),
        "last_ns": Field(c.last_ns, number_of),
        "error_count": Field(c.error_count, number_of),
        "input_tokens": Field(u.input_tokens, number_of),
        "output_tokens": Field(u.output_tokens, number_of),
        "cost": Field(u.cost_micro, _micro_of, load=_usd_of_micro),
    }
    joined = turns.outerjoin(used, and_(u.thread_id == c.thread_id, u.project_key == c.project_key))
    return Listing(
        joined, joined, c.id, fields, orders(fields), first="-last_ns", columns=(*c, *(u[name] for name in _USED))
    )


_USED = ("input_tokens", "output_tokens", "cost_micro", "cost_pico")
_MILLION: Any = literal_column("1000000")


def _micro_of(name: str, value: Any) -> int:
    return usd_of(name, value) // 10**6


def _usd_of_micro(micro: int | None) -> Decimal | None:
    return None if micro is None else usd(micro * 10**6)


def _sum(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.sum(value), BigInteger)


def threads(
    connection: Connection, where: Where | None, order: str, limit: int | None, offset: int, after: str | None = None
) -> Page[ThreadRecord]:
    topmost = turn(connection.dialect.name == "sqlite")
    listing = _listing(topmost)
    query = select(*listing.columns).select_from(listing.source)
    found = page(connection, listing, query, where, order=order, limit=limit, offset=offset, after=after)
    names = projects(connection) if found.rows else {}
    turns = _turns(connection, topmost, [row.thread_id for row in found.rows])
    records = [_record(row, names, turns[row.thread_id, row.project_key]) for row in found.rows]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _turns(
    connection: Connection, topmost: Condition, thread_ids: Sequence[str]
) -> Mapping[tuple[str, int], list[Any]]:
    """The turns of these threads, in order of time."""
    found: dict[tuple[str, int], list[Any]] = {}
    for part in parts(thread_ids):
        query = select(_s.thread_id, _s.project_key, _s.span_id, _s.duration_ns)
        query = query.where(topmost, _s.thread_id.in_(part)).order_by(_s.start_ns, _s.span_id)
        for row in connection.execute(query):
            found.setdefault((row.thread_id, row.project_key), []).append(row)
    return found


def _record(row: Any, names: Mapping[int, str], turns: Sequence[Any]) -> ThreadRecord:
    durations = sorted(turn.duration_ns for turn in turns if turn.duration_ns is not None)
    return ThreadRecord(
        thread_id=row.thread_id,
        project=names.get(row.project_key, ""),
        turn_count=row.turn_count,
        start_ns=row.start_ns,
        last_ns=row.last_ns,
        first_turn_id=turns[0].span_id.hex(),
        last_turn_id=turns[-1].span_id.hex(),
        p50_ns=percentile(durations, 0.5),
        p99_ns=percentile(durations, 0.99),
        error_count=row.error_count,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost=None if row.cost_micro is None else usd(row.cost_micro * 10**6 + row.cost_pico),
    )
