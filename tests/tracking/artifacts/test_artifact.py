"""Artifacts are what their files hold: order, names and metadata of the moment change no digest, no path leads out."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import weft
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.finding import Reference
from weft.tracking.artifacts.manifest import check_path
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.journal.records import ArtifactLogged, ArtifactUsed, Record
from weft.tracking.runs.starting import start_run
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.tables import Table

Journaled = Callable[[], list[Record]]


def _artifact(**files: bytes) -> Artifact:
    artifact = Artifact("things", type="dataset")
    for name, content in files.items():
        artifact.add_bytes(content, name)
    return artifact


def _version(artifact: Artifact, blobs: Blobs | None = None) -> ArtifactVersion:
    """The version that logging would make of it."""
    artifact.contents.keep_in(Blobs(runtime.active().home))
    return ArtifactVersion(
        "p", artifact.name, artifact.type, artifact.digest, artifact.manifest, {}, blobs or Blobs(runtime.active().home)
    )


def test_the_digest_is_the_sha256_of_the_sorted_manifest(home: Path) -> None:
    one = Artifact("one", type="a", metadata={"x": 1})
    one.add_bytes(b"hello", "b.txt")
    one.add_bytes(b"", "a/empty")
    two = Artifact("two", type="b")
    two.add_bytes(b"", "a/empty")
    two.add_bytes(b"hello", "b.txt")
    hello, empty = hashlib.sha256(b"hello").hexdigest(), hashlib.sha256(b"").hexdigest()
    canonical = (
        f'{{"a/empty":{{"digest":"{empty}","size_bytes":0}},"b.txt":{{"digest":"{hello}","size_bytes":5}}}}'
    ).encode()
    assert one.manifest_json == two.manifest_json == canonical
    assert one.digest == two.digest == hashlib.sha256(canonical).hexdigest()
    assert list(one.manifest) == ["a/empty", "b.txt"]
    assert one.size_bytes == 5


def test_an_empty_artifact_has_a_digest(home: Path) -> None:
    assert Artifact("nothing", type="x").digest == hashlib.sha256(b"{}").hexdigest()


def test_content_is_that_of_the_moment_it_was_added(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"first")
    artifact = Artifact("model", type="model")
    artifact.add_file(file)
    file.write_bytes(b"later")
    file.unlink()
    with start_run() as run:
        run.log_artifact(artifact)
    assert (_version(artifact).download(tmp_path / "out") / "model.bin").read_bytes() == b"first"


def test_a_damaged_file_is_mended_by_logging_it_again(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(2 << 20))  # long enough that the source is known, not read again
    os.utime(source, (1, 1))
    with start_run() as run:
        for quietly in (False, True):
            made = Artifact("model", type="model")
            made.add_file(source)
            run.log_artifact(made)
            version, blobs = _version(made), Blobs(runtime.active().home)
            blob = blobs.path(version.manifest["model.bin"]["digest"])
            before = blob.stat()
            with blob.open("r+b") as file:
                file.write(b"ZZZZ")
            if quietly:
                os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
            with pytest.raises(StoreError, match=r"log .model\.bin. again"):
                version.download(tmp_path / "out")
            again = Artifact("model", type="model")
            again.add_file(source)
            run.log_artifact(again)
            assert Path(version.download(tmp_path / "out"), "model.bin").read_bytes() == source.read_bytes()
            (tmp_path / "out" / "model.bin").unlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.timeout(20)
def test_what_has_no_content_is_refused_at_once(home: Path, tmp_path: Path) -> None:
    pipe, listening = tmp_path / "pipe", tmp_path / "socket"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server, start_run() as run:
        server.bind(str(listening))
        for path in (pipe, listening, Path(os.devnull)):
            artifact = Artifact("things", type="dataset")
            for add in (
                lambda path=path, to=artifact: to.add_file(path),
                lambda path=path, to=artifact: to.add_file(path, policy="immutable"),
                lambda path=path, to=artifact: to.add_reference(path.as_uri()),
                lambda path=path: run.log_artifact(path),
                lambda path=path: Blobs(runtime.active().home).put_file(path),
            ):
                with pytest.raises(UsageError, match="is no plain file, so there is no content to keep"):
                    add()
            assert not artifact.manifest
        with pytest.raises(IsADirectoryError):
            Artifact("things", type="dataset").add_file(tmp_path)


@pytest.mark.parametrize(("goal", "why"), [("gone.txt", "cannot be followed"), ("bad", "leads in a circle")])
def test_a_link_that_leads_nowhere_is_named(home: Path, tmp_path: Path, goal: str, why: str) -> None:
    folder = tmp_path / "data" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    (folder / "bad").symlink_to(goal)
    artifact = Artifact("data", type="dataset")
    with pytest.raises(UsageError) as raised:
        artifact.add_dir(tmp_path / "data")
    told = str(raised.value)
    assert f"'bad' in the folder {str(folder)!r} is a link to {goal!r} that {why}" in told
    assert "Remove or mend the link" in told
    assert "\n" not in told
    assert not artifact.manifest
    (folder / "bad").unlink()
    artifact.add_dir(tmp_path / "data")
    assert list(artifact.manifest) == ["deep/a.txt"]


@pytest.mark.parametrize("path", [None, 5, [1], {}, True, b"x", "", "  ", "\0", "a\0b", "\ud800", "s3://\ud800/x"])
def test_what_is_no_path_is_said_in_one_line_and_logs_nothing(home: Path, journaled: Journaled, path: object) -> None:
    with start_run() as run:
        draft = Artifact("things", type="dataset")
        for take in (run.log_artifact, run.log_model, draft.add_file, draft.add_dir, draft.add_reference):
            with pytest.raises(UsageError) as raised:
                take(path)  # type: ignore[operator]
            assert "\n" not in str(raised.value)
            str(raised.value).encode()
        assert not draft.manifest
    assert not [record for record in journaled() if isinstance(record, ArtifactLogged)]


@pytest.mark.parametrize("aliases", [" ", ["ok", "   "], "", 5, [None], "\ud800"])
def test_what_is_no_alias_is_said_in_one_line_and_logs_nothing(
    home: Path, journaled: Journaled, aliases: object
) -> None:
    with start_run() as run:
        with pytest.raises(UsageError, match="alias"):
            run.log_artifact(_artifact(a=b"a"), aliases=aliases)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="tags are a text or a list"):
            run.log_artifact(_artifact(a=b"a"), tags=5)  # type: ignore[arg-type]
    assert not [record for record in journaled() if isinstance(record, ArtifactLogged)]


def test_folders_go_in_whole_links_followed(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    (folder / "linked.txt").symlink_to(folder / "b.txt")
    (folder / "deep" / "round").symlink_to(folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.txt").write_text("c")
    (folder / "shards").symlink_to(tmp_path / "elsewhere")  # on another disk, as large data often is
    artifact = Artifact("data", type="dataset")
    artifact.add_dir(folder)
    assert list(artifact.manifest) == ["b.txt", "deep/a.txt", "linked.txt", "shards/c.txt"]
    under = Artifact("data", type="dataset")
    under.add_dir(folder / "deep", name="sub")
    assert "sub/a.txt" in under.manifest
    with pytest.raises(NotADirectoryError, match="no folder"):
        under.add_dir(folder / "b.txt")
    with pytest.raises(FileNotFoundError):
        under.add_file(folder / "absent")


def test_the_same_path_twice_needs_the_same_content_or_leave(home: Path) -> None:
    artifact = _artifact(a=b"1")
    artifact.add_bytes(b"1", "a")
    with pytest.raises(UsageError, match="another file as 'a'"):
        artifact.add_bytes(b"2", "a")
    artifact.add_bytes(b"2", "a", overwrite=True)
    assert artifact.manifest["a"]["digest"] == hashlib.sha256(b"2").hexdigest()


def test_threads_may_add_the_same_file(home: Path) -> None:
    artifact = Artifact("shared", type="dataset")
    threads = [threading.Thread(target=artifact.add_bytes, args=(b"same", "a.txt")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(artifact.manifest) == ["a.txt"]


@pytest.mark.parametrize(
    "path",
    [
        "../file.txt", "nested/../file.txt", "/file.txt", "//server/share/file.txt", "C:\\file.txt", "C:file.txt", "",
        ".", "..", "a//b", "a/", "a\\b", "a\x00b", "a\nb", "\ud800", "x" * 256, "./a", 7,
    ],
)  # fmt: skip
def test_no_path_leads_out(home: Path, tmp_path: Path, path: str) -> None:
    """Neither when a file is added, nor when a manifest that came from elsewhere is read."""
    with pytest.raises(UsageError, match="path in an artifact"):
        Artifact("a", type="x").add_bytes(b"x", path)
    good = _artifact(ok=b"x")
    bad = ArtifactVersion("p", "a", "x", "0" * 64, {"ok": good.manifest["ok"], path: good.manifest["ok"]}, {},
                          Blobs(runtime.active().home))  # fmt: skip
    with pytest.raises(UsageError, match="path in an artifact"):
        bad.download(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.text(max_size=30))
def test_an_allowed_path_stays_below(path: str) -> None:
    try:
        check_path(path)
    except UsageError:
        return
    root = Path("/root/of/it")
    assert Path(os.path.normpath(root / path)).is_relative_to(root)
    assert "\\" not in path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Artifact("a/b", type="x"), "an artifact's name"),
        (lambda: Artifact("", type="x"), "an artifact's name"),
        (lambda: Artifact("x" * 129, type="x"), "an artifact's name"),
        (lambda: Artifact("a", type=""), "an artifact's type"),
        (lambda: Artifact("a", type="x", metadata=[1]), "must be a dict"),
    ],
)
def test_wrong_names_raise_at_once(make: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()


def test_a_path_is_a_file_or_a_folder(home: Path) -> None:
    artifact = _artifact(**{"a": b"1", "b/c": b"2"})
    for path in ("a/b", "b"):
        with pytest.raises(UsageError, match="both a file and a folder"):
            artifact.add_bytes(b"x", path)


def test_new_files_and_tables(home: Path) -> None:
    pytest.importorskip("pyarrow")
    artifact = Artifact("mixed", type="results")
    with artifact.new_file("notes.txt") as file:
        file.write("größe")
    with artifact.new_file("raw.bin", "wb") as file:
        file.write(b"\x00")
    table = Table(columns=["a"], data=[[1], ["two"]], allow_mixed_types=True)
    assert artifact.add(table, "results") == "results.parquet"
    assert artifact.add(table, "results.parquet") == "results.parquet"
    version = _version(artifact)
    with version.open("notes.txt") as read:
        assert read.read().decode() == "größe"
    assert version.get("results") == table
    with pytest.raises(TypeError, match="takes a Table"):
        artifact.add([1], "x")
    with pytest.raises(UsageError, match="opens with mode"), artifact.new_file("x", "r"):
        pass


def test_a_new_file_that_fails_is_not_added(home: Path) -> None:
    artifact = Artifact("broken", type="x")
    with pytest.raises(ZeroDivisionError), artifact.new_file("half.txt") as file:
        file.write("half" * (1 // 0))
    assert artifact.manifest == {}


def test_logging_writes_the_files_first_and_closes_the_artifact(home: Path, journaled: Journaled) -> None:
    artifact = _artifact(a=b"1")
    artifact.metadata["answer"] = 42
    with start_run(project="p") as run:
        assert run.log_artifact(artifact, aliases=["best", "latest", "best"]) is artifact
        logged = [record for record in journaled() if isinstance(record, ArtifactLogged)]
    assert [(item.name, item.digest, item.aliases, item.run_uid) for item in logged] == [
        ("things", artifact.digest, ["best"], run.uid)
    ]
    assert logged[0].metadata == b'{"answer":42}'
    assert Blobs(runtime.active().home).verify(artifact.manifest["a"]["digest"])
    with pytest.raises(UsageError, match="versions do not change"):
        artifact.add_bytes(b"2", "b")


@pytest.mark.parametrize("alias", ["v3", "a/b", "a:b", "", 7])
def test_bad_aliases_raise(home: Path, alias: str) -> None:
    with start_run() as run, pytest.raises(UsageError, match=r"alias|versions"):
        run.log_artifact(_artifact(a=b"1"), aliases=[alias])


def test_a_path_becomes_an_artifact(home: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"w")
    with start_run() as run:
        made = run.log_artifact(tmp_path / "model.bin")
        folder = run.log_artifact(str(tmp_path / "home" / "blobs"), name="copy", type="backup")
    assert (made.name, made.type) == (f"run-{run.id}-model.bin", "unspecified")
    assert folder.name == "copy"


def test_an_artifact_made_in_one_home_is_logged_in_another(tmp_path: Path) -> None:
    runtime.configure(Settings.resolve(home=tmp_path / "one", strict=True))
    artifact = _artifact(a=b"content")
    runtime.configure(Settings.resolve(home=tmp_path / "two", strict=True))
    with start_run() as run:
        run.log_artifact(artifact)
    assert Blobs(runtime.active().home).read(artifact.manifest["a"]["digest"]) == b"content"


def test_an_artifact_whose_files_cannot_be_kept_is_not_logged(
    tmp_path: Path, journaled: Journaled, caplog: pytest.LogCaptureFixture
) -> None:
    """The blobs folder is a file: that is said once, the program runs on, no record names what is not there."""
    active = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    active.home.ensure()
    active.home.blobs.rmdir()
    active.home.blobs.write_text("in the way")
    artifact = _artifact(a=b"1")
    with start_run() as run:
        run.log_artifact(artifact)
    assert not [record for record in journaled() if isinstance(record, ArtifactLogged)]
    assert artifact.state == "PENDING"
    assert active.faults.counts["keep the files of an artifact"] == 2  # when added, and when logged
    assert sum("keep the files" in line.message for line in caplog.records) == 1
    active.home.blobs.unlink()
    with start_run(project="p") as run:
        run.log_artifact(artifact)
    assert artifact.state == "COMMITTED"
    assert artifact.version == "v0"
    assert Blobs(active.home).read(artifact.manifest["a"]["digest"]) == b"1", (
        "once the trouble is over it can be logged"
    )


def test_a_new_file_that_could_not_be_kept_at_once_is_kept_when_logged(tmp_path: Path, journaled: Journaled) -> None:
    """Its draft is gone by then; its content is not."""
    active = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    active.home.ensure()
    active.home.blobs.rmdir()
    active.home.blobs.write_text("in the way")
    artifact = Artifact("notes", type="text")
    with artifact.new_file("notes.txt") as file:
        file.write("kept")
    active.home.blobs.unlink()
    with start_run() as run:
        run.log_artifact(artifact)
    assert Blobs(active.home).read(artifact.manifest["notes.txt"]["digest"]) == b"kept"
    assert [record.name for record in journaled() if isinstance(record, ArtifactLogged)] == ["notes"]


def test_using_an_artifact_object_logs_it_as_an_input(home: Path, journaled: Journaled) -> None:
    artifact = _artifact(a=b"1")
    with start_run(project="p") as run:
        version = run.use_artifact(artifact)
    seen = journaled()
    assert [record.run_uid for record in seen if isinstance(record, ArtifactLogged)] == [None]
    assert [(r.digest, r.run_uid) for r in seen if isinstance(r, ArtifactUsed)] == [(artifact.digest, run.uid)]
    assert version.version is None


def test_download_mends_what_is_wrong_and_leaves_the_rest(home: Path, tmp_path: Path) -> None:
    version = _version(_artifact(**{"a.txt": b"aaaa", "b.txt": b"bbbb"}))
    out = version.download(tmp_path / "out")
    (out / "a.txt").write_bytes(b"xxxx")  # same size, other content
    (out / "mine.txt").write_text("kept")
    before = (out / "b.txt").stat().st_ino
    assert version.download(out) == out
    assert (out / "a.txt").read_bytes() == b"aaaa"
    assert (out / "b.txt").stat().st_ino == before
    assert sorted(item.name for item in out.iterdir()) == ["a.txt", "b.txt", "mine.txt"]


def test_download_writes_through_no_link(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("untouched")
    out = tmp_path / "out"
    out.mkdir()
    (out / "sub").symlink_to(outside)
    with pytest.raises(UsageError, match="leads elsewhere"):
        _version(_artifact(**{"sub/a.txt": b"evil"})).download(out)
    (out / "a.txt").symlink_to(outside / "a.txt")
    _version(_artifact(**{"a.txt": b"new"})).download(out)
    assert (outside / "a.txt").read_text() == "untouched"
    assert not (out / "a.txt").is_symlink()


def test_what_a_killed_download_left_goes_with_the_next_one(home: Path, tmp_path: Path) -> None:
    """Each file is written under a name told by its path, while nobody else writes into the folder."""
    version, out = _version(_artifact(**{"sub/a": b"whole", "b": b"b"})), tmp_path / "out"
    outside = tmp_path / "outside"
    outside.write_bytes(b"untouched")
    (out / "sub").mkdir(parents=True)
    half, link = (f".{hashlib.sha256(path).hexdigest()[:16]}.weft" for path in (b"sub/a", b"b"))
    (out / "sub" / half).write_bytes(b"wh")
    (out / link).symlink_to(outside)
    version.download(out)
    version.verify(out)
    assert outside.read_bytes() == b"untouched"


def test_threads_may_download_into_one_folder(home: Path, tmp_path: Path) -> None:
    version, out = _version(_artifact(**{f"{at}": b"%d" % at * 1000 for at in range(50)})), tmp_path / "out"
    troubles: list[BaseException] = []

    def download() -> None:
        try:
            version.download(out)
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=download) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    version.verify(out)


def test_a_damaged_blob_is_found_and_not_handed_out(home: Path, tmp_path: Path) -> None:
    artifact = _artifact(a=b"good")
    version = _version(artifact)
    version.blobs.path(artifact.manifest["a"]["digest"]).write_bytes(b"evil")
    with pytest.raises(StoreError, match="is damaged"):
        version.download(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    version.blobs.path(artifact.manifest["a"]["digest"]).unlink()
    with pytest.raises(NotFoundError, match="no blob"):
        version.download(tmp_path / "out")
    with pytest.raises(NotFoundError, match="no file 'b'; it has a"):
        version.open("b")


def test_a_logged_version_is_found_by_name_alias_and_number(home: Path, tmp_path: Path) -> None:
    """Through the journal, the ingester and a real store; and the lineage is there afterwards."""
    with start_run(project="p") as maker:
        for content, aliases in ((b"one", ["good"]), (b"two", []), (b"three", [])):
            maker.log_artifact(_artifact(**{"a.txt": content}), aliases=aliases)
    with start_run(project="p") as user:
        latest = user.use_artifact("things")
        assert (latest.version, latest.aliases) == ("v2", ["latest"])
        assert (latest.download(tmp_path / "v2") / "a.txt").read_bytes() == b"three"
        assert user.use_artifact("things:good").version == user.use_artifact("p/things:v0").version == "v0"
        with pytest.raises(NotFoundError, match="there is v2 "):
            user.use_artifact("things:best")
        with pytest.raises(NotFoundError, match="no artifact is called 'others' in project 'p'"):
            user.use_artifact("others")
    with start_run(project="elsewhere") as stranger, pytest.raises(NotFoundError):
        stranger.use_artifact("things")
    with open_store() as store:
        rows = {row.version: row for row in store.reader().artifacts({"name": "things"}).rows}
    assert rows[0].producer_run == maker.id
    assert user.id in rows[2].consumer_runs


def _record(number: int, *aliases: str) -> ArtifactRecord:
    return ArtifactRecord("p", "n", "x", number, "0" * 64, aliases, 0, 0, None, {}, {}, None)


def test_references_choose_one_version() -> None:
    versions = [_record(0), _record(1, "best"), _record(2, "latest")]
    assert Reference.parse("n").choose(versions).version == 2
    assert Reference.parse("p/n:v0").choose(versions).version == 0
    assert Reference.parse("n:best").choose(versions).version == 1
    assert Reference.parse("n:latest").choose([_record(0), _record(1)]).version == 1
    with pytest.raises(NotFoundError, match=r"no artifact n:v9; there is v0, v1 \(best\), v2 \(latest\)"):
        Reference.parse("n:v9").choose(versions)
    with pytest.raises(NotFoundError, match="no artifact is called 'n' in project 'p'"):
        Reference.parse("p/n").choose([])


@pytest.mark.parametrize("bad", ["", "a b", None, "..", "../n", "/n", "/etc/passwd", "too/my/p/n:v0", "a\x00"])
def test_what_is_no_reference_is_told_what_one_looks_like(bad: str | None) -> None:
    with pytest.raises(UsageError, match=r'named like "name:latest"'):
        Reference.parse(bad)  # type: ignore[arg-type]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(files=st.dictionaries(st.text("abc/", min_size=1, max_size=5), st.binary(max_size=50), max_size=4))
def test_what_goes_in_comes_out(home: Path, tmp_path: Path, files: dict[str, bytes]) -> None:
    artifact = Artifact("any", type="x")
    kept = {}
    for path, content in files.items():
        try:
            artifact.add_bytes(content, path)
        except UsageError:
            continue
        kept[path] = content
    out = _version(artifact).download(tmp_path / "out" / artifact.digest)
    assert {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()} == kept


def test_in_a_disabled_run_nothing_is_copied_and_what_was_made_there_can_still_be_logged(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    home = tmp_path / "a home"
    runtime.configure(Settings.resolve(home=home, strict=True))
    run = weft.init("p", mode="disabled")
    artifact = weft.Artifact("m", "model")
    artifact.add_file(tmp_path / "model.bin")
    with artifact.new_file("note.txt") as file:
        file.write("said")
    run.log_artifact(artifact)
    run.finish()
    assert not home.exists()
    with weft.init("p") as recorded:
        recorded.log_artifact(artifact)
    found = weft.Api().artifact("p/m:latest")
    for path, content in {"model.bin": b"weights", "note.txt": b"said"}.items():
        with found.open(path) as kept:
            assert kept.read() == content


def _used_as_scripts_do(artifact: Artifact) -> None:
    """What ordinary training scripts ask of what they have just logged."""
    assert artifact.wait() is artifact
    assert (artifact.version, artifact.aliases, artifact.state) == (None, [], "PENDING")
    assert artifact.qualified_name == f"p/things:{artifact.digest}"
    artifact.metadata["more"] = 1
    artifact.save()
    with pytest.raises(UsageError, match="is logged, and versions do not change"):
        artifact.add_bytes(b"2", "b")


def test_what_was_logged_in_mode_disabled_can_be_waited_for_and_asked(tmp_path: Path) -> None:
    runtime.configure(Settings.resolve(home=tmp_path / "home", mode="disabled"))
    with start_run(project="p") as run:
        logged = run.log_artifact(_artifact(a=b"1"))
        _used_as_scripts_do(logged)
        run.use_artifact(logged)
    assert not (tmp_path / "home").exists()


def test_what_could_not_be_logged_for_want_of_a_home_can_be_waited_for_and_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    runtime.configure(Settings.resolve(home=tmp_path / "file", strict=False))
    with start_run(project="p") as run:
        logged = run.log_artifact(_artifact(a=b"1"))
        _used_as_scripts_do(logged)
        run.use_artifact(logged)


def test_what_could_not_be_kept_can_be_waited_for_and_logged_later(tmp_path: Path) -> None:
    active = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    active.home.ensure()
    active.home.blobs.rmdir()
    active.home.blobs.write_text("in the way")
    artifact = _artifact(a=b"1")
    with start_run(project="p") as run:
        _used_as_scripts_do(run.log_artifact(artifact))
        active.home.blobs.unlink()
        assert run.log_artifact(artifact).wait().version == "v0"


def test_what_nobody_logged_is_no_version(home: Path) -> None:
    artifact = _artifact(a=b"1")
    artifact.finalize()
    for ask in (artifact.wait, lambda: artifact.version, lambda: artifact.aliases, lambda: artifact.qualified_name):
        with pytest.raises(UsageError, match="is not logged"):
            ask()


def test_a_file_that_is_not_there_and_a_folder_are_told_in_a_line(home: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^there is no file 'nope' to add"):
        _artifact().add_file("nope")
    with start_run() as run, pytest.raises(FileNotFoundError, match=r"^there is no file 'nope' to add"):
        run.log_artifact("nope")
    with pytest.raises(IsADirectoryError, match=r"is a folder; add_dir\(\) adds all files below it$"):
        _artifact().add_file(tmp_path)


def test_files_whose_names_look_alike_are_different_artifacts(home: Path, tmp_path: Path) -> None:
    made = set()
    with start_run(id="r") as run:
        for name in ("表", "図", "a b", "a-b"):
            (tmp_path / name).write_text(name)
            made.add(run.log_artifact(tmp_path / name).name)
    assert len(made) == 4
    assert "run-r-a-b" in made
