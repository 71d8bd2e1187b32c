"""Answers about traces: lists that cost what their page costs, and totals over a filter. For `Reader`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, case, func, literal_column, or_, select

from weft.tracking.errors import UsageError
from weft.tracking.store import fields, schema
from weft.tracking.store.filters import Where
from weft.tracking.store.listing import Listing, keys, page
from weft.tracking.store.lookups import hexed, parts, projects, run_names, usd
from weft.tracking.store.readmodels import Page, TraceBucket, TraceRecord, TraceStats
from weft.tracking.store.spanfacts import ROOT

_t = schema.trace.c
_s = schema.score.c
_p = schema.span_payload.c
_joined = schema.trace.outerjoin(schema.span_payload, _p.id == _t.root_key)
LISTING = Listing(
    schema.trace,
    _joined,
    _t.id,
    fields.TRACE,
    fields.orders(fields.TRACE),
    first="-start_ns",
    count=schema.meta.c.traces,
)


def traces(
    connection: Connection, where: Where | None, order: str, limit: int | None, offset: int, after: str | None = None
) -> Page[TraceRecord]:
    query = select(schema.trace).select_from(_joined)
    found = page(connection, LISTING, query, where, order=order, limit=limit, offset=offset, after=after)
    names = projects(connection) if found.rows else {}
    runs = run_names(connection, (row.run_key for row in found.rows))
    said = _scores(connection, [row.trace_id for row in found.rows])
    nothing = _Said({}, {})
    records = [_record(row, names, runs, said.get(row.trace_id, nothing)) for row in found.rows]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _record(row: Any, names: Any, runs: Any, said: _Said) -> TraceRecord:
    run = runs.get(row.run_key)
    return TraceRecord(
        trace_id=row.trace_id.hex(),
        project=names.get(row.project_key, ""),
        name=row.name,
        kind=row.kind,
        status=row.status,
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        duration_ns=row.duration_ns,
        span_count=row.span_count,
        error_count=row.error_count,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost=usd(row.cost_pico_usd),
        run_id=run.id if run is not None else None,
        thread_id=row.thread_id,
        user_id=row.user_id,
        input_preview=row.input_preview,
        output_preview=row.output_preview,
        root_span_id=hexed(row.root_span_id) if row.root_rank == ROOT else None,
        tags=orjson.loads(row.tags) if row.tags is not None else (),
        scores=said.scores,
        labels=said.labels,
    )


class _Said(NamedTuple):
    """What was said of a trace, or of its root, by name: the mean of the values, and the last label."""

    scores: dict[str, float | None]
    labels: dict[str, str]


def _scores(connection: Connection, trace_ids: Sequence[bytes]) -> dict[bytes, _Said]:
    values: dict[tuple[bytes, str], list[float]] = {}
    found: dict[bytes, _Said] = {}
    for part in parts(trace_ids):
        query = (
            select(_s.trace_id, _s.name, _s.value, _s.label)
            .join(schema.trace, _t.trace_id == _s.trace_id)
            .where(_s.trace_id.in_(part), or_(_s.target != "span", _s.span_id == _t.root_span_id))
            .order_by(_s.name, _s.at_ns, _s.uid)
        )
        for trace_id, name, value, label in connection.execute(query):
            said = found.setdefault(trace_id, _Said({}, {}))
            told = values.setdefault((trace_id, name), [])
            if value is not None:
                told.append(value)
            if label is not None:
                said.labels[name] = label
            said.scores[name] = math.fsum(told) / len(told) if told else None
    return found


def trace_stats(connection: Connection, where: Where | None, buckets: int) -> TraceStats:
    """Totals over a filter; `buckets` equal slices of the time that its traces span."""
    if not isinstance(buckets, int) or not 0 <= buckets <= 10_000:
        raise UsageError(f"buckets is {buckets!r}; it must be a whole number from 0 to 10000")
    condition, notes = keys(connection, LISTING, where)
    bounds = (
        select(func.min(_t.start_ns), func.max(_t.start_ns)).select_from(LISTING.needed(condition)).where(condition)
    )
    first, last = connection.execute(bounds).one()
    if first is None:
        return TraceStats(0, 0, None, 0, None, None, (), _names(connection, where), notes)
    width = max(1, -(-(last - first + 1) // max(1, buckets)))
    slices = _slices(connection, condition, first, width)
    total = _total(list(slices.values()))
    found = tuple(
        _bucket(first + at * width, width, slices.get(at)) for at in range(-(-(last - first + 1) // width)) if buckets
    )
    return TraceStats(*total, found, _names(connection, where), notes)


class _Slice:
    """Sums of one slice of time."""

    __slots__ = ("cost", "count", "durations", "errors", "tokens")

    def __init__(self, count: int, errors: int, high: int | None, low: int | None, tokens: int, durations: Any) -> None:
        self.count = int(count)
        self.errors = int(errors)
        self.cost = None if high is None else int(high) * 1_000_000 + int(low or 0)
        self.tokens = int(tokens)
        loaded = orjson.loads(durations) if isinstance(durations, str) else durations or []
        self.durations = sorted(value for value in loaded if value is not None)


def _slices(connection: Connection, condition: Any, first: int, width: int) -> dict[int, _Slice]:
    collect = func.json_group_array if connection.dialect.name == "sqlite" else func.array_agg
    at = (_t.start_ns - first).op("/", precedence=8)(literal_column(str(width)))  # binds as `*`: (a - b) / c
    tokens = func.coalesce(_t.input_tokens, 0) + func.coalesce(_t.output_tokens, 0)
    million: Any = literal_column("1000000")
    query = (
        select(
            at,
            func.count(),
            func.sum(case((_t.status == "error", 1), else_=0)),
            # In two parts: a sum of 64-bit numbers may fit none.
            func.sum(_t.cost_pico_usd.op("/")(million)),
            func.sum(_t.cost_pico_usd % million),
            func.sum(tokens),
            collect(_t.duration_ns),
        )
        .select_from(LISTING.needed(condition))
        .where(condition)
        .group_by(literal_column("1"))
    )
    return {int(row[0]): _Slice(*row[1:]) for row in connection.execute(query)}


def _total(slices: Sequence[_Slice]) -> tuple[int, int, Any, int, int | None, int | None]:
    costs = [piece.cost for piece in slices if piece.cost is not None]
    durations = sorted(value for piece in slices for value in piece.durations)
    return (
        sum(piece.count for piece in slices),
        sum(piece.errors for piece in slices),
        usd(sum(costs)) if costs else None,
        sum(piece.tokens for piece in slices),
        percentile(durations, 0.5),
        percentile(durations, 0.95),
    )


def _bucket(start_ns: int, width: int, piece: _Slice | None) -> TraceBucket:
    if piece is None:
        return TraceBucket(start_ns, start_ns + width, 0, 0, None, 0, None, None)
    p50, p95 = percentile(piece.durations, 0.5), percentile(piece.durations, 0.95)
    return TraceBucket(start_ns, start_ns + width, piece.count, piece.errors, usd(piece.cost), piece.tokens, p50, p95)


def percentile(ordered: Sequence[int], share: float) -> int | None:
    """The least value that `share` of all do not exceed (nearest rank, as SQL's percentile_disc)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _names(connection: Connection, where: Where | None) -> Sequence[str]:
    """Root names of the filter's project, or of all."""
    project = where.get("project") if where else None
    condition, _ = keys(connection, LISTING, {"project": project} if project is not None else None)
    query = select(_t.name).where(and_(condition, _t.name != "")).distinct().order_by(_t.name)
    return tuple(connection.execute(query.limit(1000)).scalars())
