"""What git knows of a folder: commit and branch from its own files at once; the rest by asking it, in the background.

Looking starts no daemon, takes no lock, fetches nothing, asks nobody for a password, and runs nothing that the
repository names: no hook, no monitor, no diff program and no filter.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

DIFF_BYTES = 10 << 20
"""Of a diff so much is kept by default."""
GIT_SECONDS = 10.0
"""All questions together: a repository on a slow disk is left alone after that."""

_oid = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}").fullmatch
_CHUNK = 1 << 16
_NAMES_BYTES = 1 << 20
"""Of lists of names."""
_MOST_UNSEEN = 500
"""Names that are left out of one diff; each is an argument."""
_GIT = (
    "git",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.bigFileThreshold=32m",  # what is larger counts as binary, and is not held in memory twice
    "--no-pager",
    "--no-optional-locks",
)
_ENV = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # an older git fetches what a partial clone lacks
    "LC_ALL": "C",
}
_ELSEWHERE = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "NAMESPACE", "PREFIX", "OBJECT_DIRECTORY"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "SHALLOW_FILE", "GRAFT_FILE", "REPLACE_REF_BASE", "EXTERNAL_DIFF"),
    )
)
"""What a hook of another repository that started the program has set: not this one's."""
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--ignore-submodules=dirty")


class Head(NamedTuple):
    """Where a repository stands, from its files."""

    root: Path
    """The folder with `.git` in it."""
    commit: str
    branch: str | None
    """None where no branch is checked out."""


class Diff(NamedTuple):
    """What differs from a commit."""

    path: str
    """Of the file that it is kept as."""
    data: bytes
    cut_bytes: int
    """How much more there was, at least; 0: it is whole."""
    unseen: list[str]
    """Changed files that a filter stands before (git-lfs, git-crypt, nbstripout): what differs only the filter knows,
    and it may be there to keep something out of sight."""


def head(folder: Path) -> Head | None:
    """Commit and branch of the repository around this folder, or None. Runs nothing; takes well under a millisecond."""
    try:
        root = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)
        if root is None:
            return None
        git = root / ".git"
        if git.is_file():  # a worktree or a submodule
            git = root / git.read_text("utf-8", "replace").removeprefix("gitdir:").strip()
        said = (git / "HEAD").read_text("utf-8", "replace").strip()
        if not said.startswith("ref: "):
            return Head(root, said, None) if _oid(said) else None
        name = said.removeprefix("ref: ")
        commit = _resolve(git, name)
        return None if commit is None else Head(root, commit, name.removeprefix("refs/heads/"))
    except OSError:
        return None


def _resolve(git: Path, name: str) -> str | None:
    common = git / "commondir"
    places = [git, git / common.read_text("utf-8", "replace").strip()] if common.is_file() else [git]
    for place in places:
        loose = place / name
        if loose.is_file():
            commit = loose.read_text("utf-8", "replace").strip()
            return commit if _oid(commit) else None
    packed = places[-1] / "packed-refs"
    if packed.is_file():
        with packed.open("r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                commit, _, packed_name = line.strip().partition(" ")
                if packed_name == name and _oid(commit):
                    return commit
    return None


def clean_remote(url: str) -> str:
    """A remote's address without user and password: what is before the `@`, where it can hold a secret."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme and parts.netloc:
            query = "" if parts.scheme in ("http", "https") else parts.query
            keep = parts.username or "" if parts.scheme == "ssh" else ""  # `git@`: how one logs in, no secret
            place = parts.netloc.rpartition("@")[2]
            return urlunsplit((parts.scheme, f"{keep}@{place}" if keep else place, parts.path, query, ""))
    except ValueError:  # no address at all
        return ""
    return url.strip()


class Git:
    """Asks git about one repository, within a time, and may be told to stop."""

    def __init__(self, at: Head, seconds: float = GIT_SECONDS) -> None:
        self.at = at
        self._until = time.monotonic() + seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._known: list[str] | None = None
        self._lock = threading.Lock()  # guards the process that runs, and whether another one may

    def stop(self) -> None:
        """End what runs now, and ask nothing more."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def facts(self) -> dict[str, Any]:
        """{remote, upstream, dirty}, as far as they can be found out."""
        found: dict[str, Any] = {}
        remote = self._said("config", "--get", f"branch.{self.at.branch}.remote") if self.at.branch else ""
        url = self._said("config", "--get", f"remote.{remote or 'origin'}.url")
        if url:
            found["remote"] = clean_remote(url)
        status = self._run(("status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=dirty"), 1)
        if status is not None:
            found["dirty"] = bool(status.data)
        return found

    def diffs(self, limit_bytes: int) -> list[Diff]:
        """Against the commit, and against where the branch left its upstream, as far as there are differences."""
        found = []
        base = self._said("merge-base", "HEAD", "@{upstream}") if self.at.branch else ""
        wanted = [("diff.patch", "HEAD")]
        if _oid(base) and base != self.at.commit:
            wanted.append((f"diff_{base[:12]}.patch", base))
        for path, commit in wanted:
            unseen = self._filtered(commit)
            if unseen is None or len(unseen) > _MOST_UNSEEN:
                continue
            others = [f":(exclude,top,literal){each}" for each in unseen]
            answer = self._run((*_DIFF, commit, "--", *others), limit_bytes)
            if answer is not None and (answer.data or unseen):
                found.append(Diff(path, answer.data, answer.cut_bytes, unseen))
        return found

    def _filtered(self, commit: str) -> list[str] | None:
        """Of the files that differ from a commit, those with a filter; None where git does not say."""
        if not self._filters():
            return []
        names = self._run((*_DIFF, "--no-renames", "--name-only", "-z", commit, "--"), _NAMES_BYTES)
        if names is None or names.cut_bytes:
            return None
        told = self._run(("check-attr", "--stdin", "-z", "filter"), _NAMES_BYTES * 2, names.data)
        if told is None or told.cut_bytes:
            return None
        fields = _names(told.data)  # path, attribute, value, path, ...
        return [path for path, value in zip(fields[::3], fields[2::3], strict=True) if value in self._filters()]

    def _filters(self) -> list[str]:
        """The filters that any configuration names."""
        if self._known is None:
            found = self._ask(("config", "--name-only", "-z", "--get-regexp", r"^filter\."), _NAMES_BYTES)
            keys = [key.split(".", 1)[1] for key in _names(found.data)] if found is not None else []
            self._known = sorted({key.rpartition(".")[0] for key in keys if "." in key})
        return self._known

    def _said(self, *arguments: str) -> str:
        answer = self._run(arguments, _CHUNK)
        return "" if answer is None else answer.data.decode("utf-8", "replace").strip()

    def _run(self, arguments: Sequence[str], limit_bytes: int, given: bytes = b"") -> _Answer | None:
        """The first bytes of what git says, without any filter; None where it fails, takes too long or is not there."""
        if any("=" in name for name in self._filters()):  # it cannot be named on a command line, so it would run
            return None
        settings = ("clean=", "smudge=", "process=", "required=false")  # a program that is empty is not run
        off = [word for name in self._filters() for each in settings for word in ("-c", f"filter.{name}.{each}")]
        return self._ask((*off, *arguments), limit_bytes, given)

    def _ask(self, arguments: Sequence[str], limit_bytes: int, given: bytes = b"") -> _Answer | None:
        try:
            process = self._start(arguments, given)
        except (OSError, ValueError):
            return None
        if process is None:
            return None
        timer = threading.Timer(max(0.0, self._until - time.monotonic()), process.kill)
        timer.daemon = True
        timer.start()
        with process:
            try:
                assert process.stdout is not None  # a pipe was asked for
                data = process.stdout.read(limit_bytes + 1)
                more = 0
                if len(data) > limit_bytes:  # counted as far as there is time for it, never kept
                    more = len(data) - limit_bytes
                    while chunk := process.stdout.read(_CHUNK):
                        more += len(chunk)
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
                with self._lock:
                    self._process = None
        return _Answer(data[:limit_bytes], more) if code == 0 or more else None

    def _start(self, arguments: Sequence[str], given: bytes) -> subprocess.Popen[bytes] | None:
        # A file, since a pipe that git does not read would be waited for; most questions need no disk at all.
        with self._lock, tempfile.TemporaryFile() if given else open(os.devnull, "w+b") as said:
            if self._stopped or time.monotonic() >= self._until:
                return None
            said.write(given)
            said.seek(0)
            self._process = subprocess.Popen(
                [*_GIT, *arguments],
                cwd=self.at.root,
                env={name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | _ENV,
                stdin=said,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            return self._process


class _Answer(NamedTuple):
    data: bytes
    cut_bytes: int


def _names(data: bytes) -> list[str]:
    """Of a list that zeros end."""
    return os.fsdecode(data).split("\0")[:-1]
