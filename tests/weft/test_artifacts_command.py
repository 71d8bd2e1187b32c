"""`weft artifacts` lists, shows, logs, fetches, compares, traces back, deletes, cleans up; wrong calls are one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EVIL = "\x1b[31mred\x1b[0m"


def _weft(home: Path, *arguments: str, code: int = 0) -> str:
    env = {**os.environ, "WEFT_HOME": str(home), "COLUMNS": "160"}
    command = [sys.executable, "-m", "weft.cli", "artifacts", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=home.parent)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "\x1b[31m" not in done.stdout
    return done.stdout if not code else done.stderr + done.stdout


def _json(home: Path, *arguments: str) -> Any:
    return json.loads(_weft(home, *arguments, "--json"))


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """data v0 (best) and v1, put by the command line."""
    home, folder = tmp_path / "cli", tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    assert _json(home, "put", str(folder), "--name", "p/data", "--alias", "best")["version"] == 0
    (folder / "a.txt").write_text("two")
    (folder / "b.txt").write_text("more")
    assert "p/data:v1  2 files" in _weft(home, "put", str(folder), "--name", "p/data", "--description", EVIL)
    return home


def test_versions_are_listed_shown_compared_and_fetched(filled: Path, tmp_path: Path) -> None:
    assert [row["version"] for row in _json(filled, "ls", "data")] == [1, 0]
    assert "p/data:v0  (best)" in _weft(filled, "show", "data:best")
    assert "b.txt" in _weft(filled, "show", "data")
    found = _json(filled, "diff", "data:v0", "data")
    assert (found["added"], found["changed"], found["removed"]) == (["b.txt"], ["a.txt"], [])
    assert "+ b.txt" in _weft(filled, "diff", "data:v0", "data:v1")
    out = tmp_path / "out"
    _weft(filled, "get", "data:v0", "--to", str(out))
    assert "is p/data:v0, 1 file" in _weft(filled, "verify", "data:v0", str(out))
    (out / "a.txt").write_text("ONE")
    assert "a.txt is different" in _weft(filled, "verify", "data:v0", str(out), code=1)
    (out / "mine").write_text("x")
    _weft(filled, "get", "data:v1", "--to", str(out), "--checkout")
    assert sorted(path.name for path in out.iterdir()) == ["a.txt", "b.txt"]


def test_lineage_is_a_table_json_or_dot(filled: Path) -> None:
    graph = _json(filled, "lineage", "data")
    assert (graph["root"], graph["edges"], graph["whole"]) == ("version:p/data:v1", [], True)
    assert _weft(filled, "lineage", "data:best", "--dot").startswith("digraph lineage {")
    assert "data:v1" in _weft(filled, "lineage", "data", "--up")


def test_what_is_deleted_is_freed_by_gc_once_it_is_old(filled: Path) -> None:
    assert "has the alias best" in _weft(filled, "rm", "data:v0", code=64)
    assert "does not say which version" in _weft(filled, "rm", "data", code=64)
    assert _json(filled, "rm", "data:v0", "--aliases")["deleted"] == "p/data:v0"
    assert "no artifact data:v0" in _weft(filled, "show", "data:v0", code=1)
    done = _json(filled, "gc", "--dry-run")
    assert (done["dry_run"], done["blobs"], done["fresh_blobs"]) == (True, 0, 1)
    for blob in (filled / "blobs").rglob("*"):
        os.utime(blob, (1, 1))
    assert "would free 1 file, 3 B" in _weft(filled, "gc", "--dry-run")
    assert _json(filled, "gc")["bytes"] == 3
    assert "freed 0 files" in _weft(filled, "gc")


def test_wrong_calls_say_what_is_wrong(filled: Path, tmp_path: Path) -> None:
    assert "no artifact is called 'nope'" in _weft(filled, "lineage", "nope", code=1)
    assert "an artifact's name" in _weft(filled, "put", str(tmp_path / "data"), "--name", "p/a b", code=64)
    assert "cannot be given with it" in _weft(filled, "get", "data", "--checkout", "--prefix", "a", code=64)
    assert "nothing is at" in _weft(filled, "put", str(tmp_path / "absent"), "--name", "x", code=64)
