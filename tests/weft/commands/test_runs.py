"""`weft runs` lists and shows what was recorded; whatever is in a name reaches the terminal harmless."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.commands.runs import sparkline
from weft.tracking import runs, runtime
from weft.tracking.artifacts import Artifact
from weft.tracking.settings import Settings

Weft = Callable[..., Any]


def test_no_runs_yet_says_how_to_start_one(weft: Weft) -> None:
    said = weft("runs", "ls")
    assert said.code == 0
    assert "weft.init() starts one" in said.out
    assert json.loads(weft("runs", "ls", "--json").out) == []


def test_runs_are_listed_newest_first(weft: Weft) -> None:
    with runs.init(project="p", name="first", config={"lr": 1}, tags="x") as run:
        run.log({"loss": 0.25})
    with pytest.raises(ZeroDivisionError), runs.init(project="q", name="second"):
        _ = 1 // 0
    said = weft("runs", "ls")
    assert said.out.index("second") < said.out.index("first")
    assert "▲ failed" in said.out
    assert "loss 0.25" in said.out
    assert "first" not in weft("runs", "ls", "--project", "q").out
    assert "second" not in weft("runs", "ls", "--state", "finished").out
    assert "first" in weft("runs", "ls", "--tag", "x").out
    assert "second" not in weft("runs", "ls", "--tag", "x").out
    assert "1 of 2 runs" in weft("runs", "ls", "--limit", "1").out
    rows = json.loads(weft("runs", "ls", "--json").out)
    assert [row["name"] for row in rows] == ["second", "first"]
    assert rows[1]["config"] == {"lr": 1}
    assert "no runs match" in weft("runs", "ls", "--project", "none").out


def test_one_run_is_shown(weft: Weft) -> None:
    with runs.init(project="p", name="shown", config={"lr": 0.1}, notes="why") as run:
        for step in range(50):
            run.log({"loss": 1 / (step + 1), "odd": math.nan})
        run.summary["exact"] = {"mean": 0.9, "ci": [0.85, 0.95], "n": 40}
        artifact = Artifact("answers", type="results")
        artifact.add_bytes(b"12345", "a.txt")
        run.log_artifact(artifact)
    for name in (run.id, f"p/{run.id}", "shown"):
        said = weft("runs", "show", name)
        assert said.code == 0
        for part in ("shown", "● finished", "lr", "0.1", "0.900 ± 0.050", "loss", "█", "answers", "v0", "5 B", "why"):
            assert part in said.out
    shown = json.loads(weft("runs", "show", run.id, "--json").out)
    assert len(shown["history"]["loss"]["values"]) == 50
    assert shown["history"]["odd"]["values"][0] == "NaN"
    assert shown["run"]["id"] == run.id


def test_a_failed_run_shows_its_error(weft: Weft) -> None:
    with pytest.raises(ValueError, match="oh no"), runs.init(name="bad"):
        raise ValueError("oh no")
    assert "ValueError: oh no" in weft("runs", "show", "bad").out


def test_wrong_names_are_said(weft: Weft) -> None:
    for _ in range(2):
        runs.init(project="p", name="twin").finish()
    assert weft("runs", "show", "nothing") == (
        1,
        "",
        "error: no run is called nothing. `weft runs ls` shows the newest\n",
    )
    said = weft("runs", "show", "twin")
    assert said.code == 64
    assert "could be any of 2 runs: p/" in said.err
    assert weft("runs", "ls", "--state", "bogus").code == 64


def test_names_cannot_speak_to_the_terminal(weft: Weft) -> None:
    evil = "\x1b[31m[bold]\u202egnp.exe"
    with runs.init(name=evil, config={evil: evil}, notes=evil, tags=evil) as run:
        run.log({evil: 1.0})
    for said in (weft("runs", "ls"), weft("runs", "show", run.id)):
        assert "\x1b[31m" not in said.out
        assert "\u202e" not in said.out
        assert "\\x1b[31m[bold]\\u202egnp.exe" in said.out


def test_a_broken_home_is_one_line(weft: Weft, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    runtime.configure(Settings.resolve(home=tmp_path / "file"))
    said = weft("runs", "ls")
    assert said.code == 1
    assert said.err.startswith("error: weft's home")
    assert said.err.count("\n") == 1


def test_sparklines_keep_their_shape() -> None:
    assert sparkline([]) == ""
    assert sparkline([math.nan, math.inf]) == ""
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([0.0, math.nan, 7.0]) == "▁ █"
    assert len(sparkline([float(n) for n in range(1000)])) == 24


def test_what_a_run_printed_is_shown_harmless(weft: Weft) -> None:
    with runs.init(project="p", name="talks") as run:
        run.write_logs("10%\r20%\r100%\nsecond \x1b[31mred\x1b[0m\n\u202ereversed\n")
    said = weft("runs", "logs", "talks")
    assert said.out == "100%\nsecond red\n\\u202ereversed\n"
    assert weft("runs", "logs", run.id, "--last", "1").out == "\\u202ereversed\n"
    assert weft("runs", "logs", run.id, "--search", "SECOND red").out == "second red\n"
    rows = json.loads(weft("runs", "logs", run.id, "--json").out)
    assert [(row["text"], row["stream"]) for row in rows][:2] == [("100%", "stdout"), ("second red", "stdout")]
    assert "printed nothing that matches" in weft("runs", "logs", run.id, "--stream", "stderr").err
    assert weft("runs", "logs", run.id, "--stream", "stdin").code == 64
