"""`weft prices`: says whose price counts, takes prices of one's own, and prices stored calls again on purpose only."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime


def _weft(*arguments: str, code: int = 0) -> str:
    run = subprocess.run([sys.executable, "-m", "weft.cli", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == code, run.stderr + run.stdout
    return run.stdout if code == 0 else run.stderr


def _total() -> Decimal | None:
    (row,) = json.loads(_weft("traces", "ls", "--json"))
    assert row["input_tokens"] == 1_000_000
    return None if row["cost"] is None else Decimal(row["cost"])


@pytest.fixture
def called(home: Path) -> Path:
    """One call of a model that nobody lists."""
    weft.configure(home=home, project="cli")
    with weft.span("chat", kind="llm") as span:
        span.set_usage({"input_tokens": 1_000_000, "output_tokens": 1_000_000}, model="my-model", provider="me")
    return home


def test_a_price_given_later_is_for_calls_to_come_until_it_is_applied(called: Path) -> None:
    """Weave's cases 15 and 16: tokens stay, an unknown cost is null, and apply makes it appear, for good."""
    assert _total() is None
    (lacking,) = json.loads(_weft("prices", "ls", "--unknown", "--json"))
    assert (lacking["model"], lacking["provider"], lacking["calls"], lacking["unpriced"]) == ("my-model", "me", 1, 1)
    assert "weft prices set my-model --input 1 --output 2" in _weft("prices", "ls", "--unknown")

    assert "my-model: 1 in, 2.5 out" in _weft("prices", "set", "my-model", "--input", "1", "--output", "2.50")
    assert _total() is None
    assert "1 of 1 call would change" in _weft("prices", "apply", "--dry-run")
    assert _total() is None

    told = json.loads(_weft("prices", "apply", "--json"))
    assert (told["calls"], told["changed"], told["unpriced"]) == (1, 1, 0)
    assert (Decimal(told["before"]), Decimal(told["after"])) == (0, Decimal("3.5"))
    assert _total() == Decimal("3.5")
    assert "0 of 1 call changed" in _weft("prices", "apply")
    assert _weft("prices", "ls", "--unknown").strip() == "every call has a cost"


def test_what_was_applied_is_repeated_by_a_store_made_again(called: Path) -> None:
    assert _total() is None
    _weft("prices", "set", "my-model", "--input", "1", "--output", "1")
    _weft("prices", "apply")
    for file in called.glob("weft.db*"):
        file.unlink()
    (called / "prices.toml").unlink()
    assert _total() == 2


def test_a_price_from_a_later_day_leaves_earlier_calls_alone(called: Path) -> None:
    _weft("prices", "set", "my-model", "--input", "9", "--output", "9", "--from", "2999-01-01")
    assert json.loads(_weft("prices", "apply", "--json"))["changed"] == 0
    _weft("prices", "set", "my-model", "--input", "1", "--output", "1", "--from", "2020-01-01")
    _weft("prices", "apply")
    assert _total() == 2


def test_a_removed_price_takes_its_costs_along_and_no_others(called: Path) -> None:
    with weft.span("chat", kind="llm") as span:
        span.set_usage({"output_tokens": 1_000_000}, model="gpt-4o-mini", provider="openai")
    runtime.active().journal.sync()
    _weft("prices", "set", "my-model", "--input", "1", "--output", "1")
    _weft("prices", "apply")
    (called / "prices.toml").unlink()
    told = json.loads(_weft("prices", "apply", "--json"))
    assert (told["changed"], told["unpriced"]) == (1, 1)
    assert (Decimal(told["before"]), Decimal(told["after"])) == (Decimal("2.6"), Decimal("0.6"))


@pytest.mark.parametrize("option", [("--model", "other"), ("--project", "other"), ("--since", "2999-01-01")])
def test_apply_can_be_narrowed(called: Path, option: tuple[str, str]) -> None:
    assert json.loads(_weft("prices", "apply", "--json", "--dry-run", *option))["calls"] == 0


def test_a_models_prices_are_listed_with_their_days_and_tiers(home: Path) -> None:
    _weft("prices", "set", "claude-sonnet-4-5", "--input", "1", "--output", "2", "--from", "2026-01-01")
    rows = json.loads(_weft("prices", "ls", "claude-sonnet-4-5", "--provider", "anthropic", "--json"))
    (mine,) = [row for row in rows if row["used_now"]]
    assert (mine["source"], mine["since"]) == ("prices.toml: claude-sonnet-4-5 from 2026-01-01", "2026-01-01")
    assert Decimal(mine["price"]["input"]) == 1
    listed = [row for row in rows if row["source"].startswith("genai-prices")]
    assert {row["above_input_tokens"] for row in listed} == {None, 200_000}
    assert {row["service_tier"] for row in listed} >= {None, "batch"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "m", "--input", "-1", "--output", "1"), "--input '-1' is no price"),
        (("set", "m", "--input", "1", "--output", "cheap"), "--output 'cheap' is no price"),
        (("set", "m", "--input", "1", "--output", "1", "--from", "May"), "'May' is no day"),
        (("apply", "--since", "soon"), "'soon' is no day"),
    ],
)
def test_a_wrong_call_is_one_line_and_64(home: Path, arguments: tuple[str, ...], said: str) -> None:
    found = _weft("prices", *arguments, code=64)
    assert said in found
    assert len(found.strip().splitlines()) == 1


def test_a_malformed_price_file_is_one_line_and_bundled_prices_go_on(called: Path) -> None:
    (called / "prices.toml").write_text("[[price")
    run = subprocess.run(
        [sys.executable, "-m", "weft.cli", "prices", "ls", "gpt-4o-mini"], capture_output=True, text=True, check=True
    )
    assert "0.15" in run.stdout
    assert run.stderr.count("\n") == 1
    assert "cannot be read and is not used" in run.stderr
    assert "no price was added" in _weft("prices", "set", "m", "--input", "1", "--output", "1", code=64)


def test_a_malformed_price_file_takes_no_stored_cost_away(called: Path) -> None:
    """Priced again by it, every call that it named would lose its cost."""
    _weft("prices", "set", "my-model", "--input", "1", "--output", "2.50")
    _weft("prices", "apply")
    with (called / "prices.toml").open("a") as file:
        file.write("broken [[[")
    for options in ((), ("--dry-run",)):
        assert "nothing was priced" in _weft("prices", "apply", *options, code=64)
    assert _total() == Decimal("3.5")


def test_a_hostile_model_name_is_harmless(home: Path) -> None:
    weft.configure(home=home)
    with weft.span("chat", kind="llm") as span:
        span.set_usage({"input_tokens": 1}, model="\x1b[2J[bold]m'; rm -rf", provider="\u202e")
    found = _weft("prices", "ls")
    assert "\x1b" not in found
    assert "\u202e" not in found
    assert "[bold]" in found


def test_a_trace_shows_what_a_cost_is_made_of_and_what_is_wrong_with_a_report(home: Path) -> None:
    weft.configure(home=home)
    with weft.span("chat", kind="llm") as span:
        counts = {"input_tokens": 1000, "cache_read_tokens": 4000, "output_tokens": 100}
        span.set_usage(counts, model="gpt-4o-mini", provider="openai")
    (row,) = json.loads(_weft("traces", "ls", "--json"))
    found = " ".join(_weft("traces", "show", row["trace_id"], "--costs").split())
    assert "$0.00051 (input $0.00015 · output $0.000060 · cached $0.00030)" in found
    assert "! more cached than input tokens" in found


def test_models_whose_names_begin_alike_are_told_apart_on_a_narrow_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weft.configure(home=home, project="cli")
    names = [f"a-model-with-a-long-name-of-many-parts-{kind}" for kind in ("2026-01-01", "2026-02-02")]
    for name in names:
        with weft.span("chat", kind="llm") as span:
            span.set_usage({"input_tokens": 10, "output_tokens": 10}, model=name, provider="somebody")
    for width in ("60", "80", "119", "200"):
        monkeypatch.setenv("COLUMNS", width)
        said = _weft("prices", "ls")
        assert all(name in said for name in names)
