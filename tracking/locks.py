"""Advisory file locks that die with their holder: a writer holds one on its segment, the ingester one on the home."""

from __future__ import annotations

import os

try:
    import fcntl
except ImportError:  # Windows: no flock; liveness falls back to a heartbeat (docs/format.md)
    fcntl = None  # type: ignore[assignment]


def try_lock(fd: int) -> bool:
    """Take an exclusive lock on an open file without waiting; True when it is ours. It goes when the file is closed."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return False
    return True


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether somebody alive holds the lock of this file."""
    if fcntl is None:
        return os.path.exists(path)
    fd = os.open(path, os.O_RDONLY)
    try:
        # A shared lock asks without ever making a second asker believe that a dead writer lives.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
