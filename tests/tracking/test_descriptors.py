"""What weft opens never takes the number of the program's input, output or errors."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from weft.tracking.descriptors import above_standard
from weft.tracking.home import Home
from weft.tracking.journal.frames import Stop
from weft.tracking.journal.records import MetricsLogged
from weft.tracking.journal.segments import Segments

CLOSED = """
import os, sys
for fd in eval(sys.argv[1]):
    os.close(fd)
import weft
run = weft.init(project="p", id="x")
for step in range(3):
    run.log({"loss": step})
    for fd in (1, 2):
        try:
            os.write(fd, b"printed by the program\\n")
        except OSError:
            pass
taken = {fd for fd in (0, 1, 2) if os.path.exists(f"/proc/self/fd/{fd}")}
with open(sys.argv[2], "w") as told:
    told.write(repr(sorted(taken)))
run.finish()
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_with_its_output_closed_a_program_prints_into_no_file_of_ours(tmp_path: Path, closed: tuple[int, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CLOSED), repr(closed), str(tmp_path / "told")],
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home"), "WEFT_AUTO_INGEST": "0"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    left = [fd for fd in (0, 1, 2) if fd not in closed]
    assert (tmp_path / "told").read_text() == repr(left)
    steps = []
    for segment in Segments(Home(tmp_path / "home")).pending():
        scan = segment.read(0)
        assert scan.stop is Stop.END
        steps += [frame.record.step for frame in scan.frames if isinstance(frame.record, MetricsLogged)]
    assert steps == [0, 1, 2]


def test_a_number_above_2_stays(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    try:
        assert above_standard(fd) == fd
    finally:
        os.close(fd)
