"""The files below a folder, each with what the file system says of it. Links are followed, but never round."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from weft.tracking.errors import UsageError


class Found(NamedTuple):
    """One file."""

    name: str
    """Path below the folder, with /."""
    path: str
    info: os.stat_result


def files(folder: str) -> Iterator[Found]:
    """Every file, in order of name.

    Raises:
        OSError: something cannot be read.
        UsageError: it holds a pipe, a socket or a device, which have no content to keep.
    """
    yield from _files(folder, "", (os.path.realpath(folder),))


def _files(folder: str, prefix: str, inside: tuple[str, ...]) -> Iterator[Found]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        info = entry.stat()
        if stat.S_ISDIR(info.st_mode):
            real = os.path.realpath(entry.path) if entry.is_symlink() else f"{inside[-1]}{os.sep}{entry.name}"
            if real not in inside:  # a link to a folder that we are in
                yield from _files(entry.path, f"{name}/", (*inside, real))
        elif stat.S_ISREG(info.st_mode):
            yield Found(name, entry.path, info)
        else:
            raise UsageError(f"{entry.path!r:.200} is no plain file, so there is no content to keep")
