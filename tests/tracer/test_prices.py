"""Prices: each token is billed once, parts sum to the total, nothing is negative, unknown models have no price."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracer.prices import Price, Usage, cost, enrich, price_of
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanPriced

counts = st.integers(min_value=-10, max_value=10**9)
usages = st.builds(Usage, counts, counts, counts, counts, counts, counts, counts)
rates = st.decimals(min_value=0, max_value=1000, places=6)
prices = st.builds(Price, rates, rates, *[st.none() | rates] * 5, request=rates)


def closed(**more) -> SpanClosed:
    base = {"end_ns": 1_767_225_600_000_000_000, "duration_ns": 1, "status": "ok", "model": "gpt-4o-mini"}
    base |= {"provider": "openai", "usage": {"input_tokens": 1_000_000, "output_tokens": 1_000_000}}
    return SpanClosed(SCHEMA, b"t" * 16, b"s" * 8, **(base | more))


def test_cached_tokens_are_part_of_the_input() -> None:
    buckets = Usage(input_tokens=17903, cache_read_tokens=17817).buckets()
    assert (buckets["input_tokens"], buckets["cache_read_tokens"], sum(buckets.values())) == (86, 17817, 17903)


def test_more_cached_than_input_is_flagged_and_added() -> None:
    usage = Usage(input_tokens=86, cache_read_tokens=17817)
    assert usage.buckets()["input_tokens"] == 86
    assert usage.inconsistencies == ("more cached than input tokens",)
    assert cost(usage, Price(input=1, cache_read="0.5")).inconsistencies


def test_reasoning_tokens_are_part_of_the_output_and_billed_once() -> None:
    usage = Usage(output_tokens=850, reasoning_tokens=700)
    assert (usage.buckets()["output_tokens"], usage.buckets()["reasoning_tokens"]) == (150, 700)
    assert cost(usage, Price(output=1_000_000)).total == 850
    assert not usage.inconsistencies


def test_more_reasoning_than_output_bills_the_larger_and_is_flagged() -> None:
    usage = Usage(output_tokens=100, reasoning_tokens=700)
    assert cost(usage, Price(output=1_000_000)).total == 700
    assert usage.inconsistencies == ("more reasoning than output tokens",)


def test_audio_has_its_own_price() -> None:
    usage = Usage(input_tokens=10, input_audio_tokens=4, output_tokens=6, output_audio_tokens=6)
    price = Price(input=1_000_000, input_audio=2_000_000, output=1_000_000, output_audio=3_000_000)
    assert cost(usage, price).parts == {"input_tokens": 6, "input_audio_tokens": 8, "output_audio_tokens": 18}


@given(usages, prices)
def test_parts_sum_to_the_total_and_nothing_is_negative(usage: Usage, price: Price) -> None:
    bill = cost(usage, price)
    assert sum(bill.parts.values(), Decimal(0)) == bill.total
    assert all(part >= 0 for part in bill.parts.values())
    assert bill.total >= 0
    assert bill.pico_usd >= 0


@given(usages)
def test_a_consistent_report_is_billed_for_exactly_its_tokens(usage: Usage) -> None:
    if not usage.inconsistencies:
        assert sum(usage.buckets().values()) == usage.input_tokens + usage.output_tokens
    assert all(count >= 0 for count in usage.buckets().values())


def test_the_users_decimal_context_changes_no_price() -> None:
    usage, price = Usage(input_tokens=123_456_789), Price(input="0.123456")
    with localcontext() as context:
        context.prec = 3
        assert cost(usage, price).total == Decimal("15.241481342784")
        assert cost(usage, price).pico_usd == 15_241_481_342_784


@pytest.mark.parametrize("wrong", [-1, "cheap", float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="input="):
        Price(input=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "GPT-4o-mini"])
def test_a_model_is_found_by_name_and_dated_name(model: str) -> None:
    price = price_of("openai", model)
    assert price is not None
    assert (price.input, price.output, price.cache_read) == (Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))
    assert price.source.startswith("genai-prices ")
    assert "by model name" not in price.source


def test_a_host_is_a_provider_and_an_unknown_one_is_marked() -> None:
    hosted = price_of("api.openai.com", "gpt-4o-mini")
    proxied = price_of("127.0.0.1", "gpt-4o-mini")
    assert hosted is not None
    assert proxied is not None
    assert "by model name" not in hosted.source
    assert proxied.source.endswith("(by model name)")


@pytest.mark.parametrize("provider", ["127.0.0.1", "localhost", "gateway.example.com", None])
def test_an_embedding_model_is_found_by_its_name(provider: str | None) -> None:
    """As chat models are: the name tells no provider, so the makers' lists are searched."""
    small, large = price_of(provider, "text-embedding-3-small"), price_of(provider, "text-embedding-3-large")
    assert small is not None
    assert large is not None
    assert (small.input, large.input) == (Decimal("0.02"), Decimal("0.13"))
    assert small.source.endswith("(by model name)") == (provider is not None)


def test_a_model_that_nobody_lists_has_no_price() -> None:
    """Nor one that its own provider does not list, whoever else does."""
    for provider, model in [("127.0.0.1", "nomic-embed-text"), (None, "my-model"), ("groq", "text-embedding-3-small")]:
        assert price_of(provider, model) is None


def test_opentelemetrys_provider_names_are_known() -> None:
    assert price_of("x_ai", "grok-4") is not None
    assert price_of("gcp.vertex_ai", "gemini-2.5-pro") is not None


def test_a_long_call_costs_the_higher_tier() -> None:
    short = price_of("google", "gemini-2.5-pro", input_tokens=1000)
    long = price_of("google", "gemini-2.5-pro", input_tokens=500_000)
    assert short is not None
    assert long is not None
    assert long.input > short.input


def test_a_price_is_that_of_the_day() -> None:
    past = price_of("openai", "o3", datetime(2025, 5, 1, tzinfo=UTC))
    later = price_of("openai", "o3", datetime(2025, 7, 1, tzinfo=UTC))
    assert past is not None
    assert later is not None
    assert past.input > later.input


@pytest.mark.parametrize(("provider", "model"), [("openai", "no-such-model"), (None, "llama-made-up"), ("x", "y")])
def test_an_unknown_model_has_no_price(provider: str | None, model: str) -> None:
    assert price_of(provider, model) is None
    assert enrich(closed(provider=provider, model=model)) == []


def test_a_closed_span_is_priced_with_its_source() -> None:
    (priced,) = enrich(closed())
    assert isinstance(priced, SpanPriced)
    assert priced.cost_pico_usd == 750_000_000_000
    assert (priced.trace_id, priced.span_id) == (b"t" * 16, b"s" * 8)
    assert priced.source.startswith("genai-prices ")
    (flagged,) = enrich(closed(usage={"input_tokens": 1, "cache_read_tokens": 5}))
    assert "usage inconsistent: more cached than input tokens" in flagged.source


@pytest.mark.parametrize("more", [{"usage": None}, {"usage": {}}, {"model": None}])
def test_a_span_without_usage_or_model_is_not_priced(more: dict[str, object]) -> None:
    assert enrich(closed(**more)) == []


def test_importing_prices_does_not_load_the_table() -> None:
    code = "import sys, weft.tracer.prices; raise SystemExit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
