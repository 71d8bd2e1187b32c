"""What an exception, Ctrl-C or an exit code makes of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from weft.tracking.exits import Watch, ending_of
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store


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


@pytest.mark.parametrize(("status", "state"), [(1, "killed"), ("bye", "killed"), (0, "finished"), (None, "finished")])
def test_an_exit_that_answers_ctrl_c_is_a_kill_where_it_is_no_success(
    monkeypatch: pytest.MonkeyPatch, status: object, state: str
) -> None:
    monkeypatch.setattr(sys, "exit", sys.exit)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    watch = Watch()
    watch.start()
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(SystemExit) as left:
            sys.exit(status)
    assert (watch.ending().state, ending_of(left.value).state) == (state, state)
    assert watch.ending().exit_code == (0 if state == "finished" else 1)
    watch.stop()


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


HOOKED = """
import sys, weft
run = weft.init(project="p", id="x")
run.log({"x": 1})
sys.excepthook = lambda kind, error, trace: print("shown by another", error)
exec(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("then", "state", "code", "error"),
    [
        ("raise ValueError('at last')", "failed", 1, "ValueError"),
        ("raise KeyboardInterrupt", "killed", 255, "KeyboardInterrupt"),
        ("sys.exit(3)", "failed", 3, "SystemExit"),
        ("pass", "finished", 0, None),
    ],
)
def test_a_hook_of_the_programs_own_hides_no_end(
    tmp_path: Path, then: str, state: str, code: int, error: str | None
) -> None:
    """As `rich.traceback.install()` after `init` sets one, which calls no other."""
    home = tmp_path / "home"
    subprocess.run(
        [sys.executable, "-c", HOOKED, then],
        env={**os.environ, "WEFT_HOME": str(home)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    with open_store(Settings.resolve(home=home)) as store:
        [run] = store.reader().runs({"id": "x"}).rows
    assert (run.state, run.exit_code) == (state, code)
    assert (run.error or {}).get("type") == error


def test_what_was_shown_before_the_watch_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "exit", sys.exit)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "last_exc", ValueError("earlier"), raising=False)
    monkeypatch.setattr(sys, "last_value", sys.last_exc, raising=False)
    watch = Watch()
    watch.start()
    assert watch.ending().state == "finished"
    monkeypatch.setattr(sys, "last_exc", ValueError("later"))
    monkeypatch.setattr(sys, "last_value", sys.last_exc)
    assert watch.ending().state == "failed"
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert watch.ending().state == "finished"
    watch.stop()
