"""`weft sql` answers on the terminal, as JSON, CSV and Parquet; a wrong query is one line and exit code 64."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.runs import starting

pytest.importorskip("duckdb")
Weft = Callable[..., Any]


def _record() -> None:
    for name in ("first", "second"):
        with starting.init(project="p", id=name, name=f"{name}\x1b[31m") as run:
            run.log({"loss": float("nan"), "acc": 0.5})


def test_without_a_query_the_views_are_listed(weft: Weft) -> None:
    said = weft("sql")
    assert said.code == 0
    assert "one row a logged number" in said.out
    assert json.loads(weft("sql", "--json").out)["runs"]["started"] == "time"


def test_rows_in_every_form(weft: Weft, tmp_path: Path) -> None:
    _record()
    query = "select run_id, name, value, [1, 2] as l from runs join metrics using (project, run_id) where key = 'loss'"
    said = weft("sql", query + " order by 1")
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "first\\x1b[31m" in said.out
    rows = json.loads(weft("sql", query + " order by 1", "--json").out)
    assert rows[0] == {"run_id": "first", "name": "first\x1b[31m", "value": "NaN", "l": [1, 2]}
    told = list(csv.reader(io.StringIO(weft("sql", query + " order by 1", "--csv").out)))
    assert told == [
        ["run_id", "name", "value", "l"],
        *([n, f"{n}\x1b[31m", "nan", "[1,2]"] for n in ("first", "second")),
    ]
    target = tmp_path / "out.parquet"
    assert "2 rows" in weft("sql", query, "--parquet", str(target)).out
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(target).num_rows == 2


def test_a_terminal_shows_100_rows_and_says_so(weft: Weft) -> None:
    said = weft("sql", "from range(1000000000)")
    assert "the first 100 rows" in said.out
    assert len(json.loads(weft("sql", "from range(1000000000)", "--json", "--limit", "5").out)) == 5
    assert weft("sql", "from range(250)", "--csv").out.count("\n") == 251


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["selec 1"], "syntax error"),
        (["select * from nothing"], "there is no table 'nothing'"),
        (["select * from read_csv('/etc/passwd')"], "no files and no network"),
        (["drop table runs"], "can only read"),
        (["copy runs to '/tmp/out.csv'"], "can only read"),
        (["attach '/tmp/x.db'"], "can only read"),
        (["install httpfs"], "can only read"),
        (["pragma version"], "can only read"),
        (["insert into runs values (1)"], "can only read"),
        (["select 1; select 2"], "one statement, this text has 2"),
        (["select getenv('HOME')"], "getenv does not exist"),
        (["select * from '/etc/passwd'"], "there is no table"),
        (["select 1", "--json", "--csv"], "choose one"),
    ],
)
def test_a_wrong_call_is_one_line(weft: Weft, arguments: list[str], says: str) -> None:
    said = weft("sql", *arguments)
    assert said.code == 64
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1


def test_what_is_too_wide_for_a_table_is_shown_a_record_below_the_other(
    weft: Weft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table would leave out whole columns."""
    _record()
    monkeypatch.setenv("COLUMNS", "80")
    said = weft("sql", "select * from runs order by run_id").out
    assert [line.split() for line in said.splitlines() if line.startswith((" run_id ", " state "))] == [
        ["run_id", "first"], ["state", "finished"], ["run_id", "second"], ["state", "finished"],
    ]  # fmt: skip
    assert "row 2" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    assert "row 2" not in weft("sql", "select run_id, name, state from runs").out
    assert weft("sql", "select * from runs limit 0").out.startswith("no rows of project, run_id, name, state")


def test_a_head_is_no_markup(weft: Weft) -> None:
    assert "[red]x[/red]" in weft("sql", 'select 1 as "[red]x[/red]"').out


def test_what_json_has_no_word_for_is_text_that_can_be_read(weft: Weft) -> None:
    query = """select timestamptz '2026-01-31 12:00:00+00' as t, interval 3 day as i, blob '\\xAA' as b, 1.10 as d,
               [date '2026-01-31'] as l, 123456789012345678901::hugeint as h"""
    row = ["2026-01-31T12:00:00+00:00", "0 months 3 days 0 s", "qg==", "1.10"]
    assert list(json.loads(weft("sql", query, "--json").out)[0].values()) == [
        *row, ["2026-01-31"], "123456789012345678901",
    ]  # fmt: skip
    told = list(csv.reader(io.StringIO(weft("sql", query, "--csv").out)))[1]
    assert told == [*row, '["2026-01-31"]', "123456789012345678901"]


QUERYING = """
def interrupt():  # not before the query runs: Python drops what is raised in the middle of some imports
    asked = 0
    while asked < 3:
        time.sleep(0.3)
        frame = sys._current_frames()[threading.main_thread().ident]
        asked = asked + 1 if "duckdb" in frame.f_code.co_filename else 0
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_ends_a_query_without_a_word(home: Path) -> None:
    """As it ends any program: no traceback of ours or DuckDB's."""
    query = "select count(*) from range(1000000000000) a, range(10) b where a.range % 7 = b.range"
    script = (
        f"import sys; sys.argv = ['weft', 'sql', {query!r}]; from weft import cli; import threading, signal, os, time\n"
    )
    script += QUERYING + "threading.Thread(target=interrupt, daemon=True).start()\ncli.main()"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=os.environ, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_file_that_cannot_be_written_is_said(weft: Weft, tmp_path: Path) -> None:
    said = weft("sql", "select 1", "--parquet", str(tmp_path / "none" / "out.parquet"))
    assert said.code == 1
    assert "could not write" in said.err
