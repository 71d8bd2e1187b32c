"""Calling what users wrote: sync or async, in time or not; what it raises is a value. `CaseRunner` calls it."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, NamedTuple

from weft.evals.arguments import Parameters
from weft.evals.results import CaseError
from weft.evals.workers import Workers
from weft.tracking.faults import let_through


class Outcome(NamedTuple):
    """How a call ended."""

    value: Any
    error: BaseException | None
    seconds: float
    """By a clock that never runs backwards."""


class TimedOut(Exception):  # noqa: N818 - the name that results show
    """The call took longer than `timeout_s`."""


async def call(
    function: Callable[..., Any],
    parameters: Parameters,
    picked: Mapping[str, Any],
    *,
    is_async: bool,
    timeout_s: float | None,
    workers: Workers | None,
) -> Outcome:
    """Call a model or scorer; what it raises is in the outcome.

    Args:
        workers: where it is run if it is not async; None: right here, since it is quick.
    """
    if not is_async and workers is None:
        outcome = _timed(parameters, function, picked)
        _pass_on(outcome.error)
        return outcome
    limit = asyncio.timeout(timeout_s)
    started = time.perf_counter()
    try:
        async with limit:
            if workers is None or is_async:
                value = parameters.call(function, picked)
            else:
                outcome = await workers.run(functools.partial(_timed, parameters, function, picked))
                _pass_on(outcome.error)
                if outcome.error is not None or not _waits(outcome.value):
                    return outcome
                value = outcome.value  # a plain function that returned a coroutine
            if hasattr(value, "__await__"):
                value = await value
            if isinstance(value, AsyncIterator):
                value = [item async for item in value]
            elif isinstance(value, Iterator):
                value = list(value)
    except TimeoutError as error:
        seconds = time.perf_counter() - started
        if not limit.expired():
            return Outcome(None, error, seconds)
        still = "" if is_async else "; its thread goes on until it returns"
        return Outcome(None, TimedOut(f"no answer within {timeout_s:g} s{still}"), seconds)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # we are being stopped; anything else is the model's own doing
        return Outcome(None, error, time.perf_counter() - started)
    except (Exception, SystemExit) as error:
        return Outcome(None, error, time.perf_counter() - started)
    return Outcome(value, None, time.perf_counter() - started)


def _waits(value: object) -> bool:
    """Whether there is something to wait for: a coroutine, or an asynchronous stream."""
    return hasattr(value, "__await__") or isinstance(value, AsyncIterator)


def _timed(parameters: Parameters, function: Callable[..., Any], picked: Mapping[str, Any]) -> Outcome:
    started = time.perf_counter()
    try:
        value = parameters.call(function, picked)
        if isinstance(value, Iterator):
            value = list(value)
    except BaseException as error:
        return Outcome(None, error, time.perf_counter() - started)
    return Outcome(value, None, time.perf_counter() - started)


def _pass_on(error: BaseException | None) -> None:
    """Ctrl-C is for the program, not for the row."""
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
        raise error


def case_error(error: BaseException) -> CaseError:
    """An exception as a value; its own `__str__` may fail too."""
    try:
        message = str(error)
    except Exception as broken:
        let_through(broken)
        message = f"its message raises {type(broken).__name__}"
    return CaseError(type(error).__qualname__, message)
