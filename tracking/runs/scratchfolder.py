"""Temporary folders for a run's files, where it has no folder in the home: `mode="disabled"`, or one that cannot be
made."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_made: list[tuple[int, Path]] = []
"""What goes with its process, and the id of that: a forked child leaves its parent's alone."""


def until_exit() -> Path:
    """A new one that is removed, with all it holds, when this process exits."""
    folder = Path(tempfile.mkdtemp(prefix="weft-disabled-"))
    _made.append((os.getpid(), folder))
    return folder


def lasting() -> Path:
    """A new one that stays: it may hold the only copy of what a training made."""
    return Path(tempfile.mkdtemp(prefix="weft-run-"))


def _at_exit() -> None:
    for pid, folder in _made:
        if pid == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)


# When this module is imported, and not when the first is made: hooks run last in, first out, and one of the program's
# own may still write there.
atexit.register(_at_exit)
