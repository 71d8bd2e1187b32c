"""Promises of `weft.tracer.context`: what is current, and how it is carried."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from weft.lifecycle import configure
from weft.tracer.context import (
    attributes,
    current_span,
    recording_into,
    thread,
)
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracer.workers import wrap_context
from weft.tracking.errors import UsageError
from weft.tracking.runs.starting import init, start_run
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op(name="leaf")
def leaf(x: Any = 0) -> Any:
    return x


def test_attributes_reach_every_span_inside(spans: Spans) -> None:
    """The inner of two wins, and both over an op's own; outside nothing stays."""

    @op(attributes={"own": 1, "both": "op"})
    def tagged() -> None:
        leaf()

    with attributes({"a": 1, "both": "outer"}):
        with attributes({"a": 2}):
            tagged()
        leaf()
    leaf()
    own, inner, outer, outside = (one.attributes for one in spans())
    assert own == {"a": 2, "both": "outer", "own": 1}
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


def test_a_session_of_threads_inside_threads(spans: Spans) -> None:
    """Three roots in a row are three turns, their children inherit; back from an inner thread a new turn begins."""

    @op
    def turn(then: Callable[[], Any] = leaf) -> None:
        then()

    def inner() -> None:
        with thread("inner"):
            turn()
            turn()
        leaf("after")

    with thread("outer"):
        turn()
        turn()
        turn(inner)
        with thread("inner"):
            turn()
        turn()
    found = spans()
    by_id = {one.span_id: one for one in found}
    for one in found:
        parent = by_id.get(one.parent_id or "")
        is_turn = parent is None or parent.thread_id != one.thread_id
        assert one.turn_id == (one.span_id if is_turn else parent.turn_id), one
    assert [one.thread_id for one in found] == ["outer"] * 5 + ["inner"] * 4 + ["outer"] + ["inner"] * 2 + ["outer"] * 2
    assert len({one.turn_id for one in found if one.thread_id == "outer"}) == 4
    assert len({one.turn_id for one in found if one.thread_id == "inner"}) == 3
    assert found[9].turn_id == found[4].span_id, "the call goes on in the turn in which it began"


def test_a_thread_without_an_id_gets_one(spans: Spans) -> None:
    """Each another; the user's random numbers stay as they are."""
    random.seed(7)
    before = random.getstate()
    with thread() as one, thread(user_id="joe") as other:
        leaf()
    assert random.getstate() == before
    assert len(one) == len(other) == 32
    assert one != other
    assert (spans()[0].thread_id, spans()[0].user_id) == (other, "joe")


@pytest.mark.parametrize("wrong", [{"id": ""}, {"id": 3}, {"id": "x", "user_id": ""}, {"user_id": 5}])
def test_a_thread_has_an_id(wrong: Any) -> None:
    """A text of at least one character, and so the user's."""
    with pytest.raises(UsageError, match=r"weft\.thread\(\) takes the id"), thread(**wrong):
        pass


def test_attributes_have_one_order(home: Path, spans: Spans) -> None:
    """Of the program, of the op, of the context, of the call: a later one wins."""
    names = ("program", "op", "context", "call")
    configure(home=home, attributes=dict.fromkeys(names, "program") | {"path": Path("x")})

    @op(attributes=dict.fromkeys(names[1:], "op"))
    def tagged() -> None:
        with span("block", attributes={"call": "call"}):
            pass

    with attributes(dict.fromkeys(names[2:], "context")):
        tagged()
    leaf()
    of_op, of_block, plain = (one.attributes for one in spans())
    assert of_op == {"program": "program", "op": "op", "context": "context", "call": "context", "path": "x"}
    assert of_block == {"program": "program", "op": "program", "context": "context", "call": "call", "path": "x"}
    assert plain == dict.fromkeys(names, "program") | {"path": "x"}


def test_attributes_are_as_they_were_at_the_entry(home: Path, spans: Spans) -> None:
    """What is changed later reaches no span, in a context or of the program; secrets are out of both."""
    of_program, of_context = {"a": [1], "api_key": "sk-secret"}, {"b": [1], "password": "secret"}
    configure(home=home, attributes=of_program)
    with attributes(of_context):
        leaf()
        of_context["b"].append(2)
        of_context["c"] = 3
        leaf()
    first, second = (one.attributes for one in spans())
    assert first == second
    assert first["b"] == [1]
    assert "secret" not in str(first)


async def test_asyncio_carries_what_is_current(spans: Spans) -> None:
    """Into tasks, gather, task groups and to_thread by itself; into run_in_executor by `wrap_context`."""

    @op(name="step")
    async def step(n: int) -> int:
        await asyncio.sleep(0.001 * (n % 3))
        return int(leaf(n))

    with span("outer") as outer, attributes({"carried": 1}):
        await asyncio.gather(*(step(n) for n in range(20)))
        async with asyncio.TaskGroup() as group:
            for n in range(20, 25):
                group.create_task(step(n))
        await asyncio.to_thread(leaf, "to_thread")
        await asyncio.get_running_loop().run_in_executor(None, wrap_context(leaf), "executor")
    found = spans()
    by_id = {one.span_id: one for one in found}
    steps = [one for one in found if one.name == "step"]
    assert {one.parent_id for one in steps} == {outer.span_id}
    assert len(steps) == 25
    for one in found[1:]:
        assert one.attributes == {"carried": 1}
        if one.name == "leaf" and isinstance(one.inputs["x"], int):
            assert by_id[one.parent_id or ""].inputs["n"] == one.inputs["x"]
        elif one.name == "leaf":
            assert one.parent_id == outer.span_id


async def test_an_async_generator_may_be_consumed_in_another_task(spans: Spans) -> None:
    """What it calls is in it, what the consumer calls is not."""

    @op(name="stream")
    async def stream() -> AsyncIterator[int]:
        for n in range(3):
            yield int(leaf(n))

    async def consume(source: AsyncIterator[int]) -> None:
        with span("consumer"):
            async for n in source:
                leaf(f"seen {n}")

    with span("outer"):
        await asyncio.create_task(consume(stream()))
    names = {one.span_id: one.name for one in spans()}
    for one in spans():
        if one.name == "leaf":
            assert names[one.parent_id or ""] == ("stream" if isinstance(one.inputs["x"], int) else "consumer")
    assert list(names.values()).count("leaf") == 6


def test_plain_threads_start_traces_of_their_own(spans: Spans) -> None:
    """Python carries no context into them: `wrap_context` and the classes below do."""
    with span("outer"):
        worker = threading.Thread(target=leaf)
        worker.start()
        worker.join()
    assert spans()[1].parent_id is None


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
    assert list(by_input[1].links) == [{"trace_id": opened.trace_id, "span_id": opened.span_id, "attributes": {}}]
    assert by_input[2].run_id == run.uid.hex()
    assert list(by_input[2].links) == []
    assert (by_input[3].run_id, by_input[3].parent_id) == (None, opened.span_id)


def test_current_span_is_ours_under_foreign_ones(home: Any) -> None:
    """A foreign span on top does not hide it."""
    assert current_span() is None
    with span("ours") as ours, TracerProvider().get_tracer("x").start_as_current_span("foreign"):
        assert current_span() is ours
