"""Promises of `weft.tracer.signature`: the wrapper has the signature that the function itself enforces."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import Any

import pytest

from weft.tracer.signature import BIND, generate, owner, shape_of


def bound(func: Any, *args: Any, **kwargs: Any) -> Any:
    """The arguments of a call, named as a wrapper names them."""
    return generate(BIND, shape_of(func), func, {})(*args, **kwargs)


def plain(a: int, b: int = 2) -> None: ...
def only(a: int, /, b: int = 2) -> None: ...
def all_only(a: int, b: int = 2, /) -> None: ...
def star(a: int, *rest: int, c: int = 3) -> None: ...
def bare_star(a: int, *, c: int = 3, d: int) -> None: ...
def double(a: int, **more: int) -> None: ...
def double_only(a: int, /, **more: int) -> None: ...
def nothing() -> None: ...


@pytest.mark.parametrize(
    ("func", "args", "kwargs"),
    [
        (plain, (1,), {}),
        (plain, (), {"b": 1, "a": 5}),
        (only, (1, 3), {}),
        (all_only, (1,), {}),
        (star, (1, 2, 3), {"c": 4}),
        (bare_star, (1,), {"d": 2}),
        (double, (1,), {"x": 2, "y": 3}),
        (double_only, (1,), {"a": 2}),
        (nothing, (), {}),
    ],
)
def test_arguments_are_named_as_python_binds_them(func: Any, args: Any, kwargs: Any) -> None:
    """Defaults filled in; what `**` takes stands beside the rest, where it hides nothing."""
    expected = inspect.signature(func).bind(*args, **kwargs)
    expected.apply_defaults()
    arguments = dict(expected.arguments)
    if func is double:
        arguments.update(arguments.pop("more"))
    assert bound(func, *args, **kwargs) == arguments


@pytest.mark.parametrize("func", [plain, only, all_only, star, bare_star, double, double_only, nothing])
def test_the_signature_is_enforced_not_only_shown(func: Any) -> None:
    """Name by name, kind by kind, default by default."""
    made = generate(BIND, shape_of(func), func, {})
    shown = inspect.signature(made, follow_wrapped=False).parameters.values()
    for mine, theirs in zip(shown, inspect.signature(func).parameters.values(), strict=True):
        assert (mine.name, mine.kind, mine.default) == (theirs.name, theirs.kind, theirs.default)


def test_what_a_decorator_declares_but_does_not_enforce_is_not_enforced() -> None:
    """It may inject arguments; then they are named by position."""

    def injecting(func: Any) -> Any:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return func("injected", *args, **kwargs)

        return wrapper

    assert bound(injecting(plain), 7) == {"a": 7, "b": 2}
    assert bound(injecting(bare_star), d=3) == {"d": 3}


def test_names_that_the_templates_use_are_no_trap() -> None:
    """A function may call its arguments what it likes."""

    def unlucky(_weft_rt: int, _weft_func: int = 2) -> None: ...

    assert bound(unlucky, 1) == {"_weft_rt": 1, "_weft_func": 2}


def test_an_owner_is_recorded_by_what_is_small_in_it() -> None:
    """A class by its name, a plain object by its class's, a model by its fields; never by a repr, never at length."""

    class Plain:
        def __repr__(self) -> str:
            raise AssertionError("a repr may cost anything")

    @dataclasses.dataclass
    class Model:
        name: str = "small"
        corpus: list[str] = dataclasses.field(default_factory=lambda: ["text"] * 10_000)
        prompt: str = "p" * 5000
        client: Any = None
        _cache: int = 0

    assert str(owner(Plain())).endswith("Plain object>")
    assert str(owner(Plain)).endswith("Plain")
    assert owner(Plain()) == owner(Plain())
    recorded: Any = owner(Model(client=Plain()))
    assert str(recorded.pop("class")).endswith("Model")
    assert str(recorded.pop("client")).endswith("Plain object>")
    assert recorded == {"name": "small", "corpus": "<list of 10000>", "prompt": "<str of 5000>"}
