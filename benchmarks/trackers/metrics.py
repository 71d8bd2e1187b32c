"""A run's metrics in each tracker, as its own documentation has it: logged, ended, read back.

A peer runs in an environment of its own: `python benchmarks/trackers/metrics.py NAME FOLDER STEPS` measures
it there and prints JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

THREE = {"loss": 0.25, "accuracy": 0.9, "lr": 1e-3}
MANY = {f"layer{number // 10}/metric{number % 10}": number * 0.5 for number in range(200)}
ROUNDS = 5
ROUND_SECONDS = 0.5


class Tracker(NamedTuple):
    """A tracker, ready."""

    start: Callable[[], Any]
    """Begins a run."""
    log: Callable[[Any, dict[str, float], int], object]
    finish: Callable[[Any], object]
    read: Callable[[Any], int]
    """The whole history of a run that is finished; how many steps it has."""


REQUIREMENTS = {"wandb": "wandb", "mlflow": "mlflow", "aim": "aim", "trackio": "trackio"}
"""What pip installs for each peer; weft is measured where the benchmark runs."""


def weft(folder: Path) -> Tracker:
    os.environ["WEFT_HOME"] = str(folder)
    import weft as library

    def read(run: Any) -> int:
        api = library.Api()
        stored = api.run(run.path)
        start = time.perf_counter()
        steps = sum(1 for _ in stored.scan_history())
        read.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
        api.close()
        return steps

    def log(run: Any, values: dict[str, float], step: int) -> None:
        run.log(values)

    return Tracker(lambda: library.init(project="bench"), log, lambda run: run.finish(), read)


def wandb(folder: Path) -> Tracker:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
    import wandb as library

    def read(run: Any) -> int:
        from wandb.proto import wandb_internal_pb2

        [path] = [path for path in folder.rglob("*.wandb") if run.id in path.name]
        start = time.perf_counter()
        steps = 0
        for data in _blocks(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                steps += bool({item.key: json.loads(item.value_json) for item in record.history.item})
        read.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
        return steps

    def log(run: Any, values: dict[str, float], step: int) -> None:
        run.log(values)

    return Tracker(lambda: library.init(project="bench"), log, lambda run: run.finish(), read)


def _blocks(data: bytes) -> Iterator[bytes]:
    """Records of a `.wandb` file, which has LevelDB's log format behind a header of 7 bytes."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        size, kind = struct.unpack_from("<HB", data, at + 4)
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last of its parts
            yield parts
            parts = b""


def mlflow(folder: Path) -> Tracker:
    import mlflow as library

    library.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    library.set_experiment("bench")

    def read(run: Any) -> int:
        client = library.MlflowClient()
        start = time.perf_counter()
        found = [client.get_metric_history(run.info.run_id, key) for key in THREE]
        read.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
        return len(found[0])

    def log(run: Any, values: dict[str, float], step: int) -> None:
        library.log_metrics(values, step=step)

    return Tracker(library.start_run, log, lambda run: library.end_run(), read)


def aim(folder: Path) -> Tracker:
    import aim as library

    def read(run: Any) -> int:
        start = time.perf_counter()
        stored = library.Repo(str(folder)).get_run(run.hash)
        found = [metric.values.sparse_numpy() for metric in stored.metrics()]
        read.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
        return len(found[0][0])

    def log(run: Any, values: dict[str, float], step: int) -> None:
        run.track(values, step=step)

    start = lambda: library.Run(repo=str(folder), experiment="bench", system_tracking_interval=None)  # noqa: E731
    return Tracker(start, log, lambda run: run.close(), read)


def trackio(folder: Path) -> Tracker:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as library
    from trackio.sqlite_storage import SQLiteStorage

    def read(run: Any) -> int:
        start = time.perf_counter()
        steps = len(SQLiteStorage.get_logs("bench", run.name))
        read.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
        return steps

    def log(run: Any, values: dict[str, float], step: int) -> None:
        library.log(values)

    numbers = iter(range(1 << 30))
    start = lambda: library.init(project="bench", name=f"run{next(numbers)}", embed=False)  # noqa: E731
    return Tracker(start, log, lambda run: library.finish(), read)


TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "weft": weft,
    "wandb": wandb,
    "mlflow": mlflow,
    "aim": aim,
    "trackio": trackio,
}


def per_call(tracker: Tracker, values: dict[str, float]) -> float:
    """Microseconds of one `log`, the median of rounds in one run."""
    run = tracker.start()
    found, step = [], 0
    for _ in range(ROUNDS):
        start, calls = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < ROUND_SECONDS:
            for _ in range(10):
                tracker.log(run, values, step)
                step += 1
            calls += 10
        found.append(passed / calls * 1e6)
    tracker.finish(run)
    return statistics.median(found)


def to_the_end(tracker: Tracker, steps: int) -> tuple[float, Any]:
    """Seconds that so many steps take, `finish` included; and the run."""
    run = tracker.start()
    start = time.perf_counter()
    for step in range(steps):
        tracker.log(run, THREE | {"loss": 1 / (step + 1)}, step)
    tracker.finish(run)
    return time.perf_counter() - start, run


def on_disk(folder: Path, without: str = "-") -> int:
    """Bytes of all files below, but for a folder of that name."""
    files = [path for path in folder.rglob("*") if path.is_file() and without not in path.relative_to(folder).parts]
    return sum(path.stat().st_size for path in files)


def measure(name: str, folder: Path, steps: int) -> dict[str, float]:
    """All of a tracker's figures."""
    tracker = TRACKERS[name](folder)
    warm = tracker.start()
    tracker.log(warm, THREE, 0)
    tracker.finish(warm)
    tracker.read(warm)  # a store is made, if there is to be one
    kept = "journal" if name == "weft" else "-"
    before = on_disk(folder, kept)
    seconds, run = to_the_end(tracker, steps)
    read_steps = tracker.read(run)
    assert read_steps == steps, f"{name} has {read_steps} of {steps} steps"
    tracker.read(run)
    figures = {
        f"{steps:,} steps to finish(), s": seconds,
        "bytes a step on disk": (on_disk(folder, kept) - before) / steps,
        f"history of {steps:,} steps, ms": tracker.read.seconds * 1e3,  # type: ignore[attr-defined]
        "log of 3 values, us": per_call(tracker, THREE),
        "log of 200 values, us": per_call(tracker, MANY),
    }
    if name == "weft":
        figures["bytes a step of segments kept 7 days"] = on_disk(folder / "journal") / steps
    return figures


def main(arguments: Sequence[str]) -> None:
    name, folder, steps = arguments
    figures = measure(name, Path(folder), int(steps))
    version = metadata.version(REQUIREMENTS.get(name, name))
    print("\n" + json.dumps({"version": version, "figures": figures}))
    sys.stdout.flush()
    os._exit(0)  # some wait at exit


if __name__ == "__main__":
    main(sys.argv[1:])
