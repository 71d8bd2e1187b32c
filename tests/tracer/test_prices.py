"""Prices: each token is billed once, parts sum to the total, nothing is negative, unknown models have no price."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracer.prices import Price, Usage, cost, price_of
from weft.tracking.errors import UsageError

counts = st.integers(min_value=-10, max_value=10**9)
usages = st.builds(Usage, *[counts] * 10)
rates = st.decimals(min_value=0, max_value=1000, places=6)
prices = st.builds(Price, rates, rates, *[st.none() | rates] * 5, rates, *[st.none() | rates] * 3)


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


def test_cache_writes_are_told_apart_by_how_long_they_last() -> None:
    usage = Usage(input_tokens=100, cache_read_tokens=10, cache_write_tokens=60, cache_write_1h_tokens=20)
    price = Price(input=1_000_000, cache_read=100_000, cache_write=1_250_000, cache_write_1h=2_000_000)
    assert cost(usage, price).parts == {
        "input_tokens": 30,
        "cache_read_tokens": 1,
        "cache_write_tokens": 50,
        "cache_write_1h_tokens": 40,
    }
    assert (
        cost(Usage(100, cache_write_tokens=60, cache_write_1h_tokens=60), Price(input=1)).total
        == cost(Usage(100), Price(input=1)).total
    )


def test_image_tokens_have_their_own_price() -> None:
    usage = Usage(input_tokens=10, input_image_tokens=4, output_tokens=6, output_image_tokens=6)
    price = Price(input=1_000_000, input_image=2_000_000, output=1_000_000, output_image=3_000_000)
    assert cost(usage, price).parts == {"input_tokens": 6, "input_image_tokens": 8, "output_image_tokens": 18}


@given(usages, prices)
def test_what_the_store_keeps_sums_to_the_total_too(usage: Usage, price: Price) -> None:
    bill = cost(usage, price)
    if bill.total < 1_000_000:
        assert sum(bill.pico_parts().values()) == bill.pico_usd


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


def test_importing_prices_does_not_load_the_table() -> None:
    code = "import sys, weft.tracer.prices; raise SystemExit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
