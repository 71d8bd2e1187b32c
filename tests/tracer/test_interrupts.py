"""A timeout or Ctrl-C that hits inside weft's own code reaches the program; no span stays current or open for it."""

from __future__ import annotations

import asyncio
import dis
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

import weft
from weft.testing.spans import read_spans
from weft.tracer.context import get_current
from weft.tracking import runtime
from weft.tracking.journal import frames

needs_timers = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")


class OutOfTimeError(Exception):
    """The program's own."""


@weft.op
def small(n: int) -> int:
    return n


@weft.op
def nested(n: int) -> int:
    return small(n) + small(n)


@weft.op
async def awaited(n: int) -> int:
    return small(n)


@weft.op
def counted(n: int) -> Iterator[int]:
    for number in range(3):
        yield small(number)


@weft.op
@contextmanager
def block(n: int) -> Iterator[int]:
    yield small(n)


def drained(n: int) -> None:
    for _ in counted(n):
        pass


def in_a_block(n: int) -> None:
    with block(n):
        pass


def in_a_span(n: int) -> None:
    with weft.span("span", inputs={"n": n}) as span:
        span.set_attribute("n", n)
        small(n)


def in_a_scope(n: int) -> None:
    with weft.thread("talk"), weft.attributes({"n": n}):
        small(n)


def with_an_object(n: int) -> None:
    small({1, n, float("nan")})  # type: ignore[arg-type]


def by_call(n: int) -> None:
    nested.call(n)


def run_async(n: int) -> None:
    coroutine = awaited(n)
    try:
        coroutine.send(None)
    except StopIteration:
        pass


WAYS = [small, nested, drained, in_a_block, in_a_span, in_a_scope, with_an_object, run_async]


def _all_ended(home: Any) -> None:
    """Every span has ended, and each is whole; no segment has part of a record."""
    for path in sorted((home / "journal").glob("*.wj")):
        found = frames.scan(path.read_bytes()[len(frames.HEADER) :], len(frames.HEADER))
        assert found.stop is frames.Stop.END, path
    spans = {one.span_id: one for one in read_spans(home / "journal")}
    assert {one.status for one in spans.values()} <= {"ok", "error"}
    for one in spans.values():
        assert one.parent_id is None or spans[one.parent_id].start_ns <= one.start_ns
        assert one.parent_id is None or one.start_ns <= (spans[one.parent_id].end_ns or 0), "in a call that had ended"


@needs_timers
@pytest.mark.parametrize("kind", [OutOfTimeError, TimeoutError, KeyboardInterrupt])
@pytest.mark.parametrize("way", WAYS)
def test_every_exception_of_a_storm_arrives(home: Any, way: Callable[[int], Any], kind: type[BaseException]) -> None:
    fired = seen = 0

    def on_alarm(*_: Any) -> None:
        nonlocal fired
        fired += 1
        raise kind

    way(0)
    before = get_current()
    former = signal.signal(signal.SIGALRM, on_alarm)
    try:
        for number in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + number * 3e-6)
                while True:
                    way(number)
            except kind:
                seen += 1
            assert get_current() == before, number
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert seen == fired == 150
    runtime.active().journal.sync()
    _all_ended(home)
    assert not runtime.active().faults.counts
    assert runtime.active().journal.dropped == 0


_NOT_THERE = ("CALL", "PRECALL", "RETURN_VALUE")


class _Thrower:
    """Raises at the n-th place of weft's code at which Python looks for signals: beginnings, loops' ends, calls of C.

    It stands in for the interpreter, which runs a handler right there; a trace function's exception goes the same way.
    """

    def __init__(self, at: int, kind: type[BaseException]) -> None:
        self.left = at
        self.kind = kind
        self._last: dict[FrameType, str] = {}
        self._names: dict[Any, dict[int, str]] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            if not (frame.f_globals.get("__name__", "").startswith("weft.") or "<weft op" in frame.f_code.co_filename):
                return None
            frame.f_trace_opcodes = True
            if frame.f_back is not None:
                self._last.pop(frame.f_back, None)  # it calls Python, and there nothing is looked for on the way back
            return self
        if event == "opcode":
            code = frame.f_code
            if code not in self._names:
                self._names[code] = {one.offset: one.opname for one in dis.get_instructions(code)}
            name = self._names[code].get(frame.f_lasti, "")
            last = self._last.get(frame, "")
            if name == "NOP" and last:
                return self  # no instruction to the interpreter, which is still where it looks for signals
            self._last[frame] = name
            # What raises at a RETURN_VALUE is outside of the `try` that its value was made in; nothing does.
            if last.startswith(("RESUME", "JUMP_BACKWARD", "CALL", "PRECALL")) and name not in _NOT_THERE:
                self.left -= 1
                if self.left == 0:
                    sys.settrace(None)
                    raise self.kind
        return self


# A coroutine whose making is interrupted is never awaited, of which Python itself warns.
@pytest.mark.filterwarnings("ignore:.*coroutine object awaited:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("kind", [OutOfTimeError, KeyboardInterrupt])
@pytest.mark.parametrize("way", [small, drained, in_a_block, in_a_span, run_async, with_an_object])
def test_wherever_it_hits(home: Any, way: Callable[[int], Any], kind: type[BaseException]) -> None:
    """Each place of one call, one after the other."""
    way(0)
    way(1)
    before = get_current()
    former = sys.gettrace()
    hit = 0
    while True:
        hit += 1
        thrower = _Thrower(hit, kind)
        sys.settrace(thrower)
        try:
            way(hit)
        except kind:
            arrived = True
        else:
            arrived = False
        finally:
            sys.settrace(former)
        assert get_current() == before, f"place {hit}"
        if thrower.left > 0:
            break
        assert arrived, f"place {hit}"
    assert hit > 40
    _all_ended(home)
    assert not runtime.active().faults.counts


@needs_timers
def test_a_timeout_in_an_event_loop(home: Any) -> None:
    """The task that runs gets it; no other task is in its span afterwards."""
    seen = 0

    def on_alarm(*_: Any) -> None:
        raise OutOfTimeError

    async def main() -> None:
        nonlocal seen
        for _ in range(50):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while True:
                    await awaited(1)
            except OutOfTimeError:
                seen += 1
            assert weft.current_span() is None

    former = signal.signal(signal.SIGALRM, on_alarm)
    try:
        asyncio.run(main())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert seen == 50
    _all_ended(home)


def test_a_call_that_was_broken_off_in_its_end_has_that_error(home: Any) -> None:
    """Whether its end was in the journal already nobody knows: it is written once more, as the program saw it end."""
    journal = runtime.active().journal
    small(0)
    write, calls = journal.append, 0

    def append(record: Any) -> bool:
        nonlocal calls
        calls += 1
        written = write(record)
        if calls == 2:
            raise KeyboardInterrupt
        return written

    journal.append = append  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        small(1)
    (last,) = [one for one in read_spans(home / "journal") if one.inputs == {"n": 1}]
    assert last.status == "error"
    assert last.error is not None
    assert last.error["type"] == "KeyboardInterrupt"
    assert weft.current_span() is None
