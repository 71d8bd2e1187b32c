"""Many runs in each tracker that keeps them in a store, in order of a metric.

`python benchmarks/trackers/listing.py NAME FOLDER RUNS` measures one of them where that python has it, prints JSON.
wandb offline has no store to ask.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROUNDS = 3
RECORDING_SECONDS = 90
"""A tracker that makes no more runs in this time is asked of fewer, and says of how many."""


class Tracker(NamedTuple):
    """A tracker, ready."""

    record: Callable[[int, float], object]
    """A run of its own with this loss, from its start to its end."""
    listed: Callable[[], list[float]]
    """The losses of all runs, the least first."""


def weft(folder: Path) -> Tracker:
    switched_off = dict.fromkeys(("WEFT_SYSTEM_INTERVAL", "WEFT_GIT", "WEFT_PACKAGES", "WEFT_MACHINE"), "0")
    os.environ |= {"WEFT_HOME": str(folder), "WEFT_CONSOLE": "off"} | switched_off
    import weft as library

    def record(number: int, loss: float) -> None:
        with library.init(project="bench", reinit=True) as run:
            run.log({"loss": loss})

    def listed() -> list[float]:
        with library.Api() as api:
            return [run.summary["loss"] for run in api.runs(order="summary.loss")]

    return Tracker(record, listed)


def mlflow(folder: Path) -> Tracker:
    import mlflow as library

    library.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    library.set_experiment("bench")

    def record(number: int, loss: float) -> None:
        with library.start_run():
            library.log_metric("loss", loss)

    def listed() -> list[float]:
        found = library.search_runs(order_by=["metrics.loss ASC"], max_results=50_000, output_format="list")
        return [run.data.metrics["loss"] for run in found]

    return Tracker(record, listed)


def aim(folder: Path) -> Tracker:
    import aim as library
    from aim.sdk.index_manager import RepoIndexManager

    def record(number: int, loss: float) -> None:
        run = library.Run(repo=str(folder), experiment="bench", system_tracking_interval=None)
        run.track(loss, name="loss")
        run.close()
        RepoIndexManager.get_index_manager(library.Repo.from_path(str(folder))).index(run.hash)  # as `aim up` does

    def listed() -> list[float]:
        found = library.Repo(str(folder)).query_metrics('metric.name == "loss"', report_mode=0)
        return sorted(float(metric.values.last()[1]) for run in found.iter_runs() for metric in run)

    return Tracker(record, listed)


def trackio(folder: Path) -> Tracker:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as library
    from trackio.sqlite_storage import SQLiteStorage

    def record(number: int, loss: float) -> None:
        library.init(project="bench", name=f"run{number}", embed=False)
        library.log({"loss": loss})
        library.finish()

    def listed() -> list[float]:
        return sorted(SQLiteStorage.get_logs("bench", run)[-1]["loss"] for run in SQLiteStorage.get_runs("bench"))

    return Tracker(record, listed)


TRACKERS: dict[str, Callable[[Path], Tracker]] = {"weft": weft, "mlflow": mlflow, "aim": aim, "trackio": trackio}


def measure(name: str, folder: Path, runs: int) -> dict[str, float]:
    """All of a tracker's figures."""
    tracker = TRACKERS[name](folder)
    losses: list[float] = []
    start = time.perf_counter()
    while len(losses) < runs and time.perf_counter() - start < RECORDING_SECONDS:
        losses.append(len(losses) * 7919 % runs / runs)
        tracker.record(len(losses), losses[-1])
    seconds = time.perf_counter() - start
    found = tracker.listed()
    assert found == sorted(losses), f"{name} lists {len(found)} of {len(losses)} runs, or in another order"
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        tracker.listed()
        times.append(time.perf_counter() - start)
    return {
        f"{len(losses):,} runs sorted by a metric, ms": statistics.median(times) * 1e3,
        "a run of one log, init to finish, ms": seconds / len(losses) * 1e3,
    }


def main(arguments: Sequence[str]) -> None:
    name, folder, runs = arguments
    figures = measure(name, Path(folder), int(runs))
    print("\n" + json.dumps({"version": metadata.version(name), "figures": figures}))
    sys.stdout.flush()
    os._exit(0)  # some wait at exit


if __name__ == "__main__":
    main(sys.argv[1:])
