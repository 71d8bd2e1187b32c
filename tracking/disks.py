"""What a disk can do beyond reading and writing: sync everything at once, and share blocks between two files (reflink).

Where a system or a file system has none of it the plain way is taken; never a hard link, through which an edit of the
user's file would change a blob.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

_FICLONE = 0x40049409
"""Linux, linux/fs.h: the other file shares this one's blocks until one of them is written."""
_NOT_HERE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})
_THREADS = 16
_ZEROS = bytes(1 << 20)


def sync_all(folder: Path) -> None:
    """Everything that was written to this folder's file system is on the disk when this returns.

    Raises:
        OSError: the disk failed.
    """
    syncfs = _syncfs()
    if syncfs is not None:
        fd = os.open(folder, os.O_RDONLY)
        try:
            if syncfs(fd) == 0:
                return
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        finally:
            os.close(fd)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="weft-sync") as pool:
        found = [entry.path for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
        list(pool.map(sync_file, found))
        if os.name != "nt":
            list(pool.map(_sync_folder, [entry.path for entry in os.scandir(folder) if entry.is_dir()] + [str(folder)]))


def sync_file(path: str) -> None:
    """This file is on the disk when this returns.

    Raises:
        OSError: it is not there, or the disk failed.
    """
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def clone(source: int, target: int) -> bool:
    """Make an empty file share all blocks of another one, where the file system can; both stay files of their own."""
    if sys.platform != "linux":
        return False
    import fcntl  # not on every system

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def has_holes(info: os.stat_result) -> bool:
    """Whether a file takes less of the disk than it is long: parts of it were never written, and read as zeros."""
    return getattr(info, "st_blocks", info.st_size) * 512 < info.st_size


def is_hole(chunk: bytes) -> bool:
    """Whether nothing need be written of this: it is all zeros, as a hole reads."""
    return chunk == _ZEROS[: len(chunk)]


def _sync_folder(path: str) -> None:
    sync_file(path)


@cache
def _syncfs() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        found: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):  # a C library without it
        return None
    return found
