"""A program that logs, downloads or collects artifacts and is killed meanwhile: run by the crash tests as `python
artifactvictim.py MODE HOME ...`, never imported. It forks one victim a trial, lets one live to learn how long it takes,
and kills each other one at a moment of that time.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import weft
from weft.tracking import runtime
from weft.tracking.collecting import collect
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

Work = Callable[[int, Callable[[], None]], None]
"""What a victim does in a trial, and a function by which it tells how far it is."""


def log(home: str, data: str, *_: object) -> Work:
    """A version of the folder, with a file of this trial: told when it is added, and when it is logged."""

    def work(trial: int, tell: Callable[[], None]) -> None:
        with weft.init(project="p", id=f"run-{trial}") as run:
            artifact = weft.Artifact("big", type="dataset")
            artifact.add_dir(data)
            artifact.add_bytes(b"trial %d" % trial, "trial.txt")
            tell()
            run.log_artifact(artifact)
            tell()

    return work


def download(home: str, data: str, out: str) -> Work:
    """The latest version, each trial into a folder of its own."""

    def work(trial: int, tell: Callable[[], None]) -> None:
        weft.Api(project="p").artifact("big").download(f"{out}/{trial}")
        tell()

    return work


def gc(home: str, data: str, *_: object) -> Work:
    """Whatever nothing names, however young."""

    def work(trial: int, tell: Callable[[], None]) -> None:
        collect(fresh_s=-60)
        tell()

    return work


def _victim(work: Work, trial: int, kill_after_s: float | None) -> tuple[int, float]:
    """How often it told of itself, and for how many seconds it lived."""
    told, tell = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        work(trial, lambda: (os.write(tell, b"."), None)[1])
        os._exit(0)
    os.close(tell)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    heard = 0
    while chunk := os.read(told, 16):
        heard += len(chunk)
    os.waitpid(child, 0)
    os.close(told)
    return heard, time.monotonic() - begun


def main(mode: str, home: str, data: str, out: str, trials: str, seed: str) -> None:
    runtime.configure(Settings.resolve(home=Path(home), project="p"))
    with open_store():  # what every victim would import first, in each anew
        pass
    work = {"log": log, "download": download, "gc": gc}[mode](home, data, out)
    chance, whole_s = random.Random(seed), 0.0
    for trial in range(int(trials)):
        living = trial == 0
        if mode == "log":
            for number, file in enumerate(sorted(Path(data).iterdir())):
                file.write_bytes(chance.randbytes(20_000) + b"%d of %d" % (number, trial))
        if mode == "gc":
            for number in range(300):
                weft_blob(home, b"nobody names %d of %d" % (number, trial))
        told, seconds = _victim(work, trial, None if living else chance.uniform(0.05, 1.1) * whole_s)
        whole_s = seconds if living else whole_s
        print(trial, told)


def weft_blob(home: str, content: bytes) -> None:
    """Bytes that no record names; the parent itself records nothing."""
    from hashlib import sha256

    digest = sha256(content).hexdigest()
    place = Path(home) / "blobs" / digest[:2] / digest[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
