"""The meter of a case: each token once, as in the trace's row; what nobody can price has no cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import weft
from weft.evals.metering import Meter
from weft.tracer.context import listening
from weft.tracer.span import Span, start_span
from weft.tracking.store.access import open_store


@pytest.fixture(autouse=True)
def _home(tmp_path: Path) -> None:
    weft.configure(home=tmp_path)


def said(span: Span, tokens: int, model: str | None = "gpt-4o-mini", **more: int) -> None:
    span.set_usage({"input_tokens": tokens, "output_tokens": tokens, **more}, model=model, provider="openai")


def test_an_agent_that_repeats_its_calls_is_metered_once_and_as_the_store_says() -> None:
    """pydantic-ai #3995: with a span between that reports nothing."""
    meter = Meter()
    with listening(meter.hear), weft.span("agent", kind="agent") as agent:
        with weft.span("step"):
            for _ in range(2):
                with weft.span("chat", kind="llm") as call:
                    said(call, 100, cache_read_tokens=10)
        with weft.span("chat of another", kind="llm") as call:
            said(call, 7, model="nobody-s-model")
        said(agent, 207)
    assert meter.usage() == {"input_tokens": 207, "output_tokens": 207, "cache_read_tokens": 20}
    with open_store() as store:
        (trace,) = store.reader().traces().rows
    assert (trace.input_tokens, trace.output_tokens, trace.cost) == (207, 207, meter.cost())
    assert meter.cost() == Decimal("0.00014850")


def test_a_span_that_ends_twice_is_metered_once() -> None:
    meter = Meter()
    with listening(meter.hear):
        span = start_span("chat", kind="llm")
        said(span, 5)
        span.end()
        span.reopen()
        said(span, 9)
        span.end()
    assert meter.usage() == {"input_tokens": 9, "output_tokens": 9}


def test_what_an_agent_used_beyond_its_calls_is_metered_too() -> None:
    meter = Meter()
    with listening(meter.hear), weft.span("agent", kind="agent") as agent:
        with weft.span("chat", kind="llm") as call:
            said(call, 100)
        said(agent, 150)
    assert meter.usage() == {"input_tokens": 150, "output_tokens": 150}


def test_nothing_reported_is_unknown() -> None:
    meter = Meter()
    with listening(meter.hear), weft.span("chat", kind="llm"):
        pass
    assert (meter.usage(), meter.cost(), meter.used) == (None, None, False)


def test_a_live_span_says_what_it_costs() -> None:
    with weft.span("chat", kind="llm") as span:
        assert span.cost is None
        said(span, 1_000_000)
        assert span.cost is not None
        assert span.cost.total == Decimal("0.75")
        said(span, 1, model="nobody-s-model")
        assert span.cost is None
