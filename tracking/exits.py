"""How this process comes to its end: an uncaught exception, Ctrl-C, `sys.exit(n)`, or just so. `starting` asks at exit.

Watching chains `sys.excepthook`, `sys.exit`, `exit`, `quit` and `sys.stderr.flush` (`mainframe`) while a run is live,
and gives them back afterwards. It installs no signal handler and swallows nothing. `seconds_left` is how long the end
may wait for weft.
"""

from __future__ import annotations

import builtins
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

from weft.tracking.mainframe import MainFrame

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
        if code and isinstance(error.__context__, KeyboardInterrupt):  # Lightning's answer to Ctrl-C, and many a main's
            return Ending("killed", code, error.__context__)
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
        self._before: BaseException | None = None
        """What the interpreter had shown last as the watch began."""
        self._hook: Any = None
        self._exits: list[_Exit] = []
        self._main = MainFrame(self._ended)

    def start(self) -> None:
        """Chain the hooks, once."""
        self._main.watch()
        if self._hook is not None:
            return
        self._error = None
        self._before = _shown()
        self._hook = sys.excepthook
        sys.excepthook = self._on_error
        self._exits = [_Exit(self._left, place, name) for place, name in _WAYS_OUT if hasattr(place, name)]
        for one in self._exits:
            one.chain()

    def stop(self) -> None:
        """Give the hooks back, unless somebody has chained onto them meanwhile; then they stay, and only pass on."""
        if self._hook is not None and sys.excepthook == self._on_error and all(one.is_last for one in self._exits):
            sys.excepthook = self._hook
            for one in self._exits:
                one.give_back()
            self._hook, self._exits = None, []
        self._main.give_back()
        self._error = self._before = None

    def ending(self) -> Ending:
        """The process's own end, as far as it is known now."""
        shown = _shown()  # where a hook of the program's own stands in place of ours, it tells us nothing
        return ending_of(self._error if shown is None or shown is self._before else shown)

    def _on_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self._error = error
        self._hook(kind, error, trace)

    def _left(self, status: Any) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere it ends but a thread
            self._error = SystemExit(status)
            self._error.__context__ = sys.exception()

    def _ended(self, left_by: SystemExit | None) -> None:
        self._error = left_by  # what was heard before may have been caught


def _shown() -> BaseException | None:
    """The uncaught exception that the interpreter noted last: it does so before it calls any hook. At a prompt and in a
    notebook such an exception ends nothing."""
    if hasattr(sys, "ps1") or hasattr(builtins, "get_ipython"):
        return None
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)  # last_exc: from Python 3.12 on


_WAYS_OUT = ((sys, "exit"), (builtins, "exit"), (builtins, "quit"))
"""The functions that end a program with an exit code."""


class _Exit:
    """Stands before one of them."""

    def __init__(self, heard: Callable[[Any], None], place: Any, name: str) -> None:
        self._heard = heard
        self._place = place
        self._name = name
        self._former: Any = getattr(place, name)

    @property
    def is_last(self) -> bool:
        """Whether nobody has chained onto it."""
        return getattr(self._place, self._name) is self

    def chain(self) -> None:
        setattr(self._place, self._name, self)

    def give_back(self) -> None:
        setattr(self._place, self._name, self._former)

    def __call__(self, code: Any = None) -> NoReturn:
        self._heard(code)
        self._former(code)
        raise SystemExit(code)  # whoever was chained before us let it pass

    def __repr__(self) -> str:
        return repr(self._former)  # `exit` typed at a prompt says how to leave


watch = Watch()
