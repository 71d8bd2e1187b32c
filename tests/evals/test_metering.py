"""The meter of a case: each token once, as in the trace's row; what nobody can price has no cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

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


def test_a_service_tier_costs_what_it_costs_live_in_the_meter_and_in_the_store() -> None:
    """Given at the start, or heard from the provider afterwards, which wins."""
    meter = Meter()
    asked = {"openai.request.service_tier": "flex"}
    with listening(meter.hear):
        with weft.span("flex", kind="llm", attributes=asked) as flex:
            said(flex, 1_000_000, model="o3")
        with weft.span("given standard", kind="llm", attributes=asked) as standard:
            standard.set_attribute("openai.response.service_tier", "default")
            said(standard, 1_000_000, model="o3")
    assert flex.cost is not None
    assert standard.cost is not None
    assert flex.cost.total * 2 == standard.cost.total
    assert meter.cost() == flex.cost.total + standard.cost.total
    with open_store() as store:
        found = {trace.name: trace.cost for trace in store.reader().traces().rows}
    assert found == {"flex": flex.cost.total, "given standard": standard.cost.total}


def test_spans_of_the_opentelemetry_sdk_are_metered_as_ours_are() -> None:
    """In another thread, below ours, with an agent span of theirs that repeats its call, and a service tier."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(weft.SpanProcessor())
    tracer = provider.get_tracer("some.library")
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "o3",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 10,
    }

    def work() -> None:
        agent = {**chat, "gen_ai.operation.name": "invoke_agent"}
        with tracer.start_as_current_span("agent", attributes=agent), tracer.start_as_current_span("chat") as call:
            call.set_attributes({**chat, "openai.response.service_tier": "flex"})

    meter = Meter()
    with tracer.start_as_current_span("before", attributes=chat):
        pass
    with listening(meter.hear), weft.span("case"):
        worker = weft.ContextThread(target=work)
        worker.start()
        worker.join()
    provider.shutdown()
    assert meter.usage() == {"input_tokens": 1000, "output_tokens": 10}
    with open_store() as store:
        (case,) = store.reader().traces({"name": "case"}).rows
    assert (case.input_tokens, case.output_tokens, case.cost) == (1000, 10, meter.cost())
    assert meter.cost() == Decimal("0.00104")


def test_a_scorer_is_told_what_the_sdks_spans_cost() -> None:
    """As with a model that calls a library which weft has no integration for."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(weft.SpanProcessor())
    tracer = provider.get_tracer("some.library")

    def model(question: str) -> str:
        usage = {"gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 0}
        with tracer.start_as_current_span("chat", attributes={"gen_ai.request.model": "gpt-4o-mini", **usage}):
            return question

    @weft.scorer
    def cheap(cost_usd: Decimal) -> float:
        return float(cost_usd)

    result = weft.Evaluation([{"question": "a"}], [cheap], name="e").run(model)
    provider.shutdown()
    assert result.summary["cheap"].mean == 0.15
    assert result.cost == Decimal("0.15")
    assert result.rows[0].usage == {"input_tokens": 1_000_000, "output_tokens": 0}
