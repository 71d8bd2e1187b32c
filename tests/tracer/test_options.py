"""Promises of options for single calls (`f.options(...)`) and of the hooks that the settings bring."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weft.tracer.context import attributes
from weft.tracer.op import op
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.settings import Settings
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


class Shop:
    @op
    def total(self, n: int) -> int:
        return n


@op(attributes={"of": "op", "team": "search"})
def lookup(key: str, *, top: int = 3) -> list[str]:
    """Look a key up."""
    return [key] * top


def test_one_call_has_other_options_and_the_op_keeps_its_own(spans: Spans) -> None:
    """The function sees nothing of it."""
    other = lookup.options(name="find", kind="retriever", display_name="find it", capture_output=False)  # type: ignore[attr-defined]
    assert other("a", top=1) == ["a"]
    assert lookup("b") == ["b"] * 3
    first, second = spans()
    assert (first.name, first.kind, first.inputs, first.output) == (
        "find it",
        "retriever",
        {"key": "a", "top": 1},
        None,
    )
    assert first.attributes == {"of": "op", "team": "search", "weft.op": "find"}
    assert (second.name, second.kind, second.output) == ("lookup", "op", ["b"] * 3)
    assert second.attributes == {"of": "op", "team": "search"}
    assert first.version == second.version is not None


def test_attributes_go_from_the_program_to_the_op_the_context_and_the_call(tmp_path: Path, spans: Spans) -> None:
    """The later wins, name by name."""
    shared = {"of": "program", "release": "1"}
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, attributes=shared))
    with attributes({"of": "context", "user": "joe"}):
        lookup("a")
        lookup.options(attributes={"of": "call"})("a")  # type: ignore[attr-defined]
    assert [one.attributes for one in spans()] == [
        {"of": "context", "release": "1", "team": "search", "user": "joe"},
        {"of": "call", "release": "1", "team": "search", "user": "joe"},
    ]


async def test_every_shape_keeps_its_shape(spans: Spans) -> None:
    """Coroutines, generators, async generators, methods, and options of options."""

    @op
    async def later() -> int:
        await asyncio.sleep(0)
        return 1

    @op
    def numbers() -> Iterator[int]:
        yield 1

    @op
    async def numbers_later() -> AsyncIterator[int]:
        yield 1

    for function in (later, numbers, numbers_later, lookup):
        other = function.options(display_name="other")  # type: ignore[attr-defined]
        assert inspect.signature(other) == inspect.signature(function)
        for question in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            assert question(other) == question(function)
        assert (other.__name__, other.__doc__) == (function.__name__, function.__doc__)
    assert await later.options(display_name="a")() == 1  # type: ignore[attr-defined]
    assert list(numbers.options(display_name="b")()) == [1]  # type: ignore[attr-defined]
    assert [n async for n in numbers_later.options(display_name="c").options(kind="tool")()] == [1]  # type: ignore[attr-defined]
    assert Shop.total.options(display_name="d")(Shop(), 2) == 2  # type: ignore[attr-defined]
    result, span = Shop.total.options(display_name="e").call(Shop(), 3)  # type: ignore[attr-defined]
    assert (result, span.name) == (3, "e")
    assert [one.name for one in spans()] == list("abcde")
    assert spans()[2].kind == "tool"


def test_a_rate_for_one_call(spans: Spans) -> None:
    """As of the op itself."""
    lookup.options(sample_rate=0.0)("a")  # type: ignore[attr-defined]
    assert spans() == []


def test_a_wrong_call_or_option_says_so() -> None:
    """At the call."""
    other = lookup.options(kind="tool")  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"lookup\(\) missing 1 required positional argument: 'key'"):
        other()
    with pytest.raises(TypeError, match=r"options\(\) has no option 'nonsense'; it takes name, kind"):
        lookup.options(nonsense=1)  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="capture_inputs of @op is True or False, not 'no'"):
        lookup.options(capture_inputs="no")  # type: ignore[attr-defined]


def test_a_display_name_is_bounded_and_without_secrets(spans: Spans) -> None:
    """A list shows it whole."""
    lookup.options(display_name="x" * 5000)("a")  # type: ignore[attr-defined]
    lookup.options(display_name=lambda inputs: f"with {inputs['key']}")("sk-abcdefghijklmnopqrstuvwx")  # type: ignore[attr-defined]
    long, secret = spans()
    assert long.name == "x" * 1023 + "…"
    assert secret.name == "with [redacted:api-key]"


def test_hooks_of_all_ops_run_after_the_ops_own(tmp_path: Path, spans: Spans) -> None:
    """And on ops that have none; the caller gets the true values."""

    @op(postprocess_inputs=lambda inputs: {"n": len(inputs)}, postprocess_output=str)
    def own(x: int) -> int:
        return x

    @op
    def numbers() -> Iterator[int]:
        yield from (1, 2)

    settings = Settings.resolve(
        home=tmp_path / "home",
        strict=True,
        postprocess_inputs=lambda inputs: {**inputs, "seen": True},
        postprocess_output=lambda output: {"wrapped": output},
    )
    runtime.configure(settings)
    assert own(7) == 7
    assert lookup("a", top=1) == ["a"]
    assert list(numbers()) == [1, 2]
    first, second, third = spans()
    assert (first.inputs, first.output) == ({"n": 1, "seen": True}, {"wrapped": "7"})
    assert (second.inputs, second.output) == ({"key": "a", "top": 1, "seen": True}, {"wrapped": ["a"]})
    assert third.output == {"wrapped": [1, 2]}


def test_a_hook_of_all_ops_that_fails_changes_nothing(
    tmp_path: Path, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """The span stays, with a marker; each cause is logged once."""

    def broken(_: Any) -> Any:
        raise RuntimeError("hook")

    runtime.configure(
        Settings.resolve(home=tmp_path / "home", strict=False, postprocess_inputs=broken, postprocess_output=broken)
    )
    with caplog.at_level(logging.WARNING, "weft"):
        assert [lookup("a", top=1), lookup("b", top=1)] == [["a"], ["b"]]
    assert [one.inputs.kind for one in spans()] == ["unrecorded", "unrecorded"]
    assert len(caplog.records) == 2
