"""What a foreign span says was used: tokens, the price its sender names, the service tier. For `dialects`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from weft.tracer.money.usage import USAGE_NAMES
from weft.tracer.otel.said import MAX_TEXT, Said

_MAX_COUNT: Final = 1 << 53
_MAX_USD: Final = 1_000_000


def usage(said: Said) -> tuple[dict[str, int] | None, bool]:
    """Token counts, inclusive; and whether they are the sum of what the calls below used."""
    rows = said.table["usage"]
    found = {name: count for name in USAGE_NAMES if (count := _counted(said, rows.get(name, ()))) is not None}
    for name, row in said.table["usage_json"].items():
        if isinstance(held := said.get(name), Mapping):
            for counted, paths in row.items():
                counts = (_count(_at(held, path)) for path in ([paths] if isinstance(paths, str) else paths))
                count = next((count for count in counts if count is not None), None)
                if count is not None:
                    found.setdefault(counted, count)
            _apart(said, name, held, found)
    for name in said.table["usage_buckets"]["attribute"]:
        if isinstance(held := said.get(name), Mapping):
            found = {**_of_buckets(said.table["usage_buckets"], held), **found}
    if found:
        return found, False
    rows = said.table["aggregated"]
    sums = {name: count for name, names in rows.items() if (count := _counted(said, names)) is not None}
    return (sums, True) if sums else (None, False)


def _counted(said: Said, names: Iterable[str]) -> int | None:
    return next((count for name in names if (count := _count(said.raw(name))) is not None), None)


def _apart(said: Said, name: str, held: Mapping[str, Any], found: dict[str, int]) -> None:
    """The AI SDK before 6 hands on Anthropic's own count of input, which leaves the cached out."""
    own = _count(_at(held, "anthropic.usage.input_tokens"))
    inclusive = said.raw("ai.usage.inputTokenDetails.cacheReadTokens") is not None
    if name != "ai.response.providerMetadata" or inclusive or own is None or found.get("input_tokens") != own:
        return
    found["input_tokens"] += found.get("cache_read_tokens", 0) + found.get("cache_write_tokens", 0)


def _of_buckets(rows: Mapping[str, Any], held: Mapping[str, Any]) -> dict[str, int]:
    """Counts that exclude each other, made inclusive; OpenAI's names, which do not, are read as they are."""
    if "prompt_tokens" in held or "completion_tokens" in held:
        paths = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
        paths |= {"cache_read_tokens": "prompt_tokens_details.cached_tokens"}
        paths |= {"reasoning_tokens": "completion_tokens_details.reasoning_tokens"}
        counts = {name: _count(_at(held, path)) for name, path in paths.items()}
        return {name: count for name, count in counts.items() if count is not None}
    counted = {str(name): count for name, value in held.items() if (count := _count(value)) is not None}
    found: dict[str, int] = {}
    for side in ("input", "output"):
        if any(side in name for name in counted):
            found[f"{side}_tokens"] = sum(count for name, count in counted.items() if side in name)
    for name in USAGE_NAMES:
        parts = [counted[part] for part in rows.get(name, ()) if part in counted]
        if parts:
            found[name] = sum(parts)
    return found


def cost(said: Said) -> Decimal | None:
    """USD, as the sender says."""
    for name in said.table["fields"]["cost_usd"]:
        value = said.get(name)
        if isinstance(value, Mapping):
            value = value.get("total_cost", value.get("total", _sum(value.values())))
        if (amount := _amount(value)) is not None:
            return amount
    parts = [_amount(said.raw(f"llm.cost.{part}")) for part in ("prompt", "completion")]
    return _sum(part for part in parts if part is not None)


def tier(said: Said) -> str | None:
    """The service tier that was billed."""
    for path in ("openai.serviceTier", "anthropic.usage.service_tier"):
        held = said.get("ai.response.providerMetadata")
        if isinstance(found := _at(held, path) if isinstance(held, Mapping) else None, str) and found:
            return found[:MAX_TEXT]
    return said.text("service_tier") or said.parameter("service_tier")


def _at(held: Any, path: str) -> Any:
    for step in path.split("."):
        held = held.get(step) if isinstance(held, Mapping) else None
    return held


def number(value: Any) -> float | None:
    """A finite number, however it is spelled."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, str))
        or (isinstance(value, str) and len(value) > 40)
    ):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if found == found and abs(found) != float("inf") else None


def _count(value: Any) -> int | None:
    """A count of tokens: a whole number, however it is spelled."""
    found = number(value)
    if found is None or found != int(found) or abs(found) >= _MAX_COUNT:
        return None
    return int(found)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = Decimal(str(value)[:40])
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found < _MAX_USD else None


def _sum(values: Iterable[Any]) -> Decimal | None:
    amounts = [amount for value in values if (amount := _amount(value)) is not None]
    return sum(amounts, Decimal(0)) if amounts else None
