"""Money, pure: a price per bucket of tokens, and what a usage costs at it. Decimal throughout; nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from weft.tracer.money.usage import Usage
from weft.tracking.errors import UsageError

# The user's own decimal context (its precision, its traps) must not change a price.
exact = Context(prec=60, rounding=ROUND_HALF_EVEN)


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
    flags: tuple[str, ...] = ()
    """What is not as asked for, such as a service tier that has no price of its own here."""

    def __post_init__(self) -> None:
        for name in RATES:
            value: Any = getattr(self, name)
            if value is None:
                continue
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                number = Decimal("NaN")
            if not number.is_finite() or number < 0:
                raise UsageError(f"price {name}={value!r}: give USD a million tokens, a number of 0 or more")
            object.__setattr__(self, name, number)

    def rates(self) -> dict[str, Decimal]:
        """USD a million tokens by the name of the bucket."""
        written = self.input if self.cache_write is None else self.cache_write
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "cache_read_tokens": self.input if self.cache_read is None else self.cache_read,
            "cache_write_tokens": written,
            "cache_write_1h_tokens": written if self.cache_write_1h is None else self.cache_write_1h,
            "reasoning_tokens": self.output if self.reasoning is None else self.reasoning,
            "input_audio_tokens": self.input if self.input_audio is None else self.input_audio,
            "output_audio_tokens": self.output if self.output_audio is None else self.output_audio,
            "input_image_tokens": self.input if self.input_image is None else self.input_image,
            "output_image_tokens": self.output if self.output_image is None else self.output_image,
        }


RATES = tuple(item.name for item in fields(Price) if item.name not in ("source", "flags"))
"""The fields of a price that are numbers."""


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
        """The total in whole pico-USD, rounded half to even; never clamped, so it may be more than the store holds."""
        return _pico(self.total)

    def pico_parts(self) -> dict[str, int]:
        """The parts in whole pico-USD: they sum to `pico_usd`, the largest takes what rounding left over."""
        found = {name: _pico(part) for name, part in self.parts.items()}
        if found:
            largest = max(found, key=lambda name: (found[name], name))
            found[largest] += self.pico_usd - sum(found.values())
        return found


def _pico(usd: Decimal) -> int:
    return int(exact.to_integral_value(exact.scaleb(usd, 12)))


def cost(usage: Usage, price: Price) -> Cost:
    """Price each token once.

    ```python
    >>> cost(Usage(input_tokens=1000, cache_read_tokens=400, output_tokens=100), Price(input=1, output=2)).total
    Decimal('0.001200')
    ```
    """
    rates = price.rates()
    parts = {
        name: exact.scaleb(exact.multiply(Decimal(tokens), rates[name]), -6)
        for name, tokens in usage.buckets().items()
        if tokens
    }
    if price.request:
        parts["request"] = price.request
    total = Decimal(0)
    for part in parts.values():
        total = exact.add(total, part)
    return Cost(total, parts, usage.inconsistencies)
