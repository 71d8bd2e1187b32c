"""`weft artifacts` lists versions and fetches them, checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracer.op import op
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.blobs import Blobs
from weft.tracking.runs import starting

Weft = Callable[..., Any]


def _log(content: bytes, project: str = "p", **aliases: list[str]) -> Artifact:
    artifact = Artifact("questions", type="dataset")
    artifact.add_bytes(content, "deep/a.txt")
    with starting.start_run(project=project) as run:
        run.log_artifact(artifact, **aliases)  # type: ignore[arg-type]
    return artifact


def test_versions_are_listed(weft: Weft) -> None:
    assert "run.log_artifact() logs one" in weft("artifacts", "ls")[1]
    _log(b"one", aliases=["good"])
    _log(b"two!")
    code, out, _ = weft("artifacts", "ls")
    assert code == 0
    assert out.index("v1") < out.index("v0")
    for part in ("questions", "good", "latest", "dataset", "3 B", "4 B"):
        assert part in out
    rows = json.loads(weft("artifacts", "ls", "questions", "--json")[1])
    assert [row["version"] for row in rows] == [1, 0]
    assert "deep/a.txt" in rows[0]["manifest"]
    assert "1 of 2 versions" in weft("artifacts", "ls", "--limit", "1")[1]
    assert "no artifacts match" in weft("artifacts", "ls", "--type", "model")[1]


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
def test_what_a_version_is_asked_for_by_is_never_cut(weft: Weft, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    name, project, run_id = (
        "questions-of-the-second-quarter-checked",
        "a-project-of-some-length",
        "a-run-id-of-a-person",
    )
    for place in (project, "other"):
        artifact = Artifact(name, type="evaluation-results")
        artifact.add_bytes(b"x" * 3_000, "x")
        with starting.start_run(project=place, id=run_id) as run:
            run.log_artifact(artifact, aliases=["production"])
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = weft("artifacts", "ls", "--project", project).out.splitlines()

    assert max(len(line) for line in lines) <= columns
    heads = next(line for line in lines if "aliases" in line)
    column = "".join(line[: heads.index("aliases")].strip() for line in lines[lines.index(heads) + 2 :])
    assert column == f"{name}:v0"
    assert columns < 200 or all(part in "".join(lines) for part in (project, run_id, "production"))


def test_code_versions_are_listed_when_they_are_asked_for(weft: Weft) -> None:
    @op
    def looked_up(word: str) -> str:
        return word

    looked_up("x")
    assert "no artifacts yet" in weft("artifacts", "ls").out
    _log(b"one")

    code, out, _ = weft("artifacts", "ls")

    assert code == 0
    assert "questions" in out
    assert "looked_up" not in out
    assert "--all shows 1 code version of @op too" in out
    for asked in (["--all"], ["--type", "op"], ["looked_up"]):
        assert "looked_up:v0" in weft("artifacts", "ls", *asked).out
    assert [row["type"] for row in json.loads(weft("artifacts", "ls", "--json").out)] == ["dataset"]


def test_a_version_is_fetched(weft: Weft, tmp_path: Path) -> None:
    _log(b"one", aliases=["good"])
    _log(b"two!")
    for name, content in (("questions", b"two!"), ("questions:v0", b"one"), ("p/questions:good", b"one")):
        code, out, _ = weft("artifacts", "get", name, "--to", str(tmp_path / "out"))
        assert code == 0
        assert "questions:v" in out
        assert (tmp_path / "out" / "deep" / "a.txt").read_bytes() == content
    got = json.loads(weft("artifacts", "get", "questions", "--to", str(tmp_path / "out"), "--json")[1])
    assert got["folder"] == str(tmp_path / "out")


def test_what_is_not_there_is_said(weft: Weft, tmp_path: Path) -> None:
    _log(b"one")
    _log(b"other", project="q")
    for arguments, code, says in (
        (["nothing"], 1, "no artifact is called 'nothing'"),
        (["p/questions:v7"], 1, "no artifact questions:v7 in project 'p'; there is v0 (latest)"),
        (["questions"], 64, "is in several projects: p, q"),
        (["r/questions"], 1, "no artifact is called 'questions' in project 'r'"),
        (["a b"], 64, "an artifact's name is"),
        (
            ["p/questions", "--prefix", "nope"],
            64,
            "no file of p/questions:v0 begins with 'nope'; it holds 'deep/a.txt'",
        ),
        (["p/questions", "--to", "/dev/null/x"], 1, "Give another folder with --to"),
    ):
        found, out, err = weft("artifacts", "get", *arguments)
        assert (found, out) == (code, "")
        assert says in err


def test_a_damaged_blob_is_not_handed_out(weft: Weft, tmp_path: Path) -> None:
    artifact = _log(b"good")
    blobs = Blobs(runtime.active().home)
    blobs.path(artifact.manifest["deep/a.txt"]["digest"]).write_bytes(b"evil")
    code, _, err = weft("artifacts", "get", "questions", "--to", str(tmp_path / "out"))
    assert code == 1
    assert "is damaged" in err
    assert not (tmp_path / "out" / "deep" / "a.txt").exists()
