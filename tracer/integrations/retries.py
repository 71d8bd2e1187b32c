"""Requests that the client sends again: each is an event of the call's span, with its cause and the wait before it.

The clients that Stainless generates sleep in `_sleep_for_retry`, and ask `_calculate_retry_timeout` for how long.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from weft.tracer import semconv
from weft.tracer.context import get_current
from weft.tracer.integrations.patches import Patches
from weft.tracer.integrations.recording import CALL_KEY
from weft.tracer.span import Span
from weft.tracking import runtime

EVENT = "retry"
RESEND_COUNT = "http.request.resend_count"
"""OpenTelemetry's: 1 for the first request that is sent again."""
DELAY = "retry.delay_s"
"""Seconds that the client waits before it."""

_cause: ContextVar[dict[str, Any] | None] = ContextVar("weft-retry-cause", default=None)
"""Of the retry that this call is about to wait for."""


def install(patches: Patches, base: type, client: type, async_client: type) -> None:
    """Hear of the retries of a library's clients.

    Args:
        base: the class that has `_calculate_retry_timeout`.
        client: the class that has `_sleep_for_retry`; `async_client` likewise.
    """
    patches.wrap(base, "_calculate_retry_timeout", _timed)
    patches.wrap(client, "_sleep_for_retry", _waiting)
    patches.wrap(async_client, "_sleep_for_retry", _waiting_async)


def _timed(original: Callable[..., Any]) -> Callable[..., Any]:
    """The wait is heard of where it is decided: asking again would draw from the user's random numbers."""

    @functools.wraps(original)
    def calculate(*args: Any, **kwargs: Any) -> Any:
        seconds = original(*args, **kwargs)
        cause = _cause.get()
        span = get_current().get(CALL_KEY)
        if cause is not None and isinstance(span, Span):
            _cause.set(None)
            try:
                span.add_event(EVENT, cause | {DELAY: round(float(seconds), 6)})
            except Exception as error:
                runtime.active().faults.note("record a retry", error)
        return seconds

    return calculate


def _waiting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def sleep(*args: Any, **kwargs: Any) -> Any:
        _cause.set(_caused(kwargs))
        return original(*args, **kwargs)

    return sleep


def _waiting_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def sleep(*args: Any, **kwargs: Any) -> Any:
        _cause.set(_caused(kwargs))
        return await original(*args, **kwargs)

    return sleep


def _caused(arguments: dict[str, Any]) -> dict[str, Any]:
    taken, response = arguments.get("retries_taken"), arguments.get("response")
    found: dict[str, Any] = {RESEND_COUNT: taken + 1} if isinstance(taken, int) else {}
    status = getattr(response, "status_code", None)
    error = sys.exc_info()[1]  # the client waits while it handles what it caught
    if isinstance(status, int):
        found[semconv.HTTP_STATUS] = status
        found[semconv.ERROR_TYPE] = str(status)
    elif error is not None:
        found[semconv.ERROR_TYPE] = type(error).__qualname__
    return found
