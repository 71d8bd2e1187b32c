"""What is recorded by itself is there when a run has ended; each can be turned off, and none holds a run up."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime, surroundings
from weft.tracking.blobs import Blobs
from weft.tracking.journal.records import ConsoleLogged, FileSaved, Record, RunUpdated, SystemSampled
from weft.tracking.payloads.encoding import decode
from weft.tracking.runs.run import Run

Journaled = Callable[[], list[Record]]
NOTHING: dict[str, Any] = {
    "console": "off",
    "git": False,
    "packages": False,
    "machine": False,
    "save_code": False,
    "system_interval_s": 0,
}


def _files(journaled: Journaled) -> dict[str, tuple[str, str]]:
    """By path: kind and text."""
    blobs = Blobs(runtime.active().home)
    return {
        record.path: (record.kind, blobs.read(record.digest).decode())
        for record in journaled()
        if isinstance(record, FileSaved)
    }


def _metadata(journaled: Journaled) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in journaled():
        if isinstance(record, RunUpdated) and record.metadata is not None:
            found |= decode(record.metadata)
    return found


def test_all_of_it(
    started: Callable[..., Run], repository: Any, monkeypatch: pytest.MonkeyPatch, journaled: Journaled
) -> None:
    repository.git("remote", "add", "origin", "https://me:ghp_0123456789abcdefghij@example.org/a.git")
    commit = repository.commit("first")
    (repository.folder / "a.txt").write_text("api_key = 'sk-0123456789abcdefghij'\n")
    monkeypatch.chdir(repository.folder)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(repository.folder / "a.txt"), raising=False)
    monkeypatch.setenv("MY_TOKEN", "value-of-it")
    run = started(console="off", git=True, packages=True, machine=True, save_code=True, system_interval_s=15)
    time.sleep(0.2)
    run.finish()
    found = _metadata(journaled)
    assert found["git"] == {
        "commit": commit,
        "branch": "trunk",
        "remote": "https://example.org/a.git",
        "dirty": True,
    }
    assert "MY_TOKEN" in found["env"]["names"]
    assert found["hardware"]["memory_bytes"] > 0
    files = _files(journaled)
    assert {path: kind for path, (kind, _) in files.items()} == {
        "diff.patch": "diff",
        "requirements.txt": "requirements",
        "code/a.txt": "code",
    }
    assert "pytest==" in files["requirements.txt"][1]
    assert "-1\n+api_key" in files["diff.patch"][1]
    everything = str(found) + str(files)
    assert "value-of-it" not in everything
    assert "0123456789abcdefghij" not in everything
    looks = [record for record in journaled() if isinstance(record, SystemSampled)]
    assert len(looks) == 2, "one at the start, one at the end"
    assert looks[1].values["system.proc.memory.rssMB"] > 1


def test_each_can_be_turned_off(
    started: Callable[..., Run], repository: Any, monkeypatch: pytest.MonkeyPatch, journaled: Journaled
) -> None:
    repository.commit("first")
    monkeypatch.chdir(repository.folder)
    before = threading.active_count()
    run = started(**NOTHING)
    print("x")
    assert threading.active_count() <= before + 1, "the journal's own"
    run.finish()
    kinds = (ConsoleLogged, SystemSampled, FileSaved, RunUpdated)
    assert [record for record in journaled() if isinstance(record, kinds)] == []


def test_a_cut_difference_says_so(
    started: Callable[..., Run], repository: Any, monkeypatch: pytest.MonkeyPatch, journaled: Journaled
) -> None:
    repository.commit("first")
    (repository.folder / "a.txt").write_text("line of text\n" * 1000)
    monkeypatch.chdir(repository.folder)
    run = started(**{**NOTHING, "git": True, "diff_bytes": 1000})
    time.sleep(0.2)
    run.finish()
    _, text = _files(journaled)["diff.patch"]
    assert text.splitlines()[-2] == "+line of text"
    assert text.splitlines()[-1].startswith("# weft: cut here, 13")


def test_a_change_behind_a_filter_is_named_and_not_shown(
    started: Callable[..., Run], repository: Any, monkeypatch: pytest.MonkeyPatch, journaled: Journaled
) -> None:
    repository.commit("first")
    repository.git("config", "filter.strip.clean", "false")
    (repository.folder / ".git" / "info" / "attributes").write_text("*.txt filter=strip\n")
    (repository.folder / "a.txt").write_text("hidden\n")
    monkeypatch.chdir(repository.folder)
    run = started(**{**NOTHING, "git": True})
    time.sleep(0.3)
    run.finish()
    _, text = _files(journaled)["diff.patch"]
    assert text == "# weft: changed, and not looked into, since a filter of git's stands before it: 'a.txt'\n"


def test_a_git_that_hangs_holds_nothing_up(
    started: Callable[..., Run], repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("first")
    monkeypatch.chdir(repository.folder)
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
    begun = time.monotonic()
    run = started(**{**NOTHING, "git": True})
    run.finish()
    assert time.monotonic() - begun < 2, "0.3 s and a slow machine"
    deadline = time.monotonic() + 5
    while any(thread.name == "weft-surroundings" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the one who asked git goes on"
        time.sleep(0.02)


def test_log_code_is_an_artifact(started: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "train.py").write_text("print(1)")
    (tmp_path / "src" / "deep" / "model.py").write_text("print(2)")
    (tmp_path / "src" / "data.csv").write_text("1,2")
    run = started(**NOTHING)
    artifact = run.log_code(tmp_path / "src", name="mine")
    assert artifact is not None
    assert (artifact.name, artifact.type) == ("mine", "code")
    assert sorted(artifact.manifest) == ["deep/model.py", "train.py"]
    assert run.log_code(tmp_path / "src", include_fn=lambda path: False) is None


def test_a_system_without_another_thread_still_has_runs(
    started: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(**NOTHING)
    run.runtime.faults.strict = False

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    settings = dataclasses.replace(run.runtime.settings, git=True, packages=True, machine=True, system_interval_s=1.0)
    recorders = surroundings.start(run, settings)
    recorders.close()
    assert run.runtime.faults.counts["find out where the run happens"] == 1
    assert run.runtime.faults.counts["look at the system"] == 1
    monkeypatch.undo()
