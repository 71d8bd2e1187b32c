"""Git is read without running it where that suffices; asked, it neither hangs nor harms, and tells no password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.surroundings.git import Git, Head, clean_remote, head


def _asked(folder: Path, seconds: float = 10.0) -> Git:
    at = head(folder)
    assert at is not None
    return Git(at, seconds)


def test_commit_and_branch_are_read_from_gits_own_files(
    repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert head(repository.folder) is None, "nothing is committed yet"
    commit = repository.commit("first")
    deep = repository.folder / "deep" / "er"
    deep.mkdir(parents=True)
    assert head(deep) == Head(repository.folder, commit, "trunk")
    repository.git("checkout", "-q", "-b", "topic/of-mine")
    repository.git("pack-refs", "--all")
    assert head(deep) == Head(repository.folder, commit, "topic/of-mine")
    repository.git("checkout", "-q", "--detach")
    assert head(deep) == Head(repository.folder, commit, None)
    repository.git("worktree", "add", "-q", "-b", "beside", str(tmp_path / "beside"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert head(tmp_path / "beside") == Head(tmp_path / "beside", commit, "beside")


def test_no_repository_and_a_broken_one_are_none(tmp_path: Path) -> None:
    assert head(tmp_path) is None
    for said in ("nonsense", "gitdir: /nowhere\n"):
        (tmp_path / ".git").write_text(said)
        assert head(tmp_path) is None


def test_what_differs_from_the_commit_and_from_upstream(repository: Any, tmp_path: Path) -> None:
    base = repository.commit("first")
    subprocess.run(["git", "clone", "-q", "--bare", str(repository.folder), str(tmp_path / "up.git")], check=True)
    repository.git("remote", "add", "origin", f"file://user:secret@{tmp_path / 'up.git'}")
    repository.git("config", "remote.origin.url", str(tmp_path / "up.git"))
    repository.git("fetch", "-q", "origin")
    repository.git("branch", "-q", "--set-upstream-to=origin/trunk")
    assert _asked(repository.folder).facts() == {"remote": str(tmp_path / "up.git"), "dirty": False}
    assert _asked(repository.folder).diffs(1000) == []
    (repository.folder / "a.txt").write_text("2\n")
    repository.commit("second")
    (repository.folder / "a.txt").write_text("3\n")
    (repository.folder / "untracked.txt").write_text("x")
    asked = _asked(repository.folder)
    assert asked.facts()["dirty"] is True
    first, second = asked.diffs(10_000)
    assert (first.path, first.cut_bytes) == ("diff.patch", 0)
    assert b"-2\n+3\n" in first.data
    assert second.path == f"diff_{base[:12]}.patch"
    assert b"-1\n+3\n" in second.data


def test_a_huge_difference_is_cut_and_told_how_much(repository: Any) -> None:
    repository.commit("first")
    (repository.folder / "a.txt").write_text("line of text\n" * 100_000)
    (diff,) = _asked(repository.folder).diffs(5000)
    assert len(diff.data) == 5000
    assert diff.cut_bytes > 1_300_000


def test_looking_changes_nothing_and_runs_nothing_of_the_repositorys(repository: Any, tmp_path: Path) -> None:
    """No lock, no refreshed index, no configured diff program, no file system monitor."""
    repository.commit("first")
    ran = tmp_path / "ran"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    for name in ("diff.external", "core.fsmonitor", "core.pager", "diff.evil.textconv", "diff.evil.command"):
        repository.git("config", name, str(script))
    (repository.folder / ".git" / "info" / "attributes").write_text("*.txt diff=evil\n")
    (repository.folder / "a.txt").write_text("2\n")
    index = repository.folder / ".git" / "index"
    before = index.read_bytes()
    asked = _asked(repository.folder)
    assert asked.facts() == {"dirty": True}
    assert b"-1\n+2\n" in asked.diffs(1000)[0].data
    assert not ran.exists()
    assert index.read_bytes() == before


@pytest.mark.parametrize("how", ["clean", "process"])
def test_no_filter_of_the_repositorys_is_run_and_what_stands_behind_one_is_not_shown(
    repository: Any, tmp_path: Path, how: str
) -> None:
    """A filter may be slow, or there to keep a password out of what is committed."""
    ran = tmp_path / "ran"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\nexec cat\n")
    script.chmod(0o755)
    (repository.folder / "a b.secret").write_text("1\n")
    (repository.folder / "plain.dat").write_text("1\n")
    repository.git("add", ".")
    repository.commit("first")
    (repository.folder / ".git" / "info" / "attributes").write_text("*.secret filter=strip\n*.dat filter=unknown\n")
    repository.git("config", f"filter.strip.{how}", str(script))
    repository.git("config", "filter.strip.required", "true")
    (repository.folder / "a b.secret").write_text("password\n")
    (repository.folder / "plain.dat").write_text("2\n")
    (repository.folder / "a.txt").write_text("2\n")
    asked = _asked(repository.folder)
    assert asked.facts() == {"dirty": True}
    (diff,) = asked.diffs(1000)
    assert diff.data.count(b"-1\n+2\n") == 2
    assert b"password" not in diff.data
    assert diff.unseen == ["a b.secret"]
    assert not ran.exists()


def test_a_filter_that_cannot_be_taken_away_keeps_git_from_looking(repository: Any, tmp_path: Path) -> None:
    repository.commit("first")
    ran = tmp_path / "ran"
    repository.git("config", "filter.a=b.clean", f"touch {ran}")
    (repository.folder / ".git" / "info" / "attributes").write_text("*.txt filter=a=b\n")
    (repository.folder / "a.txt").write_text("2\n")
    asked = _asked(repository.folder)
    assert (asked.facts(), asked.diffs(1000)) == ({}, [])
    assert not ran.exists()


def test_what_a_hook_of_another_repository_set_is_not_believed(
    repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("first")
    (repository.folder / "a.txt").write_text("2\n")
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere"))
    asked = _asked(repository.folder)
    assert asked.facts() == {"dirty": True}
    assert b"-1\n+2\n" in asked.diffs(1000)[0].data


def test_a_huge_changed_file_is_named_and_never_held_in_memory(repository: Any, tmp_path: Path) -> None:
    repository.commit("first")
    with (repository.folder / "a.txt").open("wb") as file:
        file.truncate(400 << 20)  # takes no place on the disk
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from weft.tracking.surroundings.git import Git, head\n"
        "(diff,) = Git(head(Path(sys.argv[1])), 60).diffs(1 << 20)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10, len(diff.data), b'a.txt' in diff.data)"
    )
    command = [sys.executable, "-c", code, str(repository.folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout.split()
    assert int(said[0]) < 300, "megabytes"
    assert int(said[1]) < 1000
    assert said[2] == "True"


def test_a_git_that_hangs_is_ended(repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit("first")
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
    started = time.monotonic()
    asked = _asked(repository.folder, 0.3)
    assert asked.facts() == {}
    assert asked.diffs(1000) == []
    assert time.monotonic() - started < 5


def test_without_git_nothing_is_found(repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit("first")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _asked(repository.folder).facts() == {}


@pytest.mark.parametrize(
    ("remote", "clean"),
    [
        ("https://user:token@example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://ghp_abcdefghijklmnop1234@github.com/a/b", "https://github.com/a/b"),
        ("https://example.org/a/b?private_token=x", "https://example.org/a/b"),
        ("ssh://git:pass@example.org:2222/a/b", "ssh://git@example.org:2222/a/b"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("http://[broken", ""),
    ],
)
def test_a_remote_loses_its_credentials(remote: str, clean: str) -> None:
    assert clean_remote(remote) == clean
