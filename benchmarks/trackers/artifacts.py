"""An artifact of many files in each tracker that keeps files: logged, then again with one of them changed.

`python benchmarks/trackers/artifacts.py NAME FOLDER ROUNDS` measures one of them where that python has it, beside
`cp -r` and a sha256 of the same files in the same rounds, and prints JSON. aim keeps no files. What a round wrote stays
until the folder goes: ext4 passes over inodes that were deleted within half a minute one by one, so whoever makes files
after a deletion would pay for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

FILES, BYTES = 2_000, 50_000
CHANGED = "0007.bin"

Log = Callable[[Path], float]
"""Logs a folder, and says in how many seconds."""


def weft(home: Path) -> Log:
    os.environ |= {"WEFT_HOME": str(home), "WEFT_CONSOLE": "off", "WEFT_SYSTEM_INTERVAL": "0"}
    import weft as library

    def log(data: Path) -> float:
        with library.init(project="bench") as run:
            return _seconds(lambda: run.log_artifact(_of(library.Artifact, data)))

    return log


def wandb(home: Path) -> Log:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
    os.environ |= dict.fromkeys(("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR"), str(home))
    import wandb as library

    def log(data: Path) -> float:
        run = library.init(project="bench")
        seconds = _seconds(lambda: run.log_artifact(_of(library.Artifact, data)))
        return seconds + _seconds(run.finish)  # it is not written before

    return log


def mlflow(home: Path) -> Log:
    import mlflow as library

    library.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    library.create_experiment("bench", artifact_location=f"file://{home}/artifacts")
    library.set_experiment("bench")

    def log(data: Path) -> float:
        with library.start_run():
            return _seconds(lambda: library.log_artifacts(str(data)))

    return log


def trackio(home: Path) -> Log:
    os.environ |= {"TRACKIO_DIR": str(home), "HF_HOME": str(home)}
    import trackio as library

    def log(data: Path) -> float:
        run = library.init(project="bench", embed=False)
        seconds = _seconds(lambda: run.log_artifact(_of(library.Artifact, data)).wait())
        library.finish()
        return seconds

    return log


def _of(kind: Any, data: Path) -> Any:
    artifact = kind("data", type="dataset")
    artifact.add_dir(str(data))
    return artifact


TRACKERS: dict[str, Callable[[Path], Log]] = {"weft": weft, "wandb": wandb, "mlflow": mlflow, "trackio": trackio}


def one_round(log: Log, data: Path, home: Path) -> dict[str, float]:
    """Files that nobody has seen, logged twice.

    Args:
        data: a folder that is not there.
    """
    data.mkdir()
    for at in range(FILES):
        (data / f"{at:04}.bin").write_bytes(os.urandom(BYTES))
    os.sync()
    floor = _seconds(lambda: _floor(data))
    os.sync()
    first = log(data)
    before = _used(home)
    (data / CHANGED).write_bytes(os.urandom(BYTES))
    second = log(data)
    told = {
        "artifact of 2,000 x 50 KB, first log, s": first,
        "artifact, first log, times cp -r + sha256": first / floor,
        "artifact, second log with a file changed, s": second,
        "artifact, second log, of the first": second / first,
        "artifact, new disk of the second log, MB": (_used(home) - before) / 1e6,
    }
    assert _is_kept(data / CHANGED, home), "what was logged last is not in the tracker's folder"
    return told


def _floor(data: Path) -> None:
    subprocess.run(["cp", "-r", str(data), f"{data}-copy"], check=True)
    for path in data.iterdir():
        hashlib.sha256(path.read_bytes()).hexdigest()


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _used(folder: Path) -> int:
    """Bytes of disk."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # some tidy up behind themselves
            total += path.lstat().st_blocks * 512
    return total


def _is_kept(path: Path, home: Path) -> bool:
    content = path.read_bytes()
    return any(
        kept.is_file() and kept.stat().st_size == BYTES and kept.read_bytes() == content for kept in home.rglob("*")
    )


def main(arguments: Sequence[str]) -> None:
    name, folder, rounds = arguments
    home = Path(folder)
    log = TRACKERS[name](home)
    found = [one_round(log, home.with_name(f"data{at}"), home) for at in range(int(rounds))]
    figures = {case: statistics.median(row[case] for row in found) for case in found[0]}
    print("\n" + json.dumps({"version": metadata.version(name), "figures": figures}))
    sys.stdout.flush()
    os._exit(0)  # some wait at exit


if __name__ == "__main__":
    main(sys.argv[1:])
