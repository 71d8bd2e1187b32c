"""`weft rm` removes what a rule means, says what it frees, and leaves what somebody depends on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weft as library
from weft.commands import terminal
from weft.tracking import runtime
from weft.tracking.runs import starting
from weft.tracking.settings import Settings

Weft = Callable[..., Any]


@pytest.fixture
def filled(home: Path, tmp_path: Path) -> dict[str, str]:
    """An old run with a file, a version of data and a trace; a newer one of each. Ids by name."""
    made = {}
    for name in ("old", "new"):
        path = tmp_path / f"{name}.bin"
        path.write_bytes(name.encode() * 10_000)
        with starting.init(project="p", name=name, tags=[name]) as run:
            run.log({"x": 1.0})
            run.save(str(path), base_path=str(tmp_path))
            artifact = library.Artifact("data", type="dataset")
            artifact.add_bytes(name.encode() * 5_000, "a.bin")
            run.log_artifact(artifact)
        with library.span(f"call-{name}"):
            pass
        made[name] = run.id
        time.sleep(1.1 if name == "old" else 0)
    _grow_old(home)
    return made


def _grow_old(home: Path) -> None:
    """Blobs that were written just now are never freed."""
    for blob in (home / "blobs").rglob("*"):
        if blob.is_file():
            os.utime(blob, (1, 1))


def _json(weft: Weft, *arguments: str) -> Any:
    said = weft("rm", *arguments, "--json")
    assert said.code == 0, said
    return json.loads(said.out)


def test_what_is_old_goes_with_its_files_and_stays_gone(weft: Weft, filled: dict[str, str], home: Path) -> None:
    said = _json(weft, "--older-than", "1s", "--keep-last", "1", "--dry-run")
    assert [run["id"] for run in said["runs"]] == [filled["old"]]
    assert said["artifacts"] == ["p/data:v0"]
    assert len(said["traces"]) == 1
    assert said["points"] == 1
    assert said["freed"]["blobs"] == 2
    assert said["freed"]["bytes"] == 45_000
    assert len(json.loads(weft("runs", "ls", "--json").out)) == 2

    assert weft("rm", "--older-than", "1s", "--keep-last", "1").code == 64
    done = _json(weft, "--older-than", "1s", "--keep-last", "1", "--yes")
    assert (done["freed"]["blobs"], done["freed"]["bytes"]) == (2, 45_000)
    for path in home.glob("weft.db*"):
        path.unlink()
    runtime.configure(Settings.resolve(home=home, strict=True))
    assert [row["id"] for row in json.loads(weft("runs", "ls", "--json").out)] == [filled["new"]]
    assert [row["version"] for row in json.loads(weft("artifacts", "ls", "--json").out)] == [1]
    assert [row["name"] for row in json.loads(weft("traces", "ls", "--json").out)] == ["call-new"]
    assert "nothing matches" in weft("rm", "--older-than", "1d").out


def test_the_latest_version_and_what_has_an_alias_stay(weft: Weft, filled: dict[str, str]) -> None:
    with library.Api() as api:
        old = api.artifact("p/data:v0")
        old.aliases.append("golden")
        old.save()
    time.sleep(1.1)
    said = _json(weft, "--older-than", "1s", "--what", "artifacts", "--yes")
    assert said["artifacts"] == []
    assert {kept["what"]: kept["why"] for kept in said["kept"]} == {
        "artifact p/data:v0": "it has the alias golden",
        "artifact p/data:v1": "it is the latest",
    }


def test_a_version_that_the_registry_links_stays_and_so_does_its_run(weft: Weft, filled: dict[str, str]) -> None:
    with library.Api() as api:
        api.artifact("p/data:v0").link("dataset/digits")
    time.sleep(1.1)
    said = _json(weft, "--older-than", "1s", "--yes")
    assert [run["id"] for run in said["runs"]] == [filled["new"]]
    why = {kept["what"]: kept["why"] for kept in said["kept"]}
    assert "linked as dataset/digits:v0" in why["artifact p/data:v0"]
    assert "linked as dataset/digits:v0" in why[f"run p/{filled['old']}"]


def test_a_version_that_a_run_used_which_stays_stays(weft: Weft, filled: dict[str, str]) -> None:
    with starting.init(project="q", id="user") as run:
        run.use_artifact("p/data:v0")
    for asked in (("--all",), ("--all", "--what", "artifacts"), ("--older-than", "0s", "--what", "artifacts")):
        said = _json(weft, "--project", "p", *asked, "--dry-run")
        assert {"what": "artifact p/data:v0", "why": "run q/user used it, and stays"} in said["kept"]
    weft("runs", "rm", "q/user", "--yes")
    assert _json(weft, "--project", "p", "--all", "--dry-run")["artifacts"] == ["p/data:v1", "p/data:v0"]


def test_what_was_linked_or_resumed_while_somebody_was_asked_stays(
    weft: Weft, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = []

    def answered(*_: object, **__: object) -> None:
        with library.Api() as api:
            api.artifact("p/data:v0").link("dataset/digits")
        resumed.append(starting.init(project="p", id=filled["new"], resume="must"))

    monkeypatch.setattr(terminal, "confirm", answered)
    for command in (("rm", "--project", "p", "--all"), ("runs", "rm", "--older-than", "0s", "--project", "p")):
        said = weft(*command)
        assert said.code == 0
        assert f"p/{filled['new']} stays: it is running" in said.out
        assert "nothing was removed" in said.out or "trace" in said.out
        resumed.pop().finish()
        assert {row["id"] for row in json.loads(weft("runs", "ls", "--json").out)} == set(filled.values())
        assert json.loads(weft("artifacts", "show", "p/data:v0", "--json").out)["artifact"]["version"] == 0
        weft("registry", "unlink", "dataset/digits:latest")


def test_a_run_that_goes_takes_its_traces_along(weft: Weft, filled: dict[str, str]) -> None:
    @library.op
    def answer(question: str) -> str:
        return question

    bad = starting.init(project="p", name="bad", tags=["scratch"])
    answer("in the run")
    bad.finish(exit_code=1)
    answer("beside it")
    for asked in (("--tag", "scratch"), ("--state", "failed"), ("--state", "failed", "--what", "runs,traces")):
        said = _json(weft, *asked, "--dry-run")
        assert ([run["name"] for run in said["runs"]], len(said["traces"]), said["spans"]) == (["bad"], 1, 1)
    assert _json(weft, "--state", "failed", "--what", "runs", "--dry-run")["traces"] == []
    assert _json(weft, "--tag", "scratch", "--what", "traces", "--dry-run")["traces"] == []
    _json(weft, "--state", "failed", "--yes")
    with library.Api() as api:
        assert [trace.run_id for trace in api.traces({"name": "answer"})] == [None]


def test_more_time_than_there_was_means_nothing(weft: Weft, filled: dict[str, str]) -> None:
    assert "nothing matches" in weft("rm", "--older-than", "99999999999d", "--yes").out


def test_a_running_run_is_never_touched(weft: Weft) -> None:
    run = starting.init(project="p", name="goes on")
    run.log({"x": 1})
    made = library.Artifact("weights", type="model")
    made.add_bytes(b"first", "w")
    run.log_artifact(made)
    said = _json(weft, "--project", "p", "--all", "--yes")
    assert (said["runs"], said["artifacts"]) == ([], [])
    assert said["kept"] == [
        {"what": f"run p/{run.id}", "why": "it is running"},
        {"what": "artifact p/weights:v0", "why": f"run p/{run.id} made it, and is running"},
    ]
    run.log({"x": 2})
    run.finish()
    assert json.loads(weft("runs", "show", run.id, "--json").out)["run"]["summary"] == {"x": 2.0}


def test_a_whole_project_goes(weft: Weft, filled: dict[str, str], home: Path) -> None:
    with starting.init(project="q"):
        pass
    said = weft("rm", "--project", "p", "--all", "--what", "runs,artifacts", "--yes")
    assert "2 runs with 2 points, 2 versions of artifacts" in said.out
    assert "removed" in said.out
    assert [row["project"] for row in json.loads(weft("runs", "ls", "--json").out)] == ["q"]
    assert not [path for path in (home / "blobs").rglob("*") if path.is_file()]
    with starting.init(project="p", id=filled["old"], resume="never") as again:
        again.log({"y": 1})
    assert json.loads(weft("runs", "show", filled["old"], "--json").out)["run"]["summary"] == {"y": 1.0}


def test_tags_and_states_narrow_it(weft: Weft, filled: dict[str, str]) -> None:
    with pytest.raises(ZeroDivisionError), starting.init(project="p", name="bad"):
        _ = 1 // 0
    assert [run["name"] for run in _json(weft, "--state", "failed", "--dry-run")["runs"]] == ["bad"]
    assert [run["name"] for run in _json(weft, "--tag", "old", "--dry-run")["runs"]] == ["old"]
    assert [run["name"] for run in _json(weft, "--what", "runs", "--keep-last", "2", "--dry-run")["runs"]] == ["old"]


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--all",),
        ("--project", "p"),
        ("--older-than", "soon"),
        ("--state", "running"),
        ("--older-than", "1d", "--what", "bogus"),
        ("--state", "failed", "--what", "traces"),
    ],
)
def test_wrong_calls_remove_nothing(weft: Weft, filled: dict[str, str], wrong: tuple[str, ...]) -> None:
    assert weft("rm", *wrong, "--yes").code == 64
    assert len(json.loads(weft("runs", "ls", "--json").out)) == 2
