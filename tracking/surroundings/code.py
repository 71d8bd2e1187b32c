"""The program's own source files: what `run.log_code` and `save_code` keep."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from weft.tracking.surroundings import git

Choice = Callable[..., bool]
"""Of a path, or of a path and the root: whether it is meant."""

_NEVER = frozenset({"__pycache__", "node_modules", "site-packages", "wandb", "mlruns"})
_ENVIRONMENT = "pyvenv.cfg"
"""A folder with this in it is a virtual environment."""


def is_code(path: str) -> bool:
    """Python files, requirements and Dockerfiles: what is kept where nobody chose."""
    name = os.path.basename(path)  # noqa: PTH119 - a text comes in, as wandb's functions get one
    return name.endswith(".py") or "Dockerfile" in name or (name.startswith("requirements") and name.endswith(".txt"))


def nothing(path: str) -> bool:
    """Excludes no file."""
    return False


def files(root: Path, include: Choice = is_code, exclude: Choice = nothing) -> Iterator[Path]:
    """The chosen files under a folder, sorted. Hidden folders, environments and caches are not looked into.

    Links to folders are not followed; a file that lies outside of the root by a link is left out.
    """
    place = root.resolve()
    for folder, inner, names in os.walk(place):
        inner[:] = sorted(name for name in inner if _looked_into(Path(folder, name)))
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_file() or not path.resolve().is_relative_to(place):
                continue
            if _asked(include, path, place) and not _asked(exclude, path, place):
                yield path


def relative(path: Path) -> str:
    """The path of a program within its repository, else its name; with `/`."""
    at = git.head(path.parent)
    return path.relative_to(at.root).as_posix() if at is not None and path.is_relative_to(at.root) else path.name


def _looked_into(folder: Path) -> bool:
    return folder.name not in _NEVER and not folder.name.startswith(".") and not (folder / _ENVIRONMENT).exists()


def _asked(choice: Choice, path: Path, root: Path) -> bool:
    """wandb's functions take the path, or the path and the root."""
    try:
        takes_root = len(inspect.signature(choice).parameters) > 1
    except (TypeError, ValueError):  # a builtin
        takes_root = False
    return bool(choice(str(path), str(root)) if takes_root else choice(str(path)))
