"""Trouble is counted by cause, said once, never raised to the program; in strict mode it is."""

from __future__ import annotations

import ctypes
import functools
import logging
import signal
import threading
import time
from typing import Any

import pytest

from weft.tracking.errors import HomeError
from weft.tracking.faults import Faults
from weft.tracking.payloads.encoding import encode


class _UnspeakableError(Exception):
    """Somebody else's exception whose text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_each_cause_is_said_once_and_counted_always(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    for _ in range(3):
        faults.note("write the journal", OSError(28, "No space left"), hint="Free some space.")
    faults.note("read the tea leaves")
    assert faults.counts == {"write the journal": 3, "read the tea leaves": 1}
    assert [line.getMessage() for line in caplog.records] == [
        "weft could not write the journal (OSError: [Errno 28] No space left). Free some space. This is logged once.",
        "weft could not read the tea leaves (no further detail). This is logged once.",
    ]
    assert {line.name for line in caplog.records} == {"weft.recording"}
    assert {line.levelno for line in caplog.records} == {logging.WARNING}


def test_strict_raises_what_was_caught(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults(strict=True)
    with pytest.raises(KeyError):
        faults.note("look something up", KeyError("x"))
    faults.note("do without an error")
    assert faults.counts["look something up"] == 1


def test_an_exception_without_words_does_not_break_the_program(caplog: pytest.LogCaptureFixture) -> None:
    Faults().note("call user code", _UnspeakableError())
    assert "_UnspeakableError" in caplog.text


def test_threads_lose_no_count(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    threads = [threading.Thread(target=lambda: [faults.note("x") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults.counts["x"] == 2000
    assert len(caplog.records) == 1


def test_what_is_wrong_with_the_home_is_one_cause(caplog: pytest.LogCaptureFixture) -> None:
    """It breaks the journal, the blobs and whatever else is written there: said once, counted apart."""
    faults = Faults()
    for cause in ("write the journal", "keep the files of an artifact"):
        faults.note(cause, HomeError("weft's home /x is a file. Move it away."), hint="More.")
    faults.note("write the journal", HomeError("weft's home /x is a file. Move it away."))
    assert [line.getMessage() for line in caplog.records] == [
        "weft could not write the journal: weft's home /x is a file. Move it away. This is logged once."
    ]
    assert faults.counts == {"write the journal": 2, "keep the files of an artifact": 1}


def test_a_log_line_is_one_line_of_bounded_length(caplog: pytest.LogCaptureFixture) -> None:
    Faults().note("x", ValueError("many\nlines " * 1000))
    assert "\n" not in caplog.records[0].getMessage()
    assert len(caplog.records[0].getMessage()) < 700


class _StopNowError(Exception):
    """What a library for timeouts throws into another thread."""


class _Alarm:
    """A signal handler that is an object."""

    def __call__(self, number: int, frame: object) -> None:
        raise TimeoutError("too slow")


def _plain(number: int, frame: object) -> None:
    raise TimeoutError("too slow")


def _unarmed(number: int, frame: object) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    _raise()


def _forgetful(number: int, frame: object) -> None:
    del number, frame
    raise TimeoutError("too slow")


def _raise() -> None:
    raise TimeoutError("too slow")


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs SIGALRM")
@pytest.mark.parametrize(
    "handler",
    [_plain, _unarmed, _forgetful, _Alarm(), _Alarm().__call__, functools.partial(_plain), lambda *_: _raise()],
)
def test_what_a_signal_handler_raises_is_the_programs(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    former = signal.signal(signal.SIGALRM, handler)
    faults = Faults()

    def record() -> None:
        try:
            signal.raise_signal(signal.SIGALRM)
        except OSError as error:
            faults.note("write the journal", error)

    try:
        with pytest.raises(TimeoutError, match="too slow"):
            record()
    finally:
        signal.signal(signal.SIGALRM, former)
    assert not faults.counts
    assert not caplog.records


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs SIGALRM")
def test_it_is_found_in_what_was_made_of_it() -> None:
    """weft's own HomeError of an OSError, orjson's of whatever came while it asked for an object."""
    former = signal.signal(signal.SIGALRM, _plain)

    def record() -> None:
        try:
            try:
                signal.raise_signal(signal.SIGALRM)
            except OSError as error:
                raise HomeError("the disk is full") from error
        except HomeError as error:
            Faults().note("write the journal", error)

    try:
        with pytest.raises(TimeoutError, match="too slow"):
            record()
    finally:
        signal.signal(signal.SIGALRM, former)


def test_what_a_hook_or_an_object_raises_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever its class, while other exceptions of the program are being handled, too."""
    faults = Faults()
    try:
        raise _StopNowError  # the program's own affair, which it is handling
    except _StopNowError:
        for kind in (_StopNowError, TimeoutError, ValueError):
            try:
                raise kind
            except Exception as error:
                faults.note("ask a hook", error)
    assert faults.counts == {"ask a hook": 3}


def test_what_another_thread_throws_in_is_the_programs() -> None:
    """Every one of them arrives, wherever in weft's code it hits, and the library goes on."""
    seen: list[int] = []

    def work() -> None:
        while len(seen) < 100:
            try:
                value = {"n": [1, None, {1, 2}, float("nan")]}
                while True:
                    encode(value)
            except _StopNowError:
                seen.append(1)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    for number in range(100):
        time.sleep(0.003)  # it is back at work by then
        throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert throw(ctypes.c_ulong(worker.ident or 0), ctypes.py_object(_StopNowError)) == 1
        deadline = time.monotonic() + 10
        while len(seen) <= number and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(seen) == number + 1
    worker.join(10)
    assert not worker.is_alive()
