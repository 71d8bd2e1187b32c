"""What an exception, Ctrl-C or an exit code makes of a run."""

from __future__ import annotations

import sys
import threading

import pytest

from weft.tracking.exits import Watch, ending_of


@pytest.mark.parametrize(
    ("error", "state", "code", "kept"),
    [
        (None, "finished", 0, False),
        (ValueError("x"), "failed", 1, True),
        (KeyboardInterrupt(), "killed", 255, True),
        (SystemExit(), "finished", 0, False),
        (SystemExit(0), "finished", 0, False),
        (SystemExit(7), "failed", 7, True),
        (SystemExit(True), "failed", 1, True),
        (SystemExit(1 << 70), "failed", 1, True),
        (SystemExit("a message"), "failed", 1, True),
        (GeneratorExit(), "failed", 1, True),
    ],
)
def test_endings(error: BaseException | None, state: str, code: int, kept: bool) -> None:
    ending = ending_of(error)
    assert (ending.state, ending.exit_code) == (state, code)
    assert (ending.error is not None) is kept


def test_a_thread_that_exits_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "exit", sys.exit)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    watch = Watch()
    watch.start()

    def leave() -> None:
        with pytest.raises(SystemExit):
            sys.exit(3)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert watch.ending().state == "finished"
    with pytest.raises(SystemExit) as ended:
        sys.exit(4)
    assert ended.value.code == 4
    assert watch.ending().exit_code == 4
    watch.stop()
    assert watch.ending().state == "finished"
