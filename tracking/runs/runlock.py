"""Which process leads a run: it holds a lock in the home while it does. So a second one is told, never stopped."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

from weft.tracking.descriptors import above_standard
from weft.tracking.errors import HomeError
from weft.tracking.home import Home

try:
    import fcntl
except ImportError:  # Windows: no flock, so nobody is told
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("weft.recording")


class RunLock:
    """Held from a run's start to its end by the process that leads it; the system lets go of it with the process."""

    def __init__(self, home: Home, uid: bytes) -> None:
        self._home = home
        self._path: Path = home.path / "locks" / uid.hex()
        self._fd = -1

    def claim(self, path: str) -> bool:
        """Take it; where another process has it, say so: both write to the run from now on.

        Args:
            path: the run's `project/id`.

        Returns:
            False: another process leads this run.
        """
        if fcntl is None:
            return True
        try:
            if not self._home.path.exists():
                self._home.ensure()
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = above_standard(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except (OSError, HomeError):  # the journal will say what is wrong with this home
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            log.warning(
                "run %s is being written by another process already (%s); both write to it, each counting steps of its "
                "own. Give each its own id; or let one lead, as ranks do: docs/wandb.md",
                path,
                holder or "unknown",
            )
            return False
        except OSError:  # no locks on this file system
            os.close(fd)
            return True
        told = f"pid {os.getpid()} on {socket.gethostname()}".encode()
        os.pwrite(fd, told, 0)
        os.ftruncate(fd, len(told))  # not to nothing, first: ext4 then writes the file out as it is closed, for 5-10 ms
        self._fd = fd
        return True

    def release(self) -> None:
        """The run ended."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            self.leave()

    def leave(self) -> None:
        """In a forked child: the parent holds it on."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
