"""Promises of `@op`: every call is recorded, and the function behaves as before."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import pickle
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracer.context import current_span
from weft.tracer.op import op
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import Record, SpanClosed, SpanOpened
from weft.tracking.settings import Settings
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op
def double(x: int, *, times: int = 2) -> int:
    """Twice as much."""
    return x * times


@op
async def double_later(x: int) -> int:
    await asyncio.sleep(0)
    return x * 2


@op
def count(n: int) -> Any:
    yield from range(n)


@op
async def count_later(n: int) -> Any:
    for i in range(n):
        yield i


@op(name="named", kind="tool")
def with_options(x: Any) -> Any:
    return x


class Shop:
    def __init__(self) -> None:
        self.price = 3

    @op
    def total(self, n: int) -> int:
        return self.price * n

    @op
    @classmethod
    def outer_class(cls, n: int) -> str:
        return f"{cls.__name__}{n}"

    @classmethod
    @op
    def inner_class(cls, n: int) -> str:
        return f"{cls.__name__}{n}"

    @op
    @staticmethod
    def outer_static(n: int) -> int:
        return n

    @staticmethod
    @op
    def inner_static(n: int) -> int:
        return n

    @property
    @op
    def shown(self) -> int:
        return self.price


def test_a_call_is_recorded_with_its_arguments_and_result(spans: Spans) -> None:
    """Defaults are filled in; times, kind and project are there."""
    assert double(2) == 4
    (span,) = spans()
    assert (span.name, span.kind, span.status, span.project) == ("double", "op", "ok", "default")
    assert (span.inputs, span.output, span.parent_id) == ({"x": 2, "times": 2}, 4, None)
    assert span.end_ns is not None
    assert span.end_ns >= span.start_ns
    assert span.duration_ns is not None
    assert span.duration_ns > 0


def test_nested_calls_share_a_trace_and_name_their_parent(spans: Spans) -> None:
    """Siblings too."""

    @op
    def outer(x: int) -> int:
        return double(double(x))

    assert outer(1) == 4
    root, first, second = spans()
    assert {span.trace_id for span in (root, first, second)} == {root.trace_id}
    assert first.parent_id == second.parent_id == root.span_id
    double(1)
    assert spans()[-1].trace_id != root.trace_id


def test_a_call_is_visible_while_it_runs(spans: Spans) -> None:
    """The record of its beginning is in the file before the function's first line."""
    seen: list[str] = []

    @op
    def looks(x: int) -> None:
        seen.extend(span.status for span in spans())

    looks(1)
    assert seen == ["running"]
    assert spans()[0].status == "ok"


def test_inputs_are_those_at_the_start_of_the_call(spans: Spans) -> None:
    """Later changes cannot rewrite them."""

    @op
    def eats(items: list[int]) -> list[int]:
        items.clear()
        return items

    eats([1, 2])
    (span,) = spans()
    assert (span.inputs, span.output) == ({"items": [1, 2]}, [])


@pytest.mark.parametrize("decorated", [double, double_later, count, count_later, with_options, Shop.total])
def test_the_wrapper_looks_like_the_function(decorated: Any) -> None:
    """To `inspect`, to documentation, to pickle."""
    inner = inspect.unwrap(decorated)
    assert inner is not decorated
    assert inspect.signature(decorated) == inspect.signature(inner)
    assert (
        inspect.signature(decorated, follow_wrapped=False).parameters.keys()
        == inspect.signature(inner).parameters.keys()
    )
    for question in (
        inspect.isfunction,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        assert question(decorated) == question(inner)
    for attribute in (
        "__name__",
        "__qualname__",
        "__module__",
        "__doc__",
        "__annotations__",
        "__defaults__",
        "__kwdefaults__",
    ):
        assert getattr(decorated, attribute) == getattr(inner, attribute)
    assert pickle.loads(pickle.dumps(decorated)) is decorated


@pytest.mark.parametrize("decorated", [double, double_later, count, count_later])
def test_a_wrong_call_raises_pythons_own_error_at_the_call(decorated: Any, spans: Spans) -> None:
    """The same words, and nothing is recorded: there was no call."""
    inner = inspect.unwrap(decorated)
    for args, kwargs in [((), {}), ((1, 2, 3), {}), ((1,), {"nonsense": 2})]:
        with pytest.raises(TypeError) as expected:
            inner(*args, **kwargs)
        with pytest.raises(TypeError) as raised:
            decorated(*args, **kwargs)
        assert str(raised.value) == str(expected.value)
    assert spans() == []


def test_every_kind_of_parameter_is_named(spans: Spans) -> None:
    """Positional-only, defaults, star, keyword-only, double star."""

    @op
    def all_kinds(a: int, b: int = 2, /, c: int = 3, *rest: int, d: int, e: int = 5, **more: int) -> tuple[Any, ...]:
        return a, b, c, rest, d, e, more

    @op
    def spread(a: int, *, b: int, **more: int) -> int:
        return a

    assert all_kinds(1, d=4) == (1, 2, 3, (), 4, 5, {})
    assert all_kinds(1, 2, 3, 4, 5, d=6, a=7) == (1, 2, 3, (4, 5), 6, 5, {"a": 7})
    assert spread(1, b=2, z=3) == 1
    first, second, third = (span.inputs for span in spans())
    assert first == {"a": 1, "b": 2, "c": 3, "rest": [], "d": 4, "e": 5, "more": {}}
    assert second == {"a": 1, "b": 2, "c": 3, "rest": [4, 5], "d": 6, "e": 5, "more": {"a": 7}}
    assert third == {"a": 1, "b": 2, "z": 3}


def test_mutable_defaults_stay_the_functions_own(spans: Spans) -> None:
    """The very object, call after call."""

    @op
    def collect(x: int, seen: list[int] = []) -> list[int]:  # noqa: B006 - what is tested
        seen.append(x)
        return seen

    assert collect(1) is collect(2)
    assert [span.inputs["seen"] for span in spans()] == [[], [1]]


def test_methods_of_every_kind_in_either_order(spans: Spans) -> None:
    """Named `Class.method`; `self` and `cls` by what they are."""
    shop = Shop()
    assert shop.total(2) == 6
    assert Shop.total(shop, 2) == 6
    assert Shop.outer_class(1) == shop.inner_class(1) == "Shop1"
    assert Shop.outer_static(5) == shop.inner_static(5) == 5
    assert shop.shown == 3
    found = spans()
    assert [span.name for span in found] == [
        "Shop.total",
        "Shop.total",
        "Shop.outer_class",
        "Shop.inner_class",
        "Shop.outer_static",
        "Shop.inner_static",
        "Shop.shown",
    ]
    assert found[0].inputs["self"].endswith(".Shop object>")
    assert found[2].inputs["cls"].endswith(".Shop")
    assert found[4].inputs == {"n": 5}
    assert inspect.ismethod(shop.total)


def test_partials_builtins_and_callable_objects_can_be_ops(spans: Spans) -> None:
    """Whatever can be called, with names as far as they are known."""

    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

    class LaterAdder:
        async def __call__(self, x: int) -> int:
            return x + 1

    assert op(functools.partial(divmod, 7))(2) == (3, 1)
    assert op(len)([1, 2]) == 2
    assert op(Adder())(1) == 2
    assert asyncio.run(op(LaterAdder())(1)) == 2
    assert op(lambda a, b=2: a + b)(1) == 3
    assert op(max)(1, 2) == 2
    found = spans()
    assert [span.output for span in found] == [[3, 1], 2, 2, 2, 3, 2]
    assert [span.name for span in found] == ["divmod", "len", "Adder", "LaterAdder", "<lambda>", "max"]
    assert found[2].inputs == {"x": 1}
    assert found[4].inputs == {"a": 1, "b": 2}


def test_other_decorators_may_stand_on_either_side(spans: Spans) -> None:
    """What a decorator injects is no error, what it declares is no lie."""

    def injects(func: Any) -> Any:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return func("injected", *args, **kwargs)

        return wrapper

    @op
    @injects
    def above(first: str, second: int) -> tuple[str, int]:
        return first, second

    @functools.lru_cache
    @op
    def below(x: int) -> int:
        return x

    assert above(1) == ("injected", 1)
    assert [below(1), below(1)] == [1, 1]
    assert [span.name.rpartition(".")[2] for span in spans()] == ["above", "below"]


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (ValueError("no"), "error"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "error"),
        (SystemExit(3), "error"),
        (SystemExit(0), "ok"),
        (SystemExit(), "ok"),
        (GeneratorExit(), "ok"),
        (StopIteration(4), "error"),
    ],
)
def test_an_exception_passes_unchanged_and_sets_the_status(raised: BaseException, status: str, spans: Spans) -> None:
    """The very object, its cause and its traceback's end."""

    @op
    def fails() -> None:
        raise raised

    with pytest.raises(type(raised)) as caught:
        fails()
    assert caught.value is raised
    assert caught.traceback[-1].name == "fails"
    (span,) = spans()
    assert span.status == status
    if status == "ok":
        assert span.error is None
    else:
        assert span.error is not None
        assert span.error["type"].endswith(type(raised).__name__)
        assert "in fails" in span.error["stacktrace"]
    assert current_span() is None


def test_an_error_tells_where_it_came_from_without_our_frames(spans: Spans) -> None:
    """Cause and context are there, generated wrappers are not."""

    @op
    def inner() -> None:
        raise KeyError("deep")

    @op
    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("high") from error

    with pytest.raises(ValueError, match="high"):
        outer()
    high, deep = spans()
    assert high.error is not None
    assert deep.error is not None
    assert "KeyError: 'deep'" in high.error["stacktrace"]
    assert "direct cause" in high.error["stacktrace"]
    assert "<weft op" not in high.error["stacktrace"]
    assert deep.error["stacktrace"].endswith("KeyError: 'deep'\n")


def test_an_exception_whose_str_raises_is_recorded(spans: Spans) -> None:
    """And still passes."""

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("mute")

    @op
    def fails() -> None:
        raise MuteError

    with pytest.raises(MuteError):
        fails()
    (span,) = spans()
    assert span.error is not None
    assert span.error["message"] == "<its message raised RuntimeError>"


def test_recursion_to_the_limit_leaves_no_span_open(tmp_path: Path, records: Callable[[], list[Record]]) -> None:
    """The user sees RecursionError; every span that began has ended."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))

    @op
    def endless(n: int) -> int:
        return endless(n + 1)

    with pytest.raises(RecursionError):
        endless(0)
    written = records()
    opened = {record.span_id for record in written if isinstance(record, SpanOpened)}
    closed = {record.span_id for record in written if isinstance(record, SpanClosed)}
    assert opened == closed
    assert len(opened) > 100


async def test_coroutines_start_at_their_first_step(spans: Spans) -> None:
    """Their inputs are those of that moment; one never awaited is no call."""
    box = [1]

    @op
    async def later(box: list[int]) -> int:
        await asyncio.sleep(0)
        return len(box)

    pending = later(box)
    assert spans() == []
    box.append(2)
    assert await pending == 2
    never = later(box)
    never.close()
    (span,) = spans()
    assert (span.inputs, span.output) == ({"box": [1, 2]}, 2)


async def test_a_thousand_tasks_keep_their_parents(spans: Spans) -> None:
    """gather, create_task and to_thread nest where they were started."""

    @op
    async def inner(n: int) -> int:
        await asyncio.sleep(0)
        return await asyncio.to_thread(double, n)

    @op
    async def outer(n: int) -> int:
        await asyncio.sleep(0)
        return await asyncio.create_task(inner(n))

    results = await asyncio.gather(*[outer(n) for n in range(1000)])
    assert results == [n * 2 for n in range(1000)]
    by_id = {span.span_id: span for span in spans()}
    assert len(by_id) == 3000
    for span in by_id.values():
        parent = by_id.get(span.parent_id or "")
        number = span.inputs["n"] if "n" in span.inputs else span.inputs["x"]
        assert {"double": "inner", "inner": "outer", "outer": None}[span.name.rpartition(".")[2]] == (
            parent and parent.name.rpartition(".")[2]
        )
        if parent is not None:
            assert parent.trace_id == span.trace_id
            assert parent.inputs["n"] == number


async def test_a_cancelled_task_ends_as_cancelled(spans: Spans) -> None:
    """A timeout is no error of the function."""

    @op
    async def sleepy() -> None:
        await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await sleepy()
    assert spans()[0].status == "cancelled"
    assert current_span() is None


def test_call_answers_result_and_span(spans: Spans) -> None:
    """With the ids under which it is recorded; an Exception is kept, any other passes."""
    result, span = double.call(3, times=3)
    assert result == 9
    recorded = spans()[0]
    assert (span.trace_id, span.span_id, span.status) == (recorded.trace_id, recorded.span_id, "ok")

    @op
    def fails(error: BaseException) -> None:
        raise error

    problem = ValueError("kept")
    result, span = fails.call(problem)
    assert (result, span.error, span.status) == (None, problem, "error")
    with pytest.raises(KeyboardInterrupt):
        fails.call(KeyboardInterrupt())
    with pytest.raises(TypeError, match="fails\\(\\) missing 1 required positional argument"):
        fails.call()
    assert [span.status for span in spans()] == ["ok", "error", "error"]


async def test_call_works_on_every_kind_of_op(spans: Spans) -> None:
    """Coroutines, generators, methods."""
    result, span = await double_later.call(2)
    assert (result, span.status) == (4, "ok")
    numbers, span = count.call(3)
    assert list(numbers) == [0, 1, 2]
    assert span.status == "ok"
    later, span = count_later.call(2)
    assert [n async for n in later] == [0, 1]
    assert span.status == "ok"
    result, span = Shop.total.call(Shop(), 2)
    assert result == 6
    assert [span.output for span in spans()] == [4, [0, 1, 2], [0, 1], 6]


def test_options_change_the_record_not_the_call(spans: Spans) -> None:
    """Names, kinds, attributes, what is captured, what is made of it."""

    @op(
        name="lookup",
        kind="retriever",
        attributes={"version": 3},
        display_name=lambda inputs: f"look up {inputs['key']}",
        postprocess_inputs=lambda inputs: {name: value for name, value in inputs.items() if name != "hidden"},
        postprocess_output=lambda output: {"n": len(output)},
    )
    def lookup(key: str, hidden: str) -> list[str]:
        return [key, hidden]

    @op(capture_inputs=False, capture_output=False)
    def silent(x: int) -> int:
        return x

    assert lookup("a", "b") == ["a", "b"]
    assert silent(1) == 1
    first, second = spans()
    assert (first.name, first.kind) == ("look up a", "retriever")
    assert first.attributes == {"version": 3, "weft.op": "lookup"}
    assert (first.inputs, first.output) == ({"key": "a"}, {"n": 2})
    assert (second.inputs, second.output) == (None, None)
    assert (lookup.name, lookup.kind, with_options.name) == ("lookup", "retriever", "named")


@pytest.mark.parametrize(
    "options",
    [
        {"name": 3},
        {"name": ""},
        {"kind": None},
        {"attributes": [1]},
        {"accumulator": "sum"},
        {"postprocess_inputs": 1},
        {"display_name": 4},
    ],
)
def test_a_wrong_option_raises_at_decoration(options: dict[str, Any]) -> None:
    """With the value and what would be right."""
    with pytest.raises(UsageError, match=next(iter(options))):
        op(**options)


def test_what_cannot_be_an_op_is_said() -> None:
    """A class, a number, nothing, an unknown option."""
    with pytest.raises(UsageError, match="Decorate its methods"):
        op(Shop)
    for value in (3, None):
        with pytest.raises(UsageError, match=f"{value} is none. Give it the function"):
            op(value)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="nonsense"):
        op(nonsense=1)  # type: ignore[call-overload]


def test_a_failing_hook_changes_nothing_for_the_caller(
    tmp_path: Path, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """The span is kept with a marker, the cause is logged once and counted."""
    rt = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))

    def broken(_: Any) -> Any:
        raise RuntimeError("hook")

    @op(display_name=broken, postprocess_inputs=broken, postprocess_output=broken)
    def fine(x: int) -> int:
        return x

    with caplog.at_level(logging.WARNING, "weft"):
        assert [fine(1), fine(2)] == [1, 2]
    assert len(caplog.records) == 3
    span = spans()[0]
    assert span.name.endswith("fine")
    assert span.inputs.kind == "unrecorded"
    assert span.output.value == {"cause": "postprocess_output raised RuntimeError"}
    assert set(rt.faults.counts.values()) == {2}


def test_in_strict_mode_a_recording_fault_raises(home: Path) -> None:
    """So that our own tests see it."""

    def broken(_: Any) -> Any:
        raise RuntimeError("hook")

    @op(postprocess_inputs=broken)
    def fine(x: int) -> int:
        return x

    with pytest.raises(RuntimeError, match="hook"):
        fine(1)


def test_a_home_that_cannot_be_written_changes_nothing_for_the_caller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One log line, a count, and the work goes on."""
    file = tmp_path / "file"
    file.write_text("in the way")
    rt = runtime.configure(Settings.resolve(home=file, strict=False))
    with caplog.at_level(logging.WARNING, "weft"):
        assert [double(n) for n in range(5)] == [0, 2, 4, 6, 8]
    assert len(caplog.records) == 1
    assert rt.journal.dropped == 10


def test_disabled_records_nothing_and_runs_everything(tmp_path: Path) -> None:
    """Not even a folder is made."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", mode="disabled"))
    assert double(2) == 4
    assert asyncio.run(double_later(2)) == 4
    assert list(count(3)) == [0, 1, 2]

    async def collect() -> list[int]:
        return [n async for n in count_later(2)]

    assert asyncio.run(collect()) == [0, 1]
    result, span = double.call(2)
    assert (result, span.trace_id, span.is_recording()) == (4, "0" * 32, False)
    assert not (tmp_path / "home").exists()


def test_recording_draws_no_numbers_from_the_users_generators(spans: Spans) -> None:
    """A seeded experiment gives the same results."""
    random.seed(7)
    before = random.getstate()
    double(2)
    assert random.getstate() == before


def test_results_are_the_very_objects(spans: Spans) -> None:
    """No box, no copy, no proxy."""
    for value in (1, "text", [1], {"a": 1}, None, True, object(), iter([1]), (n for n in ())):
        returned = with_options(value)
        if not inspect.isgenerator(value):
            assert returned is value


@pytest.mark.parametrize("where", ["inputs", "output", "error", "attributes"])
def test_secrets_are_written_nowhere(where: str, records: Callable[[], list[Record]]) -> None:
    """Not in inputs, output, errors or attributes."""
    secret = "sk-abcdefghijklmnopqrstuvwx"

    @op(attributes={"key": secret if where == "attributes" else ""})
    def leaky(x: str) -> str:
        if where == "error":
            raise ValueError(f"bad key {secret}")
        return secret if where == "output" else ""

    try:
        leaky(secret if where == "inputs" else "")
    except ValueError:
        assert where == "error"
    text = repr(records())
    assert secret not in text.replace("\\n", "\n")
    assert "[redacted:api-key]" in text


def test_redaction_can_be_turned_off(tmp_path: Path, spans: Spans) -> None:
    """By the settings."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, redact=False))
    with_options({"api_key": "sk-abcdefghijklmnopqrstuvwx"})
    assert spans()[0].inputs == {"x": {"api_key": "sk-abcdefghijklmnopqrstuvwx"}}


def test_a_failing_redaction_keeps_the_span_and_says_why(
    tmp_path: Path, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value is not written; the call is."""
    rt = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))

    def broken(_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("weft.tracking.payloads.redaction._clean", broken)
    assert with_options({"api_key": "hunter2"}) == {"api_key": "hunter2"}
    (span,) = spans()
    assert (span.inputs.kind, span.output.kind, span.status) == ("redacted", "redacted", "ok")
    assert rt.faults.counts == {"redact a payload": 2}


def test_strange_arguments_are_described_and_passed_on(spans: Spans) -> None:
    """Unserialisable, self-containing, raising in their repr."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("broken")

    loop: list[Any] = []
    loop.append(loop)
    broken, lock = Broken(), asyncio.Lock
    assert with_options([broken, loop, lock])[0] is broken
    (span,) = spans()
    described, cycle, name = span.inputs["x"]
    assert "repr raised RuntimeError" in described.value["text"]
    assert cycle[0].kind == "ref"
    assert name.value["text"] == "asyncio.locks.Lock"


def test_a_large_argument_is_kept_whole_in_a_blob(home: Path, spans: Spans) -> None:
    """Beside the journal, by its digest."""
    text = "word " * 500_000
    assert with_options(text) is text
    (span,) = spans()
    digest = span.inputs["x"].value["digest"]
    from weft.tracking.blobs import Blobs

    with Blobs(runtime.active().home).open(digest) as file:
        assert file.read().decode() == text


def test_two_runtimes_one_after_the_other(tmp_path: Path) -> None:
    """An op made before `configure` writes where the process writes now."""
    for name in ("one", "two"):
        rt = runtime.configure(Settings.resolve(home=tmp_path / name, strict=True))
        double(1)
        double(1)
        assert rt.journal.appended == 5  # the op's code once, and both calls


def test_recursion_goes_as_deep_as_wrapper_and_function_fit(home: Path) -> None:
    """The last calls go unrecorded rather than fail, and the user's RecursionError is the user's alone."""

    @op
    def deep(n: int) -> int:
        return 0 if n == 0 else 1 + deep(n - 1)

    def bare(n: int) -> int:
        return 0 if n == 0 else 1 + bare(n - 1)

    def limit(func: Callable[[int], int]) -> int:
        for n in range(100, 2000):
            try:
                func(n)
            except RecursionError as error:
                contexts.append(error.__context__)
                return n
        raise AssertionError("no limit")

    contexts: list[BaseException | None] = []
    limits: list[int] = []

    def both() -> None:
        deep(3)
        limits.extend((limit(deep), limit(bare)))
        assert current_span() is None

    thread = threading.Thread(target=both)  # in a stack of its own: nothing is being handled around it
    thread.start()
    thread.join()
    assert limits[0] >= limits[1] // 2 - 1
    assert contexts == [None, None]
