"""Promises of `weft.tracer.workers`: what is current is carried into threads, executors and callbacks."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from weft.tracer.context import attributes, current_span, thread
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracer.workers import ContextThread, ContextThreadPoolExecutor, wrap_context
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op(name="leaf")
def leaf(x: Any = 0) -> Any:
    return x


def test_wrap_context_carries_what_is_current(spans: Spans) -> None:
    """Into threads side by side, executors, and coroutine functions; the function stays what it is."""

    async def later(x: int) -> int:
        return int(leaf(x))

    with span("outer") as outer, attributes({"carried": True}):
        wrapped, wrapped_later = wrap_context(leaf), wrap_context(later)
        pool = ThreadPoolExecutor(4)
    with pool:
        assert sorted(pool.map(wrapped, range(20))) == list(range(20))
    assert asyncio.run(wrapped_later(1)) == 1
    assert wrapped.__name__ == "leaf"
    assert asyncio.iscoroutinefunction(wrapped_later)
    inside = spans()[1:]
    assert len(inside) == 21
    assert {(one.parent_id, one.attributes["carried"]) for one in inside} == {(outer.span_id, True)}
    assert current_span() is None


def test_context_threads_and_pools_nest_by_themselves(spans: Spans) -> None:
    """`start`, `submit` and `map` take what is current there."""
    with ContextThreadPoolExecutor(4) as pool, span("outer") as outer:
        assert pool.submit(leaf, 1).result() == 1
        assert list(pool.map(leaf, range(5))) == list(range(5))
        worker = ContextThread(target=leaf, args=(7,))
        worker.start()
        worker.join()
    assert [one.parent_id for one in spans()[1:]] == [outer.span_id] * 7


def test_twelve_values_over_a_pool_inside_an_op(spans: Spans) -> None:
    """Half of them under the op that maps, each chain whole."""

    @op
    def b(n: int) -> Any:
        return leaf(n)

    @op
    def c(n: int) -> Any:
        return b(n)

    @op
    def mapper(pool: Any) -> list[Any]:
        return list(pool.map(c, range(6)))

    with ContextThreadPoolExecutor(3) as pool:
        list(pool.map(c, range(6, 12)))
        mapper(pool)
    found = spans()
    assert len(found) == 12 * 3 + 1
    by_id = {one.span_id: one for one in found}
    above = {"leaf": "b", "b": "c"}
    (mapped,) = (one for one in found if one.name == "mapper")
    for one in found:
        if one.name in above:
            assert by_id[one.parent_id or ""].name == above[one.name]
        elif one.name == "c":
            assert one.parent_id == (mapped.span_id if one.inputs["n"] < 6 else None)


def numbers(n: int, /, *, by: int = 1) -> Generator[int, Any, str]:
    """Yields, takes what is sent, returns."""
    for i in range(n):
        with span(f"step {i}"):
            got = yield leaf(i * by)
        if got is not None:
            leaf(got)
    return "done"


async def numbers_async(n: int) -> AsyncGenerator[int, Any]:
    try:
        for i in range(n):
            with span(f"step {i}"):
                yield leaf(i)
    finally:
        leaf("closed")


def test_a_wrapped_generator_runs_each_step_under_the_context(spans: Spans) -> None:
    """The consumer between two steps does not; what is sent, thrown and returned passes through."""
    with span("outer") as outer:
        wrapped = wrap_context(numbers)
    source = wrapped(2, by=10)
    assert next(source) == 0
    assert current_span() is None
    assert source.send("sent") == 10
    with pytest.raises(StopIteration) as stop:
        source.send(None)
    assert stop.value.value == "done"
    early = wrapped(3)
    next(early)
    early.close()
    thrown = wrapped(3)
    next(thrown)
    with pytest.raises(KeyError):
        thrown.throw(KeyError("mine"))
    with pytest.raises(TypeError):
        wrapped(1, 2)
    found = spans()
    by_id = {one.span_id: one for one in found}
    steps = [one for one in found if one.name.startswith("step")]
    assert {one.parent_id for one in steps} == {outer.span_id}
    assert [one.status for one in steps] == ["ok", "ok", "ok", "error"]
    parents = [by_id[one.parent_id or ""].name for one in found if one.name == "leaf"]
    assert parents == ["step 0", "outer", "step 1", "step 0", "step 0"]


async def test_a_wrapped_async_generator_runs_each_step_under_the_context(spans: Spans) -> None:
    with span("outer") as outer:
        wrapped = wrap_context(numbers_async)
    assert [n async for n in wrapped(2)] == [0, 1]
    source = wrapped(5)
    assert await anext(source) == 0
    assert current_span() is None
    await source.aclose()
    found = spans()
    assert {one.parent_id for one in found if one.name.startswith("step")} == {outer.span_id}
    assert [one.parent_id for one in found if (one.inputs or {}).get("x") == "closed"] == [outer.span_id] * 2


class Worker:
    def method(self, x: int) -> int:
        return int(leaf(x))

    async def later(self, x: int) -> int:
        return int(leaf(x))

    def __call__(self, x: int) -> int:
        return int(leaf(x))


def test_what_is_wrapped_stays_what_it_is(home: Any) -> None:
    """For `inspect`: signature, name, and whether a call answers a coroutine or a generator; partials too."""
    for func in (numbers, numbers_async, Worker().method, Worker().later, functools.partial(Worker().later, 1), leaf):
        wrapped = wrap_context(func)
        for ask in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            assert ask(wrapped) is ask(func), (ask, func)
        assert inspect.signature(wrapped) == inspect.signature(func)
    assert wrap_context(numbers).__name__ == "numbers"
    assert wrap_context(numbers).__doc__ == numbers.__doc__


def test_callables_of_all_kinds_can_be_wrapped(spans: Spans) -> None:
    with span("outer") as outer:
        worker = Worker()
        ways = [wrap_context(worker), wrap_context(worker.method), wrap_context(functools.partial(worker.method, 1))]
        later = wrap_context(functools.partial(worker.later, 1))
    assert [ways[0](1), ways[1](1), ways[2]()] == [1, 1, 1]
    assert asyncio.run(later()) == 1
    assert isinstance(wrap_context(Worker)(), Worker)
    assert [one.parent_id for one in spans()[1:]] == [outer.span_id] * 4


def test_a_conversation_and_its_turn_go_into_threads(spans: Spans) -> None:
    with ContextThreadPoolExecutor(2) as pool, thread("talk", user_id="joe"), span("turn") as turn:
        pool.submit(leaf).result()
    assert (spans()[1].thread_id, spans()[1].turn_id, spans()[1].user_id) == ("talk", turn.span_id, "joe")
