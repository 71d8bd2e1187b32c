"""What calls used, heard from the tracer as spans end: tokens by name, and their price. One meter a model call.

Pricing is looked up only when somebody asks for a cost, since the price table takes its time to load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from weft.tracer.context import Heard
from weft.tracking.store.rollup import Reported, calls, nearest

_PICO = Decimal("1e-12")


def load_prices() -> None:
    """Load the price table now, since the first cost would take 0.2 s otherwise."""
    from weft.tracer.prices import price_of  # as below

    price_of("openai", "gpt-4o-mini")


class Used(NamedTuple):
    """One span's report."""

    usage: Mapping[str, int]
    kind: str
    model: str | None
    provider: str | None
    tiers: Mapping[str, Any]
    """Attributes that name its service tier."""


class Meter:
    """Adds up the reports of the spans below one call, each token once as a trace's row does (`rollup`). `hear` may be
    called from any thread.
    """

    __slots__ = ("_cost", "_heard", "_parents")

    def __init__(self) -> None:
        self._heard: dict[bytes, Used] = {}  # setting an item is atomic, in the parents too
        self._parents: dict[bytes, bytes | None] = {}
        self._cost: tuple[int, Decimal | None] = (0, None)

    def hear(self, span: Heard) -> None:
        """A span has ended."""
        span_id = bytes.fromhex(span.span_id)
        self._parents[span_id] = span.parent_bytes
        if span.usage:
            self._heard[span_id] = Used(span.usage, span.kind, span.model, span.provider, span.tiers)

    @property
    def used(self) -> bool:
        """Whether anything was reported."""
        return bool(self._heard)

    def usage(self) -> dict[str, int] | None:
        """Tokens by name; None: none were reported."""
        heard = dict(self._heard)
        total: Counter[str] = Counter()
        for call in calls(self._reports(heard, {})):
            whole = heard[call.span_id].usage
            counts = {"input_tokens": call.input_tokens, "output_tokens": call.output_tokens}
            same = all(whole.get(name) == count for name, count in counts.items())
            total.update(whole if same else {name: count for name, count in counts.items() if count})
        return dict(total) if heard else None

    def cost(self) -> Decimal | None:
        """USD of what can be priced; None: nothing can. Loads the price table, so not on the event loop."""
        known = len(self._parents)
        if self._cost[0] != known:
            self._cost = (known, self._priced())
        return self._cost[1]

    def _priced(self) -> Decimal | None:
        from weft.tracer.money.billing import cost_now  # it loads the price table

        heard = dict(self._heard)
        costs: dict[bytes, int] = {}
        for span_id, report in heard.items():
            if report.model is None:
                continue
            found = cost_now(report.usage, report.provider, report.model, report.tiers)
            if found is not None:
                costs[span_id] = found.pico_usd
        counted = [call.cost for call in calls(self._reports(heard, costs)) if call.cost is not None]
        return sum(counted) * _PICO if counted else None

    def _reports(self, heard: Mapping[bytes, Used], costs: Mapping[bytes, int]) -> list[Reported]:
        above = nearest(heard, dict(self._parents))
        return [
            Reported(
                *(span_id, above[span_id], report.kind, report.model),
                *(report.usage.get("input_tokens"), report.usage.get("output_tokens"), costs.get(span_id)),
            )
            for span_id, report in heard.items()
        ]
