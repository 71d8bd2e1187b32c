"""`weft prices`: what tokens cost, whose word that is, prices of one's own, and pricing again on purpose."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.text import Text

from weft.commands import terminal
from weft.tracer.money.amounts import Price
from weft.tracer.money.pricefile import PriceFile, Row, read
from weft.tracer.money.pricetable import offers
from weft.tracer.money.repricing import reprice
from weft.tracer.prices import price_of, set_price
from weft.tracking import runtime, units
from weft.tracking.errors import UsageError
from weft.tracking.store.access import open_store
from weft.tracking.store.spanfacts import MAX_INT
from weft.tracking.store.usagereader import ModelSeen, models, usages

app = typer.Typer(help="Prices: what tokens cost, and whose word that is.", no_args_is_help=True, add_completion=False)

_SINCE = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_HEADS = {"cache_read": "cached", "cache_write": "written", "cache_write_1h": "for 1 h"}
_ENDLESS = 10_000
"""Columns of a terminal on which nothing would be cut."""
_RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")


class Offered(NamedTuple):
    """One price that a model has."""

    source: str
    provider: str | None
    since: date | None
    above_input_tokens: int | None
    service_tier: str | None
    used_now: bool
    """It is what a short standard call costs now."""
    price: Price


@app.command()
def ls(
    model: Annotated[str | None, typer.Argument(help="All prices of this model; default: the models seen.")] = None,
    provider: Annotated[str | None, typer.Option(help="Who runs it: openai, aws.bedrock, ...")] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only models seen that have calls with no cost.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What a million tokens cost, in USD: the models that were called, or all there is to say of one."""
    file = read(runtime.active().settings.prices)
    console = terminal.console()
    if model is not None:
        _show_model(console, model, provider, file, json)
        return
    with open_store() as store:
        seen = [each for each in models(store) if provider in (None, each.provider) and (each.unpriced or not unknown)]
    if json:
        terminal.print_json([_described(each, file) for each in seen])
        return
    if not seen:
        console.print("every call has a cost" if unknown else "no calls that report tokens yet")
        return
    heads = [_HEADS.get(name, name) for name in _RATES[:4]]
    table = terminal.table("model", "provider", "calls", "no cost", *heads, "by", right=("calls", "no cost", *heads))
    for each in seen:
        price = price_of(each.provider, each.model, file=file)
        table.add_row(
            terminal.text(each.model),
            terminal.text(each.provider or "", limit=20),
            units.count(each.calls),
            units.count(each.unpriced) if each.unpriced else "",
            *_amounts(price, _RATES[:4]),
            terminal.text(price.source if price is not None else units.UNKNOWN, "dim", limit=40),
        )
    if Measurement.get(console, console.options.update(width=_ENDLESS), table).maximum > console.width:
        _narrow(console, seen, file)
    else:
        console.print(table)
    _hint(console, seen, file)


def _narrow(console: Console, seen: Sequence[ModelSeen], file: PriceFile) -> None:
    """Two lines a model: a name that is cut could be another model's."""
    heads = ("calls", "no cost", *(_HEADS.get(name, name) for name in _RATES[:4]))
    for each in seen:
        price = price_of(each.provider, each.model, file=file)
        title = Text.assemble(terminal.text(each.model, "bold"), "  ", terminal.text(each.provider or "", "dim"))
        console.print(title, soft_wrap=True)
        told = (units.count(each.calls), units.count(each.unpriced) if each.unpriced else "")
        values = zip(heads, (*told, *_amounts(price, _RATES[:4])), strict=True)
        said = [f"{head} {value}" for head, value in values if value]
        said.append(f"by {price.source if price is not None else units.UNKNOWN}")
        console.print(terminal.text(f"  {' · '.join(said)}"), soft_wrap=True)


def _hint(console: Console, seen: Sequence[ModelSeen], file: PriceFile) -> None:
    lacking = next((each for each in seen if each.unpriced), None)
    if lacking is None:
        return
    name = _shell(lacking.model)
    if price_of(lacking.provider, lacking.model, file=file) is None:
        said = f"weft prices set {name} --input 1 --output 2 gives it a price; weft prices apply then prices its calls"
    else:
        said = f"weft prices apply --model {name} prices the calls that have no cost yet"
    console.print(terminal.text(said, "dim"), soft_wrap=True)


def _shell(text: str) -> str:
    return text if re.fullmatch(r"[\w.:/@-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _described(each: ModelSeen, file: PriceFile) -> dict[str, Any]:
    return {**asdict(each), "price": price_of(each.provider, each.model, file=file)}


def _show_model(console: Console, model: str, provider: str | None, file: PriceFile, json: bool) -> None:
    found = _offered(model, provider, file)
    if json:
        terminal.print_json([{**each._asdict(), "since": each.since and str(each.since)} for each in found])
        return
    if not found:
        said = f"no price is known for {model}. weft prices set {_shell(model)} --input 1 --output 2 gives it one"
        console.print(terminal.text(said), soft_wrap=True)
        return
    shown = [name for name in _RATES if any(getattr(each.price, name) is not None for each in found)]
    heads = [_HEADS.get(name, name) for name in shown]
    table = terminal.table("", "from", "above", "tier", *heads, "by", right=("above", *heads))
    for each in found:
        table.add_row(
            "●" if each.used_now else "",
            str(each.since or ""),
            units.compact(each.above_input_tokens) if each.above_input_tokens else "",
            terminal.text(each.service_tier or "", limit=16),
            *_amounts(each.price, shown),
            terminal.text(each.source, "dim", limit=50),
        )
    console.print(table)
    console.print("● what a call costs now. USD a million tokens; above: input tokens of the whole call", style="dim")


def _offered(model: str, provider: str | None, file: PriceFile) -> list[Offered]:
    now = price_of(provider, model, file=file)
    found = []
    for row in file.rows:
        if row.matches(provider or row.provider, model):
            found += _of_row(row)
    for offer in offers(provider, model):
        found.append(
            Offered(offer.price.source, provider, offer.since, offer.above, offer.service_tier, False, offer.price)
        )
    used = [at for at, each in enumerate(found) if each.price == now and not each.above_input_tokens]
    return [each._replace(used_now=used[-1:] == [at]) for at, each in enumerate(found)]


def _of_row(row: Row) -> list[Offered]:
    prices = [(None, row.price), *row.cliffs]
    tier = row.service_tier
    return [Offered(price.source, row.provider, row.since, above, tier, False, price) for above, price in prices]


def _amounts(price: Price | None, names: Sequence[str]) -> list[str]:
    return ["" if price is None or (rate := getattr(price, name)) is None else _plain(rate) for name in names]


def _plain(rate: Decimal) -> str:
    return f"{rate.normalize():f}"


@app.command("set")
def set_(
    model: Annotated[str, typer.Argument(help="The model's exact name, as the calls say it.")],
    input: Annotated[str, typer.Option(help="USD a million input tokens.")],  # noqa: A002 - the option's name
    output: Annotated[str, typer.Option(help="USD a million output tokens.")],
    cache_read: Annotated[str | None, typer.Option(help="USD a million cached input tokens.")] = None,
    cache_write: Annotated[str | None, typer.Option(help="USD a million tokens written to a cache.")] = None,
    cache_write_1h: Annotated[str | None, typer.Option("--cache-write-1h", help="The same, kept for an hour.")] = None,
    reasoning: Annotated[str | None, typer.Option(help="USD a million reasoning tokens.")] = None,
    request: Annotated[str, typer.Option(help="USD a request.")] = "0",
    provider: Annotated[str | None, typer.Option(help="Only where this provider runs it.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="From this day (UTC) on: 2026-01-31.")] = None,
    tier: Annotated[str | None, typer.Option(help="Only this service tier: flex, priority, batch.")] = None,
    prefix: Annotated[bool, typer.Option("--prefix", help="For all models whose name begins so.")] = False,
) -> None:
    """Give a model a price from a day on. Calls to come cost that; `weft prices apply` prices the stored ones."""
    price = Price(
        input=_amount("--input", input),
        output=_amount("--output", output),
        cache_read=_maybe("--cache-read", cache_read),
        cache_write=_maybe("--cache-write", cache_write),
        cache_write_1h=_maybe("--cache-write-1h", cache_write_1h),
        reasoning=_maybe("--reasoning", reasoning),
        request=_amount("--request", request),
    )
    day = None if since is None else _day(since)
    row = set_price(model, price, provider=provider, since=day, service_tier=tier, prefix=prefix)
    when = f" from {day}" if day else ""
    path = runtime.active().settings.prices
    said = f"{row.matcher}{when}: {_plain(price.input)} in, {_plain(price.output)} out, in {path}"
    terminal.console().print(terminal.text(said), soft_wrap=True)


def _amount(option: str, given: str) -> Decimal:
    try:
        return Price(input=given).input  # type: ignore[arg-type]
    except UsageError:
        raise UsageError(
            f"{option} {given!r:.40} is no price: give USD a million tokens, a number of 0 or more"
        ) from None


def _maybe(option: str, given: str | None) -> Decimal | None:
    return None if given is None else _amount(option, given)


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{given!r:.40} is no day; write it as 2026-01-31") from None


@app.command()
def apply(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    since: Annotated[str | None, typer.Option(help="Only calls of the last 24h, 7d, ... or from a day on.")] = None,
    model: Annotated[str | None, typer.Option(help="Only calls of this model.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Price stored calls again, each at the price of its own day."""
    rt = runtime.active()
    if not rt.recording and not dry_run:
        raise UsageError("nothing is recorded in mode disabled, so no price can be: unset WEFT_MODE, or use --dry-run")
    prices = read(rt.settings.prices)
    if prices.problems:
        wrong = "; ".join(prices.problems)
        raise UsageError(f"{prices.path} is not as it should be, so nothing was priced: {wrong}. Correct it first")
    now = time.time_ns()
    start = None if since is None else min(max(_start_ns(since, now), 0), MAX_INT)
    with open_store() as store:
        found = reprice(
            usages(store, project=project, since_ns=start, model=model),
            prices,
            now,
            (lambda fact: None) if dry_run else rt.journal.append,
        )
    if not dry_run:
        rt.journal.sync()
        open_store().close()  # the new prices can be read when this returns
    if json:
        terminal.print_json({**found._asdict(), "dry_run": dry_run})
        return
    done = "would change" if dry_run else "changed"
    said = f"{units.count(found.changed)} of {units.counted(found.calls, 'call')} {done}: "
    said += f"{units.usd(found.before)} → {units.usd(found.after)}"
    if found.unpriced:
        said += f"; {units.count(found.unpriced)} have no price (weft prices ls --unknown)"
    terminal.console().print(terminal.text(said), soft_wrap=True)


def _start_ns(given: str, now_ns: int) -> int:
    ago = _SINCE.fullmatch(given.strip())
    if ago is not None:
        return now_ns - int(ago[1]) * _SECONDS[ago[2]] * 1_000_000_000
    day = datetime.combine(_day(given), datetime.min.time(), UTC)
    return int(day.timestamp()) * 1_000_000_000
