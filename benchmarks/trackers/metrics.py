"""A run's metrics in each tracker, as its own documentation has it: logged, ended, read back.

`python benchmarks/trackers/metrics.py NAME FOLDER STEPS` measures one of them where that python has it, beside a floor
in the same rounds, and prints JSON.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

THREE = {"loss": 0.25, "accuracy": 0.9, "lr": 1e-3}
MANY = {f"layer{number // 10}/metric{number % 10}": number * 0.5 for number in range(200)}
ROUNDS = 5
ROUND_SECONDS = 0.4
READINGS = 3
MOST_SECONDS = 60
"""A tracker that logs fewer steps in this time is measured with fewer, and says with how many."""


class Tracker(NamedTuple):
    """A tracker, ready."""

    start: Callable[[], Any]
    """Begins a run."""
    log: Callable[[Any, dict[str, float], int], object]
    finish: Callable[[Any], object]
    read: Callable[[Any], Read]
    """The whole history of a run that is finished."""
    append: Callable[[Any, dict[str, float], int], object] | None = None
    """The part of `log` that writes, alone."""


class Read(NamedTuple):
    """A history that was read."""

    steps: int
    last_loss: float
    seconds: float


def weft(folder: Path) -> Tracker:
    os.environ |= {"WEFT_HOME": str(folder), "WEFT_CONSOLE": "off", "WEFT_SYSTEM_INTERVAL": "0"}
    import weft as library
    from weft.tracking.journal.records import SCHEMA, MetricsLogged

    def read(run: Any) -> Read:
        with library.Api() as api:
            stored = api.run(run.path)
            start = time.perf_counter()
            rows = list(stored.scan_history())
            return Read(len(rows), rows[-1]["loss"], time.perf_counter() - start)

    def append(run: Any, values: dict[str, float], step: int) -> None:
        run.runtime.journal.append(MetricsLogged(SCHEMA, run.uid, step, 1_700_000_000_000_000_000, values))

    log = lambda run, values, step: run.log(values)  # noqa: E731
    return Tracker(lambda: library.init(project="bench"), log, lambda run: run.finish(), read, append)


def wandb(folder: Path) -> Tracker:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
    import wandb as library

    def read(run: Any) -> Read:
        from wandb.proto import wandb_internal_pb2

        [path] = [path for path in folder.rglob("*.wandb") if run.id in path.name]
        start = time.perf_counter()
        rows = []
        for data in _blocks(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                row = {".".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                rows.append({key: json.loads(value) for key, value in row.items()})
        return Read(len(rows), rows[-1]["loss"], time.perf_counter() - start)

    log = lambda run, values, step: run.log(values)  # noqa: E731
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
    return _mlflow(f"sqlite:///{folder}/mlflow.db")


def mlflow_file(folder: Path) -> Tracker:
    return _mlflow(f"file://{folder}")


def _mlflow(uri: str) -> Tracker:
    os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true"}  # by itself the newest refuse it
    import mlflow as library

    library.set_tracking_uri(uri)
    library.set_experiment("bench")

    def read(run: Any) -> Read:
        client = library.MlflowClient()
        start = time.perf_counter()
        found = {key: client.get_metric_history(run.info.run_id, key) for key in THREE}
        return Read(len(found["loss"]), found["loss"][-1].value, time.perf_counter() - start)

    log = lambda run, values, step: library.log_metrics(values, step=step)  # noqa: E731
    return Tracker(library.start_run, log, lambda run: library.end_run(), read)


def aim(folder: Path) -> Tracker:
    import aim as library
    from aim.sdk.index_manager import RepoIndexManager

    def read(run: Any) -> Read:
        RepoIndexManager.get_index_manager(library.Repo.from_path(str(folder))).index(run.hash)  # as `aim up` does
        start = time.perf_counter()
        stored = library.Run(run.hash, repo=str(folder), read_only=True)
        found = {metric.name: metric.values.sparse_list() for metric in stored.metrics()}
        seconds = time.perf_counter() - start
        return Read(len(found["loss"][1]), min(found["loss"][1]), seconds)  # in no order; the last is the least

    log = lambda run, values, step: run.track(values, step=step)  # noqa: E731
    start = lambda: library.Run(repo=str(folder), experiment="bench", system_tracking_interval=None)  # noqa: E731
    return Tracker(start, log, lambda run: run.close(), read)


def trackio(folder: Path) -> Tracker:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as library
    from trackio.sqlite_storage import SQLiteStorage

    def read(run: Any) -> Read:
        start = time.perf_counter()
        rows = SQLiteStorage.get_logs("bench", run.name)
        return Read(len(rows), rows[-1]["loss"], time.perf_counter() - start)

    numbers = iter(range(1 << 30))
    start = lambda: library.init(project="bench", name=f"run{next(numbers)}", embed=False)  # noqa: E731
    return Tracker(start, lambda run, values, step: library.log(values), lambda run: library.finish(), read)


TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "weft": weft,
    "wandb": wandb,
    "mlflow": mlflow,
    "mlflow-file": mlflow_file,
    "aim": aim,
    "trackio": trackio,
}


def per_call(tracker: Tracker, values: dict[str, float], place: Path) -> dict[str, float]:
    """Microseconds of one `log`, of what writes in it, and of a JSON line appended to a file: medians of rounds that
    take turns."""
    run = tracker.start()
    line = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    cases: dict[str, Callable[[int], object]] = {
        "log": lambda step: tracker.log(run, values, step),
        "json": lambda step: os.write(line, json.dumps(values | {"_step": step}).encode() + b"\n"),
    }
    if tracker.append is not None:
        append = tracker.append
        cases["append"] = lambda step: append(run, values, step)
    found: dict[str, list[float]] = {name: [] for name in cases}
    step = 0
    for _ in range(ROUNDS):
        for name, call in cases.items():
            start, calls = time.perf_counter(), 0
            while (passed := time.perf_counter() - start) < ROUND_SECONDS:
                for _ in range(10):
                    call(step)
                    step += 1
                calls += 10
            found[name].append(passed / calls * 1e6)
    os.close(line)
    tracker.finish(run)
    return {name: statistics.median(times) for name, times in found.items()}


def to_the_end(tracker: Tracker, steps: int) -> tuple[float, int, Any]:
    """Seconds that so many steps take, or as many as fit in MOST_SECONDS, `finish` included; how many; and the run."""
    run = tracker.start()
    start, step = time.perf_counter(), 0
    while step < steps and (step % 100 or time.perf_counter() - start < MOST_SECONDS):
        tracker.log(run, THREE | {"loss": 1 / (step + 1)}, step)
        step += 1
    tracker.finish(run)
    return time.perf_counter() - start, step, run


def on_disk(folder: Path, without: str = "-") -> int:
    """Bytes of all files below but for a folder of that name, what waits in SQLite's logs taken in."""
    files = [path for path in folder.rglob("*") if path.is_file() and without not in path.relative_to(folder).parts]
    for path in files:
        with path.open("rb") as file:
            sqlite = file.read(16) == b"SQLite format 3\0"
        if sqlite:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return sum(path.stat().st_size for path in files if path.exists())


def measure(name: str, folder: Path, steps: int) -> dict[str, float]:
    """All of a tracker's figures."""
    tracker = TRACKERS[name](folder)
    warm = tracker.start()
    tracker.log(warm, THREE, 0)
    tracker.finish(warm)
    tracker.read(warm)  # a store is made, if there is to be one
    waiting = folder / "journal" if name == "weft" else folder / "-"
    before, segments = on_disk(folder, waiting.name), on_disk(waiting)
    seconds, steps, run = to_the_end(tracker, steps)
    read = [tracker.read(run) for _ in range(READINGS)]
    told = (read[0].steps, read[0].last_loss)
    assert told == (steps, 1 / steps), f"{name} has {read[0].steps} of {steps} steps, the last loss {read[0].last_loss}"
    figures = {
        f"{steps:,} steps to finish(), s": seconds,
        "bytes a step on disk": (on_disk(folder, waiting.name) - before) / steps,
        f"history of {steps:,} steps, ms": statistics.median(one.seconds for one in read) * 1e3,
    }
    if waiting.exists():
        figures["bytes a step besides, in segments kept 7 days"] = (on_disk(waiting) - segments) / steps
    for values in (THREE, MANY):
        found = per_call(tracker, values, folder.with_name("floor.jsonl"))
        case = f"log of {len(values)} values"
        figures |= {f"{case}, us": found["log"], f"{case}, times a JSON line": found["log"] / found["json"]}
        figures[f"{case}, the JSON line beside it, us"] = found["json"]
        if "append" in found:
            figures[f"{case}, the journal's append alone, us"] = found["append"]
    return figures


def main(arguments: Sequence[str]) -> None:
    name, folder, steps = arguments
    figures = measure(name, Path(folder), int(steps))
    version = metadata.version(name.removesuffix("-file"))
    print("\n" + json.dumps({"version": version, "figures": figures}))
    sys.stdout.flush()
    os._exit(0)  # some wait at exit


if __name__ == "__main__":
    main(sys.argv[1:])
