"""kill -9 in a training: each `log()` that returned is there, the run is crashed, and goes on at the right step."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord, Series

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

SEED = int(os.environ.get("WEFT_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)

TRAIN = """
import os, sys
import weft as wandb
run = wandb.init(project="crash", id="train", resume="allow", config={"lr": 0.1})
out = sys.stdout.fileno()
step = run.step
os.write(out, f"{step} {run.resumed}\\n".encode())
while True:
    run.log({"loss": 1 / (step + 1), "step_squared": step * step})
    os.write(out, f"{step}\\n".encode())
    step += 1
"""


def _session(home: Path, seconds: float) -> list[str]:
    """One start of the program, killed; what it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN],
        env={**os.environ, "WEFT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what was read ahead for the first line would be lost to `communicate`
    )
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    assert first, process.stderr.read().decode()
    # It stops by itself where nobody reads the pipe: 64 KiB of acknowledgements, thousands of steps.
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    return [first.decode().strip(), *rest.decode().split("\n")]


def _stored(home: Path) -> tuple[RunRecord, dict[str, Series]]:
    with open_store(Settings.resolve(home=home), foreign_s=None) as store:
        [run] = store.reader().runs().rows
        return run, store.reader().history(run.uid)


def test_a_training_that_is_killed_loses_nothing_and_goes_on_at_the_right_step(home: Path) -> None:
    chance = random.Random(SEED)
    said: list[int] = []
    for session in range(5):
        first, *steps = _session(home, chance.uniform(0.0, 0.15))
        acknowledged = [int(step) for step in steps if step]
        start, resumed = first.split()
        assert resumed == str(session > 0), f"seed {SEED}"
        # The step before may have been logged and not acknowledged: the kill came between the two.
        highest = said[-1] if said else -1
        assert int(start) in (highest + 1, highest + 2), f"seed {SEED}, session {session}"
        said += [*range(highest + 1, int(start)), *acknowledged]
        run, history = _stored(home)
        assert run.state == "crashed", f"seed {SEED}, session {session}"
        for key in ("loss", "step_squared"):
            stored = list(history[key].steps)
            assert stored[: len(said)] == said == list(range(len(said))), f"seed {SEED}, session {session}"
            assert len(stored) <= len(said) + 1
        assert list(history["step_squared"].values)[: len(said)] == [step * step for step in said]
        assert len(run.sessions) == session + 1
    assert len(said) > 5


def test_a_killed_training_that_goes_on_and_ends_is_finished(home: Path) -> None:
    _session(home, 0.05)
    before, _ = _stored(home)
    ended = TRAIN.replace("while True:", "for _ in range(3):")
    subprocess.run(
        [sys.executable, "-c", ended],
        env={**os.environ, "WEFT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    run, history = _stored(home)
    assert (run.state, run.exit_code) == ("finished", 0)
    assert run.step == (before.step or 0) + 3
    assert list(history["loss"].steps) == list(range((run.step or 0) + 1))
    assert run.runtime_s > before.runtime_s > 0
