"""Whose a draft is: a process that stages files holds a lock in the home for life, and its drafts begin with that name.

So what a killed process left is told from what a living one is about to log, by the lock alone and never by a guess:
where there are no locks, or the home is on a network, only its age says so.
"""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from weft.tracking.descriptors import above_standard
from weft.tracking.home import Home
from weft.tracking.journal.locks import try_lock

_PREFIX = "drafts-"
_TAKEN_SECONDS = 60.0
"""A lock that is empty after so long belongs to a process that was killed while it made it."""


class _Held(NamedTuple):
    name: str
    path: Path
    fd: int


_held: dict[Path, _Held] = {}
"""By home."""
_guard = threading.RLock()  # of the dict: threads stage at once, and so may a signal handler


def mine(home: Home) -> str:
    """What this process's drafts in a home begin with; empty where it can hold no lock there.

    Raises:
        HomeError: the home cannot be used.
    """
    held = _held.get(home.path)
    if held is None:
        with _guard:
            held = _held.get(home.path) or _held.setdefault(home.path, _claimed(home))
    return held.name


def is_dead(home: Home, draft: str) -> bool | None:
    """Whether whoever wrote a draft of that file name is gone; None: nobody can tell. The home must not be on a
    network."""
    name, dash, _ = draft.partition("-")
    if not dash:
        return None
    try:
        fd = os.open(_path(home, name), os.O_RDWR)
    except OSError:
        return None
    try:
        here = os.read(fd, 255).decode("utf-8", "replace") == socket.gethostname()
        return try_lock(fd) if here else None
    finally:
        os.close(fd)


def forget_dead(home: Home) -> None:
    """Delete locks that nobody holds, whose drafts are gone, and those that were never taken."""
    for path in (home.path / "locks").glob(f"{_PREFIX}*"):
        name = path.name.removeprefix(_PREFIX)
        with suppress(FileNotFoundError):  # its process ended at this moment
            info = path.stat()
            abandoned = info.st_size == 0 and info.st_mtime < time.time() - _TAKEN_SECONDS
            if abandoned or (is_dead(home, f"{name}-") and not any(home.blobs.glob(f"{name}-*"))):
                path.unlink()


def _path(home: Home, name: str) -> Path:
    return home.path / "locks" / f"{_PREFIX}{name}"


def _claimed(home: Home) -> _Held:
    if not home.path.exists():
        home.ensure()
    name = secrets.token_hex(8)
    path = _path(home, name)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = above_standard(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:  # whoever writes the draft says what is wrong with this home
        return _Held("", path, -1)
    try:
        if try_lock(fd) and os.write(fd, socket.gethostname().encode()):
            return _Held(f"{name}-", path, fd)
    except OSError:  # the disk is full: as above
        pass
    os.close(fd)  # or there are no locks on this file system
    path.unlink(missing_ok=True)
    return _Held("", path, -1)


def _let_go() -> None:
    """The process ends well: its drafts went with their artifacts."""
    for held in _held.values():
        if held.fd >= 0:
            with suppress(OSError):
                held.path.unlink(missing_ok=True)


def _after_fork() -> None:
    """The child's drafts are its own. What it inherited stays open: it may log what its parent added."""
    global _guard
    _guard = threading.RLock()
    _held.clear()


atexit.register(_let_go)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
