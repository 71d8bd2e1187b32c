"""Relief for a program that only writes: past a backlog of 256 MiB it starts a niced ingester, and goes on."""

from __future__ import annotations

import os
import subprocess
import sys

from weft.tracking.home import Home
from weft.tracking.journal.segments import Segments
from weft.tracking.settings import Settings

BACKLOG_BYTES = 256 << 20


class Backlog:
    """Asked by the journal's own thread after each rotation; never on the caller's."""

    def __init__(self, settings: Settings, *, limit_bytes: int = BACKLOG_BYTES) -> None:
        self._settings = settings
        self._limit_bytes = limit_bytes
        self._ingester: subprocess.Popen[bytes] | None = None

    def relieve(self) -> bool:
        """Start an ingester where too much waits and ours is not at work already; True when one was started."""
        if not self._settings.auto_ingest or (self._ingester is not None and self._ingester.poll() is None):
            return False
        waiting = sum(segment.size for segment in Segments(Home(self._settings.home)).pending())
        if waiting <= self._limit_bytes:
            return False
        environment = {**os.environ, "WEFT_HOME": str(self._settings.home)}
        if self._settings.store_url:
            environment["WEFT_STORE"] = self._settings.store_url
        self._ingester = subprocess.Popen(
            [sys.executable, "-m", "weft.cli", "ingest", "--low-priority"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the user's Ctrl-C is not meant for it
        )
        return True
