"""Which traces are recorded: decided at the root call alone, by its trace id, and inherited by everything below.

No generator is asked: every process that sees the id decides alike for the same rate, and keeps the same traces as
OpenTelemetry's TraceIdRatioBased sampler. `op` and `span` ask where no span of ours is the parent.
"""

from __future__ import annotations

from typing import NamedTuple

from opentelemetry import trace as otel
from opentelemetry.context import Context

from weft.tracer.context import SAMPLED_OUT_KEY, SCOPE_KEY, WEFT_KEY, Scope
from weft.tracking.errors import UsageError
from weft.tracking.runtime import Runtime

_RANDOM_BITS = (1 << 64) - 1
"""Of a trace id: the low half. The high half may tell the time."""


class Root(NamedTuple):
    """What was decided of a call that has no span of ours above it."""

    trace: bytes
    kept: bool


def keeps(trace_id: int, rate: float) -> bool:
    """Whether a trace is one of this share (0 to 1) of all."""
    return (trace_id & _RANDOM_BITS) < rate * (_RANDOM_BITS + 1)


def decide(rt: Runtime, context: Context, parent: object, own_rate: float | None) -> Root | None:
    """Whether a call that begins here is recorded. None: it is, and nothing had to be decided.

    Args:
        parent: the current span; none of ours.
        own_rate: its op's; None: that of the settings.
    """
    left_out = context.get(SAMPLED_OUT_KEY)
    if left_out is not None:
        return Root(left_out, False)  # type: ignore[arg-type]
    rate = rt.settings.sample_rate if own_rate is None else own_rate
    if rate >= 1.0 or WEFT_KEY in context:
        return None
    scope = context.get(SCOPE_KEY)
    if type(scope) is Scope and scope.run is not None:
        return None  # an evaluation records all of its cases
    if isinstance(parent, otel.Span) and (foreign := parent.get_span_context()).is_valid:
        trace_id = foreign.trace_id
    else:
        trace_id = rt.ids.trace_id()
    return Root(trace_id.to_bytes(16, "big"), keeps(trace_id, rate))


def checked_rate(rate: object) -> float:
    """An op's own rate.

    Raises:
        UsageError: it is no number from 0 to 1.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:  # NaN is neither
        raise UsageError(f"sample_rate of @op is a number from 0 (no calls) to 1 (all calls), not {rate!r:.80}")
    return float(rate)
