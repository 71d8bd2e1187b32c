"""The watcher of a home: journal to store for as long as it is wanted. What goes wrong is told, and tried again.

Called by `weft ingest --watch`, which `weft ui` starts. A store that is down, or locked, comes back: until then the
records wait in the journal, and `Home.watch_trouble` tells the app why.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from weft.tracking.errors import Error
from weft.tracking.home import Home
from weft.tracking.journal.locks import exclusive
from weft.tracking.settings import Settings
from weft.tracking.store.access import drain_into, index_text, open_store

IDLE_SECONDS = 0.25
"""How soon a watcher looks again after a pass that found nothing."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 15.0
"""Before it tries again after trouble: doubled each time."""
TURN_SECONDS = 1.0
"""How long it waits for another watcher to end before it looks whether it is still wanted."""

log = logging.getLogger("weft.ingest")


def watch(home: Home, settings: Settings, parent: int | None, *, on_busy: Callable[[], bool]) -> None:
    """Ingest until the parent has gone, or for ever.

    Args:
        parent: a process id; None: nobody's.
        on_busy: asked while another watcher is at work on this home; whether to wait for its end.

    Raises:
        HomeError: the home cannot be used.
    """
    while _wanted(parent):
        with home.using("watch the journal"), exclusive(home.path / "watch.lock", wait_s=TURN_SECONDS) as mine:
            if mine:
                _go_on(home, settings, parent)
                return
        if not on_busy():
            return


def _go_on(home: Home, settings: Settings, parent: int | None) -> None:
    wait = FIRST_WAIT_SECONDS
    told = ""
    try:
        while _wanted(parent):
            try:
                with open_store(settings, drain=False) as store:
                    while _wanted(parent):
                        done = drain_into(store, settings)
                        if told:
                            log.warning("ingesting again")
                            home.watch_trouble.unlink(missing_ok=True)
                            wait, told = FIRST_WAIT_SECONDS, ""
                        if not done.records and not index_text(store, IDLE_SECONDS):
                            time.sleep(IDLE_SECONDS)
            except (Error, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("not ingesting: %s", told)
                    _tell(home, told)
                time.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
    finally:
        home.watch_trouble.unlink(missing_ok=True)


def _tell(home: Home, trouble: str) -> None:
    try:
        home.watch_trouble.write_text(trouble, encoding="utf-8", errors="backslashreplace")
    except OSError as error:  # a full disk may be the very trouble; the log has it
        log.warning("the app is not told of it: %s", error)


def _wanted(parent: int | None) -> bool:
    return parent is None or os.getppid() == parent
