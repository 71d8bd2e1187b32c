"""What calls used, heard from the tracer as spans end: tokens by name, and their price. One meter a model call.

Pricing is looked up only when somebody asks for a cost, since the price table takes its time to load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from weft.tracer.span import Span


def load_prices() -> None:
    """Load the price table now, since the first cost would take 0.2 s otherwise."""
    from weft.tracer.prices import price_of  # as below

    price_of("openai", "gpt-4o-mini")


class Used(NamedTuple):
    """One span's report."""

    usage: Mapping[str, int]
    model: str | None
    provider: str | None


class Meter:
    """Adds up the reports of the spans below one call. `hear` may be called from any thread."""

    __slots__ = ("_cost", "_heard")

    def __init__(self) -> None:
        self._heard: list[Used] = []  # append is atomic
        self._cost: tuple[int, Decimal | None] = (0, None)

    def hear(self, span: Span) -> None:
        """A span with usage has ended."""
        if span.usage:
            self._heard.append(Used(span.usage, span.model, span.provider))

    @property
    def used(self) -> bool:
        """Whether anything was reported."""
        return bool(self._heard)

    def usage(self) -> dict[str, int] | None:
        """Tokens by name; None: none were reported."""
        total: Counter[str] = Counter()
        for report in self._heard:
            total.update(report.usage)
        return dict(total) if self._heard else None

    def cost(self) -> Decimal | None:
        """USD of what can be priced; None: nothing can. Loads the price table, so not on the event loop."""
        heard = len(self._heard)
        if self._cost[0] != heard:
            self._cost = (heard, self._priced())
        return self._cost[1]

    def _priced(self) -> Decimal | None:
        from weft.tracer.prices import Usage, cost, price_of  # it loads the price table

        parts = []
        for report in self._heard:
            usage = Usage.of(report.usage)
            price = price_of(report.provider, report.model, input_tokens=usage.input_tokens) if report.model else None
            if price is not None:
                parts.append(cost(usage, price).total)
        return sum(parts, Decimal(0)) if parts else None
