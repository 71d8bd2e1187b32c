"""The one write path: a record is in a file when `append` returns. Never raises, never blocks on a network or a reader.

Every process appends to segments of its own, so no process waits for another. Within a process one lock orders the
threads. An append that a signal handler or the garbage collector re-enters goes, at once and whole, to a second segment
that belongs to that depth: so each segment is only ever in the middle of one frame, and a nested call is as durable at
its return as any other.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import platform
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from weft.tracking.descriptors import above_standard
from weft.tracking.exits import seconds_left
from weft.tracking.faults import Faults, let_through
from weft.tracking.home import Home
from weft.tracking.ids import Ids
from weft.tracking.journal import frames
from weft.tracking.journal.locks import try_lock
from weft.tracking.journal.records import SCHEMA, Record, SegmentClosed, SegmentOpened

ROTATE_BYTES = 64 << 20
HELD_RECORDS = 10_000
"""At most so many wait for a stack that is less deep."""
SYNC_SECONDS = 1.0
"""A power cut loses at most this much while the process lives."""
WRITE = "write the journal"
"""The cause under which lost records are counted."""

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})

log = logging.getLogger("weft.recording")

_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


class Segment:
    """One append-only file, locked by its writer for life. Held by `Journal` alone."""

    __slots__ = ("_file", "fd", "locked", "path", "room", "synced")

    def __init__(self, folder: Path, opened: SegmentOpened, rotate_bytes: int) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(opened.started_ns // 1_000_000_000))
        name = f"{stamp}.{opened.started_ns % 1_000_000_000:09d}-{secrets.token_hex(6)}"
        draft = folder / f"{name}.new"
        self.path = folder / f"{name}.wj"
        self.fd = above_standard(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600))
        try:
            # Locked and headed before it gets its name: a reader never sees a segment that looks dead at birth.
            self.locked = try_lock(self.fd)
            head = frames.HEADER + frames.encode(opened)
            if os.write(self.fd, head) != len(head):
                raise OSError(28, "no space left for a new segment", str(draft))
            draft.rename(self.path)
            self._file = _identity(self.path)
        except BaseException:
            os.close(self.fd)
            draft.unlink(missing_ok=True)
            raise
        self.room = rotate_bytes - len(head)
        """Bytes until it is full: tells when to rotate and, beside `synced`, whether there is news for the disk."""
        self.synced: int | None = None
        """The room that was left when it was last synced."""

    def is_gone(self) -> bool:
        """Whether its file no longer goes by its name: it was removed or moved, or its home was."""
        try:
            return _identity(self.path) != self._file
        except OSError as error:  # others say nothing of the file that is open
            return error.errno in _GONE

    def cut(self, written: int, frame: bytes) -> NoReturn:
        """Take back the part of a frame that fitted. Nobody else writes this file now: it is exactly the last bytes.

        Raises:
            OSError: always: the frame could not be written; nothing of it remains.
        """
        os.ftruncate(self.fd, os.fstat(self.fd).st_size - written)
        raise OSError(28, f"only {written} of {len(frame)} bytes fitted", str(self.path))

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


class Journal:
    """Appends records to this process's segments under one home."""

    def __init__(self, home: Home, faults: Faults, ids: Ids | None = None, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.home = home
        self.faults = faults
        self.appended = 0
        """Records written by this process."""
        self.dropped = 0
        """Records that could not be written; each also counts in `faults`."""
        self._ids = ids or Ids()
        self._rotate_bytes = rotate_bytes
        self._lock = threading.RLock()  # orders this process's threads; guards everything below
        self._depth = 0
        self._segments: list[Segment | None] = [None]
        """By depth."""
        self._writer = os.urandom(8)
        self._held: list[Record] = []
        """Met at the recursion limit, still to be written."""
        self._said_dropped = 0
        self._filled: list[Segment] = []
        """Ended segments, still to be synced and let go of: by our own thread, since a disk may take its time."""
        self._host = socket.gethostname()
        self._version = _version()
        self._syncer: threading.Thread | None = None
        self._stop: threading.Event | None = None
        self._rotated = False
        self.on_rotate: Callable[[], object] | None = None
        """Called by the journal's own thread after a segment was filled."""
        _journals.add(self)

    @property
    def writer(self) -> bytes:
        """This process's writer id, as in `SegmentOpened`."""
        return self._writer

    @property
    def segments(self) -> list[Path]:
        """The files this process is appending to."""
        return [segment.path for segment in self._segments if segment is not None]

    def append(self, record: Record) -> bool:
        """Write one record. When this returns True it is in the file, whatever happens to the process next.

        Returns False, with the loss counted and logged once, when it could not be written.
        """
        try:
            frame = frames.encode(record)
            with self._lock:
                if self._depth:
                    self._append_inside(frame)
                else:  # as `_append_inside`, written out: this is half of what a traced call costs
                    self._depth = 1
                    try:
                        segment = self._segments[0]
                        if segment is None or segment.room <= 0:
                            segment = self._open(0, segment)
                        written = os.write(segment.fd, frame)
                        if written != len(frame):
                            segment.cut(written, frame)
                        segment.room -= written
                    except BaseException:
                        self._mend(0, frame)
                        raise
                    finally:
                        self._depth = 0
                self.appended += 1
        except RecursionError as error:
            return self._hold(record, error)
        except Exception as error:
            let_through(error)
            self._lost(error)
            return False
        if self._held:
            self._write_held()
        return True

    def _append_inside(self, frame: bytes) -> None:
        """An append that a signal handler or the collector re-entered: to the segment of its own depth."""
        depth = self._depth
        self._depth = depth + 1
        try:
            self._segments += [None] * (depth + 1 - len(self._segments))
            segment = self._segments[depth]
            if segment is None or segment.room <= 0:
                segment = self._open(depth, segment)
            self._put(segment, frame)
        except BaseException:
            self._mend(depth, frame)
            raise
        finally:
            self._depth = depth

    def _mend(self, depth: int, frame: bytes) -> None:
        """An append was broken off: what is in the file decides. A segment with part of a frame is let go of."""
        segment = self._segments[depth]
        if segment is None:
            return
        size = os.fstat(segment.fd).st_size
        before = self._rotate_bytes - segment.room
        if size in (before, before + len(frame)):
            segment.room = self._rotate_bytes - size
            segment.synced = None
        else:
            self._segments[depth] = None
            self._filled.append(segment)

    def _put(self, segment: Segment, frame: bytes) -> None:
        written = os.write(segment.fd, frame)
        if written != len(frame):
            segment.cut(written, frame)
        segment.room -= written

    def listen(self, heard: Callable[[Record], object]) -> None:
        """Tell each record to `heard` once it is written. Where nobody listens an append pays nothing for it."""
        write = self.append

        def append(record: Record) -> bool:
            written = write(record)
            heard(record)
            return written

        self.append = append  # type: ignore[method-assign]

    def _hold(self, record: Record, error: RecursionError) -> bool:
        """At the recursion limit no stack is left to write with: the next append, further up, does it."""
        if len(self._held) < HELD_RECORDS:
            self._held.append(record)
        else:
            self._lost(error)
        return False

    def _write_held(self) -> None:
        held, self._held = self._held, []
        try:
            while held:
                self.append(held[0])
                del held[0]
        finally:
            self._held[:0] = held  # what something thrown in has left

    def sync(self) -> bool:
        """Ask the disk to keep what was appended (fdatasync): after this, a power cut loses none of it.

        Returns False, with the fault noted, where the disk refused.
        """
        with self._lock:
            filled, self._filled = self._filled, []
            duplicates = []
            for segment in self._segments:
                if segment is None:
                    continue
                if not segment.locked:
                    os.utime(segment.fd)  # the heartbeat, where the file system has no locks
                if segment.room != segment.synced:
                    segment.synced = segment.room
                    duplicates.append(above_standard(os.dup(segment.fd)))
        # Outside the lock: a slow disk must not hold up an append.
        kept = True
        for fd in duplicates:
            kept &= self._to_disk(fd)
            os.close(fd)
        try:
            while filled:
                kept &= self._to_disk(filled[0].fd)
                filled[0].close()
                del filled[0]
        finally:
            self._filled += filled  # as above
        return kept

    def leave_removed(self) -> None:
        """Where somebody has removed or moved a segment's file, what is written to it is lost: the next append begins
        a new one. Called by our own thread, since the home's disk may take its time."""
        for depth, segment in enumerate(list(self._segments)):
            if segment is None or not segment.is_gone():
                continue
            with self._lock:
                if self._segments[depth] is not segment:
                    continue
                self._segments[depth] = None
                segment.close()
            hint = (
                "It was removed or moved while this process wrote to it: the records since then went with it. The next "
                "record begins a new segment."
            )
            self.faults.note(f"keep its records in {segment.path}", hint=hint)

    def sync_within(self, timeout_s: float) -> bool:
        """`sync`, waiting no longer than this for a slow disk. Returns whether it kept everything in that time."""
        kept: list[bool] = []
        worker = threading.Thread(target=lambda: kept.append(self.sync()), name="weft-flush", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # the interpreter is on its way out and starts no threads
            return self.sync()
        worker.join(timeout_s)
        return bool(kept and kept[0])

    def close(self, timeout_s: float | None = None) -> None:
        """Write the final frames, sync and let go of the segments. A later append starts new ones.

        Args:
            timeout_s: wait no longer than this for the disk, and say so where it took longer.
        """
        self._write_held()
        with self._lock:
            syncer, self._syncer, stop = self._syncer, None, self._stop
            for index, segment in enumerate(self._segments):
                if segment is not None:
                    self._last_word(segment, "exit")
                    self._filled.append(segment)
                    self._segments[index] = None
            self._writer = os.urandom(8)
        if stop is not None:
            stop.set()  # our thread syncs a last time
        if timeout_s is None or syncer is None:
            self.sync()
        else:
            syncer.join(timeout_s)
            if syncer.is_alive():
                log.warning(
                    "%d records of this process are in %s, but the disk had not confirmed them within %.1f s. They are "
                    "lost only if the power fails now.",
                    self.appended,
                    self.home.journal,
                    timeout_s,
                )
        if self.dropped > self._said_dropped:
            self._said_dropped = self.dropped
            log.warning(
                "%d records of this process could not be written to %s and are lost; its last state may show as "
                "crashed or interrupted. `weft doctor` says what is wrong with the home.",
                self.dropped,
                self.home.path,
            )

    def _open(self, depth: int, former: Segment | None) -> Segment:
        """A fresh segment for this depth; the former one is ended only once its successor holds the lock.

        Everything here may be re-entered at any instruction: no lock but the re-entrant one, nothing that waits.
        """
        opened = SegmentOpened(
            schema=SCHEMA,
            writer=self._writer,
            host=self._host,
            pid=os.getpid(),
            started_ns=self._ids.wall_ns(),
            weft_version=self._version,
            python_version=platform.python_version(),
        )
        try:
            segment = Segment(self.home.journal, opened, self._rotate_bytes)
        except OSError as error:
            let_through(error)
            self.home.ensure()  # the first segment ever; or it says what is wrong with the home
            segment = Segment(self.home.journal, opened, self._rotate_bytes)
        self._segments[depth] = segment
        if former is not None:
            self._filled.append(former)
            self._rotated = True
            self._last_word(former, "rotate")
        if self._syncer is None:
            self._stop = threading.Event()
            self._syncer = threading.Thread(
                target=_sync_loop, args=(weakref.ref(self), self._stop), name="weft-journal-sync", daemon=True
            )
            try:
                self._syncer.start()
            except RuntimeError as error:
                self._syncer = None  # the interpreter is on its way out and starts no threads; closing syncs
                let_through(error)
            except BaseException:
                self._syncer = None  # whether it runs nobody knows: the next segment starts one
                self._segments[depth] = None
                self._filled.append(segment)
                raise
        return segment

    def _last_word(self, segment: Segment, reason: str) -> None:
        try:
            self._put(segment, frames.encode(SegmentClosed(SCHEMA, reason, self.dropped)))
        except OSError as error:
            self.faults.note("end a journal segment", error)

    def _to_disk(self, fd: int) -> bool:
        try:
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(fd)
        except OSError as error:
            self.faults.note("sync the journal to disk", error)
            return False
        return True

    def _tell_rotation(self) -> None:
        if not self._rotated or self.on_rotate is None:
            return
        self._rotated = False
        try:
            self.on_rotate()
        except Exception as error:
            self.faults.note("start an ingester for a long journal", error)

    def _lost(self, error: Exception) -> None:
        self.dropped += 1
        hint = f"Records are being dropped; look at {self.home.path} (space, permissions) and run `weft doctor`."
        self.faults.note(WRITE, error, hint=hint)

    def _after_fork(self) -> None:
        """In the child: let go of the parent's files (its lock stays with it) and write as somebody new."""
        self._lock = threading.RLock()
        for segment in [*self._segments, *self._filled]:
            if segment is not None:
                segment.close()
        self._segments = [None]
        self._filled = []
        self._held = []  # the parent writes them
        self._depth = 0
        self._writer = os.urandom(8)
        self._syncer = self._stop = None
        self.appended = self.dropped = self._said_dropped = 0


def _sync_loop(journal: weakref.ref[Journal], stop: threading.Event) -> None:
    stopped = False
    while not stopped:
        stopped = stop.wait(SYNC_SECONDS)
        target = journal()
        if target is None:
            return
        target.sync()
        target.leave_removed()
        if not stopped:
            target._tell_rotation()
        del target


def _version() -> str:
    from weft import __version__  # the front door imports this package lazily; so must we

    return __version__


def _close_all() -> None:
    for journal in list(_journals):
        journal.close(seconds_left())


def _fork_all() -> None:
    for journal in list(_journals):
        journal._after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork_all)
