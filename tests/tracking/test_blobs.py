"""Blobs are named by what they hold, whole or absent, and no digest leads out of their folder."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, NotFoundError, UsageError
from weft.tracking.home import Home


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(Home(tmp_path / "home"))


def _files(blobs: Blobs, home: Path) -> list[Path]:
    return sorted(path for path in (home / "blobs").rglob("*") if path.is_file())


def test_bytes_come_back_under_their_sha256(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert blobs.path(digest) == tmp_path / "home" / "blobs" / digest[:2] / digest[2:]
    assert blobs.read(digest) == b"hello"
    assert blobs.size(digest) == 5
    assert blobs.has(digest)
    assert blobs.verify(digest)
    with blobs.open(digest) as file:
        assert file.read(2) == b"he"


def test_only_the_owner_may_read(blobs: Blobs) -> None:
    path = blobs.path(blobs.put(b"secret"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_kept_blob_is_not_written_again(blobs: Blobs) -> None:
    path = blobs.path(blobs.put(b"once"))
    before = path.stat()
    blobs.put(b"once")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_blob_of_the_wrong_size_is_mended_by_the_next_put(blobs: Blobs) -> None:
    digest = blobs.put(b"whole")
    blobs.path(digest).write_bytes(b"ha")
    assert not blobs.verify(digest)
    blobs.put(b"whole")
    assert blobs.verify(digest)


def _flip(path: Path, *, quietly: bool = False) -> None:
    """Damage of the same size; quietly: as a disk does it, the file's time stays."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"\xff\xfe")
    if quietly:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_blob_that_was_written_to_is_mended_by_the_next_put(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"whole")
    digest = blobs.put(b"whole")
    for again in (lambda: blobs.put(b"whole"), lambda: blobs.put_file(tmp_path / "source")):
        _flip(blobs.path(digest))
        again()
        assert blobs.read(digest) == b"whole"
    _flip(blobs.path(digest))
    staged = blobs.stage(b"whole")
    assert staged.draft is not None
    blobs.settle({digest: staged.draft})
    assert blobs.read(digest) == b"whole"


def test_damage_that_a_reader_finds_is_mended_by_the_next_put(blobs: Blobs) -> None:
    digest = blobs.put(b"whole")
    _flip(blobs.path(digest), quietly=True)
    assert not blobs.verify(digest)
    assert blobs.read(digest) != b"whole"  # what is left of it stays until then
    blobs.put(b"whole")
    assert blobs.read(digest) == b"whole"


def test_a_blob_from_elsewhere_is_read_once_before_it_is_believed(blobs: Blobs) -> None:
    path = blobs.path(blobs.put(b"whole"))
    os.utime(path, (1_700_000_000, 1_700_000_000))  # copied here by an older weft, or by hand
    inode = path.stat().st_ino
    blobs.put(b"whole")
    first = path.stat()
    blobs.put(b"whole")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (inode, first.st_mtime_ns)
    _flip(path, quietly=True)
    assert blobs.met(hashlib.sha256(b"whole").hexdigest(), 5)  # believed: it is not read again


def test_files_go_in_as_they_are_now(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(3 << 20))
    digest = blobs.put_file(source)
    content = source.read_bytes()
    source.write_bytes(b"changed later")
    assert blobs.read(digest) == content
    assert blobs.put_file(source) != digest
    assert list((tmp_path / "home" / "blobs").glob("*.new")) == []


def test_a_missing_source_says_so(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        blobs.put_file(tmp_path)


@pytest.mark.parametrize(
    "digest", ["", "ab", "../../etc/passwd", "A" * 64, "g" * 64, "a" * 63 + "/", "a" * 64 + "\n", "a" * 65, None, 7]
)
def test_no_digest_leads_out(blobs: Blobs, digest: str) -> None:
    for ask in (blobs.path, blobs.has, blobs.open, blobs.verify, blobs.size):
        with pytest.raises(UsageError, match="64 lower-case hex"):
            ask(digest)


def test_an_absent_blob_is_not_found(blobs: Blobs) -> None:
    absent = "0" * 64
    assert not blobs.has(absent)
    for ask in (blobs.open, blobs.verify, blobs.size, blobs.read):
        with pytest.raises(NotFoundError, match=absent):
            ask(absent)


def test_a_write_that_fails_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    """A disk that fills in the middle (here: a limit on file sizes): OSError to the caller, no half blob, no draft."""
    resource = pytest.importorskip("resource")
    blobs.put(b"before")
    (tmp_path / "source").write_bytes(b"from a file" * 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            blobs.put(b"after" * 100)
        with pytest.raises(OSError, match="File too large"):
            blobs.put_file(tmp_path / "source")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not blobs.has(hashlib.sha256(b"after" * 100).hexdigest())
    assert [path.name for path in (tmp_path / "home" / "blobs").glob("*.new")] == []


def test_a_home_that_is_a_file_raises_home_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises((HomeError, OSError)):
        Blobs(Home(tmp_path / "home")).put(b"x")


def test_threads_that_put_the_same_blob_agree(blobs: Blobs) -> None:
    data = os.urandom(1 << 20)
    start = threading.Barrier(8)
    found: list[str] = []

    def put() -> None:
        start.wait()
        found.append(blobs.put(data))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {hashlib.sha256(data).hexdigest()}
    assert blobs.verify(found[0])


def _put_all(home: Path, data: list[bytes]) -> None:
    blobs = Blobs(Home(home))
    for item in data:
        blobs.put(item)


def test_processes_that_put_the_same_blobs_agree(tmp_path: Path) -> None:
    data = [bytes([n]) * 10_000 for n in range(20)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_put_all, args=(tmp_path / "home", data)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    blobs = Blobs(Home(tmp_path / "home"))
    files = _files(blobs, tmp_path / "home")
    assert len(files) == 20
    assert all(blobs.verify(path.parent.name + path.name) for path in files)


@given(data=st.binary(max_size=5000))
def test_whatever_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    blobs = Blobs(Home(tmp_path_factory.getbasetemp() / "property-home"))
    assert blobs.read(blobs.put(data)) == data
