"""What tokens cost, pure: usage and a price make a cost. Looked up in genai-prices' bundled table, never on a network.

The ingester calls `enrich`; a program that asks for a cost calls `price_of` and `cost`. The hot path calls none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.tracer.usage import Usage as Usage
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, Record, SpanClosed, SpanPriced

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo

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

# The user's own decimal context (its precision, its traps) must not change a price.
_exact = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MAX_PICO_USD = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Price:
    """USD a million tokens; `request` is USD a request. None: as the plain input or output tokens.

    Numbers may be given as int, float or text; they are kept as Decimal.

    Raises:
        UsageError: one is no number, negative or not finite.
    """

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    request: Decimal = Decimal(0)
    cache_write_1h: Decimal | None = None
    """None: as `cache_write`."""
    input_image: Decimal | None = None
    output_image: Decimal | None = None
    source: str = "given"
    """Which table and version says so."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value: Any = getattr(self, item.name)
            if item.name == "source" or value is None:
                continue
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                number = Decimal("NaN")
            if not number.is_finite() or number < 0:
                raise UsageError(f"price {item.name}={value!r}: give USD a million tokens, a number of 0 or more")
            object.__setattr__(self, item.name, number)

    def rates(self) -> dict[str, Decimal]:
        """USD a million tokens by the name of the bucket."""
        written = self.input if self.cache_write is None else self.cache_write
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "cache_read_tokens": self.input if self.cache_read is None else self.cache_read,
            "cache_write_tokens": written,
            "reasoning_tokens": self.output if self.reasoning is None else self.reasoning,
            "input_audio_tokens": self.input if self.input_audio is None else self.input_audio,
            "output_audio_tokens": self.output if self.output_audio is None else self.output_audio,
            "cache_write_1h_tokens": written if self.cache_write_1h is None else self.cache_write_1h,
            "input_image_tokens": self.input if self.input_image is None else self.input_image,
            "output_image_tokens": self.output if self.output_image is None else self.output_image,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, in USD."""

    total: Decimal
    """Exactly the sum of `parts`; never negative."""
    parts: Mapping[str, Decimal]
    """By bucket of the usage, those above 0; `request` where requests are billed."""
    inconsistencies: tuple[str, ...] = field(default=())
    """What was wrong with the report (`Usage.inconsistencies`)."""

    @property
    def pico_usd(self) -> int:
        """The total as the store keeps it, rounded half to even."""
        return min(int(_exact.to_integral_value(_exact.scaleb(self.total, 12))), _MAX_PICO_USD)


def cost(usage: Usage, price: Price) -> Cost:
    """Price each token once.

    ```python
    >>> cost(Usage(input_tokens=1000, cache_read_tokens=400, output_tokens=100), Price(input=1, output=2)).total
    Decimal('0.001200')
    ```
    """
    rates = price.rates()
    parts = {
        name: _exact.scaleb(_exact.multiply(Decimal(tokens), rates[name]), -6)
        for name, tokens in usage.buckets().items()
        if tokens
    }
    if price.request:
        parts["request"] = price.request
    total = Decimal(0)
    for part in parts.values():
        total = _exact.add(total, part)
    return Cost(total, parts, usage.inconsistencies)


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


class _Found(NamedTuple):
    model: ModelInfo
    source: str


@cache
def _find(provider: str | None, model: str) -> _Found | None:
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
            return _Found(table.snapshot.find_provider_model(model, None, provider_id, api_url)[1], table.source + mark)
        except LookupError:
            if provider_id and _known(provider_id):
                return None  # the provider is listed and does not have it: another one's price would be a guess
    for vendor in table.snapshot.providers:
        if vendor.id in VENDORS and (entry := vendor.find_model(model.lower())) is not None:
            return _Found(entry, table.source + ways[-1][2])
    return None


def _known(provider_id: str) -> bool:
    return any(provider.id == provider_id for provider in _table().snapshot.providers)


def price_of(provider: str | None, model: str, at: datetime | None = None, *, input_tokens: int = 0) -> Price | None:
    """The list price of a model on a day.

    Args:
        provider: OpenTelemetry's name (`openai`, `aws.bedrock`) or the API's host; None: by the model's name alone.
        model: as requested or as reported; dated and aliased names are matched.
        at: when the call was made; None is now.
        input_tokens: of the call: some prices rise with its length.

    Returns:
        None where no table knows the model: its tokens are kept, its cost is not known.
    """
    found = _find(provider, model)
    if found is None:
        return None
    listed = found.model.get_prices(at or datetime.now(UTC))

    def per_million(key: str) -> Decimal | None:
        value = getattr(listed, key, None)
        if value is None or isinstance(value, Decimal):
            return value
        tier = next((tier.price for tier in reversed(value.tiers) if input_tokens > tier.start), value.base)
        return Decimal(tier)

    base_input, base_output = per_million("input_mtok"), per_million("output_mtok")
    if base_input is None and base_output is None:
        return None  # billed by the hour, the page or the picture
    return Price(
        input=base_input or Decimal(0),
        output=base_output or Decimal(0),
        cache_read=per_million("cache_read_mtok"),
        cache_write=per_million("cache_write_mtok"),
        reasoning=per_million("output_reasoning_mtok"),
        input_audio=per_million("input_audio_mtok"),
        output_audio=per_million("output_audio_mtok"),
        cache_write_1h=per_million("cache_write_1h_mtok"),
        input_image=per_million("input_image_mtok"),
        output_image=per_million("output_image_mtok"),
        request=_exact.scaleb(per_million("requests_kcount") or Decimal(0), -3),
        source=found.source,
    )


def enrich(closed: SpanClosed) -> Sequence[Record]:
    """The ingester's enricher: what a closed span that reports usage cost, as a fact; nothing for an unknown model."""
    return list(_priced(closed))


def _priced(closed: SpanClosed) -> Iterator[SpanPriced]:
    if not closed.usage or not closed.model:
        return
    usage = Usage.of(closed.usage)
    at = datetime.fromtimestamp(closed.end_ns / 1e9, UTC)
    price = price_of(closed.provider, closed.model, at, input_tokens=usage.input_tokens)
    if price is None:
        return
    bill = cost(usage, price)
    source = price.source + (f"; usage inconsistent: {', '.join(bill.inconsistencies)}" if bill.inconsistencies else "")
    yield SpanPriced(SCHEMA, closed.trace_id, closed.span_id, closed.end_ns, bill.pico_usd, source)
