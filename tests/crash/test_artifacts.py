"""kill -9 in the middle of a log, a download or a collection: no version is half there, and the next try is whole."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.artifacts.manifest import Manifest
from weft.tracking.blobs import Blobs
from weft.tracking.collecting import collect
from weft.tracking.store.access import open_store

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

VICTIM = Path(__file__).with_name("artifactvictim.py")
FILES = 150
TRIALS = 16
SEED = int(os.environ.get("WEFT_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
"""Printed with every failure; set WEFT_CRASH_SEED to see one again."""


def _victims(mode: str, home: Path, data: Path, out: Path) -> dict[int, int]:
    """How far each trial came."""
    done = subprocess.run(
        [sys.executable, str(VICTIM), mode, str(home), str(data), str(out), str(TRIALS), str(SEED)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"seed {SEED}: {done.stderr}"
    return {int(trial): int(told) for trial, told in (line.split() for line in done.stdout.splitlines())}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of files, each of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:03}.bin").write_bytes(os.urandom(20_000))
    return folder


def _log(data: Path, project: str = "p", name: str = "big") -> weft.Artifact:
    with weft.init(project=project) as run:
        artifact = weft.Artifact(name, type="dataset")
        artifact.add_dir(data)
        return run.log_artifact(artifact)


def _all_whole(home: Path) -> set[str]:
    """Every version that the store knows has every file, sound; returns the contents of their `trial.txt`."""
    blobs, found = Blobs(runtime.active().home), set()
    with open_store(foreign_s=None) as store:
        for record in store.reader().artifacts(None, limit=None).rows:
            assert Manifest(record.manifest).digest == record.digest
            for path, entry in record.manifest.items():
                assert blobs.verify(str(entry["digest"])), f"seed {SEED}: {record.name}:v{record.version} {path}"
            if "trial.txt" in record.manifest:
                found.add(blobs.read(str(record.manifest["trial.txt"]["digest"])).decode())
    return found


def test_a_log_that_is_killed_leaves_no_half_version_and_the_next_one_is_whole(
    home: Path, data: Path, tmp_path: Path
) -> None:
    before = _log(data, name="before")
    told = _victims("log", home, data, tmp_path)
    assert told[0] == 2
    assert any(far < 2 for far in told.values()), f"seed {SEED}: none was killed in the middle"

    logged = _all_whole(home)
    assert logged >= {f"trial {trial}" for trial, far in told.items() if far == 2}, f"seed {SEED}"
    assert logged <= {f"trial {trial}" for trial, far in told.items() if far >= 1}, f"seed {SEED}"
    again = _log(data)
    folder = Path(again.download(tmp_path / "again"))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in data.iterdir()
    }
    assert all(Blobs(runtime.active().home).verify(entry["digest"]) for entry in before.manifest.values())


def test_what_a_killed_log_left_is_freed_at_once_and_what_a_living_one_stages_stays(
    home: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = _log(data, name="kept")
    told = _victims("log", home, data, tmp_path)
    living = weft.Artifact("staged", type="dataset")
    living.add_bytes(b"of a process that lives", "a")

    left = list((home / "blobs").glob("*.new"))
    assert len(left) > 1, f"seed {SEED}: {told}"
    assert collect(dry_run=True).drafts == len(left) - 1
    done = subprocess.run(
        [sys.executable, "-m", "weft.cli", "artifacts", "gc"], capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "WEFT_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{len(left) - 1:,} of them drafts that a program left which ended" in " ".join(done.stdout.split())
    assert len(list((home / "blobs").glob("*.new"))) == 1
    taken = [lock for lock in (home / "locks").glob("drafts-*") if lock.stat().st_size]  # else killed while it made it
    assert len(taken) == 1, f"seed {SEED}"
    with weft.init(project="p") as run:
        run.log_artifact(living)
    assert _all_whole(home)
    assert all(Blobs(runtime.active().home).verify(entry["digest"]) for entry in kept.manifest.values())


def test_a_download_that_is_killed_is_mended_by_the_next_one(home: Path, data: Path, tmp_path: Path) -> None:
    version = _log(data).logged()
    told = _victims("download", home, data, tmp_path / "out")
    assert any(far == 0 for far in told.values()), f"seed {SEED}: none was killed in the middle"
    for trial in told:
        folder = tmp_path / "out" / str(trial)
        for file in folder.glob("*.bin") if folder.exists() else ():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == version.manifest[file.name]["digest"], "half a file"
        version.download(folder)
        version.verify(folder)


def test_a_collection_that_is_killed_frees_the_rest_when_run_again_and_nothing_that_is_named(
    home: Path, data: Path, tmp_path: Path
) -> None:
    _log(data)
    told = _victims("gc", home, data, tmp_path)
    assert any(far == 0 for far in told.values()), f"seed {SEED}: none was killed in the middle"
    collect(fresh_s=-60)
    named = {str(entry["digest"]) for entry in weft.Api(project="p").artifact("big").manifest.values()}
    found = {path.parent.name + path.name for path in (home / "blobs").glob("??/*")}
    assert found == named, f"seed {SEED}"
    assert len(_all_whole(home)) == 0
