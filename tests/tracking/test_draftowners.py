"""A draft is a dead process's only where that is certain: its lock is free, on this machine, on a disk of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from weft.tracking import draftowners, filesystems, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.blobs import Blobs
from weft.tracking.collecting import collect

_ADD = """
import os, signal, sys
import weft
artifact = weft.Artifact("a", type="x")
artifact.add_bytes(b"never logged", "a")
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _process(home: Path, end: str) -> None:
    env = {**os.environ, "WEFT_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", _ADD, end], env=env, timeout=60, check=False)
    assert done.returncode == (-signal.SIGKILL if end == "killed" else 0)


def _left(home: Path) -> tuple[int, int]:
    """(drafts, locks)"""
    return len(list((home / "blobs").glob("*.new"))), len(list((home / "locks").glob("drafts-*")))


def test_a_process_that_ends_well_leaves_neither_drafts_nor_its_lock(home: Path) -> None:
    _process(home, "well")
    assert _left(home) == (0, 0)


def test_what_a_killed_process_left_is_freed_at_once(home: Path) -> None:
    _process(home, "killed")
    assert _left(home) == (1, 1)
    assert collect(dry_run=True).drafts == 1
    assert _left(home) == (1, 1), "only asked"
    assert collect().drafts == 1
    assert _left(home) == (0, 0)


def test_a_lock_that_was_never_taken_goes_in_the_end(home: Path) -> None:
    runtime.active().home.ensure()
    (home / "locks").mkdir()
    empty = home / "locks" / "drafts-0123456789abcdef"
    empty.touch()
    collect()
    assert empty.exists(), "somebody may be about to take it"
    os.utime(empty, (1, 1))
    collect()
    assert not empty.exists()


@pytest.mark.parametrize("why", ["another machine", "a network", "no lock", "nobody's"])
def test_where_death_is_not_certain_age_decides(home: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    _process(home, "killed")
    (draft,) = (home / "blobs").glob("*.new")
    (lock,) = (home / "locks").glob("drafts-*")
    if why == "another machine":
        lock.write_text("elsewhere")
    elif why == "a network":
        monkeypatch.setattr(filesystems, "kind_of", lambda path: "nfs4")
    elif why == "no lock":
        lock.unlink()
    else:
        draft = draft.rename(draft.with_name(draft.name.partition("-")[2]))
    assert collect().drafts == 0
    os.utime(draft, (1, 1))
    assert collect().drafts == 1


def test_a_child_has_a_name_of_its_own_and_its_end_does_not_end_its_parent(home: Path) -> None:
    artifact = Artifact("a", type="x")
    artifact.add_bytes(b"the parent's", "a")
    mine = draftowners.mine(runtime.active().home)
    if (child := os.fork()) == 0:
        other = draftowners.mine(runtime.active().home)
        Blobs(runtime.active().home).stage(b"the child's")
        os._exit(0 if other and other != mine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert collect().drafts == 1
    assert [path.name.startswith(mine) for path in (home / "blobs").glob("*.new")] == [True]


def test_what_a_living_process_is_about_to_log_stays_however_old(home: Path) -> None:
    """A training of two weeks logs in the end what it staged in the beginning."""
    artifact = Artifact("a", type="x")
    artifact.add_bytes(b"of long ago", "a")
    (draft,) = (home / "blobs").glob("*.new")
    os.utime(draft, (1, 1))
    assert collect().drafts == 0
    assert draft.exists()


def test_threads_that_stage_first_share_one_name(home: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(draftowners.mine(runtime.active().home))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert found[0]
    assert len(list((home / "locks").glob("drafts-*"))) == 1


def test_without_locks_drafts_are_nobodys_and_artifacts_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draftowners, "try_lock", lambda fd: False)
    artifact = Artifact("a", type="x")
    artifact.add_bytes(b"content", "a")
    (draft,) = (home / "blobs").glob("*.new")
    assert "-" not in draft.name
    assert not list((home / "locks").glob("drafts-*"))
    assert collect().drafts == 0


def test_on_a_full_disk_no_lock_is_left_behind(home: Path) -> None:
    """Told by a limit on the size of files, as a disk tells it that has room for names alone."""
    resource = pytest.importorskip("resource")
    runtime.active().home.ensure()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    opened = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else None
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        assert draftowners.mine(runtime.active().home) == ""
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((home / "locks").glob("drafts-*"))
    if opened is not None:
        assert len(list(Path("/proc/self/fd").iterdir())) == opened
