"""`Apart`: what a generator's body makes current stays with the body, whoever reads it and however it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry.context import create_key, set_value

from weft.tracer.context import attach, detach, get_current
from weft.tracer.integrations.apart import Apart

KEY = create_key("test-apart")


def here() -> object:
    return get_current().get(KEY)


def source(seen: list[object]) -> Iterator[int]:
    """As instrumentors write it: attached over its yields."""
    seen.append(here())
    token = attach(set_value(KEY, "body", get_current()))
    try:
        for number in range(3):
            seen.append(here())
            yield number
    finally:
        seen.append(here())
        detach(token)


async def async_source(seen: list[object]) -> AsyncIterator[int]:
    for number in source(seen):
        await asyncio.sleep(0)
        yield number


def test_the_reader_is_never_inside_and_the_body_always() -> None:
    seen: list[object] = []
    token = attach(set_value(KEY, "reader", get_current()))
    try:
        for _ in Apart().read(source(seen)):
            assert here() == "reader"
        assert here() == "reader"
    finally:
        detach(token)
    assert seen == ["reader", "body", "body", "body", "body"]


async def test_neither_is_the_reader_of_an_async_one() -> None:
    seen: list[object] = []
    apart = Apart()
    async for _ in apart.read_async(async_source(seen)):
        assert here() is None
        assert apart.context is not None
        assert apart.context[KEY] == "body"
    assert (here(), seen) == (None, [None, "body", "body", "body", "body"])


def test_who_leaves_closes_it_in_its_own_context() -> None:
    seen: list[object] = []
    for _ in Apart().read(source(seen)):
        break
    gc.collect()
    assert (here(), seen[-1], len(seen)) == (None, "body", 3)


async def test_who_leaves_an_async_one_closes_it_too() -> None:
    seen: list[object] = []
    reading = Apart().read_async(async_source(seen))
    assert await anext(reading) == 0
    await reading.aclose()
    gc.collect()
    assert (here(), seen[-1], len(seen)) == (None, "body", 3)


def test_what_the_body_raises_is_raised_and_one_never_read_does_nothing() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    reading = Apart().read(broken())
    assert next(reading) == 1
    with pytest.raises(ValueError, match="broken"):
        next(reading)
    seen: list[object] = []
    Apart().read(source(seen)).close()
    assert seen == []
