"""docs/evaluations.md is true: its Python runs, its names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from weft.evals import scorers
from weft.evals.scorer import OFFERED

GUIDE = (Path(__file__).parents[2] / "docs" / "evaluations.md").read_text()


def test_its_code_runs_as_it_stands(tmp_path: Path) -> None:
    """In a fresh interpreter, with warnings as errors."""
    pytest.importorskip("pyarrow")
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert blocks
    for number, code in enumerate(blocks):
        path = tmp_path / f"block{number}.py"
        path.write_text(code)
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == 0, done.stderr
        assert "exact_match" in done.stdout


def test_it_names_every_scorer_and_every_argument() -> None:
    """None is forgotten, none is made up."""
    made = set(re.findall(r"`([a-z_]+)\(\)`", GUIDE))
    assert made == set(scorers.__all__)
    offered = {
        name for cell in re.findall(r"^\| (`.+?) \|", GUIDE, re.MULTILINE) for name in re.findall("`(.+?)`", cell)
    }
    assert offered == set(OFFERED)
