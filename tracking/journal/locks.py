"""Advisory file locks that die with their holder: a writer holds one on its segment, the ingester one on the home."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.tracking.descriptors import above_standard
from weft.tracking.faults import let_through

try:
    import fcntl
except ImportError:  # Windows: no flock; liveness falls back to the heartbeat
    fcntl = None  # type: ignore[assignment]

HEARTBEAT_SECONDS = 30.0
"""Where a file system has no locks, a writer that has not touched its segment for this long counts as dead."""


def try_lock(fd: int) -> bool:
    """Take an exclusive lock on an open file without waiting; it goes when the file is closed.

    Returns False where somebody holds it, and where the file system has no locks.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        let_through(error)
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether somebody alive holds the lock of this file; by its heartbeat where there are no locks."""
    if fcntl is not None:
        fd = os.open(path, os.O_RDONLY)
        try:
            # A shared lock asks without ever making a second asker believe that a dead writer lives.
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass  # no locks here: ask the heartbeat
        else:
            return False
        finally:
            os.close(fd)
    return time.time() - path.stat().st_mtime < HEARTBEAT_SECONDS


@contextmanager
def exclusive(path: Path, wait_s: float) -> Iterator[bool]:
    """Hold the lock file at `path` for the block; yields whether it could be had within `wait_s` seconds."""
    fd = above_standard(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        deadline = time.monotonic() + wait_s
        while not (held := try_lock(fd) or fcntl is None) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield held
    finally:
        os.close(fd)
