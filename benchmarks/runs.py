"""What `run.log()` costs beside the journal append it ends in; and what starting, ending and versioning cost.

    python benchmarks/runs.py [--json]

Medians over interleaved rounds, in a home that is thrown away, every record in a real file, the default redaction on.
The floor of `log` is `Journal.append` of the same record; the rest is sorting, stepping and the summary.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.journal.records import SCHEMA, MetricsLogged
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.tables import Table

ROUNDS = 9
CALLS = 20_000
VALUES = {"a": 1.0, "b": 2.0, "c": 3.0}
NESTED = {"train": {"loss": 0.5, "acc": 1}, "note": "text", "flag": True}
TABLE_ROWS = 1000


def per_call(function: Callable[[], object], calls: int) -> float:
    """Seconds a call."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def measure(rounds: int) -> dict[str, float]:
    """Microseconds a call, the median of the rounds."""
    active = runtime.active()
    run = starting.start_run(project="benchmark")
    record = MetricsLogged(SCHEMA, run.uid, 1, active.ids.wall_ns(), VALUES)
    table = Table(columns=["i", "x", "s"], data=[[i, i / 7, f"row {i}"] for i in range(TABLE_ROWS)])
    sequence = iter(range(1 << 30))

    def version() -> None:
        artifact = Artifact("some-file", type="benchmark")
        artifact.add_bytes(f"content {next(sequence)}".encode(), "a.txt")
        run.log_artifact(artifact)

    cases: dict[str, tuple[Callable[[], object], int]] = {
        "append of the same record": (lambda: active.journal.append(record), CALLS),
        "log three floats": (lambda: run.log(VALUES), CALLS),
        "log nested, with a text": (lambda: run.log(NESTED), CALLS),
        "start and finish a run": (lambda: starting.start_run(project="benchmark").finish(), 5),
        "log a version of one small file": (version, 20),
        f"log a Table of {TABLE_ROWS} rows": (lambda: run.log({"t": table}), 5),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (function, calls) in cases.items():
            found[name].append(per_call(function, calls) * 1e6)
    run.finish()
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runtime.configure(Settings.resolve(home=Path(folder) / "home", strict=True))
        figures = measure(arguments.rounds)
        runtime.reset()
    if arguments.json:
        json.dump({name: round(figure, 2) for name, figure in figures.items()}, sys.stdout, indent=2)
        return
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<34} {figure:>10,.2f} us\n")


if __name__ == "__main__":
    main()
