"""Which traces are recorded: decided at the root call alone, by its trace id, and inherited by everything below.

No generator is asked: every process that sees the id decides alike for the same rate, and keeps the same traces as
OpenTelemetry's TraceIdRatioBased sampler. `op` and `span` ask where no span of ours is the parent.
"""

from __future__ import annotations

from opentelemetry import trace as otel
from opentelemetry.context import Context

from weft.tracer.context import SAMPLED_OUT_KEY, SCOPE_KEY, WEFT_KEY, Scope
from weft.tracer.livespan import Span
from weft.tracking.errors import UsageError
from weft.tracking.runtime import Runtime

_new = Span.__new__

_RANDOM_BITS = (1 << 64) - 1
"""Of a trace id: the low half. The high half may tell the time."""


def keeps(trace_id: int, rate: float) -> bool:
    """Whether a trace is one of this share (0 to 1) of all."""
    return (trace_id & _RANDOM_BITS) < rate * (_RANDOM_BITS + 1)


def decide(rt: Runtime, context: Context, parent: object, own_rate: float | None) -> bytes | Span | None:
    """Whether a call that begins here is recorded.

    Args:
        parent: the current span; none of ours.
        own_rate: its op's; None: that of the settings.

    Returns:
        None: it is, and nothing had to be decided. Bytes: it is, with this trace id. A span that records nothing, and
        knows the trace that is left out: it is not.
    """
    inherited = context.get(SAMPLED_OUT_KEY)
    if inherited is not None:
        return left_out(inherited)  # type: ignore[arg-type]
    rate = rt.settings.sample_rate if own_rate is None else own_rate
    if rate >= 1.0 or WEFT_KEY in context:
        return None
    scope = context.get(SCOPE_KEY)
    if type(scope) is Scope and scope.run is not None:
        return None  # an evaluation records all of its cases
    if parent is not None and isinstance(parent, otel.Span) and (foreign := parent.get_span_context()).is_valid:
        number = foreign.trace_id
    else:
        number = rt.ids.trace_id()
    trace = number.to_bytes(16, "big")
    return trace if keeps(number, rate) else left_out(trace)


def left_out(trace: bytes) -> Span:
    """A span that records nothing: sampling leaves its trace out."""
    span = _new(Span)
    span.left_out = trace
    return span


def checked_rate(rate: object) -> float:
    """An op's own rate.

    Raises:
        UsageError: it is no number from 0 to 1.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:  # NaN is neither
        raise UsageError(f"sample_rate of @op is a number from 0 (no calls) to 1 (all calls), not {rate!r:.80}")
    return float(rate)
