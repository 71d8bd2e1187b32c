"""Ctrl-C for a call that is long in C: DuckDB looks for it only now and then, and in some plans never."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AGAIN_SECONDS = 0.05
"""An interruption that comes before the call has begun is lost: it is said again until the call has ended."""


@contextmanager
def interrupted_by(interrupt: Callable[[], None]) -> Iterator[None]:
    """While the block runs, Ctrl-C also calls `interrupt`, on a thread of its own; Python raises KeyboardInterrupt in
    the main thread as soon as the call has returned. Nothing where this is not the main thread, or somebody else (an
    event loop) listens for signals.
    """
    if threading.current_thread() is not threading.main_thread() or not _is_free():
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    ended = threading.Event()

    def listen() -> None:
        while data := heard.recv(64):
            while signal.SIGINT in data and not ended.wait(_AGAIN_SECONDS):
                interrupt()

    listener = threading.Thread(target=listen, name="weft-interrupt", daemon=True)
    listener.start()
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        ended.set()
        told.close()  # which ends the listener
        listener.join()
        heard.close()


def _is_free() -> bool:
    known = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(known)
    return known == -1
