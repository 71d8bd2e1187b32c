"""What tracking costs: weft beside wandb (offline), mlflow (SQLite, files), aim and trackio, in one run.

    python benchmarks/tracking.py                         # weft alone, about a minute
    python benchmarks/tracking.py --peers all             # makes an environment for each under build/peers (about 2 GB)
    python benchmarks/tracking.py --peers wandb,trackio --only artifacts --json figures.json

Each tracker has a process, a folder and (the peers) an environment of its own, one by one; a floor takes turns
with it.
`metrics`: `log` as the caller sees it (weft's is in a file at its return), 20,000 steps to the end, read back, their
bytes. `artifacts`: 2,000 files of 50 KB. `reading`: 1,000 runs in order of a metric, then what weft's store does with
a metric of 1,000,000 points and with 10,000 runs. All that is logged is read back and looked at. What cannot be
installed or fails is said in a line, and left out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trackers import artifacts, listing, metrics, peers

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, MetricsLogged, Record, RunFinished, RunStarted
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

PEER_SECONDS = 240
STEPS = 20_000
LISTED = 1_000
ARTIFACT_ROUNDS = 5
POINTS = 1_000_000
RUNS = 10_000
BATCH = 4096
ROUNDS = 7

Figures = dict[str, dict[str, float]]


def side_by_side(script: str, names: list[str], *more: object) -> Figures:
    """{case: {"tracker version": figure}}, of those that `script` knows."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="bench-tracking-", ignore_cleanup_errors=True) as all_of_them:
        for name in names:  # nobody's files are deleted while another one is measured
            begun, folder = time.perf_counter(), Path(all_of_them) / name
            folder.mkdir()
            try:
                told = peers.ask(script, name, folder, *more, timeout_s=PEER_SECONDS)
            except peers.PeerError as error:
                print(f"{script} {name}: {error}", file=sys.stderr, flush=True)
                continue
            seconds, load = time.perf_counter() - begun, os.getloadavg()[0]
            print(f"{script} {name} {told['version']}: {seconds:.0f} s, load {load:.1f}", file=sys.stderr, flush=True)
            for case, figure in told["figures"].items():
                figures.setdefault(case, {})[f"{name} {told['version']}"] = figure
    return figures


def long_metric(points: int) -> dict[str, float]:
    """One metric, read back; of full precision, its times with the jitter of a loop."""
    uid = b"r" * 16

    def records() -> Iterator[Record]:
        at = 1_700_000_000_000_000_000
        yield RunStarted(SCHEMA, uid, "r", "p", "", at)
        for step in range(points):
            at += 300_000 + (step * 7919) % 100_000
            yield MetricsLogged(SCHEMA, uid, step, at, {"loss": math.sin(step)})
        yield RunFinished(SCHEMA, uid, at, "finished")

    with _store(records()) as (store, path):
        found = store.reader().history(uid.hex())["loss"]
        assert (len(found.steps), found.values[-1]) == (points, math.sin(points - 1))
        return {
            f"history of {points:,} points, s": _seconds(lambda: store.reader().history(uid.hex())),
            "thinned to 600 for a chart, s": _seconds(lambda: store.reader().history(uid.hex(), max_points=600)),
            "bytes a point in the store": _size(path) / points,
        }


def many_runs(runs: int) -> dict[str, float]:
    """Runs of five metrics each: a page of 50 of those whose loss is low, in order of it, and how many there are."""

    def records() -> Iterator[Record]:
        for number in range(runs):
            uid = number.to_bytes(16, "big")
            yield RunStarted(SCHEMA, uid, f"r{number}", "p", f"run {number}", number, config=b'{"lr":0.1}')
            values = {f"m{metric}": float(number) for metric in range(4)} | {"loss": (number * 7919 % runs) / runs}
            yield MetricsLogged(SCHEMA, uid, 0, number, values)

    where = {"summary.loss": {"$lt": 0.3}}
    with _store(records()) as (store, _):
        reader = store.reader()
        found = reader.runs(where, order="summary.loss")
        assert (found.total, found.rows[0].summary["loss"]) == (runs * 3 // 10, 0)
        return {
            f"filter {runs:,} runs by a metric, ordered by it, s": _seconds(
                lambda: reader.runs(where, order="summary.loss")
            ),
            "all of them ordered by it, first page, s": _seconds(lambda: reader.runs(order="-summary.loss")),
        }


@contextmanager
def _store(records: Iterator[Record]) -> Iterator[tuple[Store, Path]]:
    """A store with these, as the ingester applies them."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-tracking-") as folder,
        Store.open(f"sqlite:///{folder}/weft.db") as store,
    ):
        sink, offset = store.sink(), 16
        batch: list[Frame] = []
        for record in records:
            batch.append(Frame(offset, offset + 64, record))
            offset += 64
            if len(batch) == BATCH:
                sink.apply(batch, Position("home", "segment", offset, b"writer01"))
                batch = []
        if batch:
            sink.apply(batch, Position("home", "segment", offset, b"writer01"))
        yield store, Path(folder)


def _size(folder: Path) -> int:
    """Bytes of the store, what waits in SQLite's log taken in."""
    connection = sqlite3.connect(folder / "weft.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return metrics.on_disk(folder)


def _seconds(function: Callable[[], object]) -> float:
    """The median of rounds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def report(figures: Figures, own: dict[str, float]) -> None:
    """The tables, as text."""
    for case, values in figures.items():
        print(f"\n{case}")
        for name, figure in sorted(values.items(), key=lambda item: item[1]):
            print(f"  {name:<24} {figure:>12,.2f}")
    if own:
        print("\nweft's store")
    for case, figure in own.items():
        print(f"  {case:<52} {figure:>8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="", help="all, or names with commas: " + ", ".join(peers.REQUIREMENTS))
    parser.add_argument("--only", choices=("metrics", "artifacts", "reading"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    chosen = list(peers.REQUIREMENTS) if arguments.peers == "all" else [n for n in arguments.peers.split(",") if n]
    unknown = set(chosen) - peers.REQUIREMENTS.keys()
    if unknown:
        parser.error(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(peers.REQUIREMENTS)}")
    names = ["weft", *chosen]
    figures: Figures = {}
    own: dict[str, float] = {}
    if arguments.only in (None, "metrics"):
        figures |= side_by_side("metrics.py", names, arguments.steps)
    if arguments.only in (None, "artifacts"):
        figures |= side_by_side("artifacts.py", [n for n in names if n in artifacts.TRACKERS], ARTIFACT_ROUNDS)
    if arguments.only in (None, "reading"):
        figures |= side_by_side("listing.py", [n for n in names if n in listing.TRACKERS], LISTED)
        own = long_metric(arguments.points) | many_runs(arguments.runs)
    report(figures, own)
    if arguments.json:
        arguments.json.write_text(json.dumps({"trackers": figures, "store": own}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
