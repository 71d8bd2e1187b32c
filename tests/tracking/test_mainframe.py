"""The end of a script is heard at its streams, which stay what they were for the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

START = """
import contextlib, gc, io, sys, weakref
import weft
from weft.tracking.runs import starting

class Stream(io.StringIO):
    flushed = 0
    def flush(self):
        self.flushed += 1
        super().flush()

def redirected(stream):
    with contextlib.redirect_stderr(stream):
        starting.start_run(project="p", name="inner").finish()

sys.stderr = outer = Stream()
run = weft.init(project="p", id="x")
"""


def _run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(START + body)
    env = {**os.environ, "WEFT_HOME": str(tmp_path / "home")}
    return subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("inner", ["io.StringIO()", "io.TextIOWrapper(io.BytesIO())", "Stream()"])
def test_each_stream_is_flushed_by_its_own_flush(tmp_path: Path, inner: str) -> None:
    """Also where a run began while another stream stood in the place of `sys.stderr`, which is closed by now."""
    done = _run(
        tmp_path,
        f"""
inner = {inner}
redirected(inner)
inner.close()
before = outer.flushed
outer.flush()
assert outer.flushed == before + 1
run.finish()
assert "flush" not in outer.__dict__
assert "flush" not in inner.__dict__
sys.stderr = sys.__stderr__
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stream_that_was_there_for_a_while_is_not_kept(tmp_path: Path) -> None:
    done = _run(
        tmp_path,
        """
inner = Stream()
redirected(inner)
gone = weakref.ref(inner)
del inner
gc.collect()
assert gone() is None
sys.stderr = sys.__stderr__
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("body", ["__slots__ = ('__dict__',)", "flush = property(lambda self: print)"])
def test_a_stream_that_takes_none_of_ours_is_left_alone(tmp_path: Path, body: str) -> None:
    done = _run(
        tmp_path,
        f"""
class Odd:
    {body}
    def write(self, text):
        return len(text)
sys.stderr = Odd()
starting.start_run(project="p").finish()
sys.stderr = sys.__stderr__
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_end_is_heard_at_the_stream_that_stands_there_then(tmp_path: Path) -> None:
    """After a run that began and ended while another one did."""
    assert _run(tmp_path, "redirected(Stream())\nraise SystemExit(4)").returncode == 4
    with open_store(Settings.resolve(home=tmp_path / "home")) as store:
        [run] = store.reader().runs({"id": "x"}).rows
    assert (run.state, run.exit_code) == ("failed", 4)
