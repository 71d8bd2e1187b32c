"""Journal to store: reads whole frames after each segment's position and applies them, exactly once. The one consumer.

Called by `weft ingest`, by the CLI and by `Api()` before they read; never by a program that only writes.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from weft.tracking.errors import Error
from weft.tracking.faults import let_through
from weft.tracking.home import Home
from weft.tracking.journal import frames
from weft.tracking.journal.frames import Frame, Scan, Stop
from weft.tracking.journal.locks import exclusive
from weft.tracking.journal.records import Record, SpanClosed
from weft.tracking.journal.segments import SegmentFile, Segments
from weft.tracking.store.sink import Position

log = logging.getLogger("weft.ingest")

FOREIGN_SECONDS = 2.0
"""How long a program that reads ingests other processes' records before it reads what is there."""


def settle_collector() -> None:
    """For a process that only ingests: collect garbage seldom. Decoded records hold no cycles, and looking through
    hundreds of thousands of them again and again took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


Enricher = Callable[[SpanClosed], Sequence[Record]]
"""Called for every closed span that reports usage, or a cost; what it answers is applied right behind it."""


class Applies(Protocol):
    """What the ingester needs of a sink."""

    def positions(self, home: str) -> dict[str, int]: ...
    def apply(self, frames: Sequence[Frame], position: Position) -> None: ...
    def end_writer(self, writer: bytes) -> None: ...


@dataclass(slots=True)
class Drained:
    """What one pass did, and what it left."""

    records: int = 0
    waiting_bytes: int = 0
    """Bytes that still wait: time ran out, or somebody else is ingesting."""
    busy: bool = False
    """Another process held the ingest lock throughout."""
    torn: list[str] = field(default_factory=list)
    """Dead writers' segments whose last frame was cut off, by name: the process died in the middle of a write."""
    quarantined: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    """Segments left alone because a newer weft wrote them."""
    unreadable: list[str] = field(default_factory=list)
    """Segments left alone because the disk would not give them, by name."""
    left_out: list[str] = field(default_factory=list)
    """Records that could not be applied, by type, segment and offset: a mistake of weft's. The segment keeps them."""


class Ingester:
    """Moves one home's journal into one store."""

    def __init__(self, home: Home, sink: Applies, enrichers: Sequence[Enricher] = ()) -> None:
        self._home = home
        self._sink = sink
        self._enrichers = enrichers
        self._segments = Segments(home)

    def drain(self, *, own: Collection[str] = (), foreign_s: float | None = None, wait_s: float = 30.0) -> Drained:
        """Apply what waits.

        Args:
            own: names of segments to ingest wholly, whatever the time: this process's.
            foreign_s: seconds for everybody else's; None is no limit.
            wait_s: how long to wait for another ingester to finish its pass.

        Raises:
            HomeError: the home cannot be used.
            StoreError: the store cannot be read or written; what was applied stays, with its position.
        """
        done = Drained()
        self._home.ensure()
        with self._home.using("ingest the journal"), exclusive(self._home.ingest_lock, wait_s) as held:
            if not held:
                done.busy = True
                done.waiting_bytes = self._waiting(self._segments.pending())
                return done
            self._pass(done, own, foreign_s)
        return done

    def _pass(self, done: Drained, own: Collection[str], foreign_s: float | None) -> None:
        deadline = None if foreign_s is None else time.monotonic() + foreign_s
        positions = self._sink.positions(self._home.uid)
        gone: set[bytes] = set()
        finished: list[SegmentFile] = []
        late: list[SegmentFile] = []
        for segment in sorted(self._due(positions), key=lambda segment: segment.name not in own):
            limit = None if segment.name in own else deadline
            if limit is not None and time.monotonic() >= limit:
                late.append(segment)
                continue
            try:
                life = self._segment(segment, positions.get(segment.name, 0), limit, done)
            except OSError:  # its disk, or its permissions: the others are none the worse
                done.unreadable.append(segment.name)
                continue
            if life.released and life.writer is not None:
                gone.add(life.writer)
            if life.complete:
                finished.append(segment)
            elif life.waiting:
                late.append(segment)
        for writer in gone - self._living():
            self._sink.end_writer(writer)
        for segment in finished:
            if segment.path.parent == self._home.journal:
                self._segments.archive(segment)
        self._segments.prune()
        done.waiting_bytes = self._waiting(late)

    def _due(self, positions: Mapping[str, int]) -> list[SegmentFile]:
        """Those not wholly ingested; and for a store that is new, or was lost, those that are kept for it."""
        kept = [*self._segments.archived(), *self._segments.set_apart()]
        lacked = [segment for segment in kept if positions.get(segment.name, len(frames.HEADER)) < segment.size]
        return lacked + self._segments.pending()

    def _living(self) -> set[bytes]:
        """Writers that hold a segment now. One that rotates locks its next segment before it lets go of the last."""
        found = set()
        for segment in self._segments.pending():
            try:
                opened = segment.opened() if segment.alive else None
            except OSError:  # said already
                continue
            if opened is not None:
                found.add(opened.writer)
        return found

    def _segment(self, segment: SegmentFile, offset: int, deadline: float | None, done: Drained) -> _Life:
        # Life before size: a writer found dead has written all that it ever will.
        alive = segment.alive
        size = segment.size
        opened = segment.opened()
        writer = opened.writer if opened else None
        while True:
            found = segment.read(offset, size)
            if not alive and found.stop in (Stop.TORN, Stop.CORRUPT):
                found = self._rest(segment, found)
            ended = not alive and found.stop in (Stop.TORN, Stop.CORRUPT)
            if ended:
                found = found._replace(end=size)  # there is nothing more in it, for this store
            if found.frames or ended:
                self._apply(segment, found, writer or b"", done)
                done.records += len(found.frames)
            offset = max(offset, found.end)  # a header alone is wholly read, too
            if found.stop is Stop.NEWER:
                done.newer.append(segment.name)
                return _Life(writer)
            if ended:
                return self._ended(segment, found, writer, done)
            if found.stop is not Stop.END or offset >= size or not found.frames:
                return _Life(writer, released=not alive, complete=not alive and offset >= size)
            if deadline is not None and time.monotonic() >= deadline:
                return _Life(writer, waiting=True)

    def _ended(self, segment: SegmentFile, found: Scan, writer: bytes | None, done: Drained) -> _Life:
        """A dead writer's segment that does not end well: said and put away, unless it was already."""
        if segment.path.parent != self._home.journal:
            return _Life(writer, released=True)
        if found.stop is Stop.TORN:
            done.torn.append(segment.name)
            return _Life(writer, released=True, complete=True)
        with self._home.using(f"set aside the damaged segment {segment.name}"):
            self._segments.set_aside(segment, found.detail, len(found.frames))
        done.quarantined.append(segment.name)
        return _Life(writer, released=True)

    def _rest(self, segment: SegmentFile, found: Scan) -> Scan:
        """A dead writer's segment from its first bad frame on: the sound frames behind the damage count as well."""
        rest = segment.salvage(found.end)
        stop = Stop.CORRUPT if Stop.CORRUPT in (found.stop, rest.stop) else rest.stop
        return Scan(found.frames + rest.frames, rest.end, stop, rest.detail or found.detail)

    def _apply(self, segment: SegmentFile, found: Scan, writer: bytes, done: Drained) -> None:
        """Apply what was read. A record that cannot be applied, which is a mistake of ours, holds no other one up: it
        is found by halves, left out, and said."""
        position = Position(self._home.uid, segment.name, found.end, writer)
        try:
            self._sink.apply(self._enriched(found.frames), position)
        except (Error, OSError, MemoryError):
            raise
        except Exception as error:
            let_through(error)
            if len(found.frames) > 1:
                half = len(found.frames) // 2
                first, rest = found.frames[:half], found.frames[half:]
                self._apply(segment, found._replace(frames=first, end=first[-1].end), writer, done)
                self._apply(segment, found._replace(frames=rest), writer, done)
                return
            for frame in found.frames:
                kind = type(frame.record).__name__
                log.error(
                    "%s at %s:%d could not be applied and is left out", kind, segment.name, frame.offset, exc_info=error
                )
                self._segments.keep(segment, frame.offset, frame.end)
                done.left_out.append(f"{kind} at {segment.name}:{frame.offset}")
            self._sink.apply([], position)

    def _enriched(self, frames: list[Frame]) -> list[Frame]:
        if not self._enrichers:
            return frames
        out: list[Frame] = []
        for frame in frames:
            out.append(frame)
            record = frame.record
            if type(record) is SpanClosed and (
                record.usage or (record.attributes is not None and b"cost" in record.attributes)
            ):
                for enrich in self._enrichers:
                    out += [Frame(frame.offset, frame.end, more) for more in enrich(record)]
        return out

    def _waiting(self, segments: Sequence[SegmentFile]) -> int:
        positions = self._sink.positions(self._home.uid)
        return sum(max(0, segment.size - positions.get(segment.name, 0)) for segment in segments)


@dataclass(frozen=True, slots=True)
class _Life:
    """What one segment turned out to be."""

    writer: bytes | None
    released: bool = False
    """Nobody holds it any more: its writer is dead, or went on to another segment."""
    complete: bool = False
    """Nothing in it is left to ingest, ever."""
    waiting: bool = False
    """Time ran out before its end."""
