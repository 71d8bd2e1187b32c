"""The one place of mutable global state: which home, journal, run this process records to. `reset()` undoes all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from weft.tracking.faults import Faults
from weft.tracking.home import Home
from weft.tracking.ids import Ids
from weft.tracking.journal.backlog import Backlog
from weft.tracking.journal.journal import Journal
from weft.tracking.settings import Settings

if TYPE_CHECKING:
    from weft.tracking.runs import Run


class Runtime:
    """What a process records with. Made once, at the first call that records, or by `configure`."""

    __slots__ = ("faults", "home", "ids", "journal", "recording", "run", "settings")

    def __init__(self, settings: Settings, ids: Ids | None = None) -> None:
        self.settings = settings
        self.recording = settings.mode != "disabled"
        self.ids = ids or Ids()
        self.faults = Faults(strict=settings.strict)
        self.home = Home(settings.home)
        self.journal = Journal(self.home, self.faults, self.ids)
        self.journal.on_rotate = Backlog(settings).relieve
        self.run: Run | None = None
        """The active run (`weft.run`); evaluations never take its place."""


_active: Runtime | None = None
_lock = threading.RLock()  # guards making and replacing _active


def active() -> Runtime:
    """This process's runtime, made from the environment at first use."""
    return _active or _start()


def _start() -> Runtime:
    global _active
    with _lock:
        if _active is None:
            _active = Runtime(Settings.resolve())
        return _active


def configure(settings: Settings, ids: Ids | None = None) -> Runtime:
    """Record with these settings from now on; the journal of the former ones is closed."""
    global _active
    with _lock:
        former, _active = _active, Runtime(settings, ids)
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
