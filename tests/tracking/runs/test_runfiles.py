"""Files are kept when `save` returns, under names that stay inside the run, and again at the end where they changed."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from weft.tracking import runtime
from weft.tracking.api import Api
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.records import FileSaved, Record
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

Journaled = Callable[[], list[Record]]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "work"
    (place / "logs" / "deep").mkdir(parents=True)
    (place / "logs" / "a.txt").write_text("a")
    (place / "logs" / "deep" / "b.txt").write_text("b")
    (place / "model [1].bin").write_bytes(b"m")
    monkeypatch.chdir(place)
    return place


def _saved(journaled: Journaled) -> list[tuple[str, int]]:
    found = [record for record in journaled() if isinstance(record, FileSaved) and record.kind == "saved"]
    return [(record.path, record.size_bytes) for record in found]


def test_patterns_folders_and_names(home: Path, journaled: Journaled, work: Path) -> None:
    with starting.init("p") as run:
        assert run.save("logs/*.txt", policy="now") == [str(work / "logs" / "a.txt")]
        run.save(str(work / "logs" / "deep" / "b.txt"), policy="now")
        run.save(work / "logs", base_path=work, policy="now")
        run.save("logs/deep/*", base_path="logs", policy="now")
        run.save("model [1].bin", policy="now", glob=False)
        assert _saved(journaled) == [
            ("logs/a.txt", 1), ("b.txt", 1), ("logs/deep/b.txt", 1), ("deep/b.txt", 1),
            ("model [1].bin", 1),
        ]  # fmt: skip


def test_a_path_cannot_lead_out_of_its_base(home: Path, work: Path) -> None:
    with starting.init("p") as run:
        for pattern, base in (("../*", None), ("logs/../../x", None), ("/etc/hosts", "."), ("logs", "logs/deep")):
            with pytest.raises(UsageError, match="must lie below"):
                run.save(pattern, base_path=base)
        with pytest.raises(UsageError, match="policy"):
            run.save("logs/a.txt", policy="sometimes")
        assert run.save() == []
        for nothing in ("", 7):
            with pytest.raises(UsageError, match="path of a file"):
                run.save(nothing)  # type: ignore[arg-type]


def test_what_is_no_file_is_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with starting.init("p") as run:
        assert run.save("s3://bucket/key") == []
        assert run.save("none*.txt") == []
    assert "is no file here" in caplog.text
    assert "there is no such file" in caplog.text


def test_what_changed_is_kept_again_at_the_end(home: Path, journaled: Journaled, work: Path) -> None:
    (work / "now.txt").write_text("1")
    (work / "live.txt").write_text("1")
    (work / "same.txt").write_text("1")
    run = starting.init("p")
    run.save("now.txt", policy="now")
    run.save("live.txt")
    run.save("same.txt", policy="end")
    (work / "now.txt").write_text("22")
    (work / "live.txt").write_text("22")
    run.finish()
    assert _saved(journaled) == [("now.txt", 1), ("live.txt", 1), ("same.txt", 1), ("live.txt", 2)]
    with open_store() as store:
        uid = store.reader().runs().rows[0].uid
        files = {file.path: file for file in store.reader().files(uid) if file.kind == "saved"}
    assert {path: file.size_bytes for path, file in files.items()} == {"live.txt": 2, "now.txt": 1, "same.txt": 1}
    assert Blobs(runtime.active().home).read(files["live.txt"].digest) == b"22"


def test_the_runs_folder_is_kept_at_the_end(home: Path, journaled: Journaled) -> None:
    """As scripts write `os.path.join(wandb.run.dir, "model.h5")`."""
    run = starting.init("p")
    (Path(run.dir) / "sub").mkdir()
    (Path(run.dir) / "sub" / "model.h5").write_bytes(b"weights")
    run.save(os.path.join(run.dir, "sub", "*"))  # noqa: PTH118 - as scripts do
    (Path(run.dir) / "late.txt").write_text("late")
    run.finish()
    assert _saved(journaled) == [("sub/model.h5", 7), ("late.txt", 4)]
    assert Path(run.dir).is_relative_to(home)


def test_a_folder_of_ones_own(home: Path, work: Path) -> None:
    with starting.init("p", dir="out") as run:
        assert Path(run.dir).is_relative_to(work / "out")


def test_a_saved_file_comes_back(home: Path, work: Path) -> None:
    with starting.init("p", id="first") as run:
        run.save("logs/deep/b.txt")
    (work / "logs" / "deep" / "b.txt").unlink()
    with starting.init("p", id="second") as run:
        with run.restore("logs/deep/b.txt", run_path="p/first") as file:
            assert file.read() == "b"
        assert Path(file.name).is_relative_to(run.dir)
        with run.restore("logs/deep/b.txt", run_path="first", root=work) as file:
            assert file.name == str(work / "logs" / "deep" / "b.txt")
        with pytest.raises(NotFoundError, match="no file 'x'"):
            run.restore("x", run_path="first")
        with pytest.raises(NotFoundError, match="no run p/none"):
            run.restore("x", run_path="none")


def test_a_disk_that_refuses_stops_no_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    active = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "blobs").write_text("in the way")
    with starting.init("p") as run:
        assert run.save("logs/*") == []
    assert active.faults.counts["save a file of a run"] >= 1


def test_an_unusable_home_gives_a_temporary_folder_and_names_the_true_cause(
    tmp_path: Path, work: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("in the way")
    active = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    with starting.init("p") as run:
        place = Path(run.dir)
        (place / "model.h5").write_bytes(b"weights")
        assert run.dir == str(place)
        assert run.save("logs/a.txt") == run.save("model.h5") == []
    assert (place / "model.h5").read_bytes() == b"weights"  # perhaps the only copy
    shutil.rmtree(place)
    [line] = [
        record.getMessage() for record in caplog.records if "run.dir is a temporary folder" in record.getMessage()
    ]
    assert str(place) in line
    assert "there is no such file" not in caplog.text
    assert active.faults.counts["make the folder of a run's files"] == 1
    assert active.faults.counts["save a file of a run"] >= 2


def test_what_lies_in_a_temporary_folder_is_kept_where_the_home_can_be_written(
    home: Path, tmp_path: Path, journaled: Journaled, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.configure(Settings.resolve(home=home, strict=False))
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "file"))
    with starting.init("p") as run:
        place = Path(run.dir)
        assert not place.is_relative_to(tmp_path / "file")
        (place / "sub").mkdir()
        (place / "sub" / "model.h5").write_bytes(b"weights")
        run.save("sub/model.h5")
        (place / "late.txt").write_text("late")
    shutil.rmtree(place)
    assert _saved(journaled) == [("sub/model.h5", 7), ("late.txt", 4)]


def test_a_finished_run_saves_nothing(home: Path) -> None:
    run = starting.init("p")
    run.finish()
    for call in (lambda: run.save("logs/*"), lambda: run.alert("t")):
        with pytest.raises(UsageError, match="is finished"):
            call()


def test_the_api_reads_a_runs_files_and_alerts(home: Path, work: Path) -> None:
    with starting.init("p", id="mine") as run:
        run.save("logs/*", policy="now")
        run.alert("title", "text")
    with Api() as api:
        stored = api.run("p/mine")
        mine = [file for file in stored.files() if file.kind == "saved"]
        assert [(file.name, file.size) for file in mine] == [("logs/a.txt", 1), ("logs/deep/b.txt", 1)]
        place = stored.file("logs/deep/b.txt").download(work / "out")
        assert (place, place.read_text()) == (work / "out" / "logs" / "deep" / "b.txt", "b")
        place.write_text("mine")
        assert stored.file("logs/deep/b.txt").download(work / "out").read_text() == "mine"
        assert stored.file("logs/deep/b.txt").download(work / "out", replace=True).read_text() == "b"
        with stored.file("logs/a.txt").open() as opened:
            assert opened.read() == b"a"
        with pytest.raises(NotFoundError, match="no file 'x'"):
            stored.file("x")
        assert [alert.title for alert in stored.alerts()] == ["title"]


def test_threads_restore_the_same_file_at_once(home: Path, work: Path) -> None:
    """As workers of a data loader do: none takes the other's half-written file away."""
    with starting.init("p", id="first") as run:
        run.save("logs/a.txt")
    start = threading.Barrier(8)
    with starting.init("p") as run, ThreadPoolExecutor(8) as pool:

        def read(_: int) -> str:
            start.wait()
            with run.restore("logs/a.txt", run_path="first", replace=True) as file:
                return file.read()

        assert list(pool.map(read, range(8))) == ["a"] * 8
        assert [path.name for path in (Path(run.dir) / "logs").iterdir()] == ["a.txt"]
