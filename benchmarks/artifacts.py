"""What logging an artifact of many files costs, first and with one file changed, beside `cp -r` and a sha256 of them.

    python benchmarks/artifacts.py [--rounds 5] [--peers wandb=PYTHON,...] [--json]

2,000 files of 50 KB. Everything in a folder that is thrown away, on the disk it lies on; what is measured is durable at
return, where `cp` leaves its copy in memory. New disk is told for the log itself and after the store has taken it in.
A peer is a Python environment with wandb, mlflow or trackio in it; each logs the same folder in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from weft.tracking import runtime
from weft.tracking.artifacts import Artifact
from weft.tracking.runs import start_run
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

FILES, BYTES = 2_000, 50_000
PEERS = {
    "wandb": """
import os, sys, time
os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DIR": sys.argv[2], "WANDB_DATA_DIR": sys.argv[2]}
os.environ |= {"WANDB_CACHE_DIR": sys.argv[2]}
import wandb
run = wandb.init(project="b")
start = time.perf_counter()
artifact = wandb.Artifact("data", type="dataset")
artifact.add_dir(sys.argv[1])
run.log_artifact(artifact)
run.finish()
print("took", time.perf_counter() - start, flush=True)
""",
    "mlflow": """
import os, sys, time
import mlflow
mlflow.set_tracking_uri("sqlite:///" + sys.argv[2] + "/mlflow.db")
if mlflow.get_experiment_by_name("b") is None:
    mlflow.create_experiment("b", artifact_location="file://" + sys.argv[2] + "/artifacts")
mlflow.set_experiment("b")
with mlflow.start_run():
    start = time.perf_counter()
    mlflow.log_artifacts(sys.argv[1])
    print("took", time.perf_counter() - start, flush=True)
""",
    "trackio": """
import os, sys, time
os.environ |= {"TRACKIO_DIR": sys.argv[2], "HF_HOME": sys.argv[2]}
import trackio
run = trackio.init(project="b")
start = time.perf_counter()
artifact = trackio.Artifact("data", type="dataset")
artifact.add_dir(sys.argv[1])
run.log_artifact(artifact)
print("took", time.perf_counter() - start, flush=True)
trackio.finish()
""",
}


def make(folder: Path) -> None:
    """The files."""
    folder.mkdir()
    for at in range(FILES):
        (folder / f"{at:04}.bin").write_bytes(os.urandom(BYTES))


def change(folder: Path) -> None:
    """One of them is another one now."""
    (folder / "0007.bin").write_bytes(os.urandom(BYTES))


def used(folder: Path) -> int:
    """Bytes on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def floor(data: Path, work: Path) -> float:
    """Seconds of `cp -r` and of a sha256 of every file."""
    copy = work / "copy"
    start = time.perf_counter()
    subprocess.run(["cp", "-r", str(data), str(copy)], check=True)
    for path in data.iterdir():
        hashlib.sha256(path.read_bytes()).hexdigest()
    took = time.perf_counter() - start
    shutil.rmtree(copy)
    return took


def log(data: Path) -> float:
    """Seconds to add and log the folder; durable at return."""
    with start_run(project="b") as run:
        start = time.perf_counter()
        artifact = Artifact("data", type="dataset")
        artifact.add_dir(data)
        run.log_artifact(artifact)
        return time.perf_counter() - start


def one_round(work: Path) -> dict[str, float]:
    """First, then with one file changed, in a home of its own."""
    data, home = work / "data", work / "home"
    make(data)
    os.sync()
    time.sleep(0.2)
    runtime.configure(Settings.resolve(home=home, mode="online", git=False, packages=False, machine=False))
    told = {"floor_s": floor(data, work)}
    os.sync()
    told["first_s"] = log(data)
    open_store().close()
    before = used(home)
    change(data)
    time.sleep(0.2)
    told["second_s"] = log(data)
    told["second_mb"] = (used(home) - before) / 1e6
    open_store().close()
    told["second_ingested_mb"] = (used(home) - before) / 1e6
    runtime.reset()
    return told


def peer(python: str, name: str, work: Path) -> dict[str, float]:
    """The same by another library."""
    data, home = work / "data", work / "home"
    home.mkdir()
    make(data)
    os.sync()
    told = {"floor_s": floor(data, work)}
    for which in ("first", "second"):
        before = used(home)
        done = subprocess.run(
            [python, "-c", PEERS[name], str(data), str(home)], cwd=home, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr[-1500:]}")
        told[f"{which}_s"] = float(re.findall(r"took ([0-9.]+)", done.stdout)[-1])
        told[f"{which}_mb"] = (used(home) - before) / 1e6
        change(data)
    return told


def main() -> None:
    """Print medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="", help="name=python, separated by commas")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    named = dict(pair.split("=", 1) for pair in given.peers.split(",") if pair)
    for _ in range(given.rounds):
        for name in ("weft", *named):
            with tempfile.TemporaryDirectory(prefix="weft-bench-") as work:
                made = one_round(Path(work)) if name == "weft" else peer(named[name], name, Path(work))
            rows.setdefault(name, []).append(made)
    found: dict[str, Any] = {
        name: {key: statistics.median(row[key] for row in told) for key in told[0]} for name, told in rows.items()
    }
    for name, told in rows.items():
        found[name]["first_x"] = statistics.median(row["first_s"] / row["floor_s"] for row in told)
        found[name]["second_of_first"] = statistics.median(row["second_s"] / row["first_s"] for row in told)
    if given.json:
        json.dump(found, sys.stdout, indent=2)
        return
    for name, row in found.items():
        print(f"{name:8}" + "  ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
