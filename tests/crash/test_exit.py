"""However a process ends, what returned is there, once; what was open shows as interrupted; the end does not wait."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import SpanRecord

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

VICTIM = Path(__file__).with_name("victim.py")


def _victim(*arguments: object, returncode: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, str(VICTIM), *map(str, arguments)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == returncode, done.stderr
    return done.stdout


def _spans(home: Path, project: str) -> list[SpanRecord]:
    with open_store(Settings.resolve(home=home), foreign_s=None) as store:
        return list(store.reader().spans({"project": project}, payloads=True, limit=None).rows)


@pytest.mark.parametrize(("end", "returncode"), [("kill", -9), ("os._exit", 0), ("exit", 0)])
def test_a_burst_of_10_000_calls_from_16_threads_is_there_once(tmp_path: Path, end: str, returncode: int) -> None:
    _victim("burst", tmp_path / "home", 16, 10_000, end, returncode=returncode)

    found = Counter(span.inputs["number"] for span in _spans(tmp_path / "home", "burst") if span.status == "ok")
    assert found == Counter(number * 1_000_000 + call for number in range(16) for call in range(625))


def test_200_forks_among_writing_threads_lose_nothing(tmp_path: Path) -> None:
    """Neither the parent, whose threads are in the midst of appends, nor the children; half of them are killed."""
    out = _victim("forks", tmp_path / "home", 200, 4)

    expected = Counter({int(number): int(count) for number, count in map(str.split, out.splitlines())})
    expected.update(1_000_000 + 10 * fork + call for fork in range(200) for call in range(3))
    spans = _spans(tmp_path / "home", "parent")
    assert Counter(span.inputs["number"] for span in spans) == expected
    assert {span.status for span in spans} == {"ok"}
    assert len({(span.trace_id, span.span_id) for span in spans}) == len(spans)


def test_what_is_open_when_the_interpreter_exits_is_interrupted(tmp_path: Path) -> None:
    """Blocks, spans by hand, calls in daemon threads; nobody waits for them."""
    began = time.monotonic()
    _victim("open", tmp_path / "home")
    took = time.monotonic() - began

    found = {
        (span.name, span.inputs["number"] if span.inputs else None): span for span in _spans(tmp_path / "home", "open")
    }
    assert {key: span.status for key, span in found.items() if key[0] != "stream"} == {
        ("double", 1): "ok",
        ("double", 3): "ok",
        ("block", None): "interrupted",
        ("by hand", None): "interrupted",
        ("forever", None): "interrupted",
    }
    assert [key for key in found if key[0] == "stream"] == [("stream", 1)]
    assert found["stream", 1].status in ("ok", "interrupted")  # whether the interpreter collects it is its own affair
    assert took < 5


SLOW = """
import logging, os, sys, time
logging.basicConfig()
{slow}
import weft
weft.configure(home=sys.argv[1])

@weft.op
def double(x):
    return 2 * x

double(1)
{then}
print("ended", flush=True)
"""


@pytest.mark.parametrize("then", ["", "print(weft.flush(timeout=0.2))"])
def test_a_disk_that_hangs_holds_up_neither_flush_nor_the_end(tmp_path: Path, then: str) -> None:
    """5 s, then one line that says what is left where; the records are there."""
    script = SLOW.format(slow="os.fdatasync = lambda fd: time.sleep(60)", then=then)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "home")], capture_output=True, text=True, timeout=60, check=True
    )
    took = time.monotonic() - began

    assert 4 < took < 8
    lines = [line for line in done.stderr.splitlines() if "weft" in line]
    assert any(f"records of this process are in {tmp_path / 'home' / 'journal'}" in line for line in lines)
    assert len(lines) == (2 if then else 1)
    assert done.stdout.split() == (["False", "ended"] if then else ["ended"])
    assert [span.status for span in _spans(tmp_path / "home", "default")] == ["ok"]


HUNG_RUN = """
import os, time
os.fdatasync = lambda fd: time.sleep(60)
import weft
run = weft.init("hung", mode="online")
run.log({"x": 1})
began = time.monotonic()
run.finish()
run.finish()
print(time.monotonic() - began, flush=True)
"""


def test_a_disk_that_hangs_holds_up_no_runs_end(tmp_path: Path) -> None:
    """5 s at `finish`, said in one line; the run is finished all the same."""
    done = subprocess.run(
        [sys.executable, "-c", HUNG_RUN],
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert 4 < float(done.stdout) < 8
    assert "the disk had not confirmed run hung/" in done.stderr
    with open_store(Settings.resolve(home=tmp_path / "home"), foreign_s=None) as store:
        [run] = store.reader().runs().rows
    assert (run.state, run.summary["x"]) == ("finished", 1)
