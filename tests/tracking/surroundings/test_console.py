"""What is printed is recorded when `print` returns, and printing is as it was, for other people's patches too."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rich.console
import rich.progress
import tqdm

from weft.tracking import runtime
from weft.tracking.journal.records import ConsoleLogged, Record
from weft.tracking.runs import starting
from weft.tracking.runs.run import Run
from weft.tracking.settings import Settings
from weft.tracking.surroundings import console

Journaled = Callable[[], list[Record]]


class Stream(io.StringIO):
    """A stream of the test's own."""


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """What becomes sys.stdout with `install` (pytest sets its own once more before it calls the test)."""
    yield Stream()
    run = runtime.active().run
    if run is not None:
        run.finish()


@pytest.fixture
def install(out: Stream, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def patch() -> None:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", Stream())

    return patch


@pytest.fixture
def started(install: Callable[[], None], tmp_path: Path) -> Callable[..., Run]:
    """Starts a run with these streams."""

    def start(**settings: Any) -> Run:
        if not isinstance(sys.stderr, Stream):
            install()
        runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, **settings))
        return starting.init(project="p")

    return start


def lines(journaled: Journaled, stream: str = "stdout") -> list[str]:
    """As the store folds them."""
    found: dict[tuple[int, int], tuple[int, str]] = {}
    for record in journaled():
        if isinstance(record, ConsoleLogged) and record.stream == stream:
            for number, text in enumerate(record.lines, record.first):
                found[0, number] = max((record.at_ns, text), found.get((0, number), (0, "")))
    return [found[key][1] for key in sorted(found)]


def records(journaled: Journaled) -> list[ConsoleLogged]:
    return [record for record in journaled() if isinstance(record, ConsoleLogged)]


def test_a_line_is_recorded_when_print_returns(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    started(console="auto")
    print("hello", "world")
    assert lines(journaled) == ["hello world"]
    print("to stderr", file=sys.stderr)
    assert lines(journaled, "stderr") == ["to stderr"]
    print("a\nb\nc")
    assert lines(journaled) == ["hello world", "a", "b", "c"]
    assert out.getvalue() == "hello world\na\nb\nc\n"


def test_a_handler_of_before_is_heard_and_a_traceback_too(
    install: Callable[[], None], started: Callable[..., Run], journaled: Journaled
) -> None:
    install()
    handler = logging.StreamHandler()
    logger = logging.getLogger("made.before")
    logger.addHandler(handler)
    logger.propagate = False
    started(console="auto")
    logger.warning("through the old handler")
    logger.removeHandler(handler)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        sys.excepthook(*sys.exc_info())
    found = lines(journaled, "stderr")
    assert found[0] == "through the old handler"
    assert found[-1] == "ValueError: what went wrong"


def test_the_stream_stays_what_it_is_and_gets_its_write_back(started: Callable[..., Run], out: Stream) -> None:
    run = started(console="auto")
    assert sys.stdout is out
    assert print("x") is None
    assert sys.stdout.write("four") == 4
    assert isinstance(sys.stdout, Stream)
    run.finish()
    assert "write" not in vars(out)
    print("after", file=out)
    assert out.getvalue().endswith("after\n")


def test_other_peoples_patches_survive(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    run = started(console="auto")
    ours = out.write
    seen: list[str] = []

    def theirs(text: str) -> int:
        seen.append(text)
        return ours(text)

    out.write = theirs  # type: ignore[method-assign]
    print("both")
    run.finish()
    assert vars(out)["write"] is theirs, "theirs is on top: it stays"
    print("later")
    assert "both" in seen
    assert "later" in seen
    assert lines(journaled) == ["both"]
    assert out.getvalue() == "both\nlater\n"


def test_a_patch_of_before_is_put_back(started: Callable[..., Run], out: Stream) -> None:
    plain = out.write

    def theirs(text: str) -> int:
        return plain(text.upper())

    out.write = theirs  # type: ignore[method-assign]
    run = started(console="auto")
    print("x")
    run.finish()
    assert vars(out)["write"] is theirs
    assert out.getvalue() == "X\n"


def test_what_is_redirected_by_the_program_is_not_the_console(
    started: Callable[..., Run], out: Stream, journaled: Journaled
) -> None:
    started(console="auto")
    with contextlib.redirect_stdout(io.StringIO()):
        print("caught by the program")
    print("seen")
    assert lines(journaled) == ["seen"]


def test_a_write_that_fails_fails_as_before_and_is_recorded(
    install: Callable[[], None], started: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, journaled: Journaled
) -> None:
    install()

    class Gone(Stream):
        def write(self, text: str) -> int:
            raise BrokenPipeError("nobody reads")

    stream = Gone()
    monkeypatch.setattr(sys, "stdout", stream)
    run = started(console="auto")
    with pytest.raises(BrokenPipeError):
        stream.write("said into the void\n")
    with pytest.raises(BrokenPipeError):
        print("again")
    run.finish()
    assert lines(journaled)[0] == "said into the void"


def test_odd_streams_are_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slotted:
        __slots__ = ()

        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", Slotted())
    runtime.configure(Settings.resolve(home=home, strict=True, console="auto"))
    with starting.init(project="p"):
        sys.stderr.write("x")


def test_a_progress_bar_is_one_line_recorded_about_once_a_second(
    started: Callable[..., Run], out: Stream, journaled: Journaled
) -> None:
    run = started(console="auto")
    for at in range(300):
        print(f"\r{at:3}/300", end="")
        time.sleep(0.005)
    assert 0 < len(records(journaled)) <= 4
    run.finish()
    assert lines(journaled) == ["299/300"]


def test_the_bars_of_tqdm_and_rich(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    run = started(console="auto")
    for _ in tqdm.trange(3, desc="epoch", file=sys.stderr, ascii=True):
        for _ in tqdm.tqdm(range(40), desc="batch", leave=False, file=sys.stderr, ascii=True):
            time.sleep(0.002)
    console = rich.console.Console(file=sys.stdout, force_terminal=True, width=80)
    for _ in rich.progress.track(range(20), "rich", console=console):
        time.sleep(0.005)
    print("end")
    run.finish()
    bars = [line for line in lines(journaled, "stderr") if line]
    assert len(bars) == 1
    assert bars[0].startswith("epoch: 100%|##########| 3/3")
    shown = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines(journaled)]
    assert [line.split()[0] for line in shown] == ["rich", "end"]
    assert "100%" in shown[0]
    assert len(records(journaled)) < 12


def test_a_line_without_end_is_there_soon(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    started(console="auto")
    print("Password changed? ", end="")
    deadline = time.monotonic() + 5
    while not lines(journaled) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lines(journaled) == ["Password changed?"]


def test_secrets_are_taken_out(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    started(console="auto")
    print("key sk-proj-abcdefghijklmnop1234 end")
    print("\x1b[32mapi_key\x1b[0m=\x1b[33m'hunter2hunter2'\x1b[0m")
    print("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabcdef==\n-----END RSA PRIVATE KEY-----\nafter")
    text = "\n".join(lines(journaled))
    assert "abcdefghijklmnop" not in text
    assert "hunter2" not in text
    assert "MIIE" not in text
    assert "abcdef==" not in text
    assert lines(journaled)[-1] == "after"


def test_a_redactor_that_prints_ends(install: Callable[[], None], tmp_path: Path, journaled: Journaled) -> None:
    install()

    def redactor(key: str, text: str) -> str:
        print("looking at", key)
        return text.replace("Ada", "[name]")

    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, console="auto", redactor=redactor))
    starting.init(project="p")
    print("Ada wrote this")
    assert "[name] wrote this" in lines(journaled)


def test_threads_lose_no_line(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    started(console="auto")

    def work(name: int) -> None:
        for at in range(200):
            sys.stdout.write(f"{name}:{at}\n")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(journaled)
    assert sorted(found) == sorted(f"{name}:{at}" for name in range(8) for at in range(200))
    for name in range(8):
        assert [line for line in found if line.startswith(f"{name}:")] == [f"{name}:{at}" for at in range(200)]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of signals here")
def test_a_signal_handler_may_print_at_any_time(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    run = started(console="auto")
    rang = 0

    def ring(*_: Any) -> None:
        nonlocal rang
        rang += 1
        sys.stdout.write(f"signal {rang}\n")

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for at in range(3000):
            sys.stdout.write(f"line {at}\n")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    run.finish()
    found = lines(journaled)
    assert rang > 3
    assert [line for line in found if line.startswith("line")] == [f"line {at}" for at in range(3000)]
    assert sorted(line for line in found if line.startswith("signal")) == sorted(
        f"signal {n}" for n in range(1, rang + 1)
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_childs_lines_are_its_own(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    """While another thread prints without end: no lock of it is met in the child."""
    run = started(console="auto")
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            sys.stdout.write("chatter\n")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                print("from the child")
                os._exit(0)
            assert _ended(pid) == 0
    finally:
        stop.set()
        thread.join()
    run.finish()
    said = [record for record in records(journaled) if record.lines == ["from the child"]]
    assert len(said) == 5
    assert {record.run_uid for record in said} == {run.uid}


def _ended(pid: int) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")


def test_runs_one_after_the_other_leave_nothing_on_the_stream(started: Callable[..., Run], out: Stream) -> None:
    started(console="auto").finish()
    for _ in range(20):
        with starting.init(project="p"):
            print("x")
    assert "write" not in vars(out)
    assert console._taps == []


def test_the_same_run_begun_again_counts_on(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    started(console="auto").finish()
    for word in ("first", "second"):
        with starting.init(project="p", id="same", resume="allow"):
            print(word)
    found = [record for record in records(journaled) if record.lines[0] in ("first", "second")]
    assert found[1].first > found[0].first


def test_off_is_off_and_write_logs_works_all_the_same(
    started: Callable[..., Run], out: Stream, journaled: Journaled
) -> None:
    run = started(console="off")
    print("not recorded")
    assert "write" not in vars(out)
    run.write_logs("told\nby hand")
    run.write_logs("line by line")
    run.write_logs("as it stands\n")
    run.finish()
    run.write_logs("what a handler of logging says afterwards")
    assert lines(journaled) == ["told", "by hand", "line by line", "as it stands"]
    assert "told" not in out.getvalue()
    with pytest.raises(TypeError):
        run.write_logs(b"bytes")  # type: ignore[arg-type]


def test_a_hundred_thousand_lines_are_cheap(started: Callable[..., Run], out: Stream, journaled: Journaled) -> None:
    run = started(console="auto")
    begun = time.process_time()
    for at in range(100_000):
        print(at)
    took = time.process_time() - begun
    run.finish()
    assert took < 20, "measured: about 1 s"
    assert len(lines(journaled)) == 100_000
