"""Alerts: a run asks for somebody's attention. They are kept with the run, and said in the log."""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from weft.tracking.errors import UsageError

log = logging.getLogger("weft.alerts")

WAIT_SECONDS = 60.0


class AlertLevel(enum.Enum):
    """How urgent an alert is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


_LOGGED = {AlertLevel.INFO: logging.INFO, AlertLevel.WARN: logging.WARNING, AlertLevel.ERROR: logging.ERROR}


def level_of(level: object) -> AlertLevel:
    """
    Raises:
        UsageError: it is no level.
    """
    if level is None:
        return AlertLevel.INFO
    if isinstance(level, AlertLevel):
        return level
    try:
        return AlertLevel(str(level).upper())
    except ValueError:
        raise UsageError(f"an alert's level is one of INFO, WARN, ERROR, not {level!r:.80}") from None


def wait_seconds(wait: object) -> float:
    """
    Raises:
        UsageError: it is no duration.
    """
    if wait is None:
        return WAIT_SECONDS
    if isinstance(wait, timedelta):
        return wait.total_seconds()
    if isinstance(wait, int | float) and not isinstance(wait, bool) and wait >= 0:
        return float(wait)
    raise UsageError(f"wait_duration is a number of seconds or a timedelta, not {wait!r:.80}")


class Throttle:
    """Lets an alert of one title pass once in its time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def passes(self, title: str, wait_s: float) -> bool:
        now = self._clock()
        last = self._last.get(title)
        if last is not None and now - last < wait_s:
            return False
        self._last[title] = now
        return True


def say(path: str, title: str, text: str, level: AlertLevel) -> None:
    """One line in the log."""
    log.log(_LOGGED[level], "run %s: %s: %s", path, title, " ".join(text.split()))
