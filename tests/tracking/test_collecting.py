"""Only what nothing names is freed: versions, files of runs, media, long payloads, what waits, what is on its way."""

from __future__ import annotations

import os
import sqlite3
import time
from datetime import timedelta
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.blobs import Blobs
from weft.tracking.collecting import Collected, collect
from weft.tracking.errors import StoreError
from weft.tracking.journal import frames
from weft.tracking.journal.records import SCHEMA, FileSaved
from weft.tracking.runs.starting import start_run
from weft.tracking.settings import Settings

ALL = -1.0
"""Of any age."""


def _blobs() -> Blobs:
    return Blobs(runtime.active().home)


def _log(content: bytes, **more: object) -> Artifact:
    artifact = Artifact("data", type="dataset")
    artifact.add_bytes(content, "a.txt")
    if "ttl" in more:
        artifact.ttl = more.pop("ttl")  # type: ignore[assignment]
    with start_run(project="p") as run:
        return run.log_artifact(artifact, **more)  # type: ignore[arg-type]


def _freed(**more: object) -> Collected:
    return collect(fresh_s=ALL, **more)  # type: ignore[arg-type]


def test_the_content_of_a_deleted_version_is_freed_unless_another_one_has_it(home: Path) -> None:
    gone, stays = _log(b"only mine" * 100), _log(b"shared" * 100)
    other = Artifact("other", type="x")
    other.add_bytes(b"shared" * 100, "b")
    with start_run(project="q") as run:
        run.log_artifact(other)
    gone.delete(delete_aliases=True)
    stays.delete(delete_aliases=True)
    told = _freed(dry_run=True)
    assert (told.blobs, told.bytes) == (1, 900)
    assert _blobs().has(gone.manifest["a.txt"]["digest"]), "a dry run deletes nothing"
    done = _freed()
    assert (done.blobs, done.bytes) == (1, 900)
    assert not _blobs().has(gone.manifest["a.txt"]["digest"])
    assert _blobs().has(stays.manifest["a.txt"]["digest"])
    assert _freed().blobs == 0


def test_what_is_named_anywhere_stays(home: Path) -> None:
    """A run's file, a span's picture, a payload too long for its record and the picture inside it, a logged value."""
    digests = {}
    with start_run(project="p") as run:
        digests["file"] = _blobs().put(b"file of a run")
        rt = runtime.active()
        rt.journal.append(FileSaved(SCHEMA, run.uid, rt.ids.wall_ns(), "out.txt", digests["file"], 13))
        picture = weft.Content.from_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3000), "image/png")
        inner = weft.Content.from_bytes(b"\x89PNG\r\n\x1a\n" + bytes(4000), "image/png")

        @weft.op
        def show(one: weft.Content) -> list[object]:
            return [inner, {str(at): at for at in range(200_000)}]

        @weft.op
        def speak(one: str) -> None:
            pass

        show(picture)
        speak("long " * 400_000)
        run.log({"shown": weft.Content.from_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000), "image/png")})
    digests |= {"picture": str(picture.digest), "inner": str(inner.digest)}
    before = {path for path in (home / "blobs").rglob("*") if path.is_file()}
    assert len(before) >= 6
    assert _freed().blobs == 0
    assert {path for path in (home / "blobs").rglob("*") if path.is_file()} == before
    assert all(_blobs().has(digest) for digest in digests.values())


def test_what_was_written_a_moment_ago_or_met_again_stays(home: Path) -> None:
    start_run(project="p").finish()
    digest = _blobs().put(b"its record is on its way")
    done = collect()
    assert (done.blobs, done.fresh_blobs) == (0, 1)
    old = time.time() - 86_400
    os.utime(_blobs().path(digest), (old, old))
    _blobs().stage(b"its record is on its way")  # somebody else is about to name it
    assert collect().blobs == 0
    os.utime(_blobs().path(digest), (old, old))
    assert collect().blobs == 1
    assert not _blobs().has(digest)


def test_an_expired_version_goes_unless_an_alias_holds_it(home: Path) -> None:
    short = timedelta(hours=1)
    loose, held, lasting = _log(b"loose", ttl=short), _log(b"held", ttl=short, aliases=["best"]), _log(b"lasting")
    later = time.time_ns() + 3_700 * 10**9
    told = _freed(dry_run=True, now_ns=later)
    assert [(one.version, one.kept_by) for one in told.expired] == [("p/data:v1", ("alias best",)), ("p/data:v0", ())]
    assert told.blobs == 1
    assert _freed().expired == [], "not yet"
    assert _freed(now_ns=later).blobs == 1
    with weft.Api(project="p") as api:
        assert [row.version for row in api.artifacts(order="version")] == [1, 2]
    assert not _blobs().has(loose.manifest["a.txt"]["digest"])
    assert all(_blobs().has(one.manifest["a.txt"]["digest"]) for one in (held, lasting))


def test_logging_the_content_again_begins_its_time_anew(home: Path) -> None:
    _log(b"A", ttl=timedelta(hours=1))
    over = time.time_ns() + 3_600 * 10**9
    assert len(_freed(dry_run=True, now_ns=over).expired) == 1
    _log(b"A")
    assert _freed(now_ns=over).expired == []


def test_a_journal_that_cannot_be_read_keeps_everything(home: Path) -> None:
    digest = _blobs().put(b"who knows")
    segment = home / "journal" / "20000101T000000.000000000-0123456789ab.wj"
    runtime.active().home.ensure()
    segment.write_bytes(frames.MAGIC + (99).to_bytes(4, "little") + bytes(4))
    with pytest.raises(StoreError, match="nothing was freed"):
        _freed()
    assert _blobs().has(digest)


def test_a_store_that_never_heard_of_this_home_frees_nothing(home: Path, tmp_path: Path) -> None:
    artifact = _log(b"A")
    artifact.logged()
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    runtime.configure(Settings.resolve(home=tmp_path / "third", store_url=elsewhere, strict=True))
    _log(b"of another home").logged()
    for file in (home / "journal").rglob("*.wj"):
        file.unlink()
    runtime.configure(Settings.resolve(home=home, store_url=elsewhere, strict=True))
    with pytest.raises(StoreError, match="never heard of the home"):
        _freed()
    assert Blobs(runtime.active().home).has(artifact.manifest["a.txt"]["digest"])


def test_drafts_of_artifacts_that_nobody_logged_are_swept_after_a_week(home: Path) -> None:
    """Where no lock says whose they are (`test_draftowners`)."""
    artifact = Artifact("draft", type="x")
    artifact.add_bytes(b"never logged", "a")
    (draft,) = (home / "blobs").glob("*.new")
    draft = draft.rename(draft.with_name(draft.name.partition("-")[2]))
    assert _freed().drafts == 0
    old = time.time() - 8 * 86_400
    os.utime(draft, (old, old))
    assert _freed().drafts == 1
    assert not draft.exists()
    assert artifact.file_count == 1


def test_nothing_is_freed_while_a_manifest_cannot_be_read(home: Path) -> None:
    """What it names is not known, so anything may be."""
    spoilt, other = _log(b"A" * 100), _log(b"B" * 100)
    spoilt.wait()
    other.delete(delete_aliases=True)
    with sqlite3.connect(home / "weft.db") as store:
        store.execute("UPDATE artifact_version SET manifest = '{bad' WHERE digest = ?", (spoilt.digest,))
    store.close()
    with pytest.raises(StoreError, match="the manifest of p/data:v0"):
        _freed()
    assert all(_blobs().has(made.manifest["a.txt"]["digest"]) for made in (spoilt, other))
