"""The doctor sees what is wrong, says how to mend it, changes nothing, and never falls over what it looks at."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import weft
from weft import doctor
from weft.doctor import Report, examine
from weft.tracking import filesystems, runtime
from weft.tracking.blobs import Blobs
from weft.tracking.home import Home
from weft.tracking.journal import frames
from weft.tracking.journal.records import SCHEMA, SegmentClosed, SegmentOpened
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store


def _problems(report: Report) -> list[str]:
    return [finding.text for finding in report.findings if finding.level == "problem"]


def _notes(report: Report) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.level == "note")


def _settings(home: Path, **more: str) -> Settings:
    return Settings.resolve(home=home, strict=True, **more)


def _tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def _dead_segment(home: Path, name: str, *records: object, tail: bytes = b"", version: int = frames.VERSION) -> Path:
    opened = SegmentOpened(SCHEMA, name.encode()[:8].ljust(8), "host", 1, 0, "9.9.9", "3.11")
    Home(home).ensure()
    path = home / "journal" / f"{name}.wj"
    head = frames.MAGIC + version.to_bytes(4, "little") + b"\0\0\0\0"
    path.write_bytes(head + b"".join(frames.encode(record) for record in (opened, *records)) + tail)
    return path


def test_a_home_that_does_not_exist_is_fine_and_not_made(tmp_path: Path) -> None:
    report = examine(_settings(tmp_path / "home"))
    assert report.healthy
    assert "no home" in _notes(report)
    assert not (tmp_path / "home").exists()


def test_a_working_home(home: Path) -> None:
    """A live writer, its waiting bytes, then the same ingested; looking changes not one file."""
    with starting.init(project="p") as run:
        run.log({"a": 1})
        before = _tree(home)
        report = examine(runtime.active().settings)
        assert _tree(home) == before
        assert report.healthy
        [writer] = report.writers
        assert writer.pid == os.getpid()
        assert report.waiting_bytes > 0
        assert report.waiting_segments == 1
        assert "no store yet" in _notes(report)
        open_store().close()
        report = examine(runtime.active().settings)
        assert report.healthy
        assert report.waiting_bytes == 0
        assert report.status is not None
        assert report.status.runs == 1
        assert report.sizes["store"] > 0


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    report = examine(_settings(tmp_path / "home"))
    assert _problems(report) == [f"the home {tmp_path / 'home'} is a file"]


def test_a_home_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "cannot be reached" in _problems(examine(_settings(tmp_path / "file" / "home")))[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="as another user, permissions say it")
def test_a_home_that_cannot_be_written_even_by_root() -> None:
    report = examine(_settings(Path("/proc/self")))
    assert any("cannot be written" in text for text in _problems(report))


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_cannot_be_written(home: Path) -> None:
    Home(home).ensure()
    home.chmod(0o500)
    try:
        assert any("cannot be written" in text for text in _problems(examine(_settings(home))))
    finally:
        home.chmod(0o700)


def test_a_home_that_others_may_read_is_noted(home: Path) -> None:
    Home(home).ensure()
    home.chmod(0o755)
    assert "other users may read" in _notes(examine(_settings(home)))


def test_a_damaged_segment_is_named_before_and_after_it_is_set_aside(home: Path) -> None:
    _dead_segment(home, "20260101T000000.0-bad", tail=b"\x10\0\0\0garbage that is no frame" * 3)
    assert any("is damaged at byte" in text for text in _problems(examine(runtime.active().settings)))
    open_store().close()
    report = examine(runtime.active().settings)
    assert any("was set aside" in text for text in _problems(report))
    assert report.findings[-1].mend


def test_a_newer_segment_is_named(home: Path) -> None:
    _dead_segment(home, "20260101T000000.0-new", version=99)
    [problem] = _problems(examine(runtime.active().settings))
    assert "weft 9.9.9" in problem
    assert "journal format 99" in problem


def test_lost_records_are_counted_once_a_writer(home: Path) -> None:
    """`dropped` in a segment's last frame is the total of its writer's life so far."""
    for name, dropped in (("aaaaaaaa-1", 3), ("aaaaaaaa-2", 5), ("bbbbbbbb-1", 2)):
        _dead_segment(home, name, SegmentClosed(SCHEMA, "rotate", dropped))
    report = examine(runtime.active().settings)
    assert report.dropped == 7
    assert any("7 records could not be written" in text for text in _problems(report))


def test_records_lost_for_real_are_counted(tmp_path: Path) -> None:
    """A program whose files may not grow drops records, runs to its end, and the doctor says so."""
    program = """
import resource, signal
from weft.tracking.runs import starting
run = starting.init(project="p")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (run.home.journal.stat().st_size, hard))
for path in run.home.journal.iterdir():
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
for step in range(4):
    run.log({"a": step})
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
"""
    environment = {**os.environ, "WEFT_HOME": str(tmp_path / "home"), "WEFT_STRICT": "0"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60, capture_output=True)
    assert examine(_settings(tmp_path / "home")).dropped == 4


def test_stores_that_cannot_be_read(home: Path) -> None:
    Home(home).ensure()
    (home / "weft.db").write_bytes(b"this is no database at all, whatever it is called" * 100)
    [problem] = _problems(examine(runtime.active().settings))
    assert "the store cannot be read" in problem
    [problem] = _problems(examine(_settings(home, store_url="nonsense")))
    assert "is no store URL" in problem


@pytest.mark.parametrize("url", ["postgresql://ada:hunter2@127.0.0.1:1/weft", "mysql://ada:hunter2@127.0.0.1:1/weft"])
def test_a_stores_password_is_never_shown(home: Path, url: str) -> None:
    Home(home).ensure()
    report = examine(_settings(home, store_url=url))
    assert any("the store cannot be read" in text for text in _problems(report))
    assert "hunter2" not in str(doctor.to_json(report))


def test_a_newer_store_is_said(home: Path) -> None:
    sqlite3 = pytest.importorskip("sqlite3")
    open_store().close()
    connection = sqlite3.connect(home / "weft.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    [problem] = _problems(examine(runtime.active().settings))
    assert "upgrade this one" in problem


def test_drafts_of_killed_writers_are_noted(home: Path) -> None:
    Blobs(Home(home)).put(b"x")
    draft = home / "blobs" / "abc.new"
    draft.write_bytes(b"half")
    assert "unfinished" not in _notes(examine(runtime.active().settings))  # it may be at work
    old = time.time() - doctor.STALE_DRAFT_SECONDS - 1
    os.utime(draft, (old, old))
    assert "1 unfinished blobs (4 B)" in _notes(examine(runtime.active().settings))


def test_network_file_systems_are_known_by_name(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    Home(home).ensure()
    assert filesystems.kind_of(home)
    monkeypatch.setattr(filesystems, "kind_of", lambda path: "nfs4")
    assert any("network file system (nfs4)" in text for text in _problems(examine(runtime.active().settings)))


def test_little_space_is_said(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    Home(home).ensure()
    monkeypatch.setattr(doctor, "LOW_SPACE_BYTES", 1 << 62)
    assert any("are free on the disk" in text for text in _problems(examine(runtime.active().settings)))


def test_missing_extras_are_those_that_lack_something() -> None:
    found = doctor.versions()
    assert found["weft"]
    assert found["sqlite"]
    assert doctor.missing_extras({**found, "numpy": None}) == ["tables"]


def test_disabled_is_said(tmp_path: Path) -> None:
    assert "WEFT_MODE is disabled" in _notes(examine(Settings.resolve(home=tmp_path / "home", mode="disabled")))


def test_settings_that_record_less_or_other_than_one_would_expect_are_said(tmp_path: Path) -> None:
    plain = examine(_settings(tmp_path / "home"))
    assert len(plain.findings) == 1  # that there is no home yet
    settings = Settings.resolve(home=tmp_path / "home", sample_rate=0.05, redact=False, otel="separate")
    notes = _notes(examine(settings))
    assert "5.000% are recorded (WEFT_SAMPLE_RATE)" in notes
    assert "secrets are written as they are" in notes
    assert "WEFT_OTEL is separate" in notes


def test_artifacts_whose_files_are_gone_are_named(home: Path) -> None:
    weft.publish({"a": 1}, name="kept")
    weft.publish({"a": 2}, name="lost")
    with weft.init(project="p") as run:
        elsewhere = weft.Artifact("elsewhere", type="x")
        elsewhere.add_reference("tape://shelf/7", name="seven")  # what it does not hold cannot be gone
        run.log_artifact(elsewhere)
    open_store().close()
    assert examine(_settings(home)).healthy
    with open_store() as store:
        (lost,) = store.reader().artifacts({"name": "lost"}).rows
    Blobs(Home(home)).path(next(iter(lost.manifest.values()))["digest"]).unlink()
    [problem] = _problems(examine(_settings(home)))
    assert problem == f"files of 1 artifact version are not in {home / 'blobs'}: default/lost:v0"


def test_what_is_wrong_with_the_users_prices_is_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    Home(home).ensure()
    settings = _settings(home)
    settings.prices.write_text('[[price]]\nmodel = "a"\ninput = 1\noutput = 2\n[[price]]\nmodel = "b"\n')
    [problem] = _problems(examine(settings))
    assert f"price 2 of {settings.prices} is not used" in problem
    settings.prices.write_text("[[price]\n")
    [problem] = _problems(examine(settings))
    assert "cannot be read and is not used" in problem
    assert not caplog.records  # said once


def test_a_home_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    nowhere = replace(_settings(tmp_path), home=Path("~/.weft"))
    assert "HOME is not set" in " ".join(_problems(examine(nowhere)))
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    assert "leads nowhere" in " ".join(_problems(examine(_settings(tmp_path / "link"))))


@pytest.mark.parametrize("name", ["blobs", "quarantine"])
def test_a_file_where_a_folder_belongs_is_a_problem(home: Path, name: str) -> None:
    Home(home).ensure()
    shutil.rmtree(home / name, ignore_errors=True)
    (home / name).write_text("in the way")
    assert any(name in problem for problem in _problems(examine(_settings(home))))


def test_a_manifest_that_is_none_is_a_problem_of_its_own(home: Path) -> None:
    with weft.init(project="p") as run:
        made = weft.Artifact("data", type="dataset")
        made.add_bytes(b"1", "a")
        run.log_artifact(made).wait()
    with sqlite3.connect(home / "weft.db") as store:
        store.execute("UPDATE artifact_version SET manifest = '{bad'")
    store.close()
    report = examine(_settings(home))
    assert any("the manifest of p/data:v0 in the store is damaged" in text for text in _problems(report))
    assert any("the store can be read" in finding.text for finding in report.findings)
