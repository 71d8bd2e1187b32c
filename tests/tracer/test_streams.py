"""Promises about what yields: one span, ended exactly once however it ends; the consumer's calls are not inside it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from weft.tracer import streams
from weft.tracer.context import attributes, current_span
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracking import runtime
from weft.tracking.payloads.encoding import Tagged
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]
Tree = Callable[[], dict[str, str | None]]


@op(name="body")
def called_by_the_body(x: int) -> int:
    return x


@op(name="consumer")
def called_by_the_consumer(x: int) -> int:
    return x


@op(name="numbers")
def numbers(n: int, fail_at: int = -1) -> Iterator[int]:
    try:
        for i in range(n):
            if i == fail_at:
                raise ValueError("mid-stream")
            yield called_by_the_body(i)
    finally:
        with span("cleanup"):
            pass


@op(name="numbers")
async def numbers_later(n: int, fail_at: int = -1) -> AsyncIterator[int]:
    try:
        for i in range(n):
            if i == fail_at:
                raise ValueError("mid-stream")
            await asyncio.sleep(0)
            yield called_by_the_body(i)
    finally:
        with span("cleanup"):
            pass


def the_stream(spans: Spans) -> SpanRecord:
    (found,) = [one for one in spans() if one.name == "numbers"]
    return found


def within(spans: Spans) -> list[str]:
    """Names of what is in the stream's span."""
    return [one.name for one in spans() if one.parent_id == the_stream(spans).span_id]


def test_a_stream_read_to_its_end(spans: Spans) -> None:
    """Its output is the list of its items; the body's calls are in it, the consumer's are not."""
    assert [called_by_the_consumer(i) for i in numbers(3)] == [0, 1, 2]
    assert (the_stream(spans).status, the_stream(spans).output) == ("ok", [0, 1, 2])
    assert within(spans) == ["body", "body", "body", "cleanup"]
    assert [one.parent_id for one in spans() if one.name == "consumer"] == [None] * 3
    assert current_span() is None


def test_a_stream_broken_off(spans: Spans) -> None:
    """It ends when it is dropped, with what it had yielded."""
    for i in numbers(10):
        if i == 1:
            break
    gc.collect()
    assert (the_stream(spans).status, the_stream(spans).output) == ("ok", [0, 1])
    assert within(spans)[-1] == "cleanup"


def test_a_stream_closed(spans: Spans) -> None:
    """Closing twice ends it once."""
    stream = numbers(10)
    next(stream)
    stream.close()
    stream.close()
    assert (the_stream(spans).status, the_stream(spans).output) == ("ok", [0])


def test_a_stream_never_read_is_no_call(spans: Spans) -> None:
    """Nothing ran, nothing is recorded, nothing stays open."""
    numbers(10)
    gc.collect()
    assert spans() == []


def test_a_stream_that_fails(spans: Spans) -> None:
    """The error passes; the items before it are kept."""
    got: list[int] = []
    with pytest.raises(ValueError, match="mid-stream"):
        got.extend(numbers(10, fail_at=2))
    assert got == [0, 1]
    assert (the_stream(spans).status, the_stream(spans).output) == ("error", [0, 1])
    assert within(spans)[-1] == "cleanup"


def test_send_throw_and_the_returned_value_pass_through(spans: Spans) -> None:
    """A generator behaves as before."""

    @op(name="numbers")
    def talk() -> Any:
        heard = []
        while len(heard) < 3:
            try:
                heard.append((yield len(heard)))
            except KeyError as error:
                heard.append(repr(error))
        return heard

    @op(name="outer")
    def outer() -> Any:
        return (yield from talk())

    stream = outer()
    assert next(stream) == 0
    assert stream.send("a") == 1
    assert stream.throw(KeyError("b")) == 2
    with pytest.raises(StopIteration) as stop:
        stream.send("c")
    assert stop.value.value == ["a", "KeyError('b')", "c"]
    assert the_stream(spans).output == [0, 1, 2]


def test_an_exception_thrown_in_and_not_handled(spans: Spans) -> None:
    """It passes, and the stream ends with it."""
    stream = numbers(3)
    next(stream)
    with pytest.raises(KeyError):
        stream.throw(KeyError("x"))
    assert the_stream(spans).status == "error"


def test_what_the_body_leaves_open_over_a_yield_stays_its_own(spans: Spans) -> None:
    """A block around a yield holds the body's later calls, never the consumer's."""

    @op(name="numbers")
    def blocks() -> Iterator[int]:
        with span("block"), attributes({"inside": True}):
            yield 1
            yield called_by_the_body(2)

    for i in blocks():
        called_by_the_consumer(i)
    by_name = {one.name: one for one in spans()}
    assert by_name["body"].parent_id == by_name["block"].span_id
    assert by_name["body"].attributes == {"inside": True}
    assert by_name["consumer"].parent_id is None
    assert by_name["consumer"].attributes == {}


def test_two_streams_read_in_turns(spans: Spans) -> None:
    """Each keeps its own calls."""
    assert list(zip(numbers(3), numbers(3), strict=True)) == [(0, 0), (1, 1), (2, 2)]
    first, second = [one for one in spans() if one.name == "numbers"]
    assert first.trace_id != second.trace_id
    for stream in (first, second):
        assert [one.name for one in spans() if one.parent_id == stream.span_id].count("body") == 3


def test_many_items_are_bounded_and_that_is_said(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """The full number is in the record; the consumer gets them all."""
    monkeypatch.setattr(streams, "MAX_ITEMS", 5)
    assert len(list(numbers(20))) == 20
    assert the_stream(spans).output == Tagged(
        "truncated", {"of": "items", "kept": 5, "total": 20, "value": [0, 1, 2, 3, 4]}
    )


def test_items_are_recorded_as_they_were_when_they_passed(spans: Spans) -> None:
    """A reused buffer does not rewrite history."""

    @op(name="numbers")
    def reuses() -> Iterator[list[int]]:
        buffer: list[int] = []
        for i in range(3):
            buffer.append(i)
            yield buffer

    for _ in reuses():
        pass
    assert the_stream(spans).output == [[0], [0, 1], [0, 1, 2]]


def test_an_accumulator_makes_the_output(spans: Spans) -> None:
    """From nothing, item by item, for early ends too."""

    @op(
        name="numbers",
        accumulator=lambda state, item: (state or 0) + item,
        postprocess_output=lambda total: {"sum": total},
    )
    def summed(n: int) -> Iterator[int]:
        yield from range(n)

    for i in summed(10):
        if i == 3:
            break
    gc.collect()
    assert the_stream(spans).output == {"sum": 6}


async def test_an_async_stream_read_to_its_end(spans: Spans) -> None:
    """As the synchronous one."""
    assert [called_by_the_consumer(i) async for i in numbers_later(3)] == [0, 1, 2]
    assert (the_stream(spans).status, the_stream(spans).output) == ("ok", [0, 1, 2])
    assert within(spans) == ["body", "body", "body", "cleanup"]
    assert [one.parent_id for one in spans() if one.name == "consumer"] == [None] * 3


async def test_an_async_stream_closed_thrown_into_or_failing(spans: Spans) -> None:
    """Each ends once."""
    stream = numbers_later(10)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    await stream.aclose()  # type: ignore[attr-defined]
    assert (the_stream(spans).status, the_stream(spans).output) == ("ok", [0])
    with pytest.raises(ValueError, match="mid-stream"):
        async for _ in numbers_later(10, fail_at=2):
            pass
    stream = numbers_later(3)
    await anext(stream)
    with pytest.raises(KeyError):
        await stream.athrow(KeyError("x"))  # type: ignore[attr-defined]
    assert [one.status for one in spans() if one.name == "numbers"] == ["ok", "error", "error"]


async def test_asend_and_a_handled_athrow_pass_through(spans: Spans) -> None:
    """An async generator behaves as before."""

    @op(name="numbers")
    async def talk() -> Any:
        heard = []
        while len(heard) < 3:
            try:
                heard.append((yield len(heard)))
            except KeyError as error:
                heard.append(repr(error))
        yield heard

    stream = talk()
    assert await anext(stream) == 0
    assert await stream.asend("a") == 1
    assert await stream.athrow(KeyError("b")) == 2
    assert await stream.asend("c") == ["a", "KeyError('b')", "c"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert the_stream(spans).status == "ok"


@pytest.mark.parametrize(("more_turns", "status"), [(3, "ok"), (0, "cancelled")])
def test_an_async_stream_dropped_in_the_middle_is_ended_by_the_loop(more_turns: int, status: str, spans: Spans) -> None:
    """The loop closes what nobody reads on; where it stops at once, it cancels that too."""

    async def reads_one() -> None:
        async for _ in numbers_later(10):
            break
        for _ in range(more_turns):
            await asyncio.sleep(0)

    asyncio.run(reads_one())
    assert (the_stream(spans).status, the_stream(spans).output) == (status, [0])


async def test_an_async_stream_cancelled_while_it_waits(spans: Spans) -> None:
    """A timeout in the consumer's task."""

    @op(name="numbers")
    async def slow() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(10)

    async def read() -> None:
        async for _ in slow():
            pass

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.01)
    assert the_stream(spans).status == "cancelled"
    assert current_span() is None


async def test_an_async_stream_read_from_several_tasks(spans: Spans) -> None:
    """A step in a task of its own still belongs to the stream, and to nothing else."""
    stream = numbers_later(2)
    assert await asyncio.create_task(anext(stream)) == 0  # type: ignore[arg-type]
    assert await asyncio.create_task(anext(stream)) == 1  # type: ignore[arg-type]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert within(spans) == ["body", "body", "cleanup"]


class Source:
    """A provider's stream: iterable, closable, with attributes of its own."""

    def __init__(self, items: list[Any]) -> None:
        self.items = iter(items)
        self.response = "200"
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = next(self.items)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSource:
    """The same, asynchronous."""

    def __init__(self, items: list[Any]) -> None:
        self.source = Source(items)
        self.response = "200"

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self.source)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        self.source.close()

    async def __aenter__(self) -> AsyncSource:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def joined(state: str | None, item: str) -> str:
    return (state or "") + item


@op(name="numbers", accumulator=joined)
def open_source(items: list[Any]) -> Source:
    return Source(items)


@op(name="numbers", accumulator=joined)
async def open_async_source(items: list[Any]) -> AsyncSource:
    return AsyncSource(items)


def close_it(stream: Any) -> None:
    next(stream)
    stream.close()
    assert stream.closed


def leave_it(stream: Any) -> None:
    with stream as entered:
        next(entered)
    assert stream.closed


@pytest.mark.parametrize(
    ("consume", "output"),
    [(list, "abc"), (close_it, "a"), (leave_it, "a"), (next, "a")],
    ids=["to its end", "closed", "with", "dropped"],
)
def test_a_returned_stream_ends_the_span_when_it_ends(consume: Callable[[Any], Any], output: str, spans: Spans) -> None:
    """With an accumulator, an iterator comes back behind a proxy that looks like it."""
    stream = open_source(["a", "b", "c"])
    assert isinstance(stream, Source)
    assert stream.response == "200"
    assert the_stream(spans).status == "running"
    consume(stream)
    del stream
    gc.collect()
    assert (the_stream(spans).status, the_stream(spans).output) == ("ok", output)


def test_a_returned_stream_that_fails(spans: Spans) -> None:
    """The error passes and is recorded."""
    with pytest.raises(ValueError, match="mid-stream"):
        list(open_source(["a", ValueError("mid-stream")]))
    assert (the_stream(spans).status, the_stream(spans).output) == ("error", "a")


async def test_a_returned_async_stream(spans: Spans) -> None:
    """Read to its end, and left early."""
    assert [item async for item in await open_async_source(["a", "b"])] == ["a", "b"]
    async with await open_async_source(["c", "d"]) as stream:
        assert stream.response == "200"
        assert await anext(stream) == "c"
    stream = await open_async_source(["e"])
    await stream.close()
    assert [(one.status, one.output) for one in spans()] == [("ok", "ab"), ("ok", "c"), ("ok", None)]


def test_a_returned_generator_is_recorded_as_a_stream(spans: Spans) -> None:
    """Its items are the output; dropped unread it ends too."""

    @op(name="numbers")
    def makes() -> Iterator[int]:
        return (called_by_the_body(i) for i in range(3))

    assert list(makes()) == [0, 1, 2]
    assert the_stream(spans).output == [0, 1, 2]
    assert within(spans) == ["body"] * 3
    makes()
    gc.collect()
    assert [one.status for one in spans() if one.name == "numbers"] == ["ok", "ok"]


def test_a_returned_list_is_no_stream(spans: Spans) -> None:
    """An accumulator on a function that at times answers at once."""

    @op(name="numbers", accumulator=joined)
    def at_once() -> list[str]:
        return ["a"]

    assert at_once() == ["a"]
    assert the_stream(spans).output == ["a"]


def test_an_accumulator_that_fails_keeps_the_items_from_there(tmp_path: Any, spans: Spans) -> None:
    """And the consumer gets them all."""
    from weft.tracking import runtime
    from weft.tracking.settings import Settings

    rt = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))

    @op(name="numbers", accumulator=lambda state, item: (state or 0) + 1 // (2 - item))
    def fails(n: int) -> Iterator[int]:
        yield from range(n)

    assert list(fails(5)) == [0, 1, 2, 3, 4]
    assert the_stream(spans).output == [2, 3, 4]
    assert rt.faults.counts == {"accumulate a stream": 1}


def yields_again() -> Any:
    try:
        yield 1
    except GeneratorExit:
        yield 2


def returns_seven() -> Any:
    try:
        yield 1
    except GeneratorExit:
        return 7


def plain() -> Any:
    yield 1


async def yields_again_later() -> Any:
    try:
        yield 1
    except GeneratorExit:
        yield 2


async def returns_later() -> Any:
    try:
        yield 1
    except GeneratorExit:
        return


async def plain_later() -> Any:
    yield 1


def outcome_of(act: Callable[..., Any], *given: Any) -> Any:
    """What it answers or raises, in comparable form."""
    try:
        return act(*given)
    except BaseException as error:
        return type(error), error.args


@pytest.mark.parametrize("mode", ["journal", "disabled"])
@pytest.mark.parametrize("how", ["throw", "close"])
@pytest.mark.parametrize("body", [yields_again, returns_seven, plain])
def test_generator_exit_does_what_it_does_without_weft(
    body: Any, how: str, mode: str, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body may answer it with an item or a value; an op, one called by `call`, and one that is returned."""
    monkeypatch.setattr(runtime.active(), "recording", mode == "journal")
    given = (GeneratorExit("x"),) if how == "throw" else ()
    made = [body(), op(body)(), op(body).call()[0], op(lambda: body())()]
    assert {next(stream) for stream in made} == {1}
    first, *others = [outcome_of(getattr(stream, how), *given) for stream in made]
    assert others == [first] * 3


@pytest.mark.parametrize("how", ["athrow", "aclose"])
@pytest.mark.parametrize("body", [yields_again_later, returns_later, plain_later])
async def test_generator_exit_does_what_it_does_without_weft_async(body: Any, how: str, spans: Spans) -> None:
    """Likewise."""
    given = (GeneratorExit("x"),) if how == "athrow" else ()
    made = [body(), op(body)(), op(body).call()[0], op(lambda: body())()]
    seen = []
    for stream in made:
        assert await anext(stream) == 1
        try:
            seen.append(await getattr(stream, how)(*given))
        except BaseException as error:
            seen.append((type(error), error.args))
    assert seen[1:] == seen[:1] * 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_body_that_will_not_be_closed_ends_as_an_error_when_dropped(spans: Spans) -> None:
    """Python says so on stderr; a span that stays open for ever would say nothing."""

    def never_closes() -> Any:
        while True:
            try:
                yield 1
            except GeneratorExit:
                pass

    stream = op(never_closes)()
    next(stream)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        stream.close()
    del stream
    gc.collect()
    (found,) = spans()
    assert (found.status, found.output) == ("error", [1, 1, 1])


def test_a_returned_stream_dropped_before_its_first_step_ends(spans: Spans) -> None:
    """Generators, async ones and iterators alike."""
    made = [op(lambda: plain())(), op(lambda: plain_later())()]
    made.append(op(accumulator=lambda state, item: item)(lambda: iter([1, 2]))())
    assert [found.status for found in spans()] == ["running"] * 3
    made.clear()
    gc.collect()
    assert [found.status for found in spans()] == ["ok"] * 3
