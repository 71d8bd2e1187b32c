"""The files below a folder, each with what the file system says of it. Links are followed, but never round."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from weft.tracking.errors import UsageError

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class Found(NamedTuple):
    """One file."""

    name: str
    """Path below the folder, with /."""
    path: str
    info: os.stat_result


def open_plain(path: str | os.PathLike[str]) -> tuple[int, os.stat_result]:
    """Open a file for reading: its descriptor, and what the file system says of that. Waits for nobody, as a pipe would
    have one wait for its writer.

    Raises:
        OSError: it cannot be read; IsADirectoryError: it is a folder.
        UsageError: it is a pipe, a socket or a device, which have no content to keep.
    """
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise _no_content(path) from None
        raise
    info = os.fstat(fd)
    if stat.S_ISREG(info.st_mode):
        return fd, info
    os.close(fd)
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise _no_content(path)


def files(folder: str) -> Iterator[Found]:
    """Every file, in order of name.

    Raises:
        OSError: something cannot be read.
        UsageError: it holds a pipe, a socket or a device, which have no content to keep, or a link that leads nowhere.
    """
    yield from _files(folder, "", (os.path.realpath(folder),))


def here() -> str:
    """The working directory, for a message."""
    try:
        return os.getcwd()  # noqa: PTH109 - a text is wanted
    except FileNotFoundError:
        return "gone"


def _files(folder: str, prefix: str, inside: tuple[str, ...]) -> Iterator[Found]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        try:
            info = entry.stat()
        except OSError as error:
            if not entry.is_symlink():
                raise
            raise _leads_nowhere(folder, entry.name, error) from None
        if stat.S_ISDIR(info.st_mode):
            real = os.path.realpath(entry.path) if entry.is_symlink() else f"{inside[-1]}{os.sep}{entry.name}"
            if real not in inside:  # a link to a folder that we are in
                yield from _files(entry.path, f"{name}/", (*inside, real))
        elif stat.S_ISREG(info.st_mode):
            yield Found(name, entry.path, info)
        else:
            raise _no_content(entry.path)


def _leads_nowhere(folder: str, name: str, error: OSError) -> UsageError:
    try:
        goal = f" to {os.readlink(os.path.join(folder, name))!r:.200}"  # noqa: PTH115, PTH118 - these are texts here
    except OSError:  # it is gone already
        goal = ""
    why = "leads in a circle" if error.errno == errno.ELOOP else f"cannot be followed ({error.strerror})"
    return UsageError(
        f"{name!r:.200} in the folder {folder!r:.200} is a link{goal} that {why}, so nothing of the folder was added. "
        "Remove or mend the link, or add the files you want with add_file()"
    )


def _no_content(path: str | os.PathLike[str]) -> UsageError:
    return UsageError(f"{os.fspath(path)!r:.200} is no plain file, so there is no content to keep")
