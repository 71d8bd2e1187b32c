"""Answers about what calls used, for whoever prices them again: every span that names a model, in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, or_, select

from weft.tracking.payloads.encoding import encode
from weft.tracking.store import schema
from weft.tracking.store.spanpayload import attributes
from weft.tracking.store.store import Store

_s = schema.span.c
_p = schema.span_payload.c
PAGE = 2_000


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What a closed span used, and what that is said to have cost."""

    trace_id: bytes
    span_id: bytes
    model: str | None
    provider: str | None
    end_ns: int
    usage: Mapping[str, int] | None
    cost_pico_usd: int | None
    price_source: str | None
    flags: tuple[str, ...]
    attributes: bytes | None
    """JSON: only where they may speak of money."""


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """A model that spans name."""

    model: str
    provider: str | None
    calls: int
    """That report usage, or were given an estimate."""
    unpriced: int
    """Of them, those with no cost."""
    last_ns: int
    """When the last one started."""


def usages(
    store: Store, *, project: str | None = None, since_ns: int | None = None, model: str | None = None
) -> Iterator[UsageRecord]:
    """Closed spans that report usage or have a cost, page by page: each page sees the store as it then is."""
    wanted = [_s.id > 0, _s.end_ns.is_not(None), _s.usage.is_not(None) | _s.cost_pico_usd.is_not(None)]
    if model is not None:
        wanted.append(_s.model == model)
    if since_ns is not None:
        wanted.append(_s.start_ns >= since_ns)
    if project is not None:
        wanted.append(_of_project(project))
    columns = (_s.id, schema.trace.c.trace_id, _s.span_id, _s.model, _s.provider, _s.end_ns, _s.usage)
    said = (_p.attributes, _p.closed_attributes, _p.more)
    money = or_(*(column.contains(word) for column in said for word in ("service_tier", "cost")))
    joined = schema.span.join(schema.trace, schema.trace.c.id == _s.trace_key)
    query = (
        select(*columns, _s.cost_pico_usd, _s.price_source, _s.usage_flags, *said)
        .select_from(joined.outerjoin(schema.span_payload, (_p.id == _s.id) & money))
        .where(*wanted)
        .order_by(_s.id)
        .limit(PAGE)
    )
    last = 0
    while True:
        with store.reading() as connection:
            rows = connection.execute(query.where(_s.id > last)).all()
        for row in rows:
            yield _record(row)
        if len(rows) < PAGE:
            return
        last = rows[-1].id


def _record(row: Any) -> UsageRecord:
    said = attributes(row.attributes, row.closed_attributes, row.more, row.end_ns)
    return UsageRecord(
        bytes(row.trace_id),
        bytes(row.span_id),
        row.model,
        row.provider,
        row.end_ns,
        orjson.loads(row.usage) if row.usage is not None else None,
        row.cost_pico_usd,
        row.price_source or None,
        tuple(orjson.loads(row.usage_flags)) if row.usage_flags else (),
        encode(said) if said else None,
    )


def models(store: Store, *, project: str | None = None) -> list[ModelSeen]:
    """The models of all spans that report usage, those used most first."""
    query = (
        select(
            _s.model,
            _s.provider,
            func.count(),
            func.count() - func.count(_s.cost_pico_usd),
            func.max(_s.start_ns),
        )
        .where(_s.model.is_not(None), _s.usage.is_not(None))
        .group_by(_s.model, _s.provider)
        .order_by(func.count().desc(), _s.model, _s.provider)
    )
    if project is not None:
        query = query.where(_of_project(project))
    with store.reading() as connection:
        return [ModelSeen(*row) for row in connection.execute(query)]


def _of_project(name: str) -> ColumnElement[bool]:
    found = select(schema.project.c.id).where(schema.project.c.name == name).scalar_subquery()
    return _s.project_key == found
