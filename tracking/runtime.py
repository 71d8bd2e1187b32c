"""The one place of mutable global state: which home, journal, run this process records to. `reset()` undoes all."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Literal

from weft.tracking.faults import Faults
from weft.tracking.home import Home
from weft.tracking.ids import Ids
from weft.tracking.journal.backlog import Backlog
from weft.tracking.journal.journal import Journal
from weft.tracking.settings import Settings

if TYPE_CHECKING:
    from weft.tracking.runs import Run


Origin = Literal["environment", "code", "parent"]
"""Who chose the settings: nobody but the environment, this program's own code, or the process that started this one."""


class Runtime:
    """What a process records with. Made once, at the first call that records, or by `configure`."""

    __slots__ = ("attributes", "faults", "home", "ids", "journal", "origin", "recording", "run", "settings")

    def __init__(self, settings: Settings, ids: Ids | None = None, origin: Origin = "code") -> None:
        self.settings = settings
        self.origin: Origin = origin
        self.attributes: Any = settings.attributes or None
        """Of every span; None where there are none. The tracer puts their encoded form here at first use."""
        self.recording = settings.mode != "disabled"
        self.ids = ids or Ids()
        self.faults = Faults(strict=settings.strict)
        self.home = Home(settings.home)
        self.journal = Journal(self.home, self.faults, self.ids)
        self.journal.on_rotate = Backlog(settings).relieve
        self.run: Run | None = None
        """The active run (`weft.run`); evaluations never take its place."""


_active: Runtime | None = None
_lock = threading.RLock()  # guards making and replacing _active; made anew in a forked child


def active() -> Runtime:
    """This process's runtime, made from the environment at first use."""
    return _active or _start()


def active_or_none() -> Runtime | None:
    """This process's runtime, if it has one already."""
    return _active


def _start() -> Runtime:
    global _active
    with _lock:
        if _active is None:
            _active = Runtime(Settings.resolve(), origin="environment")
        return _active


def configure(settings: Settings, ids: Ids | None = None, *, origin: Origin = "code") -> Runtime:
    """Record with these settings from now on; the journal of the former ones is closed."""
    global _active
    with _lock:
        former, _active = _active, Runtime(settings, ids, origin)
    if former is not None:
        former.journal.close()
    return _active


def reset() -> None:
    """Back to nothing configured (tests)."""
    global _active
    with _lock:
        former, _active = _active, None
    if former is not None:
        former.journal.close()


def _after_fork() -> None:
    """In the child: another thread of the parent may have held these locks, and is not here to let go of them."""
    global _lock
    _lock = threading.RLock()
    if _active is not None:
        _active.faults.renew_lock()
        if _active.origin == "code":
            _active.origin = "parent"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
