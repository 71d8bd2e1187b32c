"""Where a run happened is known without slowing it, and git is only asked where there is a repository."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from weft.tracking import runmetadata


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    (folder / "deep").mkdir(parents=True)
    _git(folder, "init", "-q", "-b", "trunk")
    (folder / "a.txt").write_text("1")
    _git(folder, "add", "a.txt")
    return folder


def test_a_run_knows_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--password", "hunter2", "--lr", "0.1"])
    found = runmetadata.collect()
    assert found["pid"] == os.getpid()
    assert found["python"] == platform.python_version()
    assert found["cwd"] == str(tmp_path)
    assert found["argv"][0] == "train.py"
    assert found["argv"][3:] == ["--lr", "0.1"]
    assert "hunter2" not in str(found)
    assert "git" not in found


def test_commit_branch_and_changes(repository: Path) -> None:
    assert runmetadata.git_state(repository) is None  # nothing is committed yet
    _git(repository, "commit", "-q", "-m", "first")
    commit = _git(repository, "rev-parse", "HEAD")
    assert runmetadata.git_state(repository / "deep") == {"commit": commit, "branch": "trunk", "dirty": False}
    (repository / "a.txt").write_text("2")
    (repository / "untracked.txt").write_text("x")
    assert runmetadata.git_state(repository) == {"commit": commit, "branch": "trunk", "dirty": True}
    _git(repository, "checkout", "-q", "-f", "--detach")
    assert runmetadata.git_state(repository) == {"commit": commit, "branch": None, "dirty": False}


def test_a_broken_repository_and_a_missing_git_are_no_trouble(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".git").write_text("nonsense")
    assert runmetadata.git_state(tmp_path / "broken") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runmetadata.git_state(repository) is None


def test_a_git_that_hangs_is_left_behind(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(runmetadata, "GIT_SECONDS", 0.2)
    assert runmetadata.git_state(repository) is None


def test_a_folder_that_was_removed_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "cwd" not in runmetadata.collect()
