"""Numbers of open files. 0, 1 and 2 belong to the program's input, output and errors, even where those are closed."""

from __future__ import annotations

import os

_STANDARD = 3
"""The first number that is nobody's."""


def above_standard(fd: int) -> int:
    """The same open file, under a number above 2.

    Where a program or a daemon closed its output, the next file that is opened takes that number, and whatever is
    printed then goes into it.

    Returns:
        `fd`, or another number in its stead; it is closed then. Locks of the file are kept.

    Raises:
        OSError: too many files are open; `fd` is closed.
    """
    if fd >= _STANDARD:
        return fd
    low = []
    try:
        while fd < _STANDARD:
            low.append(fd)
            fd = os.dup(fd)  # takes the lowest that is free
    finally:
        for each in low:
            os.close(each)
    return fd
