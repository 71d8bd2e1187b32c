"""What reaches the terminal is harmless, aligned and machine-readable on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from weft.commands import terminal
from weft.tracer.span import span
from weft.tracking.runs.starting import init, log


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


def test_json_keys_take_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_json({"\ud800key\x00": {"\udfff": float("nan")}})
    assert json.loads(capsys.readouterr().out) == {"\\ud800key\x00": {"\\udfff": "NaN"}}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_listing_prints_in_every_encoding(home: Path, encoding: str) -> None:
    """Our signs in ASCII where need be, user text as escapes; JSON stays JSON."""
    with span("é🔥 \ud800", inputs={"q": "→\u202e"}):
        pass
    with init(project="p", config={"\ud800": ["\ud800"]}):
        log({"loss": 0.5, "text": "\ud800"})
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "120"}
    for command in (["traces", "ls"], ["runs", "ls"], ["artifacts", "ls"], ["eval", "ls"], ["doctor"]):
        for extra in ([], ["--json"]):
            line = [sys.executable, "-m", "weft.cli", *command, *extra]
            done = subprocess.run(line, env=environment, capture_output=True, timeout=60)
            assert (done.returncode, done.stderr) == (0, b""), line
            shown = done.stdout.decode(encoding)
            if extra:
                json.loads(shown)
    assert ("* ok" if encoding != "utf-8" else "● ok") in _first(environment)


def _first(environment: dict[str, str]) -> str:
    line = [sys.executable, "-m", "weft.cli", "traces", "ls"]
    return subprocess.run(line, env=environment, capture_output=True, check=True, timeout=60).stdout.decode(
        environment["PYTHONIOENCODING"]
    )


@pytest.mark.parametrize(("place", "command"), [("watch.lock", ["ingest", "--watch"]), ("ingest.lock", ["ingest"])])
def test_a_folder_where_a_lock_belongs_is_one_line(home: Path, place: str, command: list[str]) -> None:
    (home / place).mkdir(parents=True)
    done = subprocess.run([sys.executable, "-m", "weft.cli", *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Is a directory" in done.stderr
    assert "Move it away" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_takes_nothing_is_one_line(home: Path) -> None:
    with span("s"), open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "weft.cli", "traces", "ls", "--json"]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: weft could not go on: No space left on device")
    assert "Traceback" not in done.stderr


def test_json_says_what_a_terminal_would_obey_in_its_own_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    held = {"\u202ekey": "\x1b[2J\x9b2J\u2066 é 名 \u200b\x7f"}
    terminal.print_json(held)
    said = capsys.readouterr().out
    assert json.loads(said) == held
    assert "é 名" in said
    assert not [char for char in said if not char.isprintable() and char != "\n"]


@pytest.mark.parametrize("command", [(), ("runs",), ("eval", "run"), ("artifacts", "get"), ("doctor",)])
def test_help_shows_no_type_beside_what_takes_no_value(command: tuple[str, ...]) -> None:
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "weft.cli", *command, "--help"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )

    assert "--help" in done.stdout
    assert "bool" not in done.stdout.lower()
    if command == ("eval", "run"):
        assert "failed, or it was interrupted" in " ".join(done.stdout.split())
        assert "or it was\n" not in done.stdout.replace(" \n", "\n")
