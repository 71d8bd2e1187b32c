"""Threads for models and scorers that are not async. The runner owns one set; it never waits for a call that hangs.

Daemon threads of our own rather than a ThreadPoolExecutor, which would keep the interpreter alive at its end for as
long as a call that had timed out.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Job(NamedTuple):
    context: contextvars.Context
    function: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Workers:
    """As many threads as there are calls at once; the caller bounds those."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    async def run(self, function: Callable[[], T]) -> T:
        """Call it in a thread, with the context (current span, variables) of the caller.

        Args:
            function: must not raise; what could is to be caught in it and returned.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(_Job(contextvars.copy_context(), function, loop, future))
        return await future

    def close(self) -> None:
        """Let the threads end as soon as their calls do."""
        for _ in self._threads:
            self._jobs.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads' end; whether all have ended."""
        for thread in self._threads:
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result = job.context.run(job.function)
            # Idle before the caller hears of it: its next call then finds this thread.
            self._idle.release()
            try:
                job.loop.call_soon_threadsafe(_deliver, job.future, result)
            except RuntimeError:
                return  # the loop is closed: this call had been given up, and so has everything else
            del job, result


def _deliver(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():  # given up: timed out or cancelled
        future.set_result(result)
