"""How this process comes to its end: an uncaught exception, Ctrl-C, `sys.exit(n)`, or just so. `runs` asks at exit.

Watching chains `sys.excepthook` and `sys.exit` while a run is live and gives them back afterwards. It installs no
signal handler and swallows nothing. `seconds_left` is how long the end may wait for weft.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

INTERRUPTED = 255
"""wandb's exit code for Ctrl-C."""

END_SECONDS = 5.0
"""The end of a process waits so long at most, for disk and exporters together."""


class Ending(NamedTuple):
    """A run's last word."""

    state: str
    """finished, failed or killed."""
    exit_code: int
    error: BaseException | None


def ending_of(error: BaseException | None) -> Ending:
    """What an exception that ends a run makes of it."""
    if error is None:
        return Ending("finished", 0, None)
    if isinstance(error, KeyboardInterrupt):
        return Ending("killed", INTERRUPTED, error)
    if isinstance(error, SystemExit):
        code = _number(error.code)
        return Ending("failed" if code else "finished", code, error if code else None)
    return Ending("failed", 1, error)


def _number(code: object) -> int:
    """As the interpreter does: nothing is 0, a number itself, anything else is printed and 1."""
    return exit_code(code) if code is None or isinstance(code, int) else 1


def exit_code(code: int | None) -> int:
    """A plain number for the record; None is 0, and one that no system knows is 1."""
    return 0 if code is None else int(code) if -(1 << 31) <= code < 1 << 32 else 1


_until: float | None = None


def seconds_left(reserve: float = 0.0) -> float:
    """What is left of `END_SECONDS` for the one who asks at exit; the clock starts when the first one does.

    Args:
        reserve: seconds that are for those who come after it.
    """
    global _until
    now = time.monotonic()
    if _until is None:
        _until = now + END_SECONDS
    return max(0.0, _until - reserve - now)


class Watch:
    """Sees why the process ends."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._hook: Any = None
        self._exit: Any = None

    def start(self) -> None:
        """Chain the hooks, once."""
        if self._hook is not None:
            return
        self._error = None
        self._hook, self._exit = sys.excepthook, sys.exit
        sys.excepthook = self._on_error
        sys.exit = self._on_exit

    def stop(self) -> None:
        """Give the hooks back, unless somebody has chained onto them meanwhile; then they stay, and only pass on."""
        if sys.excepthook == self._on_error and sys.exit == self._on_exit:
            sys.excepthook, sys.exit = self._hook, self._exit
            self._hook = self._exit = None
        self._error = None

    def ending(self) -> Ending:
        """The process's own end, as far as it is known now."""
        return ending_of(self._error)

    def _on_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self._error = error
        self._hook(kind, error, trace)

    def _on_exit(self, status: Any = None, /) -> NoReturn:
        if threading.current_thread() is threading.main_thread():  # elsewhere it ends but a thread
            self._error = SystemExit(status)
        self._exit(status)
        raise SystemExit(status)  # whoever was chained before us let it pass


watch = Watch()
