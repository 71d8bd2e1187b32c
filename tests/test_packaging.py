"""What is in the repository is in the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = {"weft": "weft", "weft/tracking": "tracking", "weft/tracer": "tracer", "weft/evals": "evals", "weft/ui": "ui"}


def test_every_package_is_listed_and_mapped() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        ".".join([*package.split("/"), *path.parent.relative_to(ROOT / folder).parts]): str(
            path.parent.relative_to(ROOT)
        )
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }

    assert sorted(found) == config["packages"]
    assert found == config["package-dir"]


def test_the_wheel_holds_every_module_and_every_other_file(tmp_path: Path) -> None:
    build = (
        "import sys; from setuptools import build_meta; sys.argv = sys.argv[:1]; "
        f"print(build_meta.build_wheel({str(tmp_path)!r}))"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", build], cwd=_copy(tmp_path), check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("weft/")}

    wanted = {
        f"{package}/{path.relative_to(ROOT / folder)}"
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= held, sorted(wanted - held)


def _copy(tmp_path: Path) -> Path:
    """A copy to build in, so that nothing is left in the tree."""
    target = tmp_path / "tree"
    target.mkdir()
    for name in (*FOLDERS.values(), "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target
