"""Instrumenting: now or as soon as the library is imported, undone without a trace, and never by importing weft."""

from __future__ import annotations

import subprocess
import sys

import pytest

from weft.tracer.instrument import instrument, uninstrument
from weft.tracking.errors import UsageError

CHECK = """
import sys
def traced():
    from openai.resources.chat.completions import Completions
    return Completions.create.__globals__["__name__"].startswith("weft.")
"""


def run(code: str) -> str:
    """In an interpreter of its own: whether openai is imported already is the point."""
    done = subprocess.run([sys.executable, "-c", CHECK + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_weft_patches_nothing() -> None:
    assert run("import weft, openai; weft.op(lambda: 1)(); print(traced())") == "False"


def test_a_library_that_is_imported_is_traced_at_once() -> None:
    assert run("import openai, weft; weft.instrument(); print(traced())") == "True"


def test_a_library_that_is_imported_later_is_traced_then() -> None:
    code = "import weft; weft.instrument(); print('openai' in sys.modules); import openai; print(traced())"
    assert run(code + "; print(type(openai.__spec__.loader).__name__)").split() == ["False", "True", "SourceFileLoader"]


def test_undoing_leaves_library_and_import_system_as_they_were() -> None:
    code = "import weft; before = list(sys.meta_path); weft.instrument(); import openai; weft.uninstrument(); "
    assert (
        run(code + "print(traced(), sys.meta_path == before); weft.instrument(); print(traced())") == "False True\nTrue"
    )


def test_undone_before_the_import_it_never_happens() -> None:
    assert run("import weft; weft.instrument(); weft.uninstrument(); import openai; print(traced())") == "False"


def test_an_unknown_library_is_a_mistake_that_raises() -> None:
    for function in (instrument, uninstrument):
        with pytest.raises(UsageError, match="it knows openai"):
            function("cobol")
