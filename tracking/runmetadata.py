"""Where a run happens: host, process, arguments without its secrets, Python, git. Gathered once, never in the way."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from weft.tracking.payloads.redaction import redact_argv

GIT_SECONDS = 2.0
"""A repository on a slow disk must not hold up `init` longer."""


def collect() -> dict[str, Any]:
    """The metadata of a run that starts now, in this process. What cannot be found out is left away."""
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "argv": redact_argv(list(getattr(sys, "argv", []))),
        "cpu_count": os.cpu_count(),
    }
    try:
        folder = Path.cwd()
    except OSError:  # it was removed under us
        return found
    found["cwd"] = str(folder)
    git = git_state(folder)
    if git:
        found["git"] = git
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """{commit, branch, dirty} of the repository around this folder, or None. Asks git, once, where `.git` is found."""
    try:
        if not any((place / ".git").exists() for place in (folder, *folder.parents)):
            return None
        answer = subprocess.run(
            # No fsmonitor and no optional locks: looking must neither start a daemon nor disturb the user's own git.
            ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):  # no git, no permission, too slow: a run without it is a run
        return None
    return parse_status(answer)


def parse_status(answer: str) -> dict[str, Any] | None:
    """Reads `git status --porcelain=v2 --branch`."""
    headers = dict(
        line[2:].split(" ", 1) for line in answer.splitlines() if line.startswith("# ") and line.count(" ") > 1
    )
    commit = headers.get("branch.oid", "(initial)")
    if commit == "(initial)":
        return None
    branch = headers.get("branch.head")
    return {
        "commit": commit,
        "branch": None if branch == "(detached)" else branch,
        "dirty": any(not line.startswith("#") for line in answer.splitlines()),
    }
