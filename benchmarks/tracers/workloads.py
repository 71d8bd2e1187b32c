"""What is timed: call trees, asyncio tasks, a paced service. Standard library only: every environment runs it."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

Decorate = Callable[[Callable[..., Any]], Callable[..., Any]]

WORDS = (
    "the quick brown fox jumps over the lazy dog while tracing tools count every microsecond of overhead "
    "and each byte that reaches the disk or the network"
)
TREE_CALLS = 100
"""One root, nine calls below it, ten below each of those."""
TASKS = 300
"""asyncio tasks of three nested calls each."""
SLEEPERS = 1000
"""asyncio tasks of three nested calls around a sleep."""
PAIRS = 200
"""Root and child calls of the paced run, one pair every `PACE_S`."""
PACE_S = 0.005


def text(size: int, seed: int) -> str:
    """So many characters of plain words, the same each time."""
    words = WORDS.split()
    parts: list[str] = []
    length = 0
    while length < size:
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        parts.append(words[seed % len(words)])
        length += len(parts[-1]) + 1
    return " ".join(parts)[:size]


def chat() -> tuple[Any, Any]:
    """A request of ten messages of 500 characters and a response of 2,000: about 8 KB."""
    messages = [{"role": ("user", "assistant")[i % 2], "content": text(500, i)} for i in range(10)]
    usage = {"prompt_tokens": 1250, "completion_tokens": 480, "total_tokens": 1730}
    return messages, {"id": "chatcmpl-1", "model": "gpt-x", "content": text(2000, 7), "usage": usage}


def tree(decorate: Decorate, argument: Any, answer: Any, repeats: int = 10) -> Callable[[], float]:
    """Seconds a call, over `repeats` trees of `TREE_CALLS` calls."""

    def leaf(x: Any) -> Any:
        return answer

    leaf = decorate(leaf)

    def middle(x: Any) -> Any:
        for _ in range(10):
            leaf(argument)
        return answer

    middle = decorate(middle)

    def root(x: Any) -> Any:
        for _ in range(9):
            middle(argument)
        return answer

    root = decorate(root)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            root(argument)
        return (time.perf_counter() - start) / (repeats * TREE_CALLS)

    return run


def tasks(decorate: Decorate, *, coroutines: bool) -> Callable[[], float]:
    """Seconds a call, in `TASKS` asyncio tasks of three nested calls: coroutine ops, or plain ones for comparison."""
    if coroutines:

        async def inner(x: Any) -> Any:
            return x

        inner = decorate(inner)

        async def middle(x: Any) -> Any:
            return await inner(x)

        middle = decorate(middle)

        async def outer(x: Any) -> Any:
            return await middle(x)

        entry = decorate(outer)
    else:

        def inner_sync(x: Any) -> Any:
            return x

        inner_sync = decorate(inner_sync)

        def middle_sync(x: Any) -> Any:
            return inner_sync(x)

        middle_sync = decorate(middle_sync)

        def outer_sync(x: Any) -> Any:
            return middle_sync(x)

        outer_sync = decorate(outer_sync)

        async def entry(x: Any) -> Any:
            return outer_sync(x)

    async def gather() -> float:
        start = time.perf_counter()
        await asyncio.gather(*[entry(i) for i in range(TASKS)])
        return (time.perf_counter() - start) / (3 * TASKS)

    return lambda: asyncio.run(gather())


def sleepers(decorate: Decorate) -> Callable[[], float]:
    """Seconds, in all, of `SLEEPERS` asyncio tasks: three nested calls each, the innermost around a sleep of 10 ms."""

    async def inner(x: Any) -> Any:
        await asyncio.sleep(0.01)
        return x

    inner = decorate(inner)

    async def middle(x: Any) -> Any:
        return await inner(x)

    middle = decorate(middle)

    async def outer(x: Any) -> Any:
        return await middle(x)

    outer = decorate(outer)

    async def gather() -> float:
        start = time.perf_counter()
        await asyncio.gather(*[outer(i) for i in range(SLEEPERS)])
        return time.perf_counter() - start

    return lambda: asyncio.run(gather())


def paced(decorate: Decorate) -> Callable[[], float]:
    """Median seconds a call when a pair of calls comes every 5 ms: the processor has slept, its caches are cold."""

    def child(x: Any) -> Any:
        return x

    child = decorate(child)

    def root(x: Any) -> Any:
        return child(x)

    root = decorate(root)

    def run() -> float:
        taken: list[float] = []
        for number in range(PAIRS):
            time.sleep(PACE_S)
            start = time.perf_counter()
            root(number)
            taken.append((time.perf_counter() - start) / 2)
        return statistics.median(taken)

    return run


Make = Callable[[Decorate], Callable[[], float]]
CASES: dict[str, Make] = {
    "small op": lambda decorate: tree(decorate, 7, 7),
    "8 KB chat op": lambda decorate: tree(decorate, *chat()),
    "asyncio, coroutine ops": lambda decorate: tasks(decorate, coroutines=True),
    "asyncio, plain ops": lambda decorate: tasks(decorate, coroutines=False),
    "paced pair": paced,
}
"""Measured as seconds a call above the same calls untraced."""


def measure(
    make: Make, decorators: dict[str, Decorate], settle: Callable[[], None], rounds: int
) -> dict[str, list[float]]:
    """Microseconds a call above "plain", by round, the rounds of all interleaved so that noise meets all alike."""
    runs = {name: make(decorate) for name, decorate in {"plain": plain, **decorators}.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 2):
        for name, run in runs.items():
            gc.collect()
            taken = run()
            settle()
            if number >= 2:  # the first ones warm up
                seconds[name].append(taken)
    base = statistics.median(seconds.pop("plain"))
    return {name: [1e6 * (taken - base) for taken in values] for name, values in seconds.items()}


def plain(func: Callable[..., Any]) -> Callable[..., Any]:
    """Not traced at all."""
    return func
