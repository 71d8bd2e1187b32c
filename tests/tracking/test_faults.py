"""Trouble is counted by cause, said once, never raised to the program; in strict mode it is."""

from __future__ import annotations

import logging
import threading

import pytest

from weft.tracking.errors import HomeError
from weft.tracking.faults import Faults


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
