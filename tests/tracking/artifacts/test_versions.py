"""Versions follow rules that are written down: numbers, latest, aliases, what is said of them, what protects them."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.finding import find
from weft.tracking.artifacts.lifetimes import INHERIT
from weft.tracking.artifacts.manifest import Entry, Manifest
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.runs.starting import start_run
from weft.tracking.settings import Settings


def _log(content: bytes, name: str = "data", metadata: dict[str, object] | None = None, **more: object) -> Artifact:
    artifact = Artifact(name, type="dataset", metadata=metadata)
    artifact.add_bytes(content, "a.txt")
    with start_run(project="p") as run:
        return run.log_artifact(artifact, **more)  # type: ignore[arg-type]


def _version(name: str) -> ArtifactVersion:
    with weft.Api(project="p") as api:
        return api.artifact(name)


def test_content_that_was_logged_before_is_the_version_it_was_and_latest_goes_there(home: Path) -> None:
    """A, B, A: two versions; latest is what was logged last, not what has the highest number."""
    assert [_log(content).version for content in (b"A", b"B", b"A")] == ["v0", "v1", "v0"]
    assert _version("data").version == _version("data:latest").version == "v0"
    assert _log(b"C").version == "v2"
    assert _version("data").version == "v2"


def test_what_a_later_log_says_replaces_and_what_it_leaves_out_stays(home: Path) -> None:
    _log(b"A", metadata={"rows": 1}, aliases=["good"], tags=["raw"])
    _log(b"A")
    version = _version("data:v0")
    assert (version.metadata, version.tags, version.aliases) == ({"rows": 1}, ["raw"], ["latest", "good"])
    _log(b"A", metadata={"rows": 2})
    assert _version("data:v0").metadata == {"rows": 2}


def test_an_alias_is_on_one_version_and_moves_with_whoever_gives_it(home: Path) -> None:
    _log(b"A", aliases=["best"])
    _log(b"B", aliases=["best"])
    assert _version("data:best").version == "v1"
    assert _version("data:v0").aliases == []
    edited = _version("data:v0")
    edited.aliases.append("best")
    edited.save()
    assert _version("data:best").version == "v0"
    stale = _version("data:v1")
    stale.aliases = ["latest", "other"]
    stale.save()
    assert _version("data:best").version == "v0"


def test_an_alias_that_was_taken_away_points_at_nothing(home: Path) -> None:
    _log(b"A", aliases=["best"])
    version = _version("data:best")
    version.aliases.remove("best")
    version.save()
    with pytest.raises(NotFoundError, match="no artifact data:best"):
        _version("data:best")
    version.aliases.remove("latest")
    with pytest.raises(UsageError, match="moves by logging"):
        version.save()


@pytest.mark.parametrize("bad", ["v1", "a/b", "a:b", "", 7])
def test_wrong_alias_forms_are_refused_when_edited_too(home: Path, bad: str) -> None:
    _log(b"A")
    version = _version("data")
    version.aliases.append(bad)
    with pytest.raises(UsageError, match=r"alias|versions"):
        version.save()


def test_what_is_said_of_a_version_may_be_changed_and_is_redacted(home: Path) -> None:
    artifact = _log(b"A")
    artifact.metadata["answer"] = 42
    artifact.description = "with a key sk-proj-" + "a" * 40
    artifact.tags.append("kept")
    artifact.ttl = timedelta(days=3)
    artifact.save()
    version = _version("data")
    assert (version.metadata, version.tags, version.ttl) == ({"answer": 42}, ["kept"], timedelta(days=3))
    assert "[redacted" in str(version.description)
    version.ttl = None
    version.save()
    assert _version("data").ttl is None


def test_a_time_that_is_none_is_refused(home: Path) -> None:
    artifact = Artifact("a", type="x")
    for bad in (timedelta(seconds=-1), 7, "1d"):
        with pytest.raises(UsageError, match="ttl"):
            artifact.ttl = bad  # type: ignore[assignment]
    artifact.ttl = INHERIT
    assert artifact.ttl is None


@pytest.mark.parametrize(
    ("metadata", "says"),
    [([1], "must be a dict"), ({1: 2}, "are text"), ({str(at): at for at in range(101)}, "at most 100 keys")],
)
def test_metadata_that_is_none_is_refused(home: Path, metadata: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Artifact("a", type="x", metadata=metadata)  # type: ignore[arg-type]


def test_a_version_with_aliases_is_deleted_only_with_them_and_its_number_is_gone(home: Path) -> None:
    _log(b"A", aliases=["best"], metadata={"old": True})
    _log(b"B")
    version = _version("data:best")
    with pytest.raises(UsageError, match="has the alias best"):
        version.delete()
    version.delete(delete_aliases=True)
    assert version.state == "DELETED"
    for gone in ("data:v0", "data:best"):
        with pytest.raises(NotFoundError):
            _version(gone)
    again = _log(b"A")
    assert (again.version, again.aliases, again.logged().metadata) == ("v2", ["latest"], {})


def test_deleting_a_version_leaves_the_same_content_of_another_name(home: Path) -> None:
    _log(b"A")
    _log(b"A", name="twin")
    _version("data").delete()
    assert _version("twin").version == "v0"


def test_what_is_deleted_stays_so_in_a_store_made_again(home: Path) -> None:
    _log(b"A")
    _log(b"B")
    _version("data:v0").delete()
    weft.Api().close()
    runtime.active().journal.close()
    for file in home.glob("weft.db*"):
        file.unlink()
    with weft.Api(project="p") as api:
        assert [(row.version, row.aliases) for row in api.artifacts()] == [(1, ["latest"])]


def _race(home: str, at: int) -> None:
    runtime.configure(Settings.resolve(home=Path(home), strict=True))
    for turn in range(5):
        _log(f"{at} {turn}".encode())
    os._exit(0)


def test_processes_that_log_at_once_get_a_number_each(home: Path) -> None:
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=_race, args=(str(home), at)) for at in range(4)]
    for one in others:
        one.start()
    for one in others:
        one.join(60)
        assert one.exitcode == 0
    with weft.Api(project="p") as api:
        rows = api.artifacts({"name": "data"})[:]
    assert sorted(row.version for row in rows) == list(range(20))
    assert [row.aliases for row in rows if row.aliases] == [["latest"]]


def test_a_draft_begins_with_the_files_of_its_version(home: Path) -> None:
    artifact = _log(b"A")
    draft = artifact.new_draft()
    draft.add_bytes(b"more", "b.txt")
    draft.remove("a.txt")
    with start_run(project="p") as run:
        assert run.log_artifact(draft).version == "v1"
    assert list(_version("data").manifest) == ["b.txt"]
    with pytest.raises(UsageError, match="versions do not change"):
        artifact.add_bytes(b"x", "c")


def test_an_incremental_artifact_goes_on_from_the_latest_version(home: Path) -> None:
    for name, content in (("a.txt", b"1"), ("b.txt", b"2"), ("a.txt", b"3")):
        artifact = Artifact("grows", type="dataset", incremental=True)
        artifact.add_bytes(content, name)
        with start_run(project="p") as run:
            run.log_artifact(artifact)
    version = _version("grows")
    with version.open("a.txt") as file:
        assert (sorted(version.manifest), file.read()) == (["a.txt", "b.txt"], b"3")


def test_before_it_is_logged_an_artifact_is_no_version(home: Path) -> None:
    artifact = Artifact("a", type="x")
    assert (artifact.state, artifact.is_draft()) == ("PENDING", True)
    for ask in ("version", "aliases", "qualified_name"):
        with pytest.raises(UsageError, match="is no version yet"):
            getattr(artifact, ask)
    with pytest.raises(AttributeError):
        _ = artifact.nonsense


def test_differences_name_files_and_metadata(home: Path) -> None:
    first, second = Artifact("a", type="x", metadata={"n": 1}), Artifact("a", type="x", metadata={"n": 2})
    for artifact, files in (
        (first, {"same": b"1", "old": b"2", "both": b"3"}),
        (second, {"same": b"1", "both": b"4", "new": b"5"}),
    ):
        for path, content in files.items():
            artifact.add_bytes(content, path)
        with start_run(project="p") as run:
            run.log_artifact(artifact)
    found = _version("a:v0").diff(_version("a:v1"))
    assert (found.added, found.removed, found.changed, found.unchanged) == (["new"], ["old"], ["both"], 1)
    assert found.metadata == {"n": (1, 2)}
    assert not _version("a:v0").diff(_version("a:v0"))


def test_checkout_removes_what_does_not_belong_and_verify_names_it(home: Path, tmp_path: Path) -> None:
    version = _log(b"A").logged()
    out = version.download(tmp_path / "out")
    version.verify(out)
    (out / "mine").mkdir()
    (out / "mine" / "x").write_text("x")
    (out / "a.txt").write_text("Z")
    with pytest.raises(UsageError, match=r"mine/x does not belong to it, a\.txt is different"):
        version.verify(out)
    version.checkout(out)
    assert [path.name for path in out.rglob("*")] == ["a.txt"]
    version.verify(out)


def test_a_prefix_is_plain_text(home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    artifact = Artifact("a", type="x")
    for path in ("some/a", "some-more/b", "other"):
        artifact.add_bytes(b"1", path)
    with start_run(project="p") as run:
        run.log_artifact(artifact)
    out = artifact.download(tmp_path / "plain", path_prefix="some")
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["a", "b"]
    out = artifact.download(tmp_path / "folder", path_prefix="some/")
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["a"]
    assert caplog.text == ""
    out = artifact.download(tmp_path / "none", path_prefix="nope")
    assert "no path begins with 'nope'" in caplog.text
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        {"digest": "../../etc/passwd", "size_bytes": 1}, {"digest": "0" * 64}, {"digest": "0" * 64, "size_bytes": -1},
        {"digest": "0" * 64, "size_bytes": 1, "check": "trust"}, "0" * 64, None,
        {"digest": "x", "size_bytes": 1, "ref": "file:///x"},
    ],
)  # fmt: skip
def test_a_manifest_that_was_edited_is_refused_when_it_is_read(home: Path, tmp_path: Path, body: object) -> None:
    version = _log(b"A").logged()
    version.manifest = Manifest({"a.txt": body})  # type: ignore[dict-item]
    with pytest.raises(StoreError, match=r"entry of 'a\.txt' is damaged"):
        version.download(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("digest", [hashlib.sha256(b"another file that is there").hexdigest(), "0" * 64])
def test_a_manifest_that_was_edited_in_the_store_leads_to_no_other_content(home: Path, digest: str) -> None:
    version = _log(b"A").logged()
    Blobs(runtime.active().home).put(b"another file that is there")
    with sqlite3.connect(home / "weft.db") as store:
        (text,) = store.execute("SELECT manifest FROM artifact_version").fetchone()
        edited = text.replace(version.manifest["a.txt"]["digest"], digest)
        assert edited != text
        store.execute("UPDATE artifact_version SET manifest = ?", (edited,))
    store.close()
    with pytest.raises(StoreError, match="was edited: its digest is"):
        find(f"{version.bare_name}:v0", version.project, Blobs(runtime.active().home))


def test_used_as_and_type_are_kept_and_checked(home: Path) -> None:
    _log(b"A")
    with start_run(project="p") as run:
        with pytest.raises(UsageError, match="of type 'dataset', and type='model'"):
            run.use_artifact("data", type="model")
        version = run.use_artifact("data:latest", type="dataset", use_as="training data")
    assert [used.id for used in version.used_by()] == [run.id]
    with weft.Api(project="p") as api:
        (edge,) = api.lineage("data", "down").edges
    assert (edge.role, edge.used_as, edge.target) == ("used", "training data", f"run:p/{run.id}")


def test_a_version_is_found_with_an_entity_before_it(home: Path) -> None:
    _log(b"A")
    with start_run(project="p") as run:
        for text in ("me/p/data:latest", "me/p/data", "p/data:v0"):
            assert run.use_artifact(text).qualified_name == "p/data:v0"
        with pytest.raises(UsageError, match="names no version"):
            run.use_artifact("a/b/p/data:latest")
    with weft.Api() as api:
        assert api.artifact("me/p/data:v0").digest == api.artifact("data").digest
        assert api.artifact_exists("me/p/data:v0")
        assert api.run(f"me/p/{run.id}").id == run.id


def test_one_file_of_a_version_is_downloaded_by_itself(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    artifact = Artifact("data", type="dataset")
    artifact.add_bytes(b"one", "sub/a.txt")
    artifact.add_bytes(b"two", "sub/a.txt.gz")
    with pytest.raises(UsageError, match="not logged"):
        artifact.get_entry("sub/a.txt").download()
    with start_run(project="p") as run:
        run.log_artifact(artifact)
        version = run.use_artifact("data:latest")
    for entry in (artifact.get_entry("sub/a.txt"), version.get_path("sub/a.txt"), version.files()[0]):
        assert (entry.name, entry.size, entry.digest) == ("sub/a.txt", 3, version.manifest["sub/a.txt"]["digest"])
        place = entry.download()
        assert place == str(Path("artifacts", "data-v0", "sub", "a.txt"))
        assert Path(place).read_bytes() == b"one"
        assert not Path(place).with_name("a.txt.gz").exists()
        Path(place).unlink()
    assert Path(version.get_entry("sub/a.txt").download(root=tmp_path / "out")) == tmp_path / "out" / "sub" / "a.txt"


def test_the_name_of_a_version_leads_to_that_version(home: Path) -> None:
    """As wandb's scripts use it: a bare name would lead to the latest."""
    with start_run(project="p") as run:
        first = _artifact_of(b"A")
        assert first.name == "data"
        run.log_artifact(first)
        first.wait()
        run.log_artifact(_artifact_of(b"B"))
        assert first.name == first.source_name == "data:v0"
        assert first.collection_name == first.bare_name == first.name.split(":")[0] == "data"
        used = run.use_artifact(first.name)
        assert (used.name, used.source_name, used.collection_name, used.digest) == (
            *("data:v0", "data:v0", "data"),
            first.digest,
        )
        assert used.new_draft().name == "data"
        assert run.use_artifact("data").name == "data:v1"
        link = used.link("model/loved")
        assert link is not None
        assert (link.name, link.source_name, link.collection_name, link.bare_name) == (
            *("loved:v0", "data:v0"),
            *("loved", "data"),
        )


def _artifact_of(content: bytes) -> Artifact:
    made = Artifact("data", type="dataset")
    made.add_bytes(content, "a.txt")
    return made


def test_a_download_is_a_text_and_a_path(home: Path, tmp_path: Path) -> None:
    _log(b"A")
    with weft.Api(project="p") as api:
        folder = api.artifact("data").download(root=tmp_path / "out")
    assert isinstance(folder, str)
    assert folder + "/x" == f"{tmp_path / 'out'}/x"
    assert json.dumps(folder) == json.dumps(str(tmp_path / "out"))
    assert Path(folder) == tmp_path / "out"
    assert folder / "x" == tmp_path / "out" / "x"
    assert os.path.join(folder, "x") == str(tmp_path / "out" / "x")  # noqa: PTH118 - that this works is the point
    assert folder.is_dir()
    assert [path.parent for path in folder.iterdir()] == [tmp_path / "out"]
    again = pickle.loads(pickle.dumps(folder))
    assert (again, type(again)) == (folder, type(folder))
    with pytest.raises(AttributeError):
        folder.nothing_of_the_kind  # noqa: B018 - asking is what raises


def test_a_model_is_logged_and_used_by_its_path(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"w" * 10)
    with start_run(project="p") as run:
        run.log_model(tmp_path / "weights.bin", name="net", aliases=["best"])
        assert Path(run.use_model("net:best")).read_bytes() == b"w" * 10
        _log(b"A")
        with pytest.raises(UsageError, match="use_model"):
            run.use_model("data")


def test_many_files_share_what_versions_have_in_common(home: Path) -> None:
    """A long manifest is compressed in the journal and kept in parts: one more version costs a part, not the whole."""
    for turn in range(2):
        artifact = Artifact("many", type="dataset")
        for at in range(1000):
            artifact.add_bytes(b"x" if at else str(turn).encode(), f"deep/{at:04}.bin")
        with start_run(project="p") as run:
            run.log_artifact(artifact)
        assert _version("many").manifest == artifact.manifest
    with weft.Api().__enter__()._store.reading() as connection:
        parts = connection.exec_driver_sql("SELECT count(*) FROM manifest_part").scalar_one()
        shared = [row[0] for row in connection.exec_driver_sql("SELECT manifest FROM artifact_version")]
    assert all(text.startswith("[") and len(text) < 2000 for text in shared)
    assert parts <= shared[0].count(",") + 3
    _version("many:v0").delete()
    assert len(_version("many").manifest) == 1000


def test_entries_are_told_in_wandbs_spirit(home: Path) -> None:
    entry = _log(b"A").manifest.entries["a.txt"]
    assert isinstance(entry, Entry)
    assert (entry.path, entry.size, entry.ref) == ("a.txt", 1, None)


def test_the_front_door_has_wandbs_name_for_a_time_that_is_inherited(home: Path) -> None:
    artifact = weft.Artifact("a", type="x")
    artifact.ttl = weft.ArtifactTTL.INHERIT
    assert artifact.ttl is None


@pytest.mark.parametrize("text", ["{bad", "3", "null", "[3]", '["no such part"]', '{"a.txt": 3}', '{"a.txt": {}}'])
def test_a_manifest_that_is_none_is_told_as_one_that_was_edited(home: Path, text: str) -> None:
    version = _log(b"A").logged()
    _spoil(home, text)
    told = r"the manifest of p/data:v0 in the store is damaged or was edited: .*Log the version again"
    with pytest.raises(StoreError, match=told):
        find("data:v0", version.project, Blobs(runtime.active().home))
    with pytest.raises(StoreError, match=told), weft.Api(project="p") as api:
        api.artifact("data:v0")


def test_logging_a_version_again_mends_its_manifest_in_the_store(home: Path) -> None:
    version = _log(b"A").logged()
    _spoil(home, "{bad")
    assert _log(b"A").wait().version == "v0"
    assert _version("data:v0").manifest == version.manifest


def _spoil(home: Path, text: str) -> None:
    with sqlite3.connect(home / "weft.db") as store:
        store.execute("UPDATE artifact_version SET manifest = ?", (text,))
    store.close()


def test_a_checkout_into_a_linked_folder_deletes_nothing_behind_the_link(home: Path, tmp_path: Path) -> None:
    version = _log(b"A").logged()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match=r"is a link, and checkout\(\) deletes"):
        version.checkout(tmp_path / "link")
    assert os.listdir(tmp_path / "mine") == ["letter.txt"]
    version.checkout(tmp_path / "mine")
    assert os.listdir(tmp_path / "mine") == ["a.txt"]


def test_a_download_that_cannot_have_its_folder_says_so_in_a_line(home: Path, tmp_path: Path) -> None:
    version = _log(b"A").logged()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match=r"^cannot download into .*file'.*a file is there"):
        version.download(tmp_path / "file")
    with pytest.raises(NotADirectoryError, match=r"^cannot download into .*below'.*a file is there"):
        version.download(tmp_path / "file" / "below")
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match=r"^cannot download into .*link"):
        version.download(tmp_path / "link" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_version_has_not_is_named_as_it_was_asked(home: Path) -> None:
    version = _log(b"A").logged()
    with pytest.raises(NotFoundError, match=r"has no file 'nope'; it has a\.txt"):
        version.get("nope")
    with pytest.raises(AttributeError, match=r"no attribute 'add_bytes'\. .*new_draft\(\)"):
        version.add_bytes(b"B", "b.txt")  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"no attribute 'nope'$"):
        version.nope  # type: ignore[attr-defined]  # noqa: B018
