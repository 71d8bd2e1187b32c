"""A repository, and a run with what is asked for recorded."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime
from weft.tracking.runs import starting
from weft.tracking.runs.run import Run
from weft.tracking.settings import Settings


class Repository:
    """A git repository with one file, nothing committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "trunk")
        (folder / "a.txt").write_text("1\n")
        self.git("add", "a.txt")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("commit", "-q", "-a", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return Repository(tmp_path / "repository")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts a run whose settings say what is recorded; nothing is that is not named."""

    def start(**settings: Any) -> Run:
        runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, **settings))
        return starting.init(project="p")

    yield start
    run = runtime.active().run
    if run is not None:
        run.finish()
