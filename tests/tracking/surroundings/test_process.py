"""Where a run happens is known at once, without its secrets."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.surroundings import process


@pytest.fixture(autouse=True)
def _no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest itself is no program of these tests."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "not there.py"), raising=False)


def test_a_run_knows_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--password", "hunter2", "--lr", "0.1"])
    found = process.collect()
    assert found["pid"] == os.getpid()
    assert found["python"] == platform.python_version()
    assert found["cwd"] == str(tmp_path)
    assert found["argv"][0] == "train.py"
    assert found["argv"][3:] == ["--lr", "0.1"]
    assert "hunter2" not in str(found)
    assert "git" not in found


def test_a_folder_that_was_removed_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "cwd" not in process.collect()


def test_a_program_in_a_repository_is_known_by_its_commit(
    repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working folder's repository, else the program's."""
    commit = repository.commit("first")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(repository.folder / "a.txt"), raising=False)
    found = process.collect()
    assert found["git"] == {"commit": commit, "branch": "trunk"}
    assert found["program"] == str(repository.folder / "a.txt")
    assert "git" not in process.collect(with_git=False)


def test_of_the_environment_names_alone_are_kept() -> None:
    found = process.environment({"HF_TOKEN": "hf_secret", "OMP_NUM_THREADS": "4", "A": "b"})
    assert found == {"names": ["A", "HF_TOKEN", "OMP_NUM_THREADS"], "values": {"OMP_NUM_THREADS": "4"}}
