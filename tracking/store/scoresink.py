"""Applies scores. Of several with one uid the latest counts. For `Sink.apply`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from weft.tracking.journal.records import ScoreLogged
from weft.tracking.store import schema
from weft.tracking.store.jsontext import text
from weft.tracking.store.transaction import Row, Transaction

_SCORE = [column.name for column in schema.score.columns]


def apply_scores(transaction: Transaction, records: Sequence[ScoreLogged]) -> None:
    """Apply one batch."""
    tx = transaction
    about = {record.trace_id for record in records if record.trace_id is not None}
    removed = tx.removed_traces(about)
    spans = tx.removed_spans(about)
    scores = tx.removed_scores({record.uid for record in records})
    stored: dict[bytes, Row] = {}
    columns = ", ".join(_SCORE)
    for row in tx.rows_in(f"SELECT {columns} FROM score WHERE uid IN ({{marks}})", [record.uid for record in records]):
        stored[bytes(row[1])] = row
    chosen: dict[bytes, Row] = {}
    for record in records:
        run_key = tx.run_key(record.run_uid) if record.run_uid is not None else None
        orphan = record.run_uid is not None and run_key is None and record.target in ("run", "row")
        if orphan or record.trace_id in removed or record.uid in scores:
            continue
        if record.trace_id is not None and record.span_id in spans.get(record.trace_id, ()):
            continue
        row = _row(tx, record, run_key)
        before = chosen.get(record.uid) or stored.get(record.uid)
        if before is None or _order(row) > _order(before):
            chosen[record.uid] = row
    rows = []
    for uid, row in chosen.items():
        key = stored[uid][0] if uid in stored else tx.key(schema.score)
        rows.append((key, *row[1:]))
    tx.upsert(schema.score, rows)


def _row(tx: Transaction, record: ScoreLogged, run_key: int | None) -> Row:
    value, label = record.value, record.label
    if value is not None and math.isnan(value):
        # NaN has no place in SQLite, and is no score; that it was said stays readable.
        value, label = None, label if label is not None else "NaN"
    return (
        0,
        record.uid,
        record.target,
        record.at_ns,
        record.name,
        tx.project(record.project),
        value,
        label,
        record.reason,
        record.error,
        record.trace_id,
        record.span_id,
        run_key,
        record.row_id,
        text(record.source),
        record.kind,
        record.author,
    )


def _order(row: Row) -> tuple[int, str]:
    """By time, then by content: never by what depends on the order of arrival."""
    return row[3], repr(
        [bytes(item) if isinstance(item, memoryview) else item for item in (*row[1:5], *row[6:12], *row[13:])]
    )
