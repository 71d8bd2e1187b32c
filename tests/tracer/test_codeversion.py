"""An op's version changes when what it does changes, and only then."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import weft
from weft.tracer.codeversion import code_of

Load = Callable[..., ModuleType]
_numbers = itertools.count()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes modules of a program and imports the first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def load(source: str, **others: str) -> ModuleType:
        for name, text in others.items():
            sys.modules.pop(name, None)
            (tmp_path / f"{name}.py").write_text(text)
            made.append(name)
        importlib.invalidate_caches()
        name = f"program_{next(_numbers)}"
        made.append(name)
        (tmp_path / f"{name}.py").write_text(source)
        spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    for name in made:
        sys.modules.pop(name, None)


def _code(value: object) -> str:
    code = code_of(value)  # type: ignore[arg-type]
    assert code is not None
    return code.normalised


PLAIN = "def answer(x, y=2):\n    return x * y\n"


@pytest.mark.parametrize(
    "same",
    [
        "def answer(x, y=2):\n    # why\n    return x * y  # because\n",
        "def answer(\n    x,\n    y=2,\n):\n\n    return (x * y)\n",
        "import weft\n@weft.op(kind='tool')\ndef answer(x, y=2):\n    return x * y\n",
        "UNUSED = 1\n\n\ndef other():\n    return 1\n\n\ndef answer(x, y=2):\n    return x * y\n",
    ],
    ids=["comments", "layout", "how it is recorded", "what it does not use"],
)
def test_what_changes_nothing_makes_no_new_version(load: Load, same: str) -> None:
    assert _code(load(same).answer) == _code(load(PLAIN).answer)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, PLAIN.replace("x * y", "x + y")),
        (PLAIN, PLAIN.replace("y=2", "y=3")),
        ("L = 1\ndef answer(): return L\n", "L = 2\ndef answer(): return L\n"),
        ("P = {'a': [1, {2}]}\ndef answer(): return P\n", "P = {'a': [1, {3}]}\ndef answer(): return P\n"),
        ("def h(): return 1\ndef answer(): return h()\n", "def h(): return 2\ndef answer(): return h()\n"),
        (
            "def g(): return 1\ndef h(): return g()\ndef answer(): return [h() for _ in '']\n",
            "def g(): return 2\ndef h(): return g()\ndef answer(): return [h() for _ in '']\n",
        ),
        (
            "class C:\n    def m(self): return 1\n    def answer(self): return self.m()\nanswer = C.answer\n",
            "class C:\n    def m(self): return 2\n    def answer(self): return self.m()\nanswer = C.answer\n",
        ),
        (
            "class C:\n    def m(self): return 1\nc = C()\ndef answer(): return c.m()\n",
            "class C:\n    def m(self): return 2\nc = C()\ndef answer(): return c.m()\n",
        ),
        (
            "def make(k):\n    def answer(): return k\n    return answer\nanswer = make(1)\n",
            "def make(k):\n    def answer(): return k\n    return answer\nanswer = make(2)\n",
        ),
        (
            "D = 1\ndef answer(x=D): return x\n",
            "D = 2\ndef answer(x=D): return x\n",
        ),
        ("answer = lambda x: x + 1\n", "answer = lambda x: x + 2\n"),
        (
            "import functools\ndef f(a, b): return a\nanswer = functools.partial(f, 1)\n",
            "import functools\ndef f(a, b): return a\nanswer = functools.partial(f, 2)\n",
        ),
        (
            "import re\nP = re.compile('a')\ndef answer(x): return P.match(x)\n",
            "import re\nP = re.compile('b')\ndef answer(x): return P.match(x)\n",
        ),
        ('def answer(x):\n    """Be kind."""\n', 'def answer(x):\n    """Be brief."""\n'),
    ],
    ids=[
        "body", "default", "global", "nested constant", "helper", "helper's helper", "own method", "instance's class",
        "closure", "default's value", "lambda", "partial's argument", "pattern", "docstring: it may be a prompt",
    ],
)  # fmt: skip
def test_what_changes_what_it_does_makes_a_new_version(load: Load, before: str, after: str) -> None:
    assert _code(load(before).answer) != _code(load(after).answer)
    assert _code(load(before).answer) == _code(load(before).answer)


def test_a_helper_in_another_module_of_the_program_counts(load: Load) -> None:
    program = "import tools\ndef answer(x): return tools.clean(x) + tools.LIMIT\n"

    first = _code(load(program, tools="LIMIT = 1\ndef clean(x): return x\n").answer)

    assert first != _code(load(program, tools="LIMIT = 1\ndef clean(x): return x * 2\n").answer)
    assert first != _code(load(program, tools="LIMIT = 2\ndef clean(x): return x\n").answer)
    assert first == _code(load(program, tools="LIMIT = 1\nOTHER = 9\ndef clean(x):\n    return x  # ok\n").answer)


def test_libraries_count_by_name_only(load: Load) -> None:
    code = _code(load("import json\nimport re\ndef answer(x): return json.dumps(re.sub('a', 'b', x))\n").answer)

    assert code == "def answer(x):\n    return json.dumps(re.sub('a', 'b', x))\n"


def test_secrets_are_never_part_of_it(load: Load) -> None:
    key = "sk-proj-" + "a1B2" * 10
    program = (
        f"API_KEY = {key!r}\nHEADERS = {{'authorization': 'Bearer {key}', 'x': 1}}\n"
        f"class Client:\n    def __init__(self): self.key = {key!r}\n    def __repr__(self): return self.key\n"
        f"client = Client()\ndef answer(x): return (API_KEY, HEADERS, client, {key!r})\n"
    )
    found = code_of(load(program).answer)

    assert found is not None
    assert key not in found.normalised
    assert key not in found.source
    # Another key is no other code.
    assert found.normalised == _code(load(program.replace("a1B2", "c3D4")).answer)


def test_a_function_that_calls_itself_and_two_that_call_each_other_end(load: Load) -> None:
    module = load("def a(x): return b(x)\ndef b(x): return a(x) or answer(x)\ndef answer(x): return answer(a(x))\n")

    assert _code(module.answer).count("def ") == 3


def test_code_without_source_is_told_by_its_bytecode() -> None:
    scope: dict[str, Callable[..., int]] = {}
    exec("def one(x): return x + 1\ndef two(x): return x + 2", scope)

    assert _code(scope["one"]) != _code(scope["two"])
    assert _code(scope["one"]) == _code(scope["one"])


def test_what_has_no_code_has_no_version() -> None:
    assert code_of(len) is None


def test_sets_count_whatever_order_they_come_in(load: Load) -> None:
    words = [f"word{number}" for number in range(50)]
    first = load(f"W = {{{', '.join(map(repr, words))}}}\ndef answer(): return W\n")
    second = load(f"W = {{{', '.join(map(repr, reversed(words)))}}}\ndef answer(): return W\n")

    assert _code(first.answer) == _code(second.answer)


def test_the_version_of_an_op_is_told_by_its_span_and_shows_its_source(home: Path) -> None:
    from weft.tracking.store.access import open_store

    @weft.op(kind="tool")
    def double(x: int) -> int:
        return x * 2  # doubled

    double(1)
    double(2)
    with open_store() as store:
        spans = store.reader().spans({"name": double.name}).rows  # type: ignore[attr-defined]
        (code,) = store.reader().artifacts({"type": "op"}).rows

    assert {span.version for span in spans} == {code.digest}
    assert code.version == 0
    assert "return x * 2  # doubled" in code.metadata["source"]
    assert code.metadata["file"].endswith("test_codeversion.py")
    with weft.get(code.name).open("code.py") as file:
        assert file.read().endswith(b"return x * 2\n")
