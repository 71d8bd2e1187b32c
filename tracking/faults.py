"""Trouble while recording: one log line a cause, a counter, and the user's program runs on (law 2)."""

from __future__ import annotations

import logging
import threading
from collections import Counter

from weft.tracking.errors import HomeError

log = logging.getLogger("weft.recording")

_WORDS = 500


class Faults:
    """Counts recording errors by cause. `strict` re-raises them: weft's own tests run so."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.counts: Counter[str] = Counter()
        self._homes: set[str] = set()
        """What was said of the home: it breaks everything that writes there, and is one cause."""
        self._lock = threading.RLock()  # guards counts; re-entrant, since a signal handler may record too

    def renew_lock(self) -> None:
        """In a forked child, where its holder may not exist."""
        self._lock = threading.RLock()

    def note(self, cause: str, error: BaseException | None = None, *, hint: str = "") -> None:
        """Count one error of this cause; log the first.

        Args:
            cause: what was being done, as a short stable phrase ("write the journal"); log lines are one a cause.
            error: what was caught. In strict mode it is raised again.
            hint: what the user can do.
        """
        with self._lock:
            self.counts[cause] += 1
            first = self.counts[cause] == 1
            if isinstance(error, HomeError):
                first = first and str(error) not in self._homes
                self._homes.add(str(error))
        if self.strict and error is not None:
            raise error
        if first and isinstance(error, HomeError):  # which says what was tried, and what to do
            log.warning("weft could not %s: %s This is logged once.", cause, error)
        elif first:
            reason = "no further detail" if error is None else f"{type(error).__name__}: {_words(error)}"
            log.warning("weft could not %s (%s). %sThis is logged once.", cause, reason, f"{hint} " if hint else "")


def _words(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:_WORDS]  # one line, whatever it quotes
    except Exception as broken:  # somebody else's exception, whose own text fails
        return f"its message raised {type(broken).__name__}"
