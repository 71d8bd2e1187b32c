"""Integrations import their own library and no other, and nothing before the program asks; without it they say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIBRARIES = {
    "keras": "keras",
    "lightgbm": "lightgbm",
    "lightning": "lightning",
    "sklearn": "scikit-learn",
    "transformers": "transformers",
    "xgboost": "xgboost",
}
"""Modules of weft.integrations, and what pip calls the library."""


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("module", "package"), LIBRARIES.items())
def test_a_library_that_is_not_there_is_named_with_its_pip_line(module: str, package: str) -> None:
    out = _run(
        "import sys\n"
        f"for name in {[*LIBRARIES, 'lightning_utilities', 'pytorch_lightning', 'lightning.pytorch']!r}:\n"
        "    sys.modules[name] = None  # as if it was not installed\n"
        "import weft\n"
        "try:\n"
        f"    import weft.integrations.{module}\n"
        "except ImportError as error:\n"
        "    assert isinstance(error, weft.Error)\n"
        "    print(error)"
    )
    assert out == (f"weft.integrations.{module} needs {package}, which is not installed. Run: pip install {package}")


def test_what_they_share_imports_no_library() -> None:
    out = _run(
        "import sys, weft.integrations.recording\n"
        f"print(sorted(set({list(LIBRARIES)!r} + ['numpy', 'torch', 'pandas', 'sqlalchemy']) & set(sys.modules)))"
    )
    assert out == "[]"
