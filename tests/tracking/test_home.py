"""A home is made whole, for its owner alone, with one id for ever; what stands in its way is said with the way out."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import stat
from pathlib import Path

import pytest

from weft.tracking.errors import HomeError
from weft.tracking.home import Home


def test_a_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home").ensure()
    for folder in (home.path, home.journal, home.blobs):
        assert folder.is_dir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(item.name for item in home.path.iterdir()) == ["blobs", "home.id", "journal"]


def test_a_home_keeps_its_id(tmp_path: Path) -> None:
    first = Home(tmp_path / "home").uid  # asking makes it
    assert len(first) == 32
    assert int(first, 16) >= 0
    assert Home(tmp_path / "home").ensure().uid == first
    assert Home(tmp_path / "other").uid != first


def test_making_it_again_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").ensure()
    (home.journal / "x.wj").write_bytes(b"kept")
    before = (home.path / "home.id").stat().st_mtime_ns
    home.ensure()
    assert (home.journal / "x.wj").read_bytes() == b"kept"
    assert (home.path / "home.id").stat().st_mtime_ns == before


def _uid(path: Path, start: object, found: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    found.put(Home(path).uid)  # type: ignore[attr-defined]


def test_processes_that_race_agree_on_one_id(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, found = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_uid, args=(tmp_path / "home", start, found)) for _ in range(4)]
    for process in processes:
        process.start()
    uids = {found.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert uids == {Home(tmp_path / "home").uid}
    assert [item.name for item in (tmp_path / "home").glob("home.id*")] == ["home.id"]


@pytest.mark.parametrize("where", ["home", "home/below", "home/journal"])
def test_a_file_in_the_way_is_named(tmp_path: Path, where: str) -> None:
    path = tmp_path / "home"
    if where == "home/journal":
        path.mkdir()
        (path / "journal").write_text("in the way")
    else:
        path.write_text("in the way")
    with pytest.raises(HomeError, match=r"is a file\. Move that file or set WEFT_HOME"):
        Home(tmp_path / where if where == "home/below" else path).ensure()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(HomeError, match="cannot be written: Permission denied"):
            Home(tmp_path / "home").ensure()
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder here that even root cannot write")
def test_a_home_where_nothing_can_be_made_is_said() -> None:
    with pytest.raises(HomeError, match="WEFT_HOME"):
        Home(Path("/proc/self/weft")).ensure()


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    home = Home(tmp_path / "home").ensure()
    assert len(home.uid) == 32
    assert [item.name for item in home.path.glob("home.id*")] == ["home.id"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not hex"])
def test_a_damaged_id_is_said_and_never_used(tmp_path: Path, content: bytes) -> None:
    """An id that is another than before would make the store take everything in twice."""
    home = Home(tmp_path / "home").ensure()
    (home.path / "home.id").write_bytes(content)
    with pytest.raises(HomeError, match=r"home\.id is damaged.*put them back"):
        _ = home.uid


def test_the_file_in_the_way_is_named_even_above_the_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match=re.escape(f"{tmp_path / 'file'} is a file")):
        Home(tmp_path / "file" / "deep" / "home").ensure()


def test_a_home_that_cannot_be_told_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME and no entry for this user; nothing is made under the working directory instead."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HomeError, match="Set WEFT_HOME"):
        Home(Path("~/.weft")).ensure()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EROFS, "Make it writable"),
        (errno.EISDIR, "Move it away"),
        (errno.EIO, "weft doctor"),
    ],
)
def test_what_the_disk_says_becomes_one_line_with_a_cure(tmp_path: Path, number: int, cure: str) -> None:
    with pytest.raises(HomeError, match=cure), Home(tmp_path).using("keep a thing"):
        raise OSError(number, "words", "/somewhere")
