"""Promises of `@op` on the less usual things that can be called."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import copy
import dataclasses
import functools
import gc
import inspect
import multiprocessing
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, get_type_hints

import pytest

from weft.tracer.context import current_span
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracking.errors import UsageError
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]
Tree = Callable[[], dict[str, str | None]]


@op
def leaf(x: int = 0) -> int:
    return x


@op
def in_block(x: int = 0) -> int:
    return x


@op
@contextlib.contextmanager
def session(name: str) -> Iterator[str]:
    """A session."""
    leaf()
    yield name.upper()


@op
@contextlib.asynccontextmanager
async def session_later(name: str) -> AsyncIterator[str]:
    leaf()
    yield name.upper()


class Base(abc.ABC):
    @op
    def run(self, x: int) -> int:
        return x

    @op
    @abc.abstractmethod
    def must(self) -> int: ...

    run_two = functools.partialmethod(run, 2)
    run_three = op(functools.partialmethod(lambda self, x: x, 3))


class Child(Base):
    @op
    def run(self, x: int) -> int:
        return super().run(x) + 1

    @op
    def must(self) -> int:
        return 1


def test_a_context_manager_is_a_span_over_its_block(spans: Spans, tree: Tree) -> None:
    """Its body's calls and the block's are in it; what it gives is its output."""
    with session("a") as given:
        assert given == "A"
        assert current_span() is not None
        in_block()
    assert current_span() is None
    assert tree() == {"session": None, "leaf": "session", "in_block": "session"}
    (root, *_) = spans()
    assert (root.inputs, root.output, root.status) == ({"name": "a"}, "A", "ok")


async def test_an_async_context_manager_too(spans: Spans, tree: Tree) -> None:
    """As the other."""
    async with session_later("a") as given:
        assert given == "A"
        in_block()
    assert current_span() is None
    assert tree() == {"session_later": None, "leaf": "session_later", "in_block": "session_later"}
    assert spans()[0].output == "A"


def test_a_block_that_raises_fails_its_context_manager(spans: Spans) -> None:
    """Unless that swallows it; one never entered is no call; as a decorator each call is one."""

    @op
    @contextlib.contextmanager
    def swallows() -> Iterator[None]:
        with contextlib.suppress(ValueError):
            yield

    with pytest.raises(ValueError, match="in the block"), session("a"):
        raise ValueError("in the block")
    with swallows():
        raise ValueError("in the block")
    session("never entered")

    @session("decorated")
    def decorated() -> int:
        return in_block()

    assert decorated() + decorated() == 0
    names = [(one.name.rpartition(".")[2], one.status) for one in spans() if one.name != "leaf"]
    assert names == [("session", "error"), ("swallows", "ok"), *[("session", "ok"), ("in_block", "ok")] * 2]


def test_a_context_manager_op_looks_like_the_one_inside(spans: Spans) -> None:
    """It is what contextlib makes, with the op's own attributes."""
    assert isinstance(session("x"), contextlib.AbstractContextManager)
    assert (session.__name__, session.__doc__, session.name, session.kind) == ("session", "A session.", "session", "op")  # type: ignore[attr-defined]
    manager, span = session.call("b")  # type: ignore[attr-defined]
    with manager as given:
        assert given == "B"
    assert span.status == "ok"
    with session.options(display_name="mine")("c"):  # type: ignore[attr-defined]
        pass
    assert [one.name for one in spans() if one.name != "leaf"] == ["session", "mine"]


def test_a_generator_op_under_contextmanager_keeps_its_block_outside(tree: Tree) -> None:
    """The block is the generator's consumer."""
    manager = contextlib.contextmanager(op(session.__wrapped__.__wrapped__))  # type: ignore[attr-defined]
    with manager("a"):
        in_block()
    assert tree() == {"session": None, "leaf": "session", "in_block": None}


async def test_a_coroutine_that_a_plain_function_returns_is_awaited_in_its_span(spans: Spans, tree: Tree) -> None:
    """As decorators make them, that know nothing of coroutines."""

    async def work(x: int) -> int:
        await asyncio.sleep(0)
        if x < 0:
            raise ValueError("negative")
        return leaf(x)

    @op(name="outer")
    def outer(x: int) -> Any:
        return work(x)

    pending = outer(3)
    assert inspect.iscoroutine(pending)
    assert pending.__qualname__.endswith("work")
    assert await asyncio.create_task(pending) == 3
    assert tree() == {"outer": None, "leaf": "outer"}
    with pytest.raises(ValueError, match="negative"):
        await outer(-1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(op(name="slow")(lambda: asyncio.sleep(9))(), 0.01)
    assert [(one.name, one.status, one.output) for one in spans() if one.name != "leaf"] == [
        ("outer", "ok", 3),
        ("outer", "error", None),
        ("slow", "cancelled", None),
    ]


def test_a_returned_coroutine_that_nobody_awaits_is_ended_and_python_says_so_once(spans: Spans) -> None:
    """Its own warning, with its own name."""

    async def work() -> None: ...

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        op(lambda: work())()
        gc.collect()
    assert [str(one.message) for one in said if "never awaited" in str(one.message)] == [
        f"coroutine '{work.__qualname__}' was never awaited"
    ]
    assert spans()[0].status == "ok"


def test_methods_can_be_overridden_and_call_their_parents(tree: Tree, spans: Spans) -> None:
    """And abstract ones stay abstract."""
    child = Child()
    assert child.run(1) == 2
    assert tree() == {"Child.run": None, "Base.run": "Child.run"}
    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]
    assert child.run_two() == 2
    assert child.run_three() == 3
    assert spans()[-1].inputs["x"] == 3


def test_a_property_goes_above_and_that_is_said() -> None:
    """As it would have to for any decorator."""
    with pytest.raises(UsageError, match="@property, then @op"):
        op(property(lambda self: 1))
    with pytest.raises(UsageError, match="cached_property goes above"):
        op(functools.cached_property(lambda self: 1))


def test_call_of_a_method_without_its_object_says_what_is_missing() -> None:
    """Python's own error, with a note."""
    with pytest.raises(TypeError, match=r"Base.run\(\) missing 1 required positional argument: 'x'") as raised:
        Child().run_two.func.call(1)  # type: ignore[attr-defined]
    assert raised.value.__notes__ == ["Of a method, `call` takes the object first: obj.run.call(obj, ...)"]


def test_type_hints_and_copies_are_the_functions(home: Any) -> None:
    """A copy of an op is the op."""
    assert get_type_hints(leaf) == {"x": int, "return": int}
    assert copy.copy(leaf) is copy.deepcopy(leaf) is leaf
    assert inspect.getsource(leaf) == "@op\ndef leaf(x: int = 0) -> int:\n    return x\n"
    assert inspect.unwrap(leaf).__code__ is not leaf.__code__


def test_ops_and_methods_travel_to_a_spawned_process(home: Any) -> None:
    """By their names, as any function."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(leaf, [1, 2]) == [1, 2]
        assert pool.apply(Child().run, (1,)) == 2


@functools.singledispatch
def describe(x: object) -> str:
    return "object"


@describe.register
@op
def describe_number(x: int) -> str:
    return "int"


def test_single_dispatch_works_on_ops(spans: Spans) -> None:
    """On either side."""
    assert describe(1) == "int"
    outer = op(describe)
    assert outer("text") == "object"
    assert outer.dispatch(int) is describe_number
    assert [one.name for one in spans()] == ["describe_number", "describe"]


def test_an_interrupt_while_the_output_is_read_ends_the_span_and_passes(spans: Spans) -> None:
    """Ctrl-C at any time."""

    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        op(postprocess_output=interrupted)(lambda: 1)()
    assert spans()[0].status == "error"
    assert current_span() is None


async def test_an_async_generator_read_in_another_task_and_another_thread(spans: Spans, tree: Tree) -> None:
    """Its body's calls are in it wherever it goes on; the readers' are not."""

    @op(name="numbers")
    async def numbers() -> AsyncIterator[int]:
        yield leaf(1)
        yield op(name="second")(lambda: 2)()
        yield op(name="third")(lambda: 3)()

    stream = numbers()
    assert await anext(stream) == 1
    assert await asyncio.create_task(anext(stream)) == 2  # type: ignore[arg-type]
    assert await asyncio.to_thread(lambda: asyncio.run(_next(stream))) == 3
    await stream.aclose()  # type: ignore[attr-defined]
    assert tree() == {"numbers": None, "leaf": "numbers", "second": "numbers", "third": "numbers", "reader": None}
    assert spans()[0].output == [1, 2, 3]


async def _next(stream: Any) -> Any:
    op(name="reader")(lambda: None)()
    return await anext(stream)


class Silent(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(name)


def test_a_method_of_an_object_that_answers_nothing_runs_as_ever(spans: Spans) -> None:
    """Neither a metaclass nor a field that raises reaches the caller; the record says whose call it was."""

    class Hidden(metaclass=Silent):
        @op(name="f")
        def f(self) -> int:
            return 1

    @dataclasses.dataclass
    class Broken:
        size: int

        def __getattribute__(self, name: str) -> Any:
            if name == "size":
                raise RuntimeError(name)
            return object.__getattribute__(self, name)

        @op(name="g")
        def g(self) -> int:
            return 2

    assert (Hidden().f(), Broken(1).g()) == (1, 2)
    assert [("Hidden" in str(one.inputs), "Broken" in str(one.inputs)) for one in spans()] in (
        [(True, False), (False, True)],
        [(False, True), (True, False)],
    )


def test_an_op_of_an_op_is_one_span_a_call(spans: Spans) -> None:
    """With the options of both, the later ones winning; what another decorator made of an op is its own function."""

    @op(name="inner", kind="tool", attributes={"a": 1})
    def f(x: int) -> int:
        return x

    @op
    @contextlib.contextmanager
    def block() -> Iterator[int]:
        yield 1

    assert op(f) is f
    assert op(name="outer")(f)(1) == 1
    assert op(kind="llm")(f.options(attributes={"a": 2}))(1) == 1
    with op(block)(), op(name="renamed")(block)():
        pass
    assert [(one.name, one.kind, one.attributes) for one in spans()] == [
        ("outer", "tool", {"a": 1}),
        ("inner", "llm", {"a": 2}),
        (block.name, "op", {}),
        ("renamed", "op", {}),
    ]
    op(functools.lru_cache(f))(3)
    op(functools.wraps(f)(lambda x: f(x)))(4)
    assert [one.name.rpartition(".")[2] for one in spans()][4:] == ["f", "inner", "f", "inner"]


def test_a_span_is_no_decorator_and_says_what_is() -> None:
    with pytest.raises(UsageError, match=r"@weft\.op\(name='x', kind='llm'\)"):
        span("x", kind="llm")(lambda: 1)


async def test_the_span_of_a_call_knows_the_version_of_its_code(spans: Spans) -> None:
    @op
    def f() -> int:
        return 1

    @op
    async def later() -> int:
        return 1

    @op
    def items() -> Iterator[int]:
        yield 1

    stream, third = items.call()
    list(stream)
    told = [f.call()[1], (await later.call())[1], third]
    recorded = {one.span_id: one.version for one in spans()}
    assert [one.version for one in told] == [recorded[one.span_id] for one in told]
    assert all(one.version for one in told)
