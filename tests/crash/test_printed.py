"""A killed program's last line is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weft.tracking.api import Api
from weft.tracking.settings import Settings

pytestmark = pytest.mark.crash

PROGRAM = """
import os, weft
weft.init("p", id="killed")
for at in range(1000):
    print("line", at)
os.write(2, b"printed all\\n")
print("half a line", end="")
while True:
    pass
"""


def test_every_line_whose_print_returned_survives_a_kill(tmp_path: Path) -> None:
    env = {**os.environ, "WEFT_HOME": str(tmp_path / "home"), "WEFT_CONSOLE": "auto"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"printed all\n"
        os.kill(process.pid, signal.SIGKILL)
    with Api(settings=Settings.resolve(home=tmp_path / "home")) as api:
        lines = [line.text for line in api.console_logs("p/killed")]
    assert lines[:1000] == [f"line {at}" for at in range(1000)]
