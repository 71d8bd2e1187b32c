"""The user's price file: its rows win, by day and by how exactly they match; what is wrong in it is said, not fatal."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.tracer.money.pricefile import PriceFile, read
from weft.tracer.prices import Price, price_of, set_price
from weft.tracking.errors import UsageError

MAY, JULY = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def given_file(tmp_path: Path, text: str) -> PriceFile:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    return read(path)


def price(file: PriceFile, model: str, at: datetime = JULY, **more) -> Price:
    found = file.price(more.pop("provider", None), model, at, **more)
    assert found is not None
    return found


def test_two_prices_of_different_days_stand_side_by_side(tmp_path: Path) -> None:
    rows = ("input = 1\nfrom = 2026-01-01", "input = 2.5\nfrom = 2026-06-01")
    file = given_file(tmp_path, "".join(f'[[price]]\nmodel = "m"\n{row}\n' for row in rows))
    assert price(file, "m", MAY).input == 1
    assert price(file, "M", JULY).input == Decimal("2.5")
    assert file.price(None, "m", datetime(2025, 12, 31, 23, tzinfo=UTC)) is None
    assert price(file, "m", JULY).source == "prices.toml: m from 2026-06-01"


def test_the_more_exact_row_wins(tmp_path: Path) -> None:
    rows = {"regex": ".*", "prefix": "gpt-", "model": "gpt-4"}
    text = "".join(f'[[price]]\n{name} = "{value}"\ninput = {n}\n' for n, (name, value) in enumerate(rows.items(), 1))
    text += '[[price]]\nprefix = "gpt-4o"\ninput = 4\n[[price]]\nprefix = "gpt-"\nprovider = "azure"\ninput = 5\n'
    file = given_file(tmp_path, text)
    found = {model: price(file, model).input for model in ("other", "gpt-5", "gpt-4", "gpt-4o-mini")}
    assert found == {"other": 1, "gpt-5": 2, "gpt-4": 3, "gpt-4o-mini": 4}
    assert price(file, "gpt-4", provider="azure").input == 5
    assert not file.problems


def test_a_cliff_prices_the_whole_call(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "m"\ninput = 1\noutput = 2\n[[price.above]]\ninput_tokens = 200000\ninput = 3\n'
    file = given_file(tmp_path, text)
    assert price(file, "m", input_tokens=200_000).input == 1
    assert (price(file, "m", input_tokens=200_001).input, price(file, "m", input_tokens=200_001).output) == (3, 2)


def test_a_tier_has_a_price_of_its_own_or_is_flagged(tmp_path: Path) -> None:
    file = given_file(
        tmp_path, '[[price]]\nmodel = "m"\ninput = 4\n[[price]]\nmodel = "m"\nservice_tier = "flex"\ninput = 2\n'
    )
    assert (price(file, "m").input, price(file, "m", service_tier="flex").input) == (4, 2)
    assert (price(file, "m", service_tier="priority").input, len(price(file, "m", service_tier="priority").flags)) == (
        4,
        1,
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("input = 1", "one of model, prefix and regex"),
        ('model = "m"\nprefix = "m"\ninput = 1', "one of model"),
        ('model = "m"', "no price"),
        ('model = "m"\ninput = -1', "input="),
        ('model = "m"\ninput = "1"', "no number"),
        ('model = "m"\ninput = nan', "input="),
        ('model = "m"\ninput = 1\ncosts = 2', "unknown field costs"),
        ('model = "m"\ninput = 1\nfrom = "May"', "no date"),
        ('regex = "("\ninput = 1', "missing )"),
        ('model = ""\ninput = 1', "model=''"),
    ],
)
def test_a_wrong_row_is_said_and_the_others_are_used(tmp_path: Path, caplog, wrong: str, said: str) -> None:
    text = f'[[price]]\n{wrong}\n[[price]]\nmodel = "good"\ninput = 1\n'
    with caplog.at_level(logging.WARNING, "weft.prices"):
        file = given_file(tmp_path, text)
        read(file.path)
    assert price(file, "good").input == 1
    (problem,) = file.problems
    assert problem.startswith("price 1 of ")
    assert said in problem
    assert [record.message for record in caplog.records] == [problem]


@pytest.mark.parametrize(
    "text", ["[[price]", "price = 1", "[price]\nmodel = 'm'", "[other]\na = 1", "a = " + "[" * 5000]
)
def test_a_file_that_is_none_is_said_and_the_bundled_prices_go_on_being_used(tmp_path: Path, text: str) -> None:
    file = given_file(tmp_path, text)
    assert len(file.problems) == 1
    assert price_of("openai", "gpt-4o-mini", file=file) is not None


@given(st.text(max_size=200))
def test_no_text_makes_reading_fail(tmp_path_factory, text: str) -> None:
    path = tmp_path_factory.mktemp("prices") / "prices.toml"
    path.write_text(text, "utf-8", "surrogatepass")
    read(path)


def test_a_price_set_by_a_program_is_in_the_file_and_counts(tmp_path: Path) -> None:
    weft.configure(home=tmp_path)
    (tmp_path / "prices.toml").write_text("# mine")
    set_price("my-model", Price(input=1, output="2.5", cache_read=0), provider="me", since=date(2026, 6, 1))
    set_price('odd "name" \\ \x7f', Price(input=7), prefix=True)
    assert (tmp_path / "prices.toml").read_text().startswith("# mine\n")
    found = price_of("me", "my-model", JULY)
    assert found is not None
    assert (found.input, found.output, found.cache_read, found.cache_write) == (1, Decimal("2.5"), 0, None)
    assert price_of("me", "my-model", MAY) is None
    assert price_of("else", "my-model", JULY) is None
    odd = price_of(None, 'odd "name" \\ \x7f and more')
    assert odd is not None
    assert odd.input == 7


def test_a_price_set_again_is_the_later_one(tmp_path: Path) -> None:
    weft.configure(home=tmp_path)
    for amount in (1, 2):
        set_price("m", Price(input=amount))
        found = price_of(None, "m")
        assert found is not None
        assert found.input == amount


def test_a_file_that_cannot_be_read_is_not_written_to(tmp_path: Path) -> None:
    weft.configure(home=tmp_path)
    (tmp_path / "prices.toml").write_text("[[price")
    with pytest.raises(UsageError, match="no price was added"):
        set_price("m", Price(input=1))
    assert (tmp_path / "prices.toml").read_text() == "[[price"


@pytest.mark.parametrize("wrong", [("", Price()), ("m", 1), ("m", Price(), "2026-01-01")])
def test_a_wrong_call_is_refused(wrong: tuple[object, ...]) -> None:
    model, given, *more = wrong
    with pytest.raises(UsageError):
        set_price(model, given, since=more[0] if more else None)  # type: ignore[arg-type]
