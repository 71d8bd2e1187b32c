"""Model calls that another library announces by a callback and does not make current: the client's call that follows
in the same context is the one inside it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import get_current_span, set_span_in_context

from weft.tracer.context import get_current


@dataclass(slots=True)
class _Announced:
    """A callback's span; None once a call was found for it."""

    span: Any


_announced: ContextVar[_Announced | None] = ContextVar("weft-announced-call", default=None)


def announce(span: Any) -> None:
    """The SDK span of a model's call has begun here. Tasks that are started from now on know it, too."""
    _announced.set(_Announced(span))


def context_of_call() -> Context:
    """Where a client's call belongs: inside the announced one, else inside what is current.

    An announced call holds one call of a client at most. One that is over, or that began inside something else than
    what is current now, is none of this call's business.
    """
    context, announced = get_current(), _announced.get()
    span = None if announced is None else announced.span
    if announced is None or span is None:
        return context
    current = get_current_span(context).get_span_context()
    if not span.is_recording() or (0 if span.parent is None else span.parent.span_id) != current.span_id:
        return context
    announced.span = None
    return set_span_in_context(span, context)
