"""Promises of `weft.tracer.context`: what is current, and how it is carried."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from weft.tracer.context import (
    ContextThread,
    ContextThreadPoolExecutor,
    attributes,
    current_span,
    recording_into,
    thread,
    wrap_context,
)
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracking.errors import UsageError
from weft.tracking.runs import init, start_run
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op(name="leaf")
def leaf(x: Any = 0) -> Any:
    return x


def test_attributes_reach_every_span_inside(spans: Spans) -> None:
    """The inner of two wins; an op's own win over both; outside nothing stays."""

    @op(attributes={"own": 1, "both": "op"})
    def tagged() -> None:
        leaf()

    with attributes({"a": 1, "both": "outer"}):
        with attributes({"a": 2}):
            tagged()
        leaf()
    leaf()
    own, inner, outer, outside = (one.attributes for one in spans())
    assert own == {"a": 2, "both": "op", "own": 1}
    assert inner == {"a": 2, "both": "outer"}
    assert outer == {"a": 1, "both": "outer"}
    assert outside == {}


@pytest.mark.parametrize("wrong", [None, [1], {1: 2}])
def test_attributes_are_names_and_values(wrong: Any) -> None:
    """Anything else raises at the call."""
    with pytest.raises(UsageError, match="attributes"), attributes(wrong):
        pass


def test_a_thread_has_turns(spans: Spans) -> None:
    """Each outermost call in it is a turn, what that calls belongs to it."""

    @op
    def turn(x: int) -> None:
        leaf(x)

    with thread("session-1", user_id="joe") as id_:
        assert id_ == "session-1"
        turn(1)
        turn(2)
        with span("more"), thread("session-2"):
            leaf(3)
    leaf(4)
    found = spans()
    first, first_leaf, second, second_leaf, more, other, outside = found
    assert {one.thread_id for one in found[:5]} == {"session-1"}
    assert {one.user_id for one in found[:5]} == {"joe"}
    assert first.turn_id == first_leaf.turn_id == first.span_id
    assert second.turn_id == second_leaf.turn_id == second.span_id
    assert (other.thread_id, other.turn_id, other.parent_id) == ("session-2", other.span_id, more.span_id)
    assert (outside.thread_id, outside.turn_id, outside.user_id) == (None, None, None)


@pytest.mark.parametrize("wrong", [None, "", 3])
def test_a_thread_has_an_id(wrong: Any) -> None:
    """A text of at least one character."""
    with pytest.raises(UsageError, match="conversation"), thread(wrong):
        pass


def test_plain_threads_start_traces_of_their_own(spans: Spans) -> None:
    """Python carries no context into them: `wrap_context` and the classes below do."""
    with span("outer"):
        worker = threading.Thread(target=leaf)
        worker.start()
        worker.join()
    assert spans()[1].parent_id is None


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


def test_many_threads_record_side_by_side(spans: Spans) -> None:
    """Every call is there, under its own parent."""

    @op(name="outer")
    def outer(n: int) -> Any:
        return [leaf(n) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(outer, range(40)))
    by_id = {one.span_id: one for one in spans()}
    assert len(by_id) == 40 * 21
    for one in by_id.values():
        if one.name == "leaf":
            assert by_id[one.parent_id or ""].inputs["n"] == one.inputs["x"]


def test_a_root_belongs_to_the_active_run(home: Any, spans: Spans) -> None:
    """It takes run and project at its start; children take their root's."""
    with init("pets") as run:
        with span("root"):
            run.finish()
            leaf(1)
        leaf(2)
    root, child, after = spans()
    assert root.run_id == child.run_id == run.uid.hex()
    assert root.project == child.project == "pets"
    assert (after.run_id, after.project) == (None, "default")


def test_recording_into_a_run(home: Any, spans: Spans) -> None:
    """Roots inside belong to that run and not to what is open, to which they are linked."""
    with start_run(project="evals", job_type="evaluation") as run, span("open") as opened:
        with recording_into(run):
            assert current_span() is None
            leaf(1)
            with span("outer"):
                leaf(2)
        leaf(3)
    by_input = {(one.inputs or {}).get("x", one.name): one for one in spans()}
    assert (by_input[1].run_id, by_input[1].project, by_input[1].parent_id) == (run.uid.hex(), "evals", None)
    assert by_input[1].links == [{"trace_id": opened.trace_id, "span_id": opened.span_id, "attributes": {}}]
    assert by_input[2].run_id == run.uid.hex()
    assert by_input[2].links == ()
    assert (by_input[3].run_id, by_input[3].parent_id) == (None, opened.span_id)


def test_current_span_is_ours_under_foreign_ones(home: Any) -> None:
    """A foreign span on top does not hide it."""
    assert current_span() is None
    with span("ours") as ours, TracerProvider().get_tracer("x").start_as_current_span("foreign"):
        assert current_span() is ours
