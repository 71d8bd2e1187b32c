"""What a run prints, recorded as a terminal would show it: complete lines are in the journal when `print` returns.

The `write` of the very objects that are `sys.stdout` and `sys.stderr` is wrapped, so that handlers of `logging` that
hold them are heard too, and whatever else they are stays what it is. What is written past Python (C libraries, child
processes, `sys.stdout.buffer`) is not heard.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracking.journal.records import SCHEMA, ConsoleLogged
from weft.tracking.payloads.redaction import clean_name, redact_source
from weft.tracking.surroundings.terminal import Line, Terminal

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime

DRAWN_SECONDS = 1.0
"""How often a line that is drawn again and again is recorded; how it stood last always is."""
PARTS = 1000
"""Parts of a line that wait at most."""
STREAMS = ("stdout", "stderr")

_key_begins = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----").search
_key_ends = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----").search
_KEY_LINES = 100
"""A private key has at most so many: an end that never comes hides no more."""
_KEY = "[redacted:private-key]"


class Tap:
    """Wraps the `write` of one stream, and tells listeners what was written. Never changes what the call does."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.listeners: tuple[Callable[[Any], None], ...] = ()
        self._own = "write" in vars(stream)
        """Whether somebody else had put a `write` on this very object before."""
        write = self._write = stream.write

        def heard(*given: Any, **named: Any) -> Any:
            try:
                return write(*given, **named)
            finally:  # a terminal that is gone takes nothing; the record still does
                for listener in self.listeners:
                    listener(given[0] if given else None)

        self.heard = heard
        stream.write = heard

    def close(self) -> bool:
        """Give the stream its `write` back; False where somebody has wrapped ours meanwhile: it then only passes on."""
        if vars(self.stream).get("write") is not self.heard:
            return False
        if self._own:
            self.stream.write = self._write
        else:
            del self.stream.write
        return True


_taps: list[Tap] = []
_lock = threading.RLock()  # guards the list of taps, who listens, and the numbers below
_printed: dict[str, int] = {}
"""How many lines of each stream are recorded by captures that are closed: numbers are this process's, by stream."""


def listen(stream: Any, listener: Callable[[Any], None]) -> bool:
    """Tell `listener` what is written to the stream from now on. False where its `write` cannot be wrapped."""
    with _lock:
        tap = next((tap for tap in _taps if tap.stream is stream and stream.write is tap.heard), None)
        if tap is None:
            try:
                tap = Tap(stream)
            except (AttributeError, TypeError):  # None under pythonw, or an object without a place for it
                return False
            _taps.append(tap)
        tap.listeners += (listener,)
        return True


def leave(listener: Callable[[Any], None]) -> None:
    """Tell this listener no more."""
    with _lock:
        for tap in list(_taps):
            tap.listeners = tuple(other for other in tap.listeners if other != listener)
            if not tap.listeners:
                tap.close()
                _taps.remove(tap)


class Capture:
    """One stream of one run. Threads may write at once; a signal handler may write in the middle of that."""

    def __init__(self, runtime: Runtime, uid: bytes, stream: str, wake: Callable[[], None]) -> None:
        self._runtime = runtime
        self._uid = uid
        self._stream = stream
        self._wake = wake
        """Called when something is held back that is to be recorded soon."""
        self._cleaning: set[int] = set()
        """Threads that are inside the user's redactor: what that prints is not recorded, or it would never end."""
        self.renew()

    def renew(self) -> None:
        """A new screen: at the start, and in a forked child, whose lines are its own."""
        self._lock = threading.RLock()  # guards the screen; never held while anything is written or called
        self._terminal = Terminal(_printed.get(self._stream, 0))
        self._busy = False
        self._parts: deque[str] = deque()
        """Parts of a line that are not on the screen yet: its lock is for what ends one."""
        self._told_ns = 0
        self._key_lines = 0
        self.held = False
        """Whether there are changes that are not recorded yet."""

    def write(self, text: Any) -> None:
        """Take what was written. Whatever goes wrong here is no matter of whoever prints."""
        if type(text) is not str or not text:
            if not isinstance(text, str) or not text:
                return
            text = str(text)
        if self._cleaning and threading.get_ident() in self._cleaning:
            return
        try:
            if "\n" not in text and len(self._parts) < PARTS:  # a part of a line: `print` writes several
                self._parts.append(text)
                if not self.held:
                    self.held = True
                    self._wake()
                return
            lines = self._take(text)
            if lines is not None:
                self._tell(*lines)
        except Exception as error:
            self._runtime.faults.note("record what was printed", error)

    def close(self) -> None:
        """Record how the lines stand now. The same run, begun again in this process, counts on behind them."""
        self.flush()
        with _lock:
            _printed[self._stream] = max(_printed.get(self._stream, 0), self._terminal.end)

    def flush(self) -> None:
        """Record what is held back."""
        try:
            lines = self._take("", whole=True)
            if lines is not None:
                self._tell(*lines)
        except Exception as error:
            self._runtime.faults.note("record what was printed", error)

    def _take(self, text: str, *, whole: bool = False) -> tuple[list[Line], int] | None:
        """Put it on the screen, behind the parts that wait. The lines to record now, and their time.

        Args:
            whole: also what could wait a moment longer.
        """
        with self._lock:
            if self._busy:  # this very thread is in the middle of it: a signal handler, or the collector
                self._parts.append(text)
                return None
            self._busy = True
            try:
                self.held = False  # before the parts are taken: what comes now is held again
                begun = self._feed(text)
                if begun or whole:
                    return self._changed()
                self.held = True
            finally:
                self._busy = False
        self._wake()
        return None

    def _feed(self, text: str) -> bool:
        begun = False
        while True:
            waiting = [self._parts.popleft() for _ in range(len(self._parts))]
            begun |= self._terminal.feed("".join([*waiting, text]) if waiting else text)
            if not self._parts:
                return begun
            text = ""

    def _changed(self) -> tuple[list[Line], int]:
        # Of two records of a line the later one must be told apart, whichever thread writes it first.
        self._told_ns = max(self._runtime.ids.wall_ns(), self._told_ns + 1)
        return self._terminal.changed(), self._told_ns

    def _tell(self, lines: Sequence[Line], at_ns: int) -> None:
        """Record these lines: neighbours in one record."""
        texts = self._clean(lines)
        start = 0
        for at in range(1, len(lines) + 1):
            if at == len(lines) or lines[at].number != lines[at - 1].number + 1:
                number = lines[start].number
                self._runtime.journal.append(
                    ConsoleLogged(SCHEMA, self._uid, at_ns, self._stream, number, texts[start:at])
                )
                start = at

    def _clean(self, lines: Sequence[Line]) -> list[str]:
        rules = self._runtime.settings.redact
        if rules is False:
            return [line.styled for line in lines]
        found = []
        for line in lines:
            plain = line.plain
            if rules is True:
                clean = clean_name(plain, True)
            else:
                clean = self._by_function(plain)
            hidden = self._in_key(plain)
            found.append(_KEY if hidden else line.styled if clean == plain else clean)
        return found

    def _by_function(self, plain: str) -> str:
        thread = threading.get_ident()
        self._cleaning.add(thread)
        try:
            return redact_source(self._stream, plain, self._runtime.settings.redact)
        finally:
            self._cleaning.discard(thread)

    def _in_key(self, plain: str) -> bool:
        """Whether the line is part of a private key: the rules of redaction see one line at a time."""
        if self._key_lines:
            self._key_lines = 0 if _key_ends(plain) else self._key_lines - 1
            return True
        if "PRIVATE KEY" in plain and _key_begins(plain) and not _key_ends(plain):
            self._key_lines = _KEY_LINES
            return True
        return False


class Console:
    """The console of one run, from `start` to `close`."""

    def __init__(self, runtime: Runtime, uid: bytes) -> None:
        self._captures = {name: Capture(runtime, uid, name, self._drawn) for name in STREAMS}
        self._listening = False
        self._prepare()
        _consoles.add(self)

    def _prepare(self) -> None:
        self._held = threading.Event()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()  # guards the start of the thread

    def start(self) -> None:
        """Hear what is printed."""
        self._listening = True
        listen(sys.stdout, self._captures["stdout"].write)
        if sys.stderr is not sys.stdout:
            listen(sys.stderr, self._captures["stderr"].write)

    def write(self, text: str) -> None:
        """`run.write_logs`: as if it had been printed, without it being shown."""
        self._captures["stdout"].write(text)

    def close(self) -> None:
        """Hear no more; how the lines stand now is recorded."""
        if self._listening:
            self._listening = False
            for capture in self._captures.values():
                leave(capture.write)
        for capture in self._captures.values():
            capture.close()
        self._stop = True
        self._held.set()

    def renew(self) -> None:
        """In a forked child: its lines are its own, and no thread of ours is here."""
        for capture in self._captures.values():
            capture.renew()
        self._prepare()

    def _drawn(self) -> None:
        """A line is not complete, or drawn again: in a moment it is recorded, whether more is printed or not."""
        if not self._held.is_set():
            self._held.set()
        if self._thread is None and self._starting.acquire(blocking=False):
            try:
                thread = threading.Thread(target=self._settle, name="weft-console", daemon=True)
                thread.start()
                self._thread = thread
            except RuntimeError:  # the interpreter is on its way out; `close` records it
                pass
            finally:
                self._starting.release()

    def _settle(self) -> None:
        held, pause = self._held, threading.Event()
        while held.wait() and not self._stop:
            held.clear()
            pause.wait(DRAWN_SECONDS)
            for capture in self._captures.values():
                if capture.held:
                    capture.flush()


_consoles: weakref.WeakSet[Console] = weakref.WeakSet()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    for console in list(_consoles):
        console.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
