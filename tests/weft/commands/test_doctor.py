"""`weft doctor` prints one page, or JSON, and its exit code says whether something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime
from weft.tracking.home import Home
from weft.tracking.runs import starting
from weft.tracking.settings import Settings

Weft = Callable[..., Any]


def test_all_is_well(home: Path, weft: Weft) -> None:
    with starting.init() as run:
        run.log({"a": 1})
        said = weft("doctor")
    assert said.code == 0
    for part in ("all is well", "writing now", str(home), "wait to be ingested", "python", "sqlite"):
        assert part in said.out


def test_a_problem_is_shown_with_its_cure(home: Path, weft: Weft) -> None:
    Home(home).ensure()
    (home / "journal" / "20260101T000000.0-aa.wj").write_bytes(b"not a journal, and long enough to tell")
    said = weft("doctor")
    assert said.code == 1
    assert "▲ segment 20260101T000000.0-aa.wj is damaged" in said.out
    assert "→ `weft ingest` saves its sound records" in said.out
    assert "1 problem" in said.out
    told = weft("doctor", "--json")
    assert told.code == 1
    report = json.loads(told.out)
    assert report["healthy"] is False
    assert [finding["level"] for finding in report["findings"]].count("problem") == 1


def test_slips_in_variables_are_noted(home: Path, weft: Weft, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEFT_SAMPL_RATE", "0.5")
    assert (
        "WEFT_SAMPL_RATE is set, and weft knows no such variable: did you mean WEFT_SAMPLE_RATE?" in weft("doctor").out
    )
    monkeypatch.setenv("WEFT_PRICES", str(tmp_path / "gone.toml"))
    runtime.configure(Settings.resolve(home=home))
    said = weft("doctor")
    assert said.code == 1
    assert "gone.toml, which is not there" in said.out
