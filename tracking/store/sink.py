"""Where the ingester's records become rows: `Sink.apply`, one transaction a batch, its position moved with it.

Records are facts: whatever order they come in, across segments and batches, however often, the store ends up the same.
The one exception is an artifact version's number, which is given in order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec import structs
from sqlalchemy.exc import DataError

from weft.tracking.errors import StoreError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    AlertRaised,
    ArtifactLogged,
    ArtifactUsed,
    ConsoleLogged,
    FileSaved,
    MetricDefined,
    MetricsLogged,
    RegistryChanged,
    Removed,
    RunFinished,
    RunRewound,
    RunStarted,
    RunUpdated,
    ScoreLogged,
    SegmentClosed,
    SegmentOpened,
    SpanClosed,
    SpanOpened,
    SpanPriced,
    SpanUpdated,
    SystemSampled,
    VersionUpdated,
)
from weft.tracking.store import schema
from weft.tracking.store.artifactsink import ArtifactSink, remove_version
from weft.tracking.store.consolesink import apply_console
from weft.tracking.store.fitting import fitted, holds_nul
from weft.tracking.store.keptsink import apply_kept
from weft.tracking.store.registrysink import apply_registry
from weft.tracking.store.removal import remove_span, remove_trace, sweep
from weft.tracking.store.runsink import RunSink, end_runs, remove_run
from weft.tracking.store.scoresink import apply_scores
from weft.tracking.store.spansink import Estimator, SpanSink, end_spans
from weft.tracking.store.transaction import Transaction

if TYPE_CHECKING:
    from weft.tracking.store.store import Store


class Position(NamedTuple):
    """How far a segment has been applied."""

    home: str
    """The home's uid: several may feed one store."""
    segment: str
    """File name; unique by its random part."""
    offset: int
    """After the last applied frame."""
    writer: bytes
    """Of the segment: whose spans its opened ones are."""


_SPANS, _SCORES, _RUNS, _ARTIFACTS, _REMOVED, _SEGMENT, _KEPT, _CONSOLE, _REGISTRY = KINDS = range(9)
_KIND = {
    SpanOpened: _SPANS,
    SpanClosed: _SPANS,
    SpanUpdated: _SPANS,
    SpanPriced: _SPANS,
    ScoreLogged: _SCORES,
    RunStarted: _RUNS,
    RunUpdated: _RUNS,
    RunFinished: _RUNS,
    MetricsLogged: _RUNS,
    MetricDefined: _RUNS,
    RunRewound: _RUNS,
    SystemSampled: _RUNS,
    ArtifactLogged: _ARTIFACTS,
    ArtifactUsed: _ARTIFACTS,
    VersionUpdated: _ARTIFACTS,
    RegistryChanged: _REGISTRY,
    FileSaved: _KEPT,
    AlertRaised: _KEPT,
    ConsoleLogged: _CONSOLE,
    Removed: _REMOVED,
    SegmentOpened: _SEGMENT,
    SegmentClosed: _SEGMENT,
}


class Sink:
    """Applies records to one store. Any number may exist; the database lets one write at a time."""

    def __init__(self, store: Store, estimate: Estimator | None = None) -> None:
        self._store = store
        self._estimate = estimate

    def positions(self, home: str) -> dict[str, int]:
        """Offset after the last applied frame, by segment file name."""
        with self._store.reading() as connection:
            found = connection.execute(
                schema.segment.select()
                .with_only_columns(schema.segment.c.name, schema.segment.c.position)
                .where(schema.segment.c.home == home)
            )
            return {row[0]: row[1] for row in found}

    def apply(self, frames: Sequence[Frame], position: Position) -> None:
        """Apply a batch and move the position, in one transaction.

        Raises:
            StoreError: the database failed; nothing of the batch was applied.
        """
        frames = [frame._replace(record=fitted(frame.record)) if holds_nul(frame.record) else frame for frame in frames]
        try:
            self._apply(frames, position)
        except (OverflowError, ValueError, DataError, StoreError) as error:
            cause = error.__cause__ if isinstance(error, StoreError) else error
            if not isinstance(cause, (OverflowError, ValueError, DataError)):
                raise
            # A number or a text that the database has no room for, once in a blue moon: look at every field.
            self._apply([frame._replace(record=fitted(frame.record)) for frame in frames], position)

    def _apply(self, frames: Sequence[Frame], position: Position) -> None:
        kinds: tuple[list[Any], ...] = tuple([] for _ in KINDS)
        for frame in frames:
            kinds[_KIND[type(frame.record)]].append(frame)
        with self._store.writing() as tx:
            segment_key, applied = _advance(tx, position, kinds[_SEGMENT])
            for frame in kinds[_REMOVED]:
                _remove(tx, frame.record)
            if kinds[_RUNS]:
                again = min(frame.offset for frame in kinds[_RUNS]) < applied
                RunSink(tx, position.segment, segment_key, position.writer).apply(kinds[_RUNS], again=again)
            if kinds[_SPANS]:
                SpanSink(tx, position.segment, position.writer, self._estimate).apply(kinds[_SPANS])
                for trace_id, removed in tx.removed_spans({frame.record.trace_id for frame in kinds[_SPANS]}).items():
                    sweep(tx, trace_id, removed)
            if kinds[_SCORES]:
                apply_scores(tx, [frame.record for frame in kinds[_SCORES]])
            apply_kept(tx, position.segment, segment_key, kinds[_KEPT])
            apply_console(tx, position.writer, kinds[_CONSOLE])
            artifacts = ArtifactSink(tx, position.segment)
            for frame in kinds[_ARTIFACTS]:
                artifacts.apply(frame.record, frame.offset)
            apply_registry(tx, position.segment, kinds[_REGISTRY])
            tx.changed()

    def end_writer(self, writer: bytes) -> None:
        """A writer is dead: what it began and never ended is interrupted, its runs crashed. A late end still wins."""
        with self._store.writing() as tx:
            tx.add_missing(schema.writer, [(writer,)])
            if end_spans(tx, writer) + end_runs(tx, writer):
                tx.changed()


def _advance(tx: Transaction, position: Position, frames: Sequence[Frame]) -> tuple[int, int]:
    """The segment's key, and the offset that it was applied up to before."""
    columns = "id, position, opened, closed"
    rows = tx.rows(f"SELECT {columns} FROM segment WHERE home = ? AND name = ?", (position.home, position.segment))
    key, applied, opened, closed = rows[0] if rows else (tx.key(schema.segment), 0, None, None)
    for frame in frames:
        said = orjson.dumps(structs.asdict(frame.record), default=bytes.hex).decode()
        opened, closed = (said, closed) if isinstance(frame.record, SegmentOpened) else (opened, said)
    row = (key, position.home, position.segment, max(applied, position.offset), position.writer, opened, closed)
    tx.upsert(schema.segment, [row])
    return int(key), int(applied)


def _remove(tx: Transaction, record: Removed) -> None:
    if record.target == "trace":
        tx.bury(record.target, record.key, record.project, record.at_ns)
        remove_trace(tx, record.key)
    elif record.target == "span":
        tx.bury(record.target, record.key, record.project, record.at_ns)
        remove_span(tx, record.key)
    elif record.target == "score":
        tx.bury(record.target, record.key, record.project, record.at_ns)
        tx.run("DELETE FROM score WHERE uid = ?", (record.key,))
    elif record.target == "run":
        tx.bury(record.target, record.key, record.project, record.at_ns)
        remove_run(tx, record.key)
    elif record.target == "artifact":
        remove_version(tx, record.key.decode("ascii", "replace"), record.project, record.at_ns)
