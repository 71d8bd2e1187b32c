"""Threads for blocking calls: with the caller's context, as few as needed, never waited for when they hang."""

from __future__ import annotations

import asyncio
import contextvars
import threading

from weft.evals.workers import Workers

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


async def test_calls_see_the_callers_context_and_leave_it_alone() -> None:
    """Variables go in; what the call sets stays there."""
    workers = Workers("test")

    def call() -> str:
        seen = colour.get()
        colour.set("changed")
        return seen

    token = colour.set("red")
    assert await workers.run(call) == "red"
    assert colour.get() == "red"
    colour.reset(token)
    workers.close()
    assert workers.join(5)


async def test_a_thread_is_used_again() -> None:
    """One call after the other needs one thread."""
    workers = Workers("test")
    names = {await workers.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert names == {"test-0"}
    workers.close()
    assert workers.join(5)


async def test_calls_at_once_get_a_thread_each() -> None:
    """A barrier of eight lets none through before all are there."""
    workers, barrier = Workers("test"), threading.Barrier(8)
    places = await asyncio.gather(*(workers.run(lambda: barrier.wait(10)) for _ in range(8)))
    assert sorted(places) == list(range(8))
    workers.close()
    assert workers.join(5)


async def test_a_call_that_hangs_is_given_up_and_does_no_harm_when_it_ends() -> None:
    """The next call gets a thread of its own; the late answer goes nowhere."""
    workers, release = Workers("test"), threading.Event()
    hanging = asyncio.create_task(workers.run(lambda: release.wait(10)))
    await asyncio.sleep(0)
    hanging.cancel()
    assert await workers.run(lambda: "next") == "next"
    workers.close()
    release.set()
    assert workers.join(5)
