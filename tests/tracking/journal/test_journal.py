"""The write path: durable at return, whole under re-entry, threads, forks and full disks, and never in the way."""

from __future__ import annotations

import gc
import itertools
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest

from weft.tracking.faults import Faults
from weft.tracking.home import Home
from weft.tracking.journal.frames import Stop
from weft.tracking.journal.journal import WRITE, Journal
from weft.tracking.journal.locks import is_held
from weft.tracking.journal.records import SCHEMA, MetricsLogged, Record, RunFinished, SegmentClosed, SegmentOpened
from weft.tracking.journal.segments import Segments

RUN = b"r" * 16


def _log(step: int) -> MetricsLogged:
    return MetricsLogged(SCHEMA, RUN, step, step, {"loss": float(step)})


def _journal(path: Path, **options: int) -> Journal:
    return Journal(Home(path), Faults(strict=True), **options)


def _records(path: Path) -> list[Record]:
    """Everything in every segment, each of which must be whole."""
    found: list[Record] = []
    for segment in Segments(Home(path)).pending():
        scan = segment.read(0)
        assert scan.stop is Stop.END, f"{segment.name}: {scan.detail}"
        found += [frame.record for frame in scan.frames]
    return found


def _steps(path: Path) -> list[int]:
    return [record.step for record in _records(path) if isinstance(record, MetricsLogged)]


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    journal = _journal(tmp_path)

    for step in range(3):
        assert journal.append(_log(step))
        assert _steps(tmp_path) == list(range(step + 1))


def test_a_segment_tells_who_writes_it_and_ends_with_a_last_word(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    writer = journal.writer
    journal.append(_log(0))
    journal.close()

    first, *_, last = _records(tmp_path)

    assert isinstance(first, SegmentOpened)
    assert (first.writer, first.pid) == (writer, os.getpid())
    assert last == SegmentClosed(SCHEMA, "exit", 0)


def test_only_the_owner_may_read_home_and_segments(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "home")
    journal.append(_log(0))

    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE(journal.segments[0].stat().st_mode) == 0o600


def test_the_lock_is_held_for_life_and_let_go_at_close(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.append(_log(0))
    path = journal.segments[0]

    assert is_held(path)
    journal.close()
    assert not is_held(path)


def test_it_rotates_and_the_next_segment_is_held_before_the_last_is_let_go(tmp_path: Path) -> None:
    journal = _journal(tmp_path, rotate_bytes=2_000)
    for step in range(200):
        journal.append(_log(step))
    journal.close()

    closes = [record.reason for record in _records(tmp_path) if isinstance(record, SegmentClosed)]

    assert _steps(tmp_path) == list(range(200))
    assert closes == ["rotate"] * (len(closes) - 1) + ["exit"]
    assert len(closes) > 3
    assert len({r.writer for r in _records(tmp_path) if isinstance(r, SegmentOpened)}) == 1


def test_eight_threads_lose_and_tear_nothing(tmp_path: Path) -> None:
    journal = _journal(tmp_path, rotate_bytes=20_000)
    threads = [
        threading.Thread(target=lambda base=base: [journal.append(_log(base + n)) for n in range(500)])
        for base in range(0, 4_000, 500)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(_steps(tmp_path)) == list(range(4_000))


def test_an_append_inside_an_append_is_durable_at_its_own_return(tmp_path: Path) -> None:
    """A signal storm re-enters the journal at whatever instruction it hits; no record is lost, torn or late."""
    journal = _journal(tmp_path)
    numbers = itertools.count(1_000_000)

    depth = 0
    over = False  # a signal that is pending when the timer is stopped must not start it again

    def on_alarm(signum: int, frame: object) -> None:
        nonlocal depth
        if over:
            return
        depth += 1
        if depth < 3:  # interrupted itself, but not without end where the machine is slower than the timer
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
        journal.append(_log(next(numbers)))
        depth -= 1
        signal.setitimer(signal.ITIMER_REAL, 0.0002)

    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0002)
        for step in range(20_000):
            journal.append(_log(step))
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    end = next(numbers)
    assert end > 1_000_050
    assert Counter(_steps(tmp_path)) == Counter([*range(20_000), *range(1_000_000, end)])


def test_a_finaliser_that_records_during_an_append_neither_deadlocks_nor_tears(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    born = 0

    class Chatty:
        """In a cycle, so that only the collector ends it; records when it goes."""

        def __init__(self, number: int) -> None:
            self.me = self
            self.number = number

        def __del__(self) -> None:
            journal.append(_log(1_000_000 + self.number))

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for step in range(3_000):
            Chatty(born)
            born += 1
            journal.append(_log(step))
    finally:
        gc.set_threshold(*threshold)
        gc.collect()

    assert Counter(_steps(tmp_path)) == Counter([*range(3_000), *range(1_000_000, 1_000_000 + born)])


def test_an_append_re_entered_at_the_very_write_goes_to_a_segment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst instruction, hit on purpose: between the bytes reaching the file and `write` returning."""
    journal = _journal(tmp_path)
    journal.append(_log(0))
    real = os.write
    seen: list[list[int]] = []

    def write(fd: int, data: bytes) -> int:
        done = real(fd, data)
        if not seen:
            seen.append([])
            journal.append(_log(7))
            seen[0] = _steps(tmp_path)
        return done

    monkeypatch.setattr(os, "write", write)
    journal.append(_log(1))

    assert sorted(seen[0]) == [0, 1, 7]
    assert len(journal.segments) == 2
    assert sorted(_steps(tmp_path)) == [0, 1, 7]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_writes_its_own_segment_under_a_new_name(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.append(_log(0))
    parent, path = journal.writer, journal.segments[0]

    child = os.fork()
    if child == 0:
        journal.append(_log(1))
        os._exit(0 if journal.writer != parent and path not in journal.segments else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    journal.append(_log(2))

    assert is_held(path), "the child's death must not free its parent's segment"
    assert sorted(_steps(tmp_path)) == [0, 1, 2]
    assert len(Segments(Home(tmp_path)).pending()) == 2


def test_a_full_disk_costs_the_records_that_do_not_fit_and_nothing_else(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel cut a write short, as a full disk does: cut back, counted, carried on."""
    script = """
        import logging, resource, signal, sys
        from pathlib import Path
        from weft.tracking.faults import Faults
        from weft.tracking.home import Home
        from weft.tracking.journal.journal import Journal
        from weft.tracking.journal.records import SCHEMA, MetricsLogged
        logging.basicConfig(format="%(message)s")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = Journal(Home(Path(sys.argv[1])), Faults())
        log = lambda step, key="loss": journal.append(MetricsLogged(SCHEMA, b"r" * 16, step, step, {key: 1.0}))
        log(0)
        size = journal.segments[0].stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, resource.RLIM_INFINITY))
        results = [log(n, "k" * 500) for n in (1, 2, 3)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        results.append(log(4))
        print(results, journal.dropped)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert out.stdout.strip() == "[False, False, False, True] 3"
    assert out.stderr.count(WRITE) == 1, out.stderr
    assert _steps(tmp_path) == [0, 4]
    assert _records(tmp_path)[-1] == SegmentClosed(SCHEMA, "exit", 3)


def test_a_record_met_at_the_recursion_limit_is_written_further_up(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    asked = 0

    def deeper(step: int) -> None:
        nonlocal asked
        asked = step
        journal.append(_log(step))
        deeper(step + 1)

    with pytest.raises(RecursionError):
        deeper(0)
    journal.append(_log(1_000_000))

    assert sorted(_steps(tmp_path)) in ([*range(asked + 1), 1_000_000], [*range(asked), 1_000_000])
    assert journal.dropped == 0


def test_what_was_lost_is_said_at_the_end_as_a_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(Home(tmp_path / "home"), Faults())
    journal.append(_log(0))
    os.close(journal._segments[0].fd)  # type: ignore[union-attr]
    for step in range(1, 4):
        assert not journal.append(_log(step))
    journal._segments.clear()
    journal.close()

    assert "3 records of this process could not be written" in caplog.messages[-1]
    journal.close()
    assert len(caplog.messages) == 2


def test_a_home_that_is_a_file_is_said_once_and_breaks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "home"
    path.write_text("not a folder")
    journal = Journal(Home(path), Faults())

    assert [journal.append(_log(n)) for n in range(3)] == [False] * 3
    assert journal.dropped == 3
    assert len(caplog.messages) == 1
    assert f"{path} is a file" in caplog.text
    assert "WEFT_HOME" in caplog.text


def test_a_read_only_home_is_said_once_and_breaks_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o500)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)  # root may write anywhere
    try:
        journal = Journal(Home(tmp_path / "home"), Faults())
        appended = [journal.append(_log(n)) for n in range(3)]
    finally:
        os.seteuid(was)
        tmp_path.chmod(0o700)

    assert appended == [False] * 3
    assert len(caplog.messages) == 1
    assert "cannot be written" in caplog.text
    assert "WEFT_HOME" in caplog.text


def test_descriptors_do_not_leak(tmp_path: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(20):
        journal = _journal(tmp_path, rotate_bytes=500)
        for step in range(20):
            journal.append(_log(step))
        journal.sync()
        journal.close()

    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 1 < soft


def test_exit_syncs_and_ends_the_segment(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from weft.tracking.faults import Faults
        from weft.tracking.home import Home
        from weft.tracking.journal.journal import Journal
        from weft.tracking.journal.records import SCHEMA, MetricsLogged
        journal = Journal(Home(Path(sys.argv[1])), Faults())
        journal.append(MetricsLogged(SCHEMA, b"r" * 16, 1, 1, {"a": 1.0}))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=True)

    assert isinstance(_records(tmp_path)[-1], SegmentClosed)


def test_a_segment_that_was_removed_is_left_for_a_new_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the home, which is made again only for another record; said, counted, and told of each time."""
    home, faults = Home(tmp_path / "home"), Faults()
    journal = Journal(home, faults)
    assert journal.append(RunFinished(SCHEMA, b"r" * 16, 1, "finished"))
    journal.leave_removed()
    assert not faults.counts
    (first,) = journal.segments
    shutil.rmtree(home.path)
    journal.leave_removed()
    assert journal.segments == []
    assert not home.path.exists()
    assert journal.append(RunFinished(SCHEMA, b"s" * 16, 1, "finished"))
    (second,) = journal.segments
    assert second.is_file()
    assert second != first
    home.path.rename(tmp_path / "elsewhere")
    journal.leave_removed()
    assert journal.append(RunFinished(SCHEMA, b"t" * 16, 1, "finished"))
    assert journal.segments[0].is_file()
    journal.close()
    assert len(faults.counts) == 2
    assert all("removed or moved while this process wrote" in line.getMessage() for line in caplog.records)
