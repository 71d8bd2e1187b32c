"""What reaches the terminal is harmless, aligned and machine-readable on request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from weft.commands import terminal


@given(st.text())
def test_escaped_text_is_one_printable_line(value: str) -> None:
    assert terminal.escape(value).isprintable()


def test_ansi_and_bidi_show_as_escapes() -> None:
    assert terminal.escape("\x1b[31mred\u202e") == "\\x1b[31mred\\u202e"
    assert terminal.escape("two\nlines\tand\u00a0a space") == "two⏎lines⇥and a space"
    assert terminal.escape("a lone \ud800") == "a lone \\ud800"


def test_long_text_is_cut_visibly() -> None:
    assert terminal.escape("x" * 50, 10) == "x" * 9 + "…"


def test_markup_in_user_text_is_text() -> None:
    console = Console(width=80, no_color=True, force_terminal=False)
    table = terminal.table("name", "n", right=["n"])
    table.add_row(terminal.text("[bold]not bold[/bold]"), "1")
    with console.capture() as captured:
        console.print(table)
        console.print(terminal.status("error"), terminal.status("something new"))
    assert "[bold]not bold[/bold]" in captured.get()
    assert "▲ error ○ something new" in captured.get()


@dataclass(frozen=True)
class _Row:
    cost: Decimal
    values: tuple[float, ...]


def test_json_is_valid_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_json([_Row(Decimal("0.0042"), (float("nan"), float("-inf"), 1.5)), "\ud800", {1: None}])
    assert json.loads(capsys.readouterr().out) == [
        {"cost": "0.0042", "values": ["NaN", "-Infinity", 1.5]},
        "\\ud800",
        {"1": None},
    ]


def test_a_failure_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        terminal.fail("no run named 'x'", terminal.USAGE)
    assert stopped.value.code == 64
    assert capsys.readouterr().err == "error: no run named 'x'\n"
    with pytest.raises(SystemExit):
        terminal.fail("no store at postgresql://ada:hunter2@db/weft")
    assert "hunter2" not in capsys.readouterr().err
