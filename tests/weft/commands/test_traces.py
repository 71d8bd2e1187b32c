"""`weft traces`: lists and trees that show what was recorded, harmlessly, and say what to do when there is nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import weft

HOSTILE = "\x1b[2J\x1b[31mred[/] [bold]b[/bold] \u202egnp.exe\u202c"


def _weft(*arguments: str, code: int = 0) -> str:
    run = subprocess.run([sys.executable, "-m", "weft.cli", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == code, run.stderr + run.stdout
    return run.stdout if code == 0 else run.stderr


@weft.op(kind="tool")
def lookup(word: str) -> list[str]:
    if word == "bad":
        raise ValueError(HOSTILE)
    return [word, word]


@weft.op(kind="agent")
def ask(question: str) -> str:
    return " ".join(lookup(question))


@pytest.fixture
def recorded(home: Path) -> Path:
    weft.configure(home=home, project="cli")
    ask("first")
    ask("second")
    with pytest.raises(ValueError, match="red"):
        ask("bad")
    return home


def test_an_empty_home_says_how_to_fill_it(home: Path) -> None:
    assert "@weft.op" in _weft("traces", "ls")


def test_traces_are_listed_newest_first(recorded: Path) -> None:
    rows = json.loads(_weft("traces", "ls", "--json"))

    assert [row["input_preview"] for row in rows] == ["bad", "second", "first"]
    assert [row["status"] for row in rows] == ["error", "ok", "ok"]
    assert [row["span_count"] for row in rows] == [2, 2, 2]


def test_filters_narrow_the_list(recorded: Path) -> None:
    def listed(*options: str) -> list[str]:
        return [row["input_preview"] for row in json.loads(_weft("traces", "ls", "--json", *options))]

    assert listed("--status", "error") == ["bad"]
    assert listed("--text", "seco") == ["second"]
    assert listed("--name", "ask", "--since", "1h", "--limit", "1") == ["bad"]
    assert listed("--project", "other") == []


def test_user_text_reaches_the_terminal_as_text(recorded: Path) -> None:
    trace = json.loads(_weft("traces", "ls", "--json", "--status", "error"))[0]["trace_id"]
    for shown in (_weft("traces", "ls"), _weft("traces", "show", trace)):
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown
    assert "\\x1b[2J" in _weft("traces", "show", trace)


def test_one_trace_is_shown_as_a_tree_by_its_id_or_either_end_of_it(recorded: Path) -> None:
    trace = json.loads(_weft("traces", "ls", "--json", "--text", "first"))[0]["trace_id"]

    for ident in (trace, trace[-8:], trace[:26]):
        shown = _weft("traces", "show", ident)
        assert "agent" in shown
        assert "└── tool" in shown


def test_show_json_holds_the_payloads(recorded: Path) -> None:
    trace = json.loads(_weft("traces", "ls", "--json", "--text", "first"))[0]["trace_id"]
    spans = json.loads(_weft("traces", "show", trace, "--json"))["spans"]

    assert [(span["name"], span["inputs"], span["output"]) for span in spans] == [
        ("ask", {"question": "first"}, "first first"),
        ("lookup", {"word": "first"}, ["first", "first"]),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "zz"), 64, "hex"),
        (("show", "f" * 32), 1, "weft traces ls"),
        (("show", "0"), 64, "several"),
        (("ls", "--since", "yesterday"), 64, "24h"),
    ],
)
def test_a_wrong_call_is_one_line_and_an_exit_code(
    recorded: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    error = _weft("traces", *arguments, code=code)

    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_a_filter_reaches_into_json_and_an_order_by_any_field(recorded: Path) -> None:
    def listed(*options: str) -> list[str]:
        return [row["input_preview"] for row in json.loads(_weft("traces", "ls", "--json", *options))]

    assert listed("--where", '{"inputs.question": {"$in": ["first", "bad"]}}') == ["bad", "first"]
    assert listed("--where", '{"inputs.question": "first"}', "--status", "ok") == ["first"]
    assert listed("--order", "inputs.question", "--project", "cli") == ["bad", "first", "second"]
    assert listed("--search", "second") == ["second"]
    assert "no JSON" in _weft("traces", "ls", "--where", "{", code=64)
    assert "takes a JSON object" in _weft("traces", "ls", "--where", "[]", code=64)
    assert "no_such" in _weft("traces", "ls", "--where", '{"no_such": 1}', code=64)


def test_traces_are_removed_by_id_and_by_filter_and_stay_so(recorded: Path) -> None:
    first = json.loads(_weft("traces", "ls", "--json", "--where", '{"inputs.question": "first"}'))[0]["trace_id"]

    assert "1 trace with 2 spans would be removed" in _weft("traces", "rm", first, "--dry-run")
    assert "Say --yes" in _weft("traces", "rm", first, code=64)
    assert "1 trace with 2 spans removed" in _weft("traces", "rm", first, "--yes")
    assert "1 trace with 2 spans removed" in _weft("traces", "rm", "--status", "error", "-y")
    assert "no traces match" in _weft("traces", "rm", "--older-than", "1h", "-y")
    assert "not both, not neither" in _weft("traces", "rm", code=64)
    (recorded / "weft.db").unlink()  # the journal tells it all again
    for side in recorded.glob("weft.db-*"):
        side.unlink()
    assert [row["input_preview"] for row in json.loads(_weft("traces", "ls", "--json"))] == ["second"]


def test_ids_and_costs_are_whole_on_a_narrow_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weft.configure(home=home, project="cli")
    with weft.span("a name that is rather long for so few columns", kind="llm") as span:
        span.set_inputs({"question": "much too long " * 9})
        span.set_usage({"input_tokens": 123_456, "output_tokens": 654_321}, model="gpt-4o", provider="openai")
    (row,) = json.loads(_weft("traces", "ls", "--json"))
    for width in ("70", "80", "100", "160"):
        monkeypatch.setenv("COLUMNS", width)
        said = _weft("traces", "ls")
        assert row["trace_id"][-8:] in said
        assert f"${float(row['cost']):.2f}" in said
        assert "a name" in said
        assert all(len(line) <= int(width) for line in said.splitlines())


def test_a_list_by_what_was_said_never_says_fewer_than_there_are(home: Path) -> None:
    """To count them, every output would have to be read."""
    weft.configure(home=home, project="cli")

    @weft.op
    def twice(x: int) -> dict[str, int]:
        return {"n": 2 * x}

    for n in range(6):
        twice(n)
    asked = ("traces", "ls", "--where", '{"output.n": {"$gte": 2}}')
    assert _weft(*asked, "--limit", "2").splitlines()[-1] == "2 traces, and more match; --limit shows more"
    assert "--limit" not in _weft(*asked)
    assert _weft("traces", "ls", "--limit", "2").splitlines()[-1] == "2 of 6 traces; --limit shows more"
