"""docs/context.md and docs/testing.md are true: their Python runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("guide", ["context.md", "testing.md"])
def test_its_code_runs_as_it_stands(tmp_path: Path, guide: str) -> None:
    """In a fresh interpreter, with warnings as errors."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / guide).read_text(), re.DOTALL)
    assert len(blocks) == 2
    for code in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=os.environ, check=False
        )
        assert done.returncode == 0, done.stderr
