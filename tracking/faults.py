"""Trouble while recording: one log line a cause, a counter, and the user's program runs on (law 2).

What the program itself throws into the middle of recording is no trouble of ours. A signal handler may raise wherever
Python looks for signals, a library for timeouts may have Python raise in another thread (`PyThreadState_SetAsyncExc`):
whoever catches exceptions in weft's code lets these through (`let_through`, which `Faults.note` calls first).
"""

from __future__ import annotations

import functools
import logging
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from types import CodeType, FrameType

from weft.tracking.errors import HomeError

log = logging.getLogger("weft.recording")

_WORDS = 500
_CAUSES = 10
"""How far down its causes an exception is looked at."""
_VARARGS = 0x04
"""`inspect.CO_VARARGS`, without importing that."""
_OURS = sys.stdlib_module_names | {"weft", "msgspec", "opentelemetry", "orjson", "regex", "sqlalchemy"}
"""Whose exceptions arise in weft's code by themselves."""
_WHERE = (sys.stdlib_module_names | {"weft"}) - {"unittest"}
"""Whose code raises no others; a mock raises what it was told to."""


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

        Raises:
            BaseException: the error, where it is the program's own: its timeout, its signal handler's.
        """
        if error is not None:
            try:
                let_through(error)
            except BaseException:
                del error  # as in let_through()
                raise
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
        elif first and error is None and hint:
            log.warning("weft could not %s. %s This is logged once.", cause, hint.strip())
        elif first:
            reason = "no further detail" if error is None else f"{type(error).__name__}: {_words(error)}"
            log.warning("weft could not %s (%s). %sThis is logged once.", cause, reason, f"{hint} " if hint else "")


def _words(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:_WORDS]  # one line, whatever it quotes
    except Exception as broken:  # somebody else's exception, whose own text fails
        return f"its message raised {type(broken).__name__}"


def let_through(error: BaseException) -> None:
    """To be called by whoever catches an exception that he did not foresee, and goes on.

    Raises:
        BaseException: the error, or what it was caused by, where the program threw it in.
    """
    found = thrown_in(error)
    try:
        if found is error:
            raise error
        if found is not None:  # somebody made another one of it
            raise found from found.__cause__
    finally:
        del found, error  # it would hold this frame, and this frame it: whatever else it holds is let go of by count


def thrown_in(error: BaseException) -> BaseException | None:
    """The exception that the program threw into weft's code: this one, or a cause of it. None: it arose here.

    Errors of hooks, reprs and iterators that weft calls arise here; those of a signal handler that runs meanwhile do
    not.
    """
    seen: BaseException | None = error
    for _ in range(_CAUSES):
        if seen is None:
            break
        if not isinstance(seen, Exception) or _is_programs(seen):
            return seen
        seen = seen.__cause__
    return None


def as_thrown_in(error: BaseException) -> BaseException:
    """The same exception, which is known to have been thrown in, though its traceback no longer tells."""
    error._weft_thrown_in = True  # type: ignore[attr-defined]
    return error


def _is_programs(error: Exception) -> bool:
    if getattr(error, "_weft_thrown_in", False):
        return True
    trace = error.__traceback__
    if trace is None:
        return False
    foreign = []
    while (inner := trace.tb_next) is not None:
        trace = inner
        if _module(trace.tb_frame) != "weft":
            foreign.append(trace.tb_frame)
    if foreign:
        handlers = {id(code) for code in _handlers()}
        if any(id(frame.f_code) in handlers or _was_handed_its_caller(frame) for frame in foreign):
            return True
    # Thrown in from another thread: a bare class, at an instruction of ours that raises nothing of the kind.
    return not error.args and _top(type(error).__module__) not in _OURS and _module(trace.tb_frame) in _WHERE


def _module(frame: FrameType) -> str:
    return _top(frame.f_globals.get("__name__"))


def _handlers() -> Iterator[CodeType]:
    """Code of the signal handlers that are installed."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        func = getattr(handler, "__func__", handler)
        if not hasattr(func, "__code__"):
            own = (kind.__dict__.get("__call__") for kind in type(func).__mro__)
            func = next(filter(None, own), None)  # an object that can be called
        code = getattr(func, "__code__", None)
        if isinstance(code, CodeType):
            yield code


def _was_handed_its_caller(frame: FrameType) -> bool:
    """Whether it is the call of a signal handler, which Python hands the frame that it interrupts: also one that has
    uninstalled itself since."""
    code = frame.f_code
    takes_more = bool(code.co_flags & _VARARGS)
    if frame.f_back is None or code.co_argcount + takes_more == 0:
        return False
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + takes_more]
    given = [frame.f_locals.get(name) for name in names]
    more = given[-1] if takes_more and isinstance(given[-1], tuple) else ()
    return any(value is frame.f_back for value in [*given, *more])


def _top(module: object) -> str:
    if not isinstance(module, str):
        return ""
    return "collections" if module.startswith("namedtuple_") else module.partition(".")[0]
