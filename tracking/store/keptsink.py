"""Applies what runs keep beside their numbers: files, and what they wanted somebody to see. For `Sink.apply`."""

from __future__ import annotations

from collections.abc import Sequence

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import AlertRaised, FileSaved
from weft.tracking.store import schema
from weft.tracking.store.transaction import Row, Transaction

_WRITER = "SELECT at_ns, segment, seq FROM run_file WHERE run_key = ? AND path = ?"


def apply_kept(tx: Transaction, segment: str, segment_key: int, frames: Sequence[Frame]) -> None:
    """Apply `FileSaved` and `AlertRaised`. Of a run that was removed nothing is kept."""
    files: dict[tuple[int, str], Row] = {}
    alerts: list[Row] = []
    for frame in frames:
        record = frame.record
        if not isinstance(record, (FileSaved, AlertRaised)):
            continue
        key = tx.run_key(record.run_uid)
        if key is None:
            continue
        if isinstance(record, FileSaved):
            stamp = (record.at_ns, segment, frame.offset)
            said = files.get((key, record.path)) or _known(tx, key, record.path)
            if said is None or stamp >= tuple(said[-3:]):
                files[key, record.path] = (key, record.path, record.digest, record.size_bytes, record.kind, *stamp)
        else:
            alerts.append((key, segment_key, frame.offset, record.at_ns, record.title, record.text, record.level))
    tx.upsert(schema.run_file, list(files.values()))
    tx.add_missing(schema.alert, alerts)


def _known(tx: Transaction, run_key: int, path: str) -> Row | None:
    rows = tx.rows(_WRITER, (run_key, path))
    return rows[0] if rows else None
