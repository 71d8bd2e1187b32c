"""Suite files: what is in them is found, and what is wrong with them is said in one line with file and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.evals.loading import load_suite
from weft.tracking.errors import UsageError

SUITE = """
import weft

def model(question):
    return question.upper()

def right(output, expected):
    return output == expected

rows = [{"question": "a", "expected": "A"}]
shouting = weft.Evaluation(rows, [right], name="loud", model=model)
_private = weft.Evaluation(rows, [right], name="private", model=model)
unfinished = weft.Evaluation(rows, [right], name="unfinished")
alias = shouting

def made():
    return weft.Evaluation(rows, [right], name="made", model=model)

def failing():
    raise RuntimeError("no data")
"""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    """A suite makes its folder importable; the test run must not keep that."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("weft_suite_") or name == "beside":
            del sys.modules[name]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_every_public_evaluation_with_a_model_is_in_the_suite_once(tmp_path: Path) -> None:
    """In the order of the file; a private one and one without a model are not."""
    suite = load_suite(str(write(tmp_path / "suite.py", SUITE)))
    assert [evaluation.name for evaluation in suite.evaluations] == ["loud"]


@pytest.mark.parametrize("name", ["shouting", "loud"])
def test_a_name_selects_by_variable_or_by_the_evaluations_own(tmp_path: Path, name: str) -> None:
    """FILE::NAME."""
    suite = load_suite(f"{write(tmp_path / 'suite.py', SUITE)}::{name}")
    assert [evaluation.name for evaluation in suite.evaluations] == ["loud"]


def test_a_name_may_be_a_function_that_returns_one(tmp_path: Path) -> None:
    """Made only when it is asked for."""
    path = write(tmp_path / "suite.py", SUITE)
    assert load_suite(f"{path}::made").evaluations[0].name == "made"
    with pytest.raises(UsageError, match=rf"{path}:20: RuntimeError: no data"):
        load_suite(f"{path}::failing")


def test_an_unknown_name_lists_what_is_there(tmp_path: Path) -> None:
    """Also where the name is something else."""
    path = write(tmp_path / "suite.py", SUITE)
    with pytest.raises(UsageError, match=r"no evaluation 'nope'\. It holds shouting, unfinished, alias"):
        load_suite(f"{path}::nope")
    with pytest.raises(UsageError, match=r"no evaluation 'rows' \(rows is a list\)"):
        load_suite(f"{path}::rows")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import weft\n\nx = 1 / 0\n", ":3: ZeroDivisionError: division by zero"),
        ("import no_such_module_here\n", ":1: ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("x = (\n", ":1: SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)\n", ":1: SystemExit: 3"),
        ("import weft\nweft.Evaluation([], [len])\n", ":2: UsageError: the dataset has no rows"),
        ("raise ValueError\n", ":1: ValueError: ValueError()"),
    ],
)
def test_a_suite_that_does_not_import_says_where_and_why(tmp_path: Path, text: str, words: str) -> None:
    """One line: file, line, exception."""
    path = write(tmp_path / "broken.py", text)
    with pytest.raises(UsageError) as caught:
        load_suite(str(path))
    message = str(caught.value)
    assert message.startswith(f"the suite file does not import. {path}:")
    assert words in message
    assert "\n" not in message
    assert "weft_suite_broken" not in sys.modules


def test_a_suite_imports_what_lies_beside_it(tmp_path: Path) -> None:
    """As a script does."""
    write(tmp_path / "beside.py", "def model(q):\n    return q\n")
    path = write(
        tmp_path / "suite.py",
        "import weft, beside\ne = weft.Evaluation([{'q': 1}], [lambda output: True], model=beside.model)\n",
    )
    assert len(load_suite(str(path)).evaluations) == 1


def test_files_that_are_no_suites_say_what_to_do(tmp_path: Path) -> None:
    """Not there, a folder, empty, without a model."""
    for target, words in (
        (tmp_path / "none.py", "does not exist"),
        (tmp_path, "is a folder"),
        (write(tmp_path / "empty.py", ""), "bind an Evaluation"),
        (write(tmp_path / "suite.txt", "x"), "must end in .py"),
        (
            write(tmp_path / "half.py", "import weft\ne = weft.Evaluation([{'q': 1}], [lambda output: 1])\n"),
            "1 of its evaluations have no model=",
        ),
    ):
        with pytest.raises(UsageError, match=words):
            load_suite(str(target))


def test_a_suite_named_by_a_relative_path_says_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("import weft\n\nweft.Dataset('absent.jsonl')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"broken\.py:3: UsageError: dataset absent\.jsonl"):
        load_suite("broken.py")
