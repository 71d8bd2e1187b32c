"""What tokens cost: the user's price file before genai-prices' bundled table, never a network.

Pure but for reading the price file. The ingester bills by `weft.tracer.money.billing`; a program that asks for a cost
calls `price_of` and `cost`. The hot path calls none of it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from weft.tracer.money.amounts import Cost as Cost
from weft.tracer.money.amounts import Price as Price
from weft.tracer.money.amounts import cost as cost
from weft.tracer.money.pricefile import PriceFile, Row, append, read
from weft.tracer.money.pricetable import STANDARD_TIERS, listed_price
from weft.tracer.money.usage import Usage as Usage
from weft.tracking import runtime
from weft.tracking.errors import UsageError


def price_of(
    provider: str | None,
    model: str,
    at: datetime | None = None,
    *,
    input_tokens: int = 0,
    service_tier: str | None = None,
    file: PriceFile | None = None,
) -> Price | None:
    """The price of a model on a day: the user's, else the list price.

    Args:
        provider: OpenTelemetry's name (`openai`, `aws.bedrock`) or the API's host; None: by the model's name alone.
        model: as requested or as reported; dated and aliased names are matched.
        at: when the call was made; None is now.
        input_tokens: of the call: some prices rise with its length, then for all of its tokens.
        service_tier: `flex`, `priority`, `batch`, ... as the provider said; a tier with no known price costs the
            standard one and is flagged.
        file: the user's prices; default those of this process's settings.

    Returns:
        None where nothing knows the model: its tokens are kept, its cost is not known.
    """
    moment = at or datetime.now(UTC)
    tier = "" if (service_tier or "").lower() in STANDARD_TIERS else (service_tier or "").lower()
    given = read(runtime.active().settings.prices) if file is None else file
    if given.rows:
        found = given.price(provider, model, moment, input_tokens, tier)
        if found is not None:
            return found
    return listed_price(provider, model, moment, input_tokens, tier)


def set_price(
    model: str,
    price: Price,
    *,
    provider: str | None = None,
    since: date | None = None,
    service_tier: str | None = None,
    prefix: bool = False,
) -> Row:
    """Give a model a price from a day on, in the price file: every process that prices uses it from then on.

    Costs that are stored already change by `weft prices apply` only.

    Args:
        model: its exact name; with `prefix` the beginning of its name.
        provider: as the spans say it; None: whoever runs it.
        since: the first day (UTC); None: always.
        service_tier: the tier that costs so; None: the standard one.

    Raises:
        UsageError: an argument is not of its type, or the price file cannot be read or written.

    Example:
        >>> weft.tracer.prices.set_price("my-model", Price(input=1, output=2), since=date(2026, 1, 1))
    """
    if not isinstance(model, str) or not model:
        raise UsageError(f"a model's name is a text of at least one character, not {model!r:.80}")
    if not isinstance(price, Price):
        raise UsageError(f"set_price({model!r:.80}) takes a Price(input=..., output=...), not {price!r:.80}")
    if since is not None and (not isinstance(since, date) or isinstance(since, datetime)):
        raise UsageError(f"since={since!r:.80} must be a datetime.date")
    row = Row(
        price,
        model=None if prefix else model,
        prefix=model if prefix else None,
        provider=provider,
        since=since,
        service_tier=None if service_tier is None else service_tier.lower(),
    )
    append(runtime.active().settings.prices, row)
    return row
