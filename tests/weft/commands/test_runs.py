"""`weft runs` lists and shows what was recorded; whatever is in a name reaches the terminal harmless."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from weft.commands.runtables import sparkline
from weft.tracking import api, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.media import Image, plot
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.tables import Table

Weft = Callable[..., Any]


def test_no_runs_yet_says_how_to_start_one(weft: Weft) -> None:
    said = weft("runs", "ls")
    assert said.code == 0
    assert "weft.init() starts one" in said.out
    assert json.loads(weft("runs", "ls", "--json").out) == []


def test_runs_are_listed_newest_first(weft: Weft) -> None:
    with starting.init(project="p", name="first", config={"lr": 1}, tags="x") as run:
        run.log({"loss": 0.25})
    with pytest.raises(ZeroDivisionError), starting.init(project="q", name="second"):
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
    with starting.init(project="p", name="shown", config={"lr": 0.1}, notes="why") as run:
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
    with pytest.raises(ValueError, match="oh no"), starting.init(name="bad"):
        raise ValueError("oh no")
    assert "ValueError: oh no" in weft("runs", "show", "bad").out


def test_wrong_names_are_said(weft: Weft) -> None:
    for _ in range(2):
        starting.init(project="p", name="twin").finish()
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
    with starting.init(name=evil, config={evil: evil}, notes=evil, tags=evil) as run:
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
    with starting.init(project="p", name="talks") as run:
        run.write_logs("10%\r20%\r100%\nsecond \x1b[31mred\x1b[0m\n\u202ereversed\n")
    said = weft("runs", "logs", "talks")
    assert said.out == "100%\nsecond red\n\\u202ereversed\n"
    assert weft("runs", "logs", run.id, "--last", "1").out == "\\u202ereversed\n"
    assert weft("runs", "logs", run.id, "--search", "SECOND red").out == "second red\n"
    rows = json.loads(weft("runs", "logs", run.id, "--json").out)
    assert [(row["text"], row["stream"]) for row in rows][:2] == [("100%", "stdout"), ("second red", "stdout")]
    assert "printed nothing that matches" in weft("runs", "logs", run.id, "--stream", "stderr").err
    assert weft("runs", "logs", run.id, "--stream", "stdin").code == 64


def _trained(name: str, lr: float, best: float) -> starting.Run:
    with starting.init(project="digits", name=name, config={"lr": lr, "model": {"depth": 3}}, tags=["base"]) as run:
        run.define_metric("loss", summary="min", goal="minimize")
        for step in range(10):
            run.log({"loss": best + (9 - step) / 10})
    return run


def test_ids_are_whole_on_a_narrow_terminal(weft: Weft, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [_trained(f"a name that is far too long for {n}", 0.1 * n, n / 10) for n in range(3)]
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        for more in ((), ("--columns", "name,config.lr,config.model.depth,summary.loss.min,project,tags,group")):
            lines = weft("runs", "ls", *more).out.splitlines()
            assert all(any(run.id in line for line in lines) for run in made)
            assert all(len(line) <= width for line in lines)


def test_lists_are_filtered_sorted_and_show_chosen_columns(weft: Weft) -> None:
    made = [_trained(f"r{n}", n / 10, 1 - n / 10) for n in range(3)]
    rows = json.loads(weft("runs", "ls", "--sort", "summary.loss.min", "--columns", "config.lr", "--json").out)
    assert rows == [{"id": run.id, "project": "digits", "config.lr": n / 10} for n, run in [*enumerate(made)][::-1]]
    found = weft("runs", "ls", "--where", '{"config.lr": {"$gte": 0.1}}', "--sort", "-summary_metrics.loss.min").out
    assert " r0 " not in found  # an id may hold it
    assert found.index("r1") < found.index("r2")
    for age, listed in (("0s", 3), ("1d", 0), ("99999999999w", 0)):
        assert len(json.loads(weft("runs", "ls", "--older-than", age, "--json").out)) == listed
    assert weft("runs", "ls", "--since", "").code == 64
    assert weft("runs", "ls", "--columns", "bogus").code == 64
    assert weft("runs", "ls", "--where", "[1]").code == 64
    assert weft("runs", "ls", "--sort", "nonsense").code == 64


@pytest.mark.parametrize("where", ['{"config.lr": {"$gt": 0.01}}', '{"name": "many"}'])
def test_a_list_that_was_cut_off_never_says_fewer_than_there_are(weft: Weft, where: str) -> None:
    """Where each would have to be read to be counted, it says that more match; else how many."""
    for _ in range(7):
        starting.init(project="p", name="many", config={"lr": 0.1}).finish()
    said = weft("runs", "ls", "--where", where, "--limit", "3").out
    counted = "config" not in where
    assert said.splitlines()[-1] == ("3 of 7 runs" if counted else "3 runs, and more match") + "; --limit shows more"
    assert "--limit" not in weft("runs", "ls", "--where", where, "--limit", "7").out


def test_values_that_are_several_have_their_names(weft: Weft) -> None:
    """A metric with two summaries, a configuration, a value set by hand."""
    with starting.init(project="p", config={"lr": 0.1, "model": {"depth": 3}, "none": {}}) as run:
        run.define_metric("acc", summary="max,last")
        run.log({"acc": 0.9})
        run.log({"acc": 0.75})
        run.summary["kept"] = {"best": 0.719, "at": {"epoch": 2}}
    said = weft("runs", "ls", "--columns", "summary.acc,config").out
    assert "max 0.9, last 0.75" in said
    assert "lr 0.1, model.depth 3, none {}" in said
    assert "best 0.719, at.epoch 2" in weft("runs", "show", run.id).out


def test_an_interrupted_run_says_so_without_a_colon(weft: Weft) -> None:
    with pytest.raises(KeyboardInterrupt), starting.init(project="p", name="stopped"):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="oh no"), starting.init(project="p", name="bad"):
        raise ValueError("oh no")
    assert "KeyboardInterrupt" in (lines := weft("runs", "show", "stopped").out.splitlines())
    assert not any("KeyboardInterrupt:" in line for line in lines)
    said = weft("runs", "ls", "--columns", "name,error").out
    assert "Traceback" not in said
    assert [line.split(maxsplit=1)[1].split() for line in said.splitlines() if "stopped" in line or "bad" in line] == [
        ["bad", "ValueError:", "oh", "no"],
        ["stopped", "KeyboardInterrupt"],
    ]


def test_sorting_by_a_metric_of_several_numbers_says_what_to_sort_by(weft: Weft) -> None:
    """Also where those runs, which stand last, are not on the page."""
    for kinds, top in (("max,last", 0.9), (None, 0.8), (None, 0.7)):
        with starting.init(project="p") as run:
            if kinds:
                run.define_metric("acc", summary=kinds)
            run.log({"acc": top})
    hint = "some of these runs have summary.acc.max and summary.acc.last in place of summary.acc and stand last"
    hint += ": sort by what they have\n"
    assert weft("runs", "ls", "--sort", "-summary.acc", "--limit", "1").err == hint
    assert weft("runs", "ls", "--sort", "summary.acc").err == hint
    assert weft("runs", "ls", "--sort", "-summary.acc.max").err == weft("runs", "ls", "--sort", "config.acc").err == ""


def test_a_comparison_of_one_and_several_summaries_has_a_line_each(weft: Weft) -> None:
    made = []
    for kinds in ("max,last", None):
        with starting.init(project="p") as run:
            if kinds:
                run.define_metric("acc", summary=kinds)
            run.log({"acc": 0.9})
            run.log({"acc": 0.75})
        made.append(f"p/{run.id}")
    told = json.loads(weft("runs", "compare", *made, "--json").out)["summary"]
    assert [told[name][made[0]] for name in ("acc.max", "acc.last", "acc")] == [0.9, 0.75, None]
    assert told["acc"][made[1]] == 0.75


def test_what_a_resumed_run_took_is_its_sessions_not_the_week_between(weft: Weft) -> None:
    """In the list, shown, exported and asked in SQL; also while it runs."""
    rt = runtime.active()
    week = 7 * 86400 * 10**9
    real = rt.ids.wall_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(rt.ids), "wall_ns", lambda _: real() - week)
        starting.init(project="p", id="long").finish()
    run = starting.init(project="p", id="long", resume="must")
    rt.journal.sync()
    for state in ("running", "finished"):
        [line] = [line for line in weft("runs", "ls").out.splitlines() if state in line]
        assert line.split()[-4:] in [[line.split()[-4], unit, "7", "d"] for unit in ("ms", "s")]  # took, began
        assert "took 7 d" not in weft("runs", "show", "long").out
        run.finish()
    [row] = json.loads(weft("runs", "export", "long", "--what", "config", "--format", "json").out)
    assert 0 < row["runtime_s"] < 60
    [asked] = json.loads(weft("sql", "select ended_ns - started_ns as wall, duration_s from runs", "--json").out)
    assert asked["wall"] > week
    assert asked["duration_s"] == pytest.approx(row["runtime_s"])
    assert weft("sql", "select run_id from runs where duration_s > 60", "--csv").out.split() == ["run_id"]


def test_what_is_to_be_looked_at_is_told_in_words_and_never_instead_of_numbers(weft: Weft) -> None:
    with starting.init(project="p") as run:
        run.log({"a picture": Image(np.zeros((4, 6, 3), "uint8"), caption="a\x1b[31m seven"), "acc": 0.5})
        run.log({"a table": Table(columns=["x"], data=[[1], [2]]), "four": [Image(np.zeros((4, 4), "uint8"))] * 4})
        run.log({"roc": plot.line(Table(columns=["x", "y"], data=[[0, 1]]), "x", "y", title="t")})
    said = weft("runs", "show", run.id).out
    for words in ("image, 6 × 4, ", "B, a\\x1b[31m seven", "table, 2 rows", "4 images", "line chart, 1 row"):
        assert words in said
    assert "digest" not in said
    [line] = [line for line in weft("runs", "ls").out.splitlines() if run.id in line]
    assert "acc 0.5" in line
    assert "size_bytes" not in line


def test_the_first_characters_of_an_id_find_a_run(weft: Weft) -> None:
    run = _trained("one", 0.1, 0.5)
    assert json.loads(weft("runs", "show", run.id[:5], "--json").out)["run"]["uid"] == run.uid.hex()
    assert weft("runs", "show", run.id[:2]).code == 1


def test_a_comparison_shows_what_differs_and_marks_the_best_by_its_goal(weft: Weft) -> None:
    first, second = _trained("first", 0.1, 0.5), _trained("second", 0.2, 0.25)
    said = weft("runs", "compare", first.id, second.id).out
    assert "model.depth" not in said
    assert "0.25 ★" in said
    assert "0.5 ★" not in said
    assert "model.depth" in weft("runs", "compare", first.id, second.id, "--all").out
    told = json.loads(weft("runs", "compare", first.id, second.id, "--json").out)
    names = [f"digits/{first.id}", f"digits/{second.id}"]
    assert told["config"] == {"lr": dict(zip(names, (0.1, 0.2), strict=True))}
    assert told["best"] == {"loss.min": names[1:]}
    assert weft("runs", "compare", first.id).code == 64


def test_an_export_drops_nothing(weft: Weft, tmp_path: Path) -> None:
    with starting.init(project="p", config={"a": {"b": 1}, "c": None}) as run:
        run.log({"x": 1, "text": 'ü "q", \n\ud800'})
        run.log({"x": math.nan, "late column": True, "big": 2**70})
        run.log({"x": -math.inf, "list": [1, {"deep": 2}]}, step=7)
    rows = [json.loads(line) for line in weft("runs", "export", run.id).out.splitlines()]
    with api.Api() as opened:
        known = list(opened.run(run.id).scan_history())
    assert [row["_step"] for row in rows] == [row["_step"] for row in known] == [0, 1, 7]
    assert [set(row) - {"_run", "_project"} for row in rows] == [set(row) for row in known]
    assert [row["x"] for row in rows] == [1, "NaN", "-Infinity"]
    for form in ("csv", "parquet", "json"):
        told = weft("runs", "export", run.id, "-o", str(tmp_path / f"all.{form}"))
        assert told.code == 0, told
    frame = pd.read_csv(tmp_path / "all.csv")
    table = pd.read_parquet(tmp_path / "all.parquet")
    columns = {name for row in known for name in row} | {"_run", "_project"}
    assert set(frame.columns) == set(table.columns) == columns
    assert list(table["_step"]) == [0, 1, 7]
    assert table["x"][0] == 1
    assert math.isnan(table["x"][1])
    assert table["x"][2] == frame["x"][2] == -math.inf
    assert table["list"][2] == '[1,{"deep":2}]'
    [whole] = json.loads((tmp_path / "all.json").read_text())
    assert json.loads(weft("runs", "export", run.id, "--json").out) == [whole]
    assert len(whole["history"]) == 3
    [about] = json.loads("[" + weft("runs", "export", "--project", "p", "--what", "config,summary").out + "]")
    assert about["config.a.b"] == 1
    assert "config.c" in about
    assert about["summary.late column"] == 1
    assert not [*tmp_path.glob("*.part")]


def test_wrong_exports_are_said(weft: Weft, tmp_path: Path) -> None:
    run = _trained("one", 0.1, 0.5)
    for wrong in (
        (),
        (run.id, "--json", "--format", "csv"),
        (run.id, "--what", "bogus"),
        (run.id, "--what", "history,config", "--format", "csv"),
        (run.id, "--format", "parquet"),
        (run.id, "--state", "finished"),
    ):
        assert weft("runs", "export", *wrong).code == 64
    said = weft("runs", "export", run.id, "-o", str(tmp_path / "missing" / "x.csv"))
    assert said.code == 1
    assert "could not write" in said.err


def test_tags_are_added_and_taken_away(weft: Weft) -> None:
    run = _trained("one", 0.1, 0.5)
    said = weft("runs", "tag", run.id, "--add", "good", "--add", "kept", "--remove", "base")
    assert said.out == f"digits/{run.id}: good, kept\n"
    assert json.loads(weft("runs", "ls", "--tag", "kept", "--json").out)[0]["tags"] == ["good", "kept"]
    assert weft("runs", "tag", run.id, "--add", "x" * 65).code == 64
    assert weft("runs", "tag", run.id, "--add", " , ").code == 64


def test_tags_stand_with_commas_between_as_in_wandb_tags(weft: Weft) -> None:
    """A tag that holds a comma, as `init(tags=[...])` takes it, can be taken away all the same."""
    with starting.init(project="p", tags=["one, two", "base"]) as run:
        pass
    assert weft("runs", "tag", run.id, "--add", "x, y,,z").out == f"p/{run.id}: one, two, base, x, y, z\n"
    assert weft("runs", "tag", run.id, "--remove", "x,z", "--remove", "one, two").out == f"p/{run.id}: base, y\n"
    assert json.loads(weft("runs", "ls", "--tag", "y", "--json").out)[0]["tags"] == ["base", "y"]


def test_removed_runs_stay_removed_when_the_store_is_made_again(weft: Weft, home: Path) -> None:
    bad, good = _trained("bad", 0.1, 0.9), _trained("good", 0.1, 0.1)
    where = ("--where", '{"summary.loss.min": {"$gt": 0.5}}')
    assert "1 run with 10 points" in weft("runs", "rm", *where, "--dry-run").out
    assert weft("runs", "rm", *where).code == 64
    assert len(json.loads(weft("runs", "ls", "--json").out)) == 2
    told = json.loads(weft("runs", "rm", *where, "--yes", "--json").out)
    assert told["removed"] == [{"id": bad.id, "project": "digits"}]
    for path in home.glob("weft.db*"):
        path.unlink()
    runtime.configure(Settings.resolve(home=home, strict=True))
    assert [row["id"] for row in json.loads(weft("runs", "ls", "--json").out)] == [good.id]
    again = starting.init(project="digits", id=bad.id)
    again.log({"x": 1})
    again.finish()
    shown = json.loads(weft("runs", "show", bad.id, "--json").out)["run"]
    assert shown["summary"] == {"x": 1.0}
    assert shown["config"] == {}


def test_what_others_depend_on_is_not_removed(weft: Weft) -> None:
    first = _trained("first", 0.1, 0.5)
    fork = starting.init(project="digits", fork_from=f"{first.id}?_step=3")
    fork.log({"loss": 0.1})
    said = weft("runs", "rm", first.id, "--yes")
    assert said.code == 64
    assert "was forked from it" in said.err
    assert "it is running" in weft("runs", "rm", fork.id, "--yes").err
    fork.finish()
    assert "stays" in weft("runs", "rm", "--where", '{"name": "first"}', "--yes").out
    assert "2 runs" in weft("runs", "rm", "--project", "digits", "--yes").out
    assert weft("runs", "rm").code == 64
