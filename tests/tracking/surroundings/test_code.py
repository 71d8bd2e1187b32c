"""The program's own files, and no one else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weft.tracking.surroundings import code


def _names(root: Path, *choices: Any) -> list[str]:
    return [path.relative_to(root.resolve()).as_posix() for path in code.files(root, *choices)]


def test_code_is_python_requirements_and_dockerfiles(tmp_path: Path) -> None:
    wanted = ["Dockerfile", "a/b.py", "requirements-dev.txt", "train.py"]
    other = ["data.csv", ".git/hooks/x.py", "venv/lib/y.py", "venv/pyvenv.cfg", "a/__pycache__/b.py", "wandb/run/z.py"]
    for name in (*wanted, *other):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    assert sorted(_names(tmp_path)) == wanted


def test_wandbs_functions_choose(tmp_path: Path) -> None:
    for name in ("a.py", "b.txt", "c.py"):
        (tmp_path / name).write_text("1")
    assert _names(tmp_path, lambda path: path.endswith(".txt")) == ["b.txt"]
    assert _names(tmp_path, lambda path, root: path.startswith(root), lambda path: "a.py" in path) == ["b.txt", "c.py"]


def test_links_lead_nowhere_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside)
    (root / "own.py").write_text("1")
    (root / "alias.py").symlink_to(root / "own.py")
    assert _names(root) == ["alias.py", "own.py"]
