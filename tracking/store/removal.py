"""Removes calls and what was said of them: rows go, tombstones stay, and the sums of what remains are right again.

A removed span takes along everything below it, whenever that arrives: what is found to lie below gets a tombstone of
its own, so the outcome is the same in whatever order records come. A trace whose root is removed is removed.
"""

from __future__ import annotations

from collections.abc import Collection

from weft.tracking.store import textindex
from weft.tracking.store.spansink import SpanSink
from weft.tracking.store.transaction import Row, Transaction

TRACE_ID_BYTES = 16


def remove_trace(tx: Transaction, trace_id: bytes) -> None:
    """Delete a trace with its spans and the scores on it."""
    tx.run("DELETE FROM score WHERE trace_id = ?", (trace_id,))
    found = tx.rows("SELECT id FROM trace WHERE trace_id = ?", (trace_id,))
    if found:
        key = found[0][0]
        _delete_spans(tx, [row[0] for row in tx.rows("SELECT id FROM span WHERE trace_key = ?", (key,))])
        tx.traces -= tx.run("DELETE FROM trace WHERE id = ?", (key,))


def remove_span(tx: Transaction, key: bytes) -> None:
    """Delete a span by its tombstone's key (trace id, span id), with all below it."""
    trace_id = key[:TRACE_ID_BYTES]
    tx.run("DELETE FROM score WHERE trace_id = ? AND span_id = ?", (trace_id, key[TRACE_ID_BYTES:]))
    sweep(tx, trace_id, tx.removed_spans([trace_id])[trace_id])


def sweep(tx: Transaction, trace_id: bytes, removed: Collection[bytes]) -> None:
    """Delete what tombstones keep out of a trace: these spans, and what has been found to lie below them."""
    rows = tx.rows(
        "SELECT s.id, s.span_id, s.parent_id, s.project_key FROM span s JOIN trace t ON t.id = s.trace_key "
        "WHERE t.trace_id = ?",
        (trace_id,),
    )
    gone = _below(rows, removed)
    if not gone:
        return
    if any(parent_id is None and project is not None for _, _, parent_id, project in gone.values()):
        tx.bury("trace", trace_id, "", 0)
        remove_trace(tx, trace_id)
        return
    for span_id in gone:
        tx.bury("span", trace_id + span_id, "", 0)
        tx.run("DELETE FROM score WHERE trace_id = ? AND span_id = ?", (trace_id, span_id))
    _delete_spans(tx, [row[0] for row in gone.values()])
    if len(gone) == len(rows):
        tx.traces -= tx.run("DELETE FROM trace WHERE trace_id = ?", (trace_id,))
    else:
        SpanSink(tx, "", b"").sum_up(trace_id)


def _below(rows: Collection[Row], removed: Collection[bytes]) -> dict[bytes, Row]:
    """The stored spans that are removed or lie below one that is, by span id."""
    stored = {bytes(row[1]): row for row in rows}
    children: dict[bytes, list[bytes]] = {}
    for span_id, row in stored.items():
        if row[2] is not None:
            children.setdefault(bytes(row[2]), []).append(span_id)
    found: dict[bytes, Row] = {}
    seen: set[bytes] = set()
    waiting = list(removed)
    while waiting:
        span_id = waiting.pop()
        if span_id in seen:
            continue
        seen.add(span_id)
        if span_id in stored:
            found[span_id] = stored[span_id]
        waiting += children.get(span_id, ())
    return found


def _delete_spans(tx: Transaction, keys: Collection[int]) -> None:
    textindex.forget_keys(tx, keys)
    tx.run_in("DELETE FROM span_payload WHERE id IN ({marks})", keys)
    tx.run_in("DELETE FROM span WHERE id IN ({marks})", keys)
    tx.spans -= len(keys)
    textindex.retreat(tx)
