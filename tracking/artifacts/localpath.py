"""Where a download lies: a text, as wandb's scripts have it, that is also asked like a `Path`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class LocalPath(str):
    """`folder + "/x"`, `os.path.join(folder, "x")`, `folder / "x"`, `Path(folder)`, `folder.exists()`: all of it.

    What both a text and a path have (`replace`, `count`) is the text's.
    """

    __slots__ = ()

    def __fspath__(self) -> str:
        return str.__str__(self)

    def __truediv__(self, other: str | os.PathLike[str]) -> Path:
        return Path(self) / other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what pickle, copy and the like ask for is not there, as with a text
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(Path(self), name)
