"""Who does something in the registry, as its history calls them: by default git's user, else whoever is logged in."""

from __future__ import annotations

import functools
import getpass
import subprocess
from typing import TYPE_CHECKING

from weft.tracking import names
from weft.tracking.errors import UsageError
from weft.tracking.payloads.redaction import redact_text

if TYPE_CHECKING:
    from weft.tracking.settings import Settings

GIT_SECONDS = 2.0
LENGTH = 200


def author(settings: Settings, by: str | None = None) -> str:
    """A name, its secrets replaced.

    Args:
        by: who, where the caller says so.

    Raises:
        UsageError: `by` is no text, or empty.
    """
    if by is not None and not names.check_text("by", by).strip():
        raise UsageError("by= names who does it; it is empty")
    found = by or settings.user or (_git_user() if settings.git else None) or _os_user()
    return redact_text(names.check_text("by", found), settings.redact)[:LENGTH]


@functools.cache
def _git_user() -> str | None:
    """`user.name` as git is configured here; asked once a process."""
    try:
        done = subprocess.run(
            ("git", "config", "--get", "user.name"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):  # no git, or a disk that hangs
        return None
    return done.stdout.decode("utf-8", "replace").strip() or None


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return "unknown"
