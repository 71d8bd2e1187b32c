"""The ingester's bill: what a closed span cost, stated once as a fact. Made by `enricher` for one pass over a journal.

Prices are the user's, else the list's; where neither knows the model, the sender's own word on the cost. A span whose
model nobody knows keeps its tokens and has no cost; nor has one whose amount the store cannot hold, or one of whose
counts it could not: the flags say so, money is never clamped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from weft.tracer.money.amounts import Cost, cost, exact
from weft.tracer.money.pricefile import PriceFile, read
from weft.tracer.money.usage import Usage
from weft.tracer.prices import price_of
from weft.tracking import runtime
from weft.tracking.journal.frames import USAGE_NOT_KEPT
from weft.tracking.journal.records import SCHEMA, Record, SpanClosed, SpanPriced
from weft.tracking.settings import Settings

SERVICE_TIERS = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "anthropic.response.service_tier",
    "anthropic.usage.service_tier",
    "service_tier",
    "openai.request.service_tier",
    "gen_ai.openai.request.service_tier",
    "gen_ai.request.service_tier",
)
"""Attributes that name the service tier: what was given before what was asked for."""
SENDER_COSTS = ("gen_ai.usage.cost", "llm.cost.total", "operation.cost", "mlflow.llm.cost", "cost_usd")
"""Attributes in which a sender says what a call cost, in USD."""
SENDER = "sender"
UNKNOWN = -1
"""Pico-USD of a cost that is not known."""
_MAX_PICO_USD = 2**63 - 1


def enricher(settings: Settings) -> Callable[[SpanClosed], Sequence[Record]]:
    """What prices the closed spans of one pass."""
    file = read(settings.prices)

    def enrich(closed: SpanClosed) -> Sequence[Record]:
        found = priced(closed, file)
        return [] if found is None else [found]

    return enrich


def priced(closed: SpanClosed, file: PriceFile) -> SpanPriced | None:
    """What a closed span cost, as a fact; None: there is nothing to say.

    Args:
        file: the user's prices.
    """
    attributes = _attributes(closed.attributes)
    usage = Usage.known(closed.usage)
    lost = tuple(f"{name} of {count} is no count" for name, count in _not_kept(attributes).items())
    if usage is not None and closed.model and not lost:
        found = bill(usage, closed.provider, closed.model, closed.end_ns, service_tier(attributes), file)
        if found is not None:
            return fact(closed, *found)
    flags = (*lost, *(usage.inconsistencies if usage is not None else ()))
    said = sender_cost(attributes)
    if said is not None:
        return fact(closed, Cost(said, {"sender": said}), SENDER, flags)
    if flags:
        return SpanPriced(SCHEMA, closed.trace_id, closed.span_id, closed.end_ns, UNKNOWN, "", flags=list(flags))
    return None


def bill(
    usage: Usage, provider: str | None, model: str, end_ns: int, tier: str | None, file: PriceFile
) -> tuple[Cost, str, tuple[str, ...]] | None:
    """The cost of a usage, the price's source, and what is to be known of it; None: no price is known."""
    at = datetime.fromtimestamp(max(end_ns, 0) / 1e9, UTC)
    # A report that counts cached tokens apart still sends them all: cliffs go by what was sent.
    buckets = usage.buckets()
    sent = sum(tokens for name, tokens in buckets.items() if name.startswith(("input", "cache")))
    price = price_of(provider, model, at, input_tokens=sent, service_tier=tier, file=file)
    if price is None:
        return None
    found = cost(usage, price)
    return found, price.source, (*found.inconsistencies, *price.flags)


def cost_now(usage: Mapping[str, int], provider: str | None, model: str, attributes: Mapping[str, Any]) -> Cost | None:
    """What a usage costs at this moment, as the ingester will bill it; None: no price is known.

    Args:
        attributes: what says the service tier.
    """
    file = read(runtime.active().settings.prices)
    known = Usage.known(usage)
    found = known and bill(known, provider, model, time.time_ns(), service_tier(attributes), file)
    return found[0] if found else None


def fact(
    closed: SpanClosed, found: Cost, source: str, flags: Sequence[str], usage: dict[str, int] | None = None
) -> SpanPriced:
    """A cost as the store keeps it; one that it cannot hold as not known, with a flag that says the amount.

    Args:
        usage: the counts, where weft estimated them.
    """
    ids = (closed.trace_id, closed.span_id, closed.end_ns)
    if found.pico_usd > _MAX_PICO_USD:
        said = [*flags, f"a cost of {found.total.normalize(exact):f} USD is more than is kept"]
        return SpanPriced(SCHEMA, *ids, UNKNOWN, source, flags=said, usage=usage)
    return SpanPriced(SCHEMA, *ids, found.pico_usd, source, orjson.dumps(found.pico_parts()), list(flags), usage)


def _attributes(encoded: bytes | None) -> Mapping[str, Any]:
    """A span's attributes, decoded only where they can say something about money."""
    if encoded is None or not any(word in encoded for word in (b"service_tier", b"cost", b"not_kept")):
        return {}
    try:
        found = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _not_kept(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    found = attributes.get(USAGE_NOT_KEPT)
    return found if isinstance(found, Mapping) else {}


def service_tier(attributes: Mapping[str, Any]) -> str | None:
    """The tier that served a call, as its attributes say."""
    for name in SERVICE_TIERS:
        found = attributes.get(name)
        if isinstance(found, str) and found:
            return found
    return None


def sender_cost(attributes: Mapping[str, Any]) -> Decimal | None:
    """USD as the sender says; None: it does not, or says what is no amount."""
    for name in SENDER_COSTS:
        found = attributes.get(name)
        if isinstance(found, str) and found.startswith("{"):  # MLflow's is JSON
            try:
                found = orjson.loads(found)
            except orjson.JSONDecodeError:
                continue
        if isinstance(found, Mapping):
            found = found.get("total_cost", found.get("total"))
        if isinstance(found, (int, float, str)) and not isinstance(found, bool):
            try:
                amount = Decimal(str(found)[:40])
            except InvalidOperation:
                continue
            if amount.is_finite() and 0 <= amount < 1_000_000:
                return amount
    return None
