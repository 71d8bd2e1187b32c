"""`weft eval`: runs suites, says what failed in one line and an exit code, lists and shows what was run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weft.evals.evaluation import Evaluation
from weft.tracer.instrument import uninstrument
from weft.tracking import runtime
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

pytest.importorskip("pyarrow")
Weft = Callable[..., Any]

SUITE = """
import weft
from weft.evals.scorers import exact_match

rows = [{"id": f"r{i}", "question": f"q{i}", "expected": f"a{i}"} for i in range(5)]

def good(question):
    return "a" + question[1:]

def half(question):
    if question in ("q1", "q3"):
        raise ValueError(f"cannot \\x1b[31m{question}")
    return good(question)

def never(question):
    raise RuntimeError("down")

def rubbish(output):
    return [output]

def tone(output):
    return "calm"

fine = weft.Evaluation(rows, [exact_match(), tone], name="sums", model=good)

def partly():
    return weft.Evaluation(rows, [exact_match()], name="partly", model=half)

def nothing():
    return weft.Evaluation(rows, [exact_match()], name="nothing", model=never)

def odd():
    return weft.Evaluation(rows, [exact_match(), rubbish], name="odd", model=good)
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Running a suite instruments clients and makes the suite's folder importable: not for the tests after it."""
    path = list(sys.path)
    yield
    uninstrument()
    sys.path[:] = path


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "suite.py"
    path.write_text(SUITE)
    return str(path)


def test_a_suite_is_run_shown_and_kept(weft: Weft, suite: str) -> None:
    """Exit code 0; the table names each scorer with its score, and the line to look at it works."""
    said = weft("eval", "run", suite)
    assert said.code == 0
    assert "sums · good" in said.out
    assert "exact_match   100.0% ± 21.7   5        0          0" in said.out
    assert "calm 5" in said.out
    assert "5 cases · latency p50" in said.out
    assert "● finished  run " in said.out
    run_id = said.out.split("weft eval show ")[1].split(",")[0]
    shown = weft("eval", "show", run_id)
    assert shown.code == 0
    for part in ("sums · good · dataset", "exact_match", "r0", "q4", "a4", f"run {run_id}"):
        assert part in shown.out


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("partly", 2, "2 of 5 cases failed; the first: ValueError: cannot \\x1b[31mq1 (weft traces show "),
        ("nothing", 1, "every case failed; the first: RuntimeError: down (weft traces show "),
        ("odd", 2, "5 scorings failed; the first: rubbish: returned a list (['a0'])"),
        ("sums", 0, "100.0%"),
    ],
)
def test_the_exit_code_says_how_it_went(weft: Weft, suite: str, name: str, code: int, words: str) -> None:
    """0 all done, 2 some failed, 1 nothing worked. No user text reaches the terminal raw."""
    said = weft("eval", "run", f"{suite}::{name}")
    assert (said.code, said.err) == (code, "")
    assert words in said.out
    assert "\x1b" not in said.out


def test_failed_cases_are_said_beside_the_mean(weft: Weft, suite: str) -> None:
    """Not only what was scored, also what it would be if failures counted."""
    said = weft("eval", "run", f"{suite}::partly")
    assert "exact_match is 60.0% if what failed counts as wrong" in said.out
    run_id = said.out.split("weft eval show ")[1].split(",")[0]
    failed = weft("eval", "show", run_id, "--failed").out
    assert "ValueError: cannot" in failed
    assert "q1" in failed
    assert "q0" not in failed


def test_json_is_one_document_and_nothing_else(weft: Weft, suite: str) -> None:
    """Run, list and show."""
    said = weft("eval", "run", suite, "--limit", "2", "--trials", "3", "--concurrency", "1", "--project", "p", "--json")
    (done,) = json.loads(said.out)
    assert said.code == 0
    assert (done["evaluation"], done["project"], done["state"], done["complete"]) == ("sums", "p", "finished", True)
    assert (done["summary"]["rows"], done["summary"]["exact_match"]["n"]) == (6, 6)
    assert [done["config"][key] for key in ("limit", "trials", "concurrency")] == [2, 3, 1]
    (listed,) = json.loads(weft("eval", "ls", "--json").out)
    assert (listed["id"], listed["job_type"]) == (done["run_id"], "evaluation")
    shown = json.loads(weft("eval", "show", done["run_id"], "--json").out)
    assert shown["run"]["id"] == done["run_id"]
    assert [(case["row_id"], case["trial"]) for case in shown["cases"]] == [
        (row, trial) for row in ("r0", "r1") for trial in (0, 1, 2)
    ]
    assert shown["cases"][0]["scores"]["exact_match"]["value"] == 1.0


def test_evaluations_are_listed_newest_first(weft: Weft, suite: str) -> None:
    """Only evaluations; by project and by name."""
    assert "run one with weft eval run" in weft("eval", "ls").out
    weft("eval", "run", suite)
    weft("eval", "run", f"{suite}::partly", "--project", "other")
    said = weft("eval", "ls")
    assert said.code == 0
    assert said.out.index("partly") < said.out.index("sums")
    assert "100.0% ± 21.7  exact_match" in said.out
    assert "sums" not in weft("eval", "ls", "--project", "other").out
    assert "partly" not in weft("eval", "ls", "--name", "sums").out
    assert "1 of 2 evaluations" in weft("eval", "ls", "--limit", "1").out
    assert "no evaluations match" in weft("eval", "ls", "--project", "none").out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_id_that_show_asks_for_is_never_cut_in_the_list(
    weft: Weft, suite: str, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    weft("eval", "run", suite)
    run_id = json.loads(weft("eval", "ls", "--json").out)[0]["id"]
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = weft("eval", "ls").out.splitlines()

    heads = next(line for line in lines if "status" in line)
    column = "".join(line[heads.index("run") : heads.index("ev")].strip() for line in lines[lines.index(heads) + 2 :])
    assert column == run_id
    assert "● finished" in "".join(lines)
    assert max(map(len, lines)) <= columns


def test_what_is_wrong_with_a_call_is_one_line(weft: Weft, suite: str, tmp_path: Path) -> None:
    """A suite that does not import, a name that is not there, an option out of range: 64; an unknown run: 1."""
    broken = tmp_path / "broken.py"
    broken.write_text("import weft\n\nrows = open('no-such-file.jsonl')\n")
    bad_data = tmp_path / "bad_data.py"
    (tmp_path / "rows.jsonl").write_text('{"q": 1}\n{"q": \n')
    bad_data.write_text(f"import weft\ne = weft.Evaluation({str(tmp_path / 'rows.jsonl')!r}, [len])\n")
    for arguments, code, words in (
        (["run", str(broken)], 64, f"the suite file does not import. {broken}:3: FileNotFoundError"),
        (["run", str(bad_data)], 64, f"{tmp_path / 'rows.jsonl'}:2: no valid JSON"),
        (["run", f"{suite}::none"], 64, "no evaluation 'none'. It holds fine"),
        (["run", str(tmp_path / "none.py")], 64, "does not exist"),
        (["run", suite, "--timeout", "-1"], 64, "timeout_s is -1.0"),
        (["show", "nope"], 1, "no evaluation has the run id 'nope'"),
    ):
        said = weft("eval", *arguments)
        assert said.code == code, said
        assert words in said.err
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        assert said.out == ""
    with open_store() as store:
        assert store.reader().runs().total == 0


@pytest.mark.parametrize("arguments", [["run"], ["run", "x.py", "--limit", "0"], ["run", "x.py", "--nope"], ["nope"]])
def test_a_wrong_call_is_64_and_never_incomplete(weft: Weft, arguments: list[str]) -> None:
    """2 means that some cases failed."""
    assert weft("eval", *arguments).code == 64


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_ctrl_c_keeps_and_shows_what_was_done(home: Path, tmp_path: Path, kind: str) -> None:
    """A real SIGINT: exit code 2, the finished cases in the table and in the store, the run killed.

    A model that hangs in its thread does not hold up the end.
    """
    wait = "await asyncio.Event().wait()" if kind == "async def" else "threading.Event().wait()"
    path = tmp_path / "suite.py"
    path.write_text(
        "import asyncio, os, signal, threading, weft\n"
        "rows = [{'id': str(i), 'q': i} for i in range(8)]\n"
        f"{kind} model(q):\n"
        "    if q == 3:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        f"        {wait}\n"
        "    return q\n"
        "stopped = weft.Evaluation(rows, [lambda output: True], name='stopped', model=model, concurrency=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "weft.cli", "eval", "run", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "WEFT_HOME": str(home)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 2, done.stderr
    assert "3 of 8 cases" in done.stdout
    assert "■ killed" in done.stdout
    assert "Traceback" not in done.stderr
    with open_store() as store:
        (run,) = store.reader().runs({"job_type": "evaluation"}).rows
    assert (run.state, run.summary["rows"]) == ("killed", 3)


def test_progress_is_a_line_now_and_then_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar."""
    import io

    from rich.console import Console

    from weft.commands import evalreport

    monkeypatch.setattr(evalreport, "PLAIN_SECONDS", 0.0)
    for terminal, words in ((False, "sums: 2 of 5 cases, 0 failed"), (True, "5/5")):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=100)
        evaluation = Evaluation([{"q": i} for i in range(5)], [lambda output: True], name="sums")
        with evalreport.progress("sums", 5, console) as on_case:
            evaluation.run(lambda q: q, on_case=on_case)
        assert words in out.getvalue()


def test_a_suite_is_not_run_where_nothing_can_be_kept(
    weft: Weft, suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers may cost money; that they cannot be kept is said before, not after."""
    (tmp_path / "file").write_text("mine")
    runtime.configure(Settings.resolve(home=tmp_path / "file", strict=False))
    said = weft("eval", "run", f"{suite}::fine")
    assert said.code == 1
    assert "is a file" in said.err
    assert said.out == ""
    assert (tmp_path / "file").read_text() == "mine"


def test_what_could_not_be_recorded_makes_it_incomplete(weft: Weft, suite: str, home: Path) -> None:
    active = runtime.configure(Settings.resolve(home=home, strict=False))
    active.faults.note("write the journal", OSError(28, "No space left on device"))
    said = weft("eval", "run", f"{suite}::fine")
    assert said.code == 2
    assert "could not be recorded" in said.err


_KEY = "sk-proj-" + "Ab3dEf6hIj" * 4
_LEAKY = f"""
import weft

KEY = {_KEY!r}

class Broken(Exception):
    pass

def model(question):
    if question != "fine":
        raise Broken(f"401 for {{KEY}}")
    return KEY

def says(output):
    return weft.Score(1.0, label=KEY, reason=KEY)

def breaks(output):
    raise Broken(f"refused {{KEY}}")

def many(output):
    return {{KEY: 1.0}}

rows = [{{"id": KEY, "question": "fine", "expected": KEY}}, {{"id": "other", "question": f"ask with {{KEY}}"}}]
suite = weft.Evaluation(rows, [says, breaks, many], name="leaky", model=model, metadata={{"note": KEY}})
"""


def test_no_column_of_an_evaluation_holds_a_secret_however_it_is_read(
    weft: Weft, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the model and of a scorer, labels, reasons, names of scores, ids, inputs: written, printed, as JSON."""
    import pyarrow.parquet as pq

    path = tmp_path / "leaky.py"
    path.write_text(_LEAKY)
    printed = [weft("eval", "run", str(path)), weft("eval", "run", str(path), "--json")]
    run_id = json.loads(printed[1].out)[0]["run_id"]
    printed += [weft("eval", "show", run_id), weft("eval", "show", run_id, "--json"), weft("eval", "ls", "--json")]
    monkeypatch.setenv("COLUMNS", "400")
    printed += [weft("eval", "show", run_id), weft("runs", "show", run_id, "--json")]
    for said in printed:
        assert "leaky" in said.out
        assert _KEY not in said.out + said.err
        assert "[redacted:" in said.out
    with open_store() as store:
        (made,) = store.reader().artifacts({"type": "evaluation-results", "producer_run": run_id}).rows
    digest = made.manifest["results.parquet"]["digest"]
    (blob,) = (file for file in home.rglob("*") if file.is_file() and file.name in (digest, digest[2:]))
    columns = pq.read_table(blob).to_pydict()
    assert _KEY not in repr(columns)
    assert columns["error"] == [None, "Broken: 401 for [redacted:api-key]"]
    assert columns["error.breaks"] == ["Broken: refused [redacted:api-key]", None]
    assert columns["reason.says"] == columns["label.says"] == ["[redacted:api-key]", None]
    assert columns["output"] == ['"[redacted:api-key]"', None]
    assert columns["expected"] == ['"[redacted:api-key]"', None]
    cases = json.loads(printed[3].out)["cases"]
    assert [case["error"] for case in cases] == [None, "Broken: 401 for [redacted:api-key]"]
    assert "many.[redacted:api-key]" in cases[0]["scores"]
    for file in home.rglob("*"):  # the journal, the store; of the blobs the dataset alone holds rows as they are
        if file.is_file() and _KEY.encode() in file.read_bytes():
            assert file.read_bytes().startswith(b'{"expected":'), file
