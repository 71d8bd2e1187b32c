"""The user's price file: `prices.toml` in the home, or where `WEFT_PRICES` says. Its rows win over every table.

Read by whoever prices; written by `weft prices set` and `weft.tracer.prices.set_price`, which append. What is wrong in
it is said in one line, and the other prices go on being used.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from weft.tracer.money.amounts import RATES, Price
from weft.tracking.errors import UsageError

log = logging.getLogger("weft.prices")

_NAMES = ("model", "prefix", "regex")
_FIELDS = {*_NAMES, "provider", "from", "service_tier", "above", *RATES}


@dataclass(frozen=True, slots=True)
class Row:
    """One `[[price]]`."""

    price: Price
    model: str | None = None
    """The exact name, whatever its case."""
    prefix: str | None = None
    regex: str | None = None
    """A regular expression that matches the whole name."""
    provider: str | None = None
    """As the spans say it; None: any."""
    since: date | None = None
    """The first day (UTC) it holds; None: always."""
    service_tier: str | None = None
    """None: the standard one."""
    cliffs: tuple[tuple[int, Price], ...] = ()
    """Input tokens above which all of a call's tokens cost this instead, ascending."""
    number: int = 0
    """Its place in the file, from 1."""

    @property
    def matcher(self) -> str:
        """Which models: `gpt-4o`, `gpt-4*` or `/gpt-4.*/`."""
        return self.model or (f"{self.prefix}*" if self.prefix is not None else f"/{self.regex}/")

    def matches(self, provider: str | None, model: str) -> bool:
        if self.provider is not None and self.provider.lower() != (provider or "").lower():
            return False
        name = model.lower()
        if self.model is not None:
            return name == self.model.lower()
        if self.prefix is not None:
            return name.startswith(self.prefix.lower())
        return re.fullmatch(self.regex or "", model, re.IGNORECASE) is not None

    @property
    def order(self) -> tuple[bool, int, int, date, int]:
        """Of several that match the greatest counts: of this provider, by exact name, by the longest prefix, newest."""
        exactness = 2 if self.model is not None else 1 if self.prefix is not None else 0
        return (self.provider is not None, exactness, len(self.prefix or ""), self.since or date.min, self.number)


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What a price file says."""

    path: Path
    rows: Sequence[Row] = ()
    problems: Sequence[str] = field(default=())
    """What in it is not used, and why: one line each."""

    @property
    def label(self) -> str:
        """How the source of its prices begins."""
        return f"{self.path.name}: "

    def find(self, provider: str | None, model: str, at: datetime, service_tier: str = "") -> Row | None:
        """The row that holds for a call, or None. A tier's row before the standard one."""
        day = at.astimezone(UTC).date()
        fitting = [
            row
            for row in self.rows
            if row.matches(provider, model)
            and (row.since is None or row.since <= day)
            and (row.service_tier is None or row.service_tier == service_tier)
        ]
        return max(fitting, key=lambda row: (row.service_tier is not None, *row.order), default=None)

    def price(
        self, provider: str | None, model: str, at: datetime, input_tokens: int = 0, service_tier: str = ""
    ) -> Price | None:
        """What a call costs by this file, or None."""
        row = self.find(provider, model, at, service_tier)
        if row is None:
            return None
        chosen = next((price for above, price in reversed(row.cliffs) if input_tokens > above), row.price)
        if service_tier and row.service_tier is None:
            flag = f"service tier {service_tier[:40]!r} billed as standard: its price is not known"
            return replace(chosen, flags=(flag,))
        return chosen


def read(path: Path) -> PriceFile:
    """The price file; an empty one where there is none. What is wrong with it is in `problems`, and is logged once."""
    try:
        stat = path.stat()
    except OSError:
        return PriceFile(path)
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _read(path: Path, mtime_ns: int, size: int) -> PriceFile:
    found = parsed(path)
    for problem in found.problems:
        log.warning("%s", problem)
    return found


def parsed(path: Path) -> PriceFile:
    """The price file as it stands, without a word of its problems to the log; an empty one where there is none."""
    if not path.exists():
        return PriceFile(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        return PriceFile(path, (), (f"the price file {path} cannot be read and is not used: {error}",))
    given = document.get("price", [])
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given) or document.keys() - {"price"}:
        return PriceFile(path, (), (f"the price file {path} is not used: every price is a table [[price]]",))
    rows, problems = [], []
    for number, table in enumerate(given, 1):
        try:
            rows.append(_row(table, number, path.name))
        except (UsageError, re.error) as error:
            problems.append(f"price {number} of {path} is not used: {error}")
    return PriceFile(path, tuple(rows), tuple(problems))


def _row(table: Mapping[str, Any], number: int, file: str) -> Row:
    unknown = sorted(table.keys() - _FIELDS)
    if unknown:
        raise UsageError(f"unknown field {', '.join(unknown)}; known are {', '.join(sorted(_FIELDS))}")
    names = {name: _text(table, name) for name in _NAMES if name in table}
    if len(names) != 1:
        raise UsageError("give one of model, prefix and regex")
    if "regex" in names:
        re.compile(names["regex"])
    since = table.get("from")
    if since is not None and (not isinstance(since, date) or isinstance(since, datetime)):
        raise UsageError(f"from={since!r} is no date; write from = 2026-01-31")
    matcher = next(iter(names.values()))
    source = f"{file}: {matcher}" + (f" from {since}" if since else "")
    rates = {name: table[name] for name in RATES if name in table}
    if not rates:
        raise UsageError("it has no price; give input and output, in USD a million tokens")
    return Row(
        _priced(rates, source),
        **names,
        provider=_text(table, "provider") if "provider" in table else None,
        since=since,
        service_tier=_text(table, "service_tier").lower() if "service_tier" in table else None,
        cliffs=_cliffs(table.get("above", []), rates, source),
        number=number,
    )


def _cliffs(given: Any, base: Mapping[str, Any], source: str) -> tuple[tuple[int, Price], ...]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise UsageError("above is a list of tables [[price.above]]")
    found = []
    for each in given:
        start = each.get("input_tokens")
        if isinstance(start, bool) or not isinstance(start, int) or each.keys() - {"input_tokens", *RATES}:
            raise UsageError("[[price.above]] takes input_tokens (a whole number) and prices")
        rates = {name: each[name] for name in RATES if name in each}
        found.append((start, _priced({**base, **rates}, f"{source}, above {start} input tokens")))
    return tuple(sorted(found, key=lambda cliff: cliff[0]))


def _priced(rates: Mapping[str, Any], source: str) -> Price:
    for name, rate in rates.items():
        if isinstance(rate, bool) or not isinstance(rate, (int, Decimal)):
            raise UsageError(f"{name}={rate!r} is no number")
    return Price(**rates, source=source)


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table[name]
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name}={value!r} is no text")
    return value


def append(path: Path, row: Row) -> None:
    """Add a row to the file, made where there is none; what is in it stays as it is.

    Raises:
        UsageError: the file cannot be read as it is now, or not be written.
    """
    now = read(path)
    if any("cannot be read" in problem or "every price" in problem for problem in now.problems):
        raise UsageError(f"no price was added: {now.problems[0]}. Correct or move the file first")
    try:
        before = path.read_bytes() if path.exists() else b""
        ending = "" if not before or before.endswith(b"\n") else "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, (ending + ("\n" if before else "") + _written(row)).encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise UsageError(f"no price was added: {path} cannot be written: {error.strerror}") from error


def _written(row: Row) -> str:
    lines = ["[[price]]"]
    named = {name: getattr(row, name) for name in (*_NAMES, "provider", "service_tier")}
    lines += [f"{name} = {_quoted(value)}" for name, value in named.items() if value is not None]
    if row.since is not None:
        lines.append(f"from = {row.since.isoformat()}")
    default = Price()
    rates = {name: getattr(row.price, name) for name in RATES}
    asked = {
        name: rate for name, rate in rates.items() if name in ("input", "output") or rate != getattr(default, name)
    }
    lines += [f"{name} = {rate:f}" for name, rate in asked.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    # A JSON string is a TOML string but for DEL.
    return orjson.dumps(value).decode().replace("\x7f", "\\u007f")
