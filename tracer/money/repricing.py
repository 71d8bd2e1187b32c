"""Pricing again, on purpose: what stored calls cost at today's tables and the user's prices, stated as new facts.

Called by `weft prices apply`. The facts go to the journal, so that a store made again from it says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from weft.tracer.money.billing import UNKNOWN, priced
from weft.tracer.money.pricefile import PriceFile
from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanPriced
from weft.tracking.store.usagereader import UsageRecord

_PICO = Decimal("1e-12")


class Repriced(NamedTuple):
    """What pricing again came to."""

    calls: int
    """That were looked at."""
    changed: int
    unpriced: int
    """That have no price now either."""
    before: Decimal
    """USD of all that were looked at, as they stood."""
    after: Decimal


def reprice(
    records: Iterable[UsageRecord], file: PriceFile, at_ns: int, write: Callable[[SpanPriced], object]
) -> Repriced:
    """Price these calls again, each at the price of its own day.

    A call whose price is no longer known keeps its cost, unless that came from the user's price file.

    Args:
        file: the user's prices.
        at_ns: now: the latest word counts.
        write: is given the fact of every call whose cost or source changes.
    """
    calls = changed = unpriced = before = after = 0
    for record in records:
        calls += 1
        before += record.cost_pico_usd or 0
        fact = _fact(record, file, at_ns)
        if fact is None:
            after += record.cost_pico_usd or 0
            continue
        cost = None if fact.cost_pico_usd == UNKNOWN else fact.cost_pico_usd
        unpriced += cost is None
        after += cost or 0
        if (cost, fact.source or None) != (record.cost_pico_usd, record.price_source):
            changed += 1
            write(fact)
    return Repriced(calls, changed, unpriced, before * _PICO, after * _PICO)


def _fact(record: UsageRecord, file: PriceFile, at_ns: int) -> SpanPriced | None:
    """The call's price now; None: what is stored stays."""
    ids = (record.trace_id, record.span_id)
    usage = None if record.usage is None else dict(record.usage)
    closed = SpanClosed(
        *(SCHEMA, *ids, record.end_ns, 0, "ok"),
        model=record.model,
        provider=record.provider,
        usage=usage,
        attributes=record.attributes,
    )
    found = priced(closed, file)
    known = found is not None and found.cost_pico_usd != UNKNOWN
    if not known and record.cost_pico_usd is not None and not (record.price_source or "").startswith(file.label):
        return None
    fact = found or SpanPriced(SCHEMA, *ids, at_ns, UNKNOWN, "")
    guessed = [flag for flag in record.flags if flag.startswith("estimated")]
    if guessed:
        return structs.replace(fact, at_ns=at_ns, flags=[*guessed, *fact.flags], usage=usage)
    return structs.replace(fact, at_ns=at_ns)
