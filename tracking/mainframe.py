"""The frame of the program itself, for `exits`: which `SystemExit` it left by, if it did.

The interpreter tells an uncaught `SystemExit` to no hook. But where a script's frame has ended it flushes `sys.stderr`,
with nothing of Python below that call, and the exception, if there is one, is not yet dealt with: it is found among the
collector's objects. Programs run by `python -m` and `python -c` are not flushed so, and theirs is found by nobody.
"""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any


class MainFrame:
    """Watches the end of the script that runs now; of anything else it sees nothing."""

    def __init__(self, ended: Callable[[SystemExit | None], None]) -> None:
        """
        Args:
            ended: told of the exception before the interpreter deals with it; None: it came to its end. Of any other
                exception `sys.excepthook` is told.
        """
        self._ended = ended
        self._frame: FrameType | None = None
        self._streams: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        """Those that have a `flush` of ours: several where the program put another in the place of `sys.stderr`."""

    def watch(self) -> None:
        """Look out for its end."""
        frame = _outermost()
        # Of whatever kind: programs put their own there. Where there is no stderr (a daemon), stdout is flushed so.
        stream: Any = sys.stdout if sys.stderr is None else sys.stderr
        if frame is None or "flush" in getattr(stream, "__dict__", {"flush": None}):
            return  # no script, no place for ours, or somebody else's is there already, or ours
        try:
            self._streams[id(stream)] = stream
            stream.flush = partial(self._flushed, stream.flush)
        except (AttributeError, TypeError):  # somebody's own, which takes no weak reference or no other `flush`
            self._streams.pop(id(stream), None)
            return
        self._frame = frame

    def give_back(self) -> None:
        """Look no longer; each stream has its own `flush` again, unless somebody has put another one there."""
        for stream in self._streams.values():
            there = stream.__dict__.get("flush")
            if isinstance(there, partial) and there.func == self._flushed:
                del stream.flush
        self._streams.clear()
        self._frame = None

    def _flushed(self, flush: Callable[[], Any]) -> Any:
        try:
            sys._getframe(1)
        except ValueError:  # the interpreter itself calls
            if self._frame is not None:
                self._tell(self._frame)
        return flush()

    def _tell(self, frame: FrameType) -> None:
        if _returned(frame):
            self._ended(None)
        elif (left_by := next(_exits(frame), None)) is not None:
            self._ended(left_by)


def _outermost() -> FrameType | None:
    """The frame of the main thread's script."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame if frame is not None and frame.f_globals.get("__name__") == "__main__" else None


def _returned(frame: FrameType) -> bool:
    from dis import opname  # late: needed at the end of a process

    return opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN_")


def _exits(frame: FrameType) -> Iterator[SystemExit]:
    """Those that are still held by somebody, the newest first; one that was caught and kept is left out."""
    for generation in range(3):
        objects = gc.get_objects(generation=generation)
        # Their types alone are asked, first: there may be millions, some of them proxies that answer for others.
        kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, SystemExit)}
        for found in reversed(objects) if kinds else ():
            if type(found) in kinds:
                trace = found.__traceback__
                if trace is None or trace.tb_frame is not frame or trace.tb_lasti == frame.f_lasti:
                    yield found
