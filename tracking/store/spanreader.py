"""Answers about spans and the scores on them. For `Reader`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Connection, select

from weft.tracking.store import fields, schema, spanpayload
from weft.tracking.store.columns import Condition
from weft.tracking.store.filters import Where
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.listing import Listed, Listing, page
from weft.tracking.store.lookups import hexed, parts, projects, run_names, usd
from weft.tracking.store.readmodels import Page, ScoreRecord, SpanRecord

_s = schema.span.c
_p = schema.span_payload.c
_c = schema.score.c

_joined = schema.span.outerjoin(schema.span_payload, _p.id == _s.id)
LISTING = Listing(
    schema.span, _joined, _s.id, fields.SPAN, fields.orders(fields.SPAN), first="-start_ns", count=schema.meta.c.spans
)
SCORES = Listing(schema.score, schema.score, _c.id, fields.SCORE, fields.orders(fields.SCORE), first="-at_ns")


def spans(
    connection: Connection,
    where: Where | None,
    payloads: bool,
    order: str,
    limit: int | None,
    offset: int,
    after: str | None = None,
    also: Condition | None = None,
) -> Page[SpanRecord]:
    of_payload = [column for column in _p if column.name != "id"]
    query = select(schema.span, schema.trace.c.trace_id, *of_payload).select_from(
        _joined.join(schema.trace, schema.trace.c.id == _s.trace_key)
    )
    found = page(connection, LISTING, query, where, order=order, limit=limit, offset=offset, after=after, also=also)
    names = projects(connection) if found.rows else {}
    runs = run_names(connection, (row.run_key for row in found.rows))
    said = _scores(connection, sorted({row.trace_id for row in found.rows}))
    records = [_record(row, names, runs, said, payloads) for row in found.rows]
    return Page(records, found.total, offset, found.cursor, found.exact, found.notes)


def _record(
    row: Any, names: Any, runs: Any, said: Mapping[tuple[str, str], list[ScoreRecord]], payloads: bool
) -> SpanRecord:
    run = runs.get(row.run_key)
    trace_id, span_id = row.trace_id.hex(), row.span_id.hex()
    found: dict[str, Any] = {}
    if payloads:
        told = spanpayload.told(row, row.end_ns)
        found = {
            "inputs": told.inputs,
            "output": decoded(row.output),
            "attributes": told.attributes,
            "events": told.events,
            "links": told.links,
        }
    seen = spanpayload.seen(row)
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hexed(row.parent_id),
        project=names.get(row.project_key, ""),
        name=row.name,
        kind=row.kind,
        status=row.status,
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        duration_ns=row.duration_ns,
        model=row.model,
        provider=row.provider,
        usage=orjson.loads(row.usage) if row.usage is not None else None,
        cost=usd(row.cost_pico_usd),
        price_source=row.price_source or None,
        run_id=run.id if run is not None else None,
        thread_id=row.thread_id,
        turn_id=row.turn_id,
        user_id=row.user_id,
        version=row.version,
        input_preview=seen.input_preview,
        output_preview=seen.output_preview,
        error=spanpayload.error(row.error),
        tags=seen.tags,
        scores=said.get((trace_id, span_id), ()),
        cost_parts=_parts(row.cost_parts),
        usage_flags=tuple(orjson.loads(row.usage_flags)) if row.usage_flags else (),
        **found,
    )


def _parts(stored: str | None) -> dict[str, Decimal] | None:
    found = {} if stored is None else {name: usd(part) for name, part in orjson.loads(stored).items()}
    return {name: part for name, part in found.items() if part is not None} or None


def _scores(connection: Connection, trace_ids: list[bytes]) -> dict[tuple[str, str], list[ScoreRecord]]:
    found: dict[tuple[str, str], list[ScoreRecord]] = {}
    for part in parts(trace_ids):
        listed = _listed(connection, None, "at_ns", None, 0, None, _c.trace_id.in_(part) & _c.span_id.is_not(None))
        for score in _score_records(connection, listed.rows):
            found.setdefault((score.trace_id or "", score.span_id or ""), []).append(score)
    return found


def scores(
    connection: Connection, where: Where | None, order: str, limit: int | None, offset: int, after: str | None
) -> Page[ScoreRecord]:
    found = _listed(connection, where, order, limit, offset, after)
    return Page(_score_records(connection, found.rows), found.total, offset, found.cursor, found.exact, found.notes)


def _listed(
    connection: Connection,
    where: Where | None,
    order: str,
    limit: int | None,
    offset: int,
    after: str | None,
    also: Condition | None = None,
) -> Listed:
    query = select(schema.score)
    return page(connection, SCORES, query, where, order=order, limit=limit, offset=offset, after=after, also=also)


def _score_records(connection: Connection, rows: Sequence[Any]) -> list[ScoreRecord]:
    runs = run_names(connection, (row.run_key for row in rows))
    return [
        ScoreRecord(
            uid=row.uid.hex(),
            target=row.target,
            name=row.name,
            value=row.value,
            label=row.label,
            reason=row.reason,
            error=row.error,
            at_ns=row.at_ns,
            trace_id=hexed(row.trace_id),
            span_id=hexed(row.span_id),
            run_id=runs[row.run_key].id if row.run_key in runs else None,
            row_id=row.row_id,
            source=loads(row.source),
            kind=row.kind or "score",
            author=row.author,
        )
        for row in rows
    ]
