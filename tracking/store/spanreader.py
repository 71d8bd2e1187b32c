"""Answers about spans and the scores on them. For `Reader`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, select

from weft.tracking.store import schema, spanpayload
from weft.tracking.store.filters import (
    Field,
    HexId,
    Where,
    compile_filter,
    compile_order,
    number_of,
    text_of,
    through_one,
    usd_of,
)
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.lookups import (
    hexed,
    paged,
    parts,
    project_field,
    projects,
    run_field,
    run_names,
    run_uid_field,
    tally,
    usd,
)
from weft.tracking.store.readmodels import Page, ScoreRecord, SpanRecord

_s = schema.span.c
_p = schema.span_payload.c
_c = schema.score.c

_of_trace = through_one(_s.trace_key, select(schema.trace.c.id))

FIELDS = {
    "trace_id": Field(schema.trace.c.trace_id, HexId(32), via=_of_trace),
    "span_id": Field(_s.span_id, HexId(16)),
    "parent_id": Field(_s.parent_id, HexId(16)),
    "project": project_field(_s.project_key),
    "name": Field(_s.name, text_of),
    "kind": Field(_s.kind, text_of),
    "status": Field(_s.status, text_of),
    "start_ns": Field(_s.start_ns, number_of),
    "end_ns": Field(_s.end_ns, number_of),
    "duration_ns": Field(_s.duration_ns, number_of),
    "model": Field(_s.model, text_of),
    "provider": Field(_s.provider, text_of),
    "input_tokens": Field(_s.input_tokens, number_of),
    "output_tokens": Field(_s.output_tokens, number_of),
    "cost": Field(_s.cost_pico_usd, usd_of),
    "run_id": run_field(_s.run_key),
    "run_uid": run_uid_field(_s.run_key),
    "thread_id": Field(_s.thread_id, text_of),
    "turn_id": Field(_s.turn_id, text_of),
    "user_id": Field(_s.user_id, text_of),
    "version": Field(_s.version, text_of),
    "text": Field(_s.name, text_of, texts=(_s.name, _p.inputs, _p.output, _p.error)),
}
ORDERS = {
    name: FIELDS[name].column
    for name in (
        "start_ns",
        "end_ns",
        "duration_ns",
        "name",
        "kind",
        "status",
        "model",
        "input_tokens",
        "output_tokens",
    )
} | {"cost": _s.cost_pico_usd}
SCORE_FIELDS = {
    "uid": Field(_c.uid, HexId(32)),
    "target": Field(_c.target, text_of),
    "name": Field(_c.name, text_of),
    "value": Field(_c.value, number_of),
    "label": Field(_c.label, text_of),
    "reason": Field(_c.reason, text_of),
    "error": Field(_c.error, text_of),
    "at_ns": Field(_c.at_ns, number_of),
    "project": project_field(_c.project_key),
    "trace_id": Field(_c.trace_id, HexId(32)),
    "span_id": Field(_c.span_id, HexId(16)),
    "run_id": run_field(_c.run_key),
    "run_uid": run_uid_field(_c.run_key),
    "row_id": Field(_c.row_id, text_of),
    "kind": Field(_c.kind, text_of),
    "author": Field(_c.author, text_of),
}
_joined = schema.span.outerjoin(schema.span_payload, _p.id == _s.id)


def spans(
    connection: Connection, where: Where | None, payloads: bool, order: str, limit: int | None, offset: int
) -> Page[SpanRecord]:
    condition = compile_filter(where, FIELDS, connection.dialect.name)
    of_payload = [column for column in _p if column.name != "id"]
    query = select(schema.span, schema.trace.c.trace_id, *of_payload).select_from(
        _joined.join(schema.trace, schema.trace.c.id == _s.trace_key)
    )
    query = query.where(condition).order_by(*compile_order(order, ORDERS, _s.id))
    rows = connection.execute(paged(query, limit, offset)).all()
    total = offset + len(rows)
    if limit is not None and (len(rows) == limit or not rows):
        total = tally(connection, _joined, condition)
    names = projects(connection) if rows else {}
    runs = run_names(connection, (row.run_key for row in rows))
    said = _scores(connection, sorted({row.trace_id for row in rows}))
    return Page([_record(row, names, runs, said, payloads) for row in rows], total, offset)


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
    error = decoded(row.error)
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
        error=error if error is None or isinstance(error, Mapping) else {"message": str(error)},
        tags=seen.tags,
        scores=said.get((trace_id, span_id), ()),
        cost_parts={name: usd(part) for name, part in orjson.loads(row.cost_parts).items()} if row.cost_parts else None,
        usage_flags=tuple(orjson.loads(row.usage_flags)) if row.usage_flags else (),
        **found,
    )


def _scores(connection: Connection, trace_ids: list[bytes]) -> dict[tuple[str, str], list[ScoreRecord]]:
    found: dict[tuple[str, str], list[ScoreRecord]] = {}
    for part in parts(trace_ids):
        for score in _score_records(connection, _c.trace_id.in_(part) & _c.span_id.is_not(None), None, 0):
            found.setdefault((score.trace_id or "", score.span_id or ""), []).append(score)
    return found


def scores(connection: Connection, where: Where | None, limit: int | None, offset: int) -> Page[ScoreRecord]:
    condition = compile_filter(where, SCORE_FIELDS, connection.dialect.name)
    return Page(
        _score_records(connection, condition, limit, offset), tally(connection, schema.score, condition), offset
    )


def _score_records(connection: Connection, condition: Any, limit: int | None, offset: int) -> list[ScoreRecord]:
    query = select(schema.score).where(condition).order_by(_c.at_ns, _c.uid)
    rows = connection.execute(paged(query, limit, offset)).all()
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
