"""The guides in docs/ are true: each Python block runs as it stands, in a fresh interpreter, warnings as errors.

A block that is no program of its own (it needs a server, a key) is fenced as `py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCKS = [
    pytest.param(code, id=f"{path.stem}-{number}")
    for path in sorted(DOCS.glob("*.md"))
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("code", BLOCKS)
def test_each_block_runs_as_it_stands(code: str, tmp_path: Path) -> None:
    (tmp_path / "guide.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "guide.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_every_guide_is_named_in_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text()

    assert {path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in readme} == set()
