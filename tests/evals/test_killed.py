"""kill -9 in the middle of an evaluation loses no case that had ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.evals.stored import cases_of
from weft.tracking import runtime
from weft.tracking.store.access import open_store

PROGRAM = """
import asyncio, weft
rows = [{"id": f"r{i}", "question": i, "expected": i} for i in range(500)]

async def model(question):
    await asyncio.sleep(0.002)
    return question

weft.Evaluation(rows, [lambda output, expected: output == expected], name="long", concurrency=4).run(
    model, on_case=lambda case: print(case.row_id, flush=True)
)
"""


@pytest.mark.crash
def test_every_case_that_had_ended_is_there_after_kill_9(home: Path) -> None:
    """With its output and its score; the run shows as crashed."""
    pytest.importorskip("pyarrow")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env={**os.environ, "WEFT_HOME": str(home)}
    ) as process:
        assert process.stdout is not None
        ended = [process.stdout.readline().strip() for _ in range(40)]
        process.kill()
        ended += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert len(ended) < 500
    with open_store() as store:
        reader = store.reader()
        (run,) = reader.runs({"job_type": "evaluation"}).rows
        cases = {case.row_id: case for case in cases_of(reader, run, runtime.active().home)}
    assert run.state == "crashed"
    assert set(ended) <= set(cases)
    for row_id in ended:
        assert cases[row_id].output == int(row_id[1:])
        assert cases[row_id].scores["<lambda>"].value == 1.0
