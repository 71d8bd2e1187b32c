"""Files are copied when they are added, once; what did not change is not read again; a full disk breaks no program."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.knownfiles import KnownFiles
from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import ArtifactLogged, Record
from weft.tracking.runs.starting import start_run
from weft.tracking.settings import Settings

Journaled = Callable[[], list[Record]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    for at in range(40):
        (made / f"{at:02}.bin").write_bytes(f"content {at}".encode() * 100)
    old = time.time() - 100
    for file in made.iterdir():
        os.utime(file, (old, old))
    time.sleep(0.15)  # their change times are a clock's tick behind now
    return made


def _drafts(home: Path) -> list[Path]:
    return list((home / "blobs").glob("*.new"))


def test_nothing_stays_of_an_artifact_that_is_not_logged(home: Path, folder: Path) -> None:
    artifact = Artifact("a", type="x")
    artifact.add_dir(folder)
    assert len(_drafts(home)) == 40
    del artifact
    gc.collect()
    assert _drafts(home) == []


def test_once_logged_every_draft_is_a_blob(home: Path, folder: Path) -> None:
    artifact = Artifact("a", type="x")
    artifact.add_dir(folder)
    artifact.remove("00.bin")
    with start_run() as run:
        run.log_artifact(artifact)
    assert _drafts(home) == []
    blobs = Blobs(runtime.active().home)
    assert all(blobs.verify(entry["digest"]) for entry in artifact.manifest.values())
    assert len([path for path in (home / "blobs").rglob("*") if path.is_file()]) >= 39


def test_a_forked_child_that_ends_leaves_its_parents_drafts(home: Path) -> None:
    artifact = Artifact("a", type="x")
    artifact.add_bytes(b"mine", "a")
    child = os.fork()
    if child == 0:
        artifact.__dict__.clear()
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    with start_run() as run:
        run.log_artifact(artifact)
    assert Blobs(runtime.active().home).read(artifact.manifest["a"]["digest"]) == b"mine"


def test_what_did_not_change_is_not_read_again(home: Path, folder: Path) -> None:
    def log() -> Artifact:
        artifact = Artifact("a", type="x")
        artifact.add_dir(folder)
        with start_run(project="p") as run:
            return run.log_artifact(artifact)

    first = log()
    known = KnownFiles(runtime.active().home, str(folder))
    assert known.digest("07.bin", (folder / "07.bin").stat()) == first.manifest["07.bin"]["digest"]
    (folder / "07.bin").write_bytes(b"content X" * 100)  # the same size
    os.utime(folder / "07.bin", (1, 1))
    second = log()
    assert [path for path in first.manifest if first.manifest[path] != second.manifest[path]] == ["07.bin"]
    Blobs(runtime.active().home).path(first.manifest["08.bin"]["digest"]).unlink()
    assert log().digest == second.digest
    assert Blobs(runtime.active().home).verify(first.manifest["08.bin"]["digest"]), "read again, since it was gone"


def test_a_file_that_changed_a_moment_ago_is_not_believed(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1")
    known = KnownFiles(runtime.active().home, str(tmp_path))
    known.learn("a", file.stat(), "0" * 64, time.time_ns())
    assert known.digest("a", file.stat()) is None
    known.learn("a", file.stat(), "0" * 64, time.time_ns() + 10**10)
    assert known.digest("a", file.stat()) == "0" * 64
    runtime.active().home.ensure()
    known.save()
    (list_file,) = (home / "known").iterdir()
    assert KnownFiles(runtime.active().home, str(tmp_path)).digest("a", file.stat()) == "0" * 64
    list_file.write_bytes(list_file.read_bytes()[:-3])
    assert KnownFiles(runtime.active().home, str(tmp_path)).digest("a", file.stat()) is None


def test_a_file_that_may_be_trusted_is_copied_when_logged(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"fixed")
    artifact = Artifact("a", type="x")
    artifact.add_file(file, policy="immutable")
    assert _drafts(home) == []
    with start_run() as run:
        run.log_artifact(artifact)
    assert Blobs(runtime.active().home).read(artifact.manifest["a"]["digest"]) == b"fixed"
    with pytest.raises(UsageError, match='"mutable" or "immutable"'):
        Artifact("a", type="x").add_file(file, policy="other")  # type: ignore[arg-type]


def test_pipes_are_refused_and_nothing_of_the_folder_is_added(home: Path, folder: Path) -> None:
    os.mkfifo(folder / "zz")
    artifact = Artifact("a", type="x")
    with pytest.raises(UsageError, match="no plain file"):
        artifact.add_dir(folder)
    with pytest.raises(UsageError, match="no plain file"):
        Blobs(runtime.active().home).stage(folder / "zz")
    assert (artifact.manifest, _drafts(home)) == ({}, [])


def test_names_that_no_path_may_have_are_all_told_and_nothing_of_the_folder_is_added(home: Path, folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in (b"sub/a\nb", b"C:x", b"back\\slash", b"not utf8 \xff"):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(b"x")
    artifact = Artifact("a", type="x")
    with pytest.raises(UsageError) as raised:
        artifact.add_dir(folder)
    told = str(raised.value)
    for name in ("'sub/a\\nb'", "'C:x'", "'back\\\\slash'", "'not utf8 \\udcff'"):
        assert name in told
    assert "\n" not in told
    assert "Nothing of it was added" in told
    assert (artifact.manifest, _drafts(home)) == ({}, [])
    artifact.add_file(folder / "sub" / "a\nb", name="renamed")
    assert list(artifact.manifest) == ["renamed"]


def test_a_file_of_holes_stays_one(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.write(b"begin")
        file.seek(30 << 20)
        file.write(b"middle")
        file.truncate(64 << 20)
    if source.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("this file system keeps no holes")
    artifact = Artifact("a", type="x")
    artifact.add_file(source)
    with start_run() as run:
        run.log_artifact(artifact)
    blob = Blobs(runtime.active().home).path(artifact.manifest["sparse"]["digest"])
    out = Path(artifact.download(tmp_path / "out")) / "sparse"
    for copy in (blob, out):
        assert copy.read_bytes() == source.read_bytes()
        assert copy.stat().st_blocks * 512 < 4 << 20


def test_a_folder_that_clashes_is_added_as_a_whole_or_not_at_all(home: Path, folder: Path) -> None:
    artifact = Artifact("a", type="x")
    artifact.add_bytes(b"other", "07.bin")
    with pytest.raises(UsageError, match=r"another file as '07\.bin'"):
        artifact.add_dir(folder)
    assert list(artifact.manifest) == ["07.bin"]
    artifact.add_dir(folder, merge=True)
    assert artifact.file_count == 40


_FULL = """
import resource, signal, sys
from pathlib import Path
import weft
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.runs.starting import start_run

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with start_run(project="p") as run:
    artifact = Artifact("a", type="x")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    artifact.add_dir(sys.argv[1])
    assert artifact.file_count == 31, artifact.file_count
    run.log_artifact(artifact)
    run.log({"went": 1})
    print(runtime.active().faults.counts["keep the files of an artifact"])
"""


def _run_full(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "WEFT_HOME": str(home), "WEFT_STRICT": "0"}
    command = [sys.executable, "-c", _FULL, str(folder), str(home)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_disk_that_takes_no_more_in_the_middle_of_a_folder_loses_the_version_and_nothing_else(tmp_path: Path) -> None:
    """The program goes on, the trouble is said once and counted, and no version names what is not there."""
    folder, home = tmp_path / "data", tmp_path / "full"
    folder.mkdir()
    for at in range(30):
        (folder / f"{at:02}").write_bytes(os.urandom(1000))
    (folder / "15-big").write_bytes(os.urandom(900_000))
    done = _run_full(folder, home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2"], "once when it was added, once when it was logged"
    assert done.stderr.count("could not keep the files of an artifact") == 1
    runtime.configure(runtime.Settings.resolve(home=home, strict=True))
    from weft.tracking.api import Api

    with Api(project="p") as api:
        assert len(api.artifacts()) == 0
        assert api.runs()[0].summary["went"] == 1
    assert _drafts(home) == [], "its process swept what it could not log"


def test_a_file_system_that_is_full_breaks_no_program(tmp_path: Path) -> None:
    """A real one: 1 MiB of memory, mounted where that is allowed."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=1m", "none", str(place)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("nothing can be mounted here")
    try:
        folder = tmp_path / "data"
        folder.mkdir()
        for at in range(31):
            (folder / f"{at:02}").write_bytes(os.urandom(100_000))
        code = _FULL.replace("resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))", "pass")
        env = {**os.environ, "WEFT_HOME": str(place / "home"), "WEFT_STRICT": "0"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder), str(place / "home")],
            env=env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "could not keep the files of an artifact" in done.stderr
        assert _drafts(place / "home") == []
        kept = [path for path in (place / "home" / "blobs").rglob("*") if path.is_file()]
        assert all(Blobs(runtime.Home(place / "home")).verify(path.parent.name + path.name) for path in kept)
    finally:
        subprocess.run(["umount", str(place)], check=False)


def test_a_clone_is_a_file_of_its_own_where_the_disk_can_share_blocks(home: Path, tmp_path: Path) -> None:
    """Elsewhere it is a copy: either way an edit of the source changes no blob."""
    file = tmp_path / "large"
    file.write_bytes(b"x" * (3 << 20))
    artifact = Artifact("a", type="x")
    artifact.add_file(file)
    with start_run() as run:
        run.log_artifact(artifact)
    with file.open("r+b") as opened:
        opened.write(b"changed")
    blobs = Blobs(runtime.active().home)
    digest = artifact.manifest["large"]["digest"]
    assert blobs.verify(digest)
    out = artifact.download(tmp_path / "out") / "large"
    with out.open("r+b") as opened:
        opened.write(b"changed")
    assert blobs.verify(digest)
    assert out.stat().st_nlink == 1


@pytest.fixture(params=["btrfs", "xfs"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk that can share blocks between files: an image, mounted where that is allowed."""
    image, place = tmp_path / "image", tmp_path / "sharing"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    place.mkdir()
    made = shutil.which(f"mkfs.{request.param}")
    if made is None or subprocess.run([made, str(image)], check=False, capture_output=True).returncode:
        pytest.skip(f"nothing makes {request.param} here")
    if subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # this process holds its journal and a lock there


def _used_bytes(place: Path) -> int:
    os.sync()
    told = os.statvfs(place)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def test_where_the_disk_can_blocks_are_shared_and_no_edit_reaches_a_blob(sharing: Path) -> None:
    runtime.configure(Settings.resolve(home=sharing / "home", strict=True))
    folder = sharing / "data"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(40 << 20))
    for at in range(200):
        (folder / f"{at}").write_bytes(os.urandom(100_000))
    before = _used_bytes(sharing)
    artifact = Artifact("a", type="x")
    artifact.add_dir(folder)
    with start_run() as run:
        run.log_artifact(artifact)
    out = Path(artifact.download(sharing / "out"))
    assert _used_bytes(sharing) - before < 6 << 20, "of 60 MB, twice"
    for file in (*folder.iterdir(), *out.iterdir()):
        with file.open("r+b") as opened:
            opened.write(b"changed")
    blobs = Blobs(runtime.active().home)
    assert all(blobs.verify(entry["digest"]) for entry in artifact.manifest.values())
    artifact.download(out)
    artifact.verify(out)


def test_the_record_comes_after_the_files(home: Path, folder: Path, journaled: Journaled) -> None:
    artifact = Artifact("a", type="x")
    artifact.add_dir(folder)
    assert not [record for record in journaled() if isinstance(record, ArtifactLogged)]
    with start_run() as run:
        run.log_artifact(artifact)
    (logged,) = [record for record in journaled() if isinstance(record, ArtifactLogged)]
    assert logged.digest == artifact.digest
