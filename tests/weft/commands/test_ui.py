"""`weft ui`: what it cannot show, it says before it serves."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest


def _ui(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weft.cli", "ui", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "WEFT_HOME": str(home)},
    )


def _newer(home: Path) -> None:
    home.mkdir()
    store = sqlite3.connect(home / "weft.db")
    store.execute("create table alembic_version (version_num varchar(32) not null)")
    store.execute("insert into alembic_version values ('9999')")
    store.commit()
    store.close()


@pytest.mark.parametrize("broken", ["a file", "a newer store", "no database"])
def test_a_home_that_cannot_be_shown_is_one_line_and_an_exit_code(tmp_path: Path, broken: str) -> None:
    home = tmp_path / "it"
    if broken == "a file":
        home.write_text("x")
    elif broken == "a newer store":
        _newer(home)
    else:
        home.mkdir()
        (home / "weft.db").write_text("this is no database, whatever its name says" * 50)

    run = _ui(home)

    assert run.returncode == 1
    assert len(run.stderr.strip().splitlines()) == 1
    assert "Traceback" not in run.stderr
    assert "http://" not in run.stdout
