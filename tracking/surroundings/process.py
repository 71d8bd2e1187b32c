"""Where a run happens, as far as that is known at once: host, process, arguments without secrets, Python, commit."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.tracking.payloads.redaction import redact_argv
from weft.tracking.surroundings import git

_HARMLESS = (
    "CONDA_DEFAULT_ENV",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "LANG",
    "MKL_NUM_THREADS",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TOKENIZERS_PARALLELISM",
    "TZ",
)
"""Variables whose values change how a program runs, and hold no secret."""


def collect(*, with_git: bool = True) -> dict[str, Any]:
    """The metadata of a run that starts now, in this process: what costs no time. What cannot be found is left away."""
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
    program = program_file()
    if program is not None:
        found["program"] = str(program)
    at = repository(folder) if with_git else None
    if at is not None:
        found["git"] = {"commit": at.commit, "branch": at.branch}
    return found


def repository(folder: Path) -> git.Head | None:
    """That around the working folder, else that around the program."""
    at = git.head(folder)
    program = program_file() if at is None else None
    return at if program is None else git.head(program.parent)


def program_file() -> Path | None:
    """The file that was started, where it was one: no notebook, no `-c`, no prompt."""
    told = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(told, str) or told.startswith("<"):
        return None
    try:
        path = Path(told).absolute()
        return path if path.is_file() else None
    except OSError:
        return None


def environment(env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Names of the variables that are set, and the values of a few that are known to hold no secret."""
    env = os.environ if env is None else env
    return {
        "names": sorted(env),
        "values": {name: env[name][:200] for name in _HARMLESS if name in env},
    }
