"""The README is true: its Python runs as it stands, its tree is the tree, its commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.split("\n")[2][:30])
def test_each_block_runs_in_a_fresh_interpreter(code: str, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(code)  # from a file, as a user would: source is there to be inspected
    run = subprocess.run(
        [sys.executable, "-W", "error", str(tmp_path / "block.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert list((tmp_path / "home" / "journal").rglob("*.wj")), "it recorded"


def test_what_the_blocks_recorded_can_be_listed(tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(BLOCKS[0])
    environment = {**os.environ, "WEFT_HOME": str(tmp_path / "home"), "COLUMNS": "120"}
    subprocess.run([sys.executable, str(tmp_path / "block.py")], env=environment, check=True, capture_output=True)

    listed = subprocess.run(
        [sys.executable, "-m", "weft.cli", "traces", "ls"], env=environment, check=True, capture_output=True, text=True
    )

    assert "answer" in listed.stdout
    assert "how do decorators work?" in listed.stdout


def test_every_command_it_names_exists() -> None:
    commands = set(re.findall(r"`weft ([a-z]+)", README))
    helped = subprocess.run([sys.executable, "-m", "weft.cli", "--help"], check=True, capture_output=True, text=True)

    assert commands
    assert {name for name in commands if not re.search(rf"\b{name}\b", helped.stdout)} == set()


def test_every_file_and_folder_it_names_exists() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    named = [line.split()[0] for line in tree.strip().splitlines()]
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)

    assert {path for path in [*named, *pictures] if not (ROOT / path).exists()} == set()


def test_make_knows_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for target in re.findall(r"^make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
