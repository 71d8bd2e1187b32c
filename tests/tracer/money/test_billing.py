"""The bill of a closed span: priced once with its source, flagged where the report cannot be right, never invented."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.tracer.money.billing import UNKNOWN, enricher, priced
from weft.tracer.money.pricefile import PriceFile
from weft.tracer.prices import Price, set_price
from weft.tracking import runtime
from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanOpened, SpanPriced
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

NONE = PriceFile(Path("prices.toml"))
MILLION = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}


def closed(attributes: object = None, **more) -> SpanClosed:
    base = {"end_ns": 1_767_225_600_000_000_000, "duration_ns": 1, "status": "ok", "model": "gpt-4o-mini"}
    base |= {"provider": "openai", "usage": MILLION}
    if attributes is not None:
        base["attributes"] = orjson.dumps(attributes)
    return SpanClosed(SCHEMA, b"t" * 16, b"s" * 8, **(base | more))


def bill(attributes: object = None, **more) -> SpanPriced:
    found = priced(closed(attributes, **more), NONE)
    assert found is not None
    return found


def test_a_closed_span_is_priced_with_its_source_and_parts() -> None:
    found = bill()
    assert (found.trace_id, found.span_id) == (b"t" * 16, b"s" * 8)
    assert found.cost_pico_usd == 750_000_000_000
    assert found.source.startswith("genai-prices ")
    assert orjson.loads(found.parts or b"") == {"input_tokens": 150_000_000_000, "output_tokens": 600_000_000_000}
    assert found.flags == []


def test_an_inconsistent_report_is_flagged_with_or_without_a_price() -> None:
    wrong = {"input_tokens": 1, "cache_read_tokens": 5}
    assert bill(usage=wrong).flags == ["more cached than input tokens"]
    unknown = bill(usage=wrong, model="nobody-s-model")
    assert (unknown.cost_pico_usd, unknown.flags) == (UNKNOWN, ["more cached than input tokens"])


@pytest.mark.parametrize("more", [{"usage": None}, {"usage": {}}, {"model": None}, {"model": "nobody-s-model"}])
def test_what_nobody_can_price_has_no_cost(more: dict[str, object]) -> None:
    assert priced(closed(**more), NONE) is None


@pytest.mark.parametrize("usage", [{"nope": 1}, {"total_tokens": 5}])
def test_counts_that_have_no_price_cost_nothing_known_which_is_not_0(usage: dict[str, int]) -> None:
    assert priced(closed(usage=usage), NONE) is None
    with weft.span("chat", kind="llm") as call:
        call.set_usage(usage, model="gpt-4o-mini", provider="openai")
        assert call.cost is None
    assert priced(closed({"cost_usd": 2}, usage=usage), NONE).cost_pico_usd == 2 * 10**12  # type: ignore[union-attr]
    assert bill(usage={"input_tokens": 0, **usage}).cost_pico_usd == 0


def test_money_is_never_clamped() -> None:
    """What 64 bits of pico-USD cannot hold is not known, and the flag says the amount."""
    found = bill(usage={"input_tokens": 2**62})
    assert (found.cost_pico_usd, found.parts) == (UNKNOWN, None)
    assert found.source.startswith("genai-prices")
    assert found.flags == ["a cost of 691752902764.1081856 USD is more than is kept"]
    assert bill({"cost_usd": 900_000}, model="nobody-s-model").cost_pico_usd == 900_000 * 10**12


@pytest.mark.parametrize(
    ("count", "said"), [(2**70, str(2**70)), (-(2**70), str(-(2**70))), (1 << 2000, "about 2^2001")]
)
def test_a_count_that_no_record_holds_is_flagged_and_leaves_no_cost(tmp_path: Path, count: int, said: str) -> None:
    weft.configure(home=tmp_path)
    with weft.span("chat", kind="llm", attributes={"a": 1}) as call:
        call.set_usage({"input_tokens": count, "output_tokens": 3}, model="gpt-4o-mini", provider="openai")
    with weft.Api() as api:
        (found,) = api.spans()
    assert (found.usage, found.cost) == ({"output_tokens": 3}, None)
    assert found.usage_flags == (f"input_tokens of {said} is no count",)
    assert found.attributes == {"a": 1, "weft.usage_not_kept": {"input_tokens": said}}


@pytest.mark.parametrize(
    "names", [("openai.response.service_tier",), ("service_tier",), ("gen_ai.request.service_tier",)]
)
def test_a_service_tier_costs_its_own_price(names: tuple[str, ...]) -> None:
    """gpt-5 in November 2026: 1.25/10 standard, half of it flex."""
    at = 1_795_000_000_000_000_000
    found = bill(dict.fromkeys(names, "flex"), model="gpt-5", end_ns=at, usage={"output_tokens": 1_000_000})
    assert (found.cost_pico_usd, found.flags) == (5_000_000_000_000, [])
    assert found.source.endswith(", flex")


def test_what_was_served_counts_before_what_was_asked_for() -> None:
    asked = {"gen_ai.openai.request.service_tier": "flex", "openai.response.service_tier": "default"}
    assert bill(asked, model="gpt-5").source == bill(model="gpt-5").source


def test_a_batch_costs_half_where_the_table_is_silent_about_the_day() -> None:
    early = bill({"service_tier": "batch"}, end_ns=1_767_225_600_000_000_000)
    assert early.cost_pico_usd == 375_000_000_000
    assert early.source.endswith(", batch x0.5")


def test_a_tier_whose_price_nobody_knows_is_billed_as_standard_and_says_so() -> None:
    found = bill({"service_tier": "priority"}, provider="anthropic", model="claude-sonnet-4-5")
    assert found.cost_pico_usd == 28_500_000_000_000  # a million tokens is above its cliff of 200,000
    assert found.flags == ["service tier 'priority' billed as standard: its price is not known"]


def test_an_hours_cache_write_costs_twice_the_input() -> None:
    usage = {"input_tokens": 1_000_000, "cache_write_tokens": 1_000_000, "cache_write_1h_tokens": 400_000}
    found = bill(provider="anthropic", model="claude-opus-4-5", usage=usage)
    assert orjson.loads(found.parts or b"") == {
        "cache_write_tokens": 3_750_000_000_000,
        "cache_write_1h_tokens": 4_000_000_000_000,
    }


def test_the_senders_own_cost_counts_only_where_no_price_is_known() -> None:
    assert bill({"gen_ai.usage.cost": 0.5}).source.startswith("genai-prices")
    found = bill({"gen_ai.usage.cost": 0.5}, model="nobody-s-model")
    assert (found.cost_pico_usd, found.source) == (500_000_000_000, "sender")
    assert bill({"mlflow.llm.cost": '{"total_cost": 0.25}'}, usage=None).cost_pico_usd == 250_000_000_000


@pytest.mark.parametrize("said", [-1, float("nan"), "cheap", True, None, [], {"a": 1}, "{", "1e400", "9" * 400])
def test_a_senders_cost_that_is_no_amount_is_left_out(said: object) -> None:
    assert priced(closed({"gen_ai.usage.cost": said}, model="nobody-s-model"), NONE) is None


@given(
    st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "cache_read_tokens"]), st.integers(-9, 10**18))
)
def test_parts_sum_to_the_cost_in_the_store_too(usage: dict[str, int]) -> None:
    found = priced(closed(usage=usage), NONE)
    if found is not None and found.parts is not None:
        assert sum(orjson.loads(found.parts).values()) == found.cost_pico_usd
        assert all(part >= 0 for part in orjson.loads(found.parts).values())


@pytest.mark.parametrize("end_ns", [-1, 0, 1 << 62, (1 << 63) - 1])
def test_any_clock_has_a_price(end_ns: int) -> None:
    assert bill(end_ns=end_ns).cost_pico_usd > 0


def test_the_users_price_wins(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('[[price]]\nmodel = "gpt-4o-mini"\ninput = 1\noutput = 1\n')
    (found,) = enricher(Settings(home=tmp_path))(closed())
    assert isinstance(found, SpanPriced)
    assert (found.cost_pico_usd, found.source) == (2_000_000_000_000, "prices.toml: gpt-4o-mini")


def test_a_traces_cost_is_that_of_its_calls_at_their_own_prices(tmp_path: Path) -> None:
    """Weave's case 15: two calls of one model and one of another under one parent."""
    weft.configure(home=tmp_path)
    set_price("gpt-4", Price(input=30, output=60))
    set_price("gpt-4o", Price(input=5, output=15))
    with weft.span("parent"):
        for model, inputs, outputs in (("gpt-4", 1, 2), ("gpt-4", 1, 2), ("gpt-4o", 3, 5)):
            with weft.span("chat", kind="llm") as call:
                counts = {"input_tokens": inputs * 1_000_000, "output_tokens": outputs * 1_000_000}
                call.set_usage(counts, model=model, provider="openai")
    with open_store() as store:
        (trace,) = store.reader().traces().rows
        costs = [row.cost for row in store.reader().spans().rows if row.cost is not None]
    assert (trace.input_tokens, trace.output_tokens) == (5_000_000, 9_000_000)
    assert sorted(costs) == [90, 150, 150]
    assert trace.cost == 60 + 240 + 15 + 75


def test_the_senders_cost_of_a_foreign_span_reaches_the_store(tmp_path: Path) -> None:
    """As the OpenTelemetry bridge hands it over: an attribute of the close."""
    weft.configure(home=tmp_path)
    rt = runtime.active()
    rt.journal.append(SpanOpened(SCHEMA, b"t" * 16, b"s" * 8, None, "chat", "llm", 1, "p"))
    rt.journal.append(closed({"cost_usd": "0.125"}, model="nobody-s-model"))
    with open_store() as store:
        (span,) = store.reader().spans().rows
    assert (span.cost, span.price_source, span.cost_parts) == (Decimal("0.125"), "sender", {"sender": Decimal("0.125")})
