"""List prices: genai-prices' bundled table by provider, model and day, with its tiers. Never on a network.

A price that rises with the length of a call rises for all of its tokens (a cliff), as providers bill it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.tracer.money.amounts import RATES, Price, exact

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice

PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}
"""OpenTelemetry's provider names where genai-prices says otherwise."""

VENDORS = ("openai", "anthropic", "google", "mistral", "cohere", "voyageai", "deepseek", "x-ai")
"""Makers of models in genai-prices: whose lists are searched for a model's name that tells no provider by itself, as
OpenAI's embedding models' do not."""

STANDARD_TIERS = frozenset(("", "auto", "default", "standard", "on_demand", "unspecified"))
"""Service tiers that cost the standard price."""

_KEYS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
    "input_image": "input_image_mtok",
    "output_image": "output_image_mtok",
}
"""Fields of `Price` by genai-prices' names."""


class _Table(NamedTuple):
    snapshot: DataSnapshot
    source: str


@cache
def _table() -> _Table:
    # Late: 0.15-0.4 s and 96 MB that only who prices should pay. A snapshot of our own, from the data in the wheel, so
    # that no updater which the user's program may run changes what a source's name stands for.
    import genai_prices
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    return _Table(DataSnapshot(providers=providers, from_auto_update=False), f"genai-prices {genai_prices.__version__}")


class Listed(NamedTuple):
    """A model's entry."""

    provider: str
    """genai-prices' name of it."""
    model: ModelInfo
    source: str

    @property
    def cliffs(self) -> tuple[int, ...]:
        """Input tokens above which all of a call's tokens cost otherwise, on any day."""
        dated = self.model.prices if isinstance(self.model.prices, list) else [self.model]
        prices = [vars(item.prices) for item in dated]
        return tuple(sorted({tier.start for each in prices for price in each.values() for tier in _tiers(price)}))


@cache
def find(provider: str | None, model: str) -> Listed | None:
    """The model's entry: by the provider's name, else by its host, else by the model's name alone, which is marked."""
    table = _table()
    named = PROVIDERS.get(provider, provider) if provider else None
    ways: list[tuple[str | None, str | None, str]] = [(None, None, " (by model name)" if named else "")]
    if named and "." in named:
        ways.insert(0, (None, f"https://{named}", ""))
    if named:
        ways.insert(0, (named, None, ""))
    for provider_id, api_url, mark in ways:
        try:
            who, entry = table.snapshot.find_provider_model(model, None, provider_id, api_url)
            return Listed(who.id, entry, table.source + mark)
        except LookupError:
            if provider_id and _known(provider_id):
                return None  # the provider is listed and does not have it: another one's price would be a guess
    for vendor in table.snapshot.providers:
        if vendor.id in VENDORS and (found := vendor.find_model(model.lower())) is not None:
            return Listed(vendor.id, found, table.source + ways[-1][2])
    return None


def _known(provider_id: str) -> bool:
    return any(provider.id == provider_id for provider in _table().snapshot.providers)


def listed_price(
    provider: str | None, model: str, at: datetime, input_tokens: int = 0, service_tier: str | None = None
) -> Price | None:
    """The list price of a model at a time (see `weft.tracer.prices.price_of`); None where no table knows the model."""
    found = find(provider, model)
    if found is None:
        return None
    tier = (service_tier or "").lower()
    special = tier not in STANDARD_TIERS
    context = _context(tier) if special else None
    prices = found.model.get_prices(at, context)
    price = _price(prices, input_tokens, found.source)
    if price is None or not special:
        return price
    if context is not None and _offered(found.model, context, at):
        return replace(price, source=f"{found.source}, {tier}")
    factor = _factor(found.provider, tier, at.date())
    if factor is None:
        return replace(price, flags=(f"service tier {tier[:40]!r} billed as standard: its price is not known",))
    return replace(_times(price, factor), source=f"{found.source}, {tier} x{factor}")


def _price(listed: ModelPrice, input_tokens: int, source: str) -> Price | None:
    def per_million(key: str) -> Decimal | None:
        value = getattr(listed, key, None)
        if value is None or isinstance(value, Decimal):
            return value
        tier = next((tier.price for tier in reversed(value.tiers) if input_tokens > tier.start), value.base)
        return Decimal(tier)

    rates = {name: per_million(key) for name, key in _KEYS.items()}
    if rates["input"] is None and rates["output"] is None:
        return None  # billed by the hour, the page or the picture
    known: dict[str, Any] = {name: rate for name, rate in rates.items() if rate is not None}
    request = exact.scaleb(per_million("requests_kcount") or Decimal(0), -3)
    return Price(**known, request=request, source=source)


def _tiers(price: object) -> Sequence[_Tier]:
    found: Sequence[_Tier] = getattr(price, "tiers", ())
    return found


class _Tier(NamedTuple):
    """What genai-prices' tiers have."""

    start: int
    price: Decimal


def _context(tier: str) -> Mapping[str, str]:
    """How genai-prices tells a tier: by one of three names."""
    if tier == "batch":
        return {"processing": "batch"}
    return {"service_tier": tier, "speed": tier}


def _offered(model: ModelInfo, context: Mapping[str, str], at: datetime) -> bool:
    return any(
        (variant.constraint is None or variant.constraint.active(at))
        and all(context.get(key) == value for key, value in variant.when.items())
        for variant in model.price_variants or ()
    )


def _times(price: Price, factor: Decimal) -> Price:
    rates = {name: getattr(price, name) for name in RATES}
    raised: dict[str, Any] = {name: exact.multiply(rate, factor) for name, rate in rates.items() if rate is not None}
    return replace(price, **raised)


class _Multiple(NamedTuple):
    provider: str
    tier: str
    factor: Decimal
    since: date


@cache
def _multiples() -> tuple[_Multiple, ...]:
    rows = tomllib.loads((Path(__file__).parent / "servicetiers.toml").read_text("utf-8"))["tier"]
    return tuple(_Multiple(row["provider"], row["name"], Decimal(row["factor"]), row["from"]) for row in rows)


def _factor(provider: str, tier: str, day: date) -> Decimal | None:
    fitting = [row for row in _multiples() if (row.provider, row.tier) == (provider, tier) and row.since <= day]
    return max(fitting, key=lambda row: row.since).factor if fitting else None


class Offer(NamedTuple):
    """One of a model's prices: from a day on, above a number of input tokens, in a service tier."""

    since: date | None
    above: int | None
    service_tier: str | None
    price: Price


def offers(provider: str | None, model: str) -> list[Offer]:
    """All that the table says of a model's price: days, cliffs, tiers, in this order."""
    found = find(provider, model)
    if found is None:
        return []
    variants = found.model.price_variants or ()
    days = _days(item.constraint for item in (found.model.prices if isinstance(found.model.prices, list) else ()))
    tiers = {value for variant in variants for value in variant.when.values()} - STANDARD_TIERS
    listed = []
    for tier in (None, *sorted(tiers)):
        of_tier = _days(variant.constraint for variant in variants if tier in variant.when.values())
        for day in (None, *days) if tier is None else of_tier or (None,):
            at = datetime(1970, 1, 2, tzinfo=UTC) if day is None else datetime.combine(day, time(12), UTC)
            for above in (None, *found.cliffs):
                price = listed_price(provider, model, at, 0 if above is None else above + 1, tier)
                if price is not None:
                    listed.append(Offer(day, above, tier, price))
    distinct = []
    for offer in listed:  # a cliff of one day is none of another
        base = next(other for other in listed if other[0:3:2] == offer[0:3:2])
        if offer.above is None or offer.price != base.price:
            distinct.append(offer)
    return distinct


def _days(constraints: Iterable[object]) -> list[date]:
    """The days from which prices hold, in order."""
    return sorted({constraint.start_date for constraint in constraints if hasattr(constraint, "start_date")})
