"""Instrumenting: now or as soon as the library is imported, undone without a trace, and never by importing weft."""

from __future__ import annotations

import subprocess
import sys

import pytest

from weft.tracer.instrument import instrument, uninstrument
from weft.tracer.integrations import instrumentors
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
        with pytest.raises(UsageError, match="it knows openai, anthropic, agno"):
            function("cobol")


def test_libraries_can_be_left_out_and_named() -> None:
    assert run("import weft, openai; weft.instrument(exclude=['openai']); print(traced())") == "False"
    assert run("import weft, openai; weft.instrument('anthropic'); print(traced())") == "False"
    with pytest.raises(UsageError, match="cannot instrument opneai"):
        instrument(exclude=["opneai"])
    with pytest.raises(UsageError, match="list of hosts"):
        instrument(stream_usage="vllm.internal")


def test_a_library_asked_for_by_name_says_what_is_to_be_installed_and_all_of_them_say_nothing(caplog) -> None:
    instrument()
    assert not caplog.records
    instrument("langgraph")
    uninstrument()
    (line,) = caplog.messages
    assert line.endswith("Run: pip install openinference-instrumentation-langchain")


def test_a_program_without_instrumentors_imports_no_sdk() -> None:
    assert run("import weft, openai; weft.instrument(); print('opentelemetry.sdk' in sys.modules)") == "False"


def test_a_library_that_lacks_what_is_patched_is_said_once_and_the_program_goes_on() -> None:
    code = """
import logging, weft
logging.basicConfig(format="%(message)s", stream=sys.stdout)
import openai.resources.moderations as m
del m.Moderations.create
weft.instrument(); weft.instrument()
print(traced())
"""
    line, last = run(code).splitlines()
    assert line.startswith("weft could not find openai.resources.moderations.Moderations.create in openai ")
    assert last == "True"


def test_the_table_names_packages_and_classes_that_belong_together() -> None:
    for library in instrumentors.libraries().values():
        assert library.instrumentors
        for one in library.instrumentors:
            module, _, name = one.path.partition(":")
            assert name.isidentifier()
            ours = module.startswith("weft.")
            assert ours or one.package == module.replace(".", "-").replace("_", "-")
