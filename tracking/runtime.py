"""The one place of mutable global state: which home, journal, run this process records to. `reset()` undoes all."""

from __future__ import annotations

import copy
import os
import threading
from typing import TYPE_CHECKING, Any, Literal, Protocol

from weft.tracking.faults import Faults
from weft.tracking.home import Home
from weft.tracking.ids import Ids
from weft.tracking.journal.backlog import Backlog
from weft.tracking.journal.journal import Journal
from weft.tracking.settings import Settings

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run


Origin = Literal["environment", "code", "parent"]
"""Who chose the settings: nobody but the environment, this program's own code, or the process that started this one."""


class Outlet(Protocol):
    """Hands finished spans on, in the background."""

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything finished so far was handed on; False: it was not."""

    def retire(self, timeout_s: float) -> bool:
        """The same, for the last time: its runtime was replaced."""


class Runtime:
    """What a process records with. Made once, at the first call that records, or by `configure`."""

    __slots__ = (
        "attributes",
        "faults",
        "home",
        "ids",
        "journal",
        "origin",
        "outlet",
        "provider",
        "recording",
        "run",
        "settings",
        "silent",
    )

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
        self.provider: object = ...
        """The program's OpenTelemetry provider as `tracer.otel.exporting` last saw it; `...`: nobody has looked yet."""
        self.outlet: Outlet | None = None
        """Who hears of finished spans, if anybody does."""
        self.run: Run | None = None
        """The active run (`weft.run`), to which calls belong; evaluations never take its place."""
        self.silent: Run | None = None
        """The active run where nothing of it is recorded: calls belong to none then."""

    @property
    def active_run(self) -> Run | None:
        """`weft.run`."""
        return self.run or self.silent

    def view(self, settings: Settings, recording: bool) -> Runtime:
        """This runtime as one run sees it: the same journal and faults, other settings, or none recorded."""
        made = copy.copy(self)
        made.settings, made.recording, made.run, made.silent = settings, recording, None, None
        return made


LEAVE_SECONDS = 5.0
"""What replacing a runtime waits for those who hear of finished spans."""

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
            _active = Runtime(Settings.of_environment(), origin="environment")
        return _active


def configure(settings: Settings, ids: Ids | None = None, *, origin: Origin = "code") -> Runtime:
    """Record with these settings from now on; the journal of the former ones is closed."""
    global _active
    with _lock:
        former, _active = _active, Runtime(settings, ids, origin)
    if former is not None:
        _leave(former)
    return _active


def _leave(former: Runtime) -> None:
    former.journal.close()
    if former.outlet is not None:
        former.outlet.retire(LEAVE_SECONDS)


def reset() -> None:
    """Back to nothing configured (tests)."""
    global _active
    with _lock:
        former, _active = _active, None
    if former is not None:
        _leave(former)


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
