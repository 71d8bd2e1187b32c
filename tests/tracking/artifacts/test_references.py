"""References are looked up when added and compared when fetched; what changed or went is said, never handed out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.errors import Error, NotFoundError, StoreError, UsageError
from weft.tracking.runs.starting import start_run


class _Files(BaseHTTPRequestHandler):
    held: ClassVar[dict[str, tuple[bytes, str | None]]] = {}
    heads = True

    def do_HEAD(self) -> None:
        if not self.heads:
            self.send_error(405)
            return
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        found = self.held.get(self.path)
        if found is None:
            self.send_error(404)
            return
        data, etag = found
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    _Files.held, _Files.heads = {}, True
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def _logged(artifact: Artifact) -> ArtifactVersion:
    with start_run(project="p") as run:
        run.log_artifact(artifact)
    return artifact.logged()


def test_a_file_is_named_by_its_content_and_fetched_only_while_it_is_that(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "data" / "a.txt"
    file.parent.mkdir()
    file.write_text("one")
    artifact = Artifact("refs", type="dataset")
    (entry,) = artifact.add_reference(file.as_uri())
    assert (entry.path, entry.digest, entry.size) == ("a.txt", hashlib.sha256(b"one").hexdigest(), 3)
    version = _logged(artifact)
    assert not any((home / "blobs").rglob(entry.digest[2:]))
    assert (version.download(tmp_path / "out") / "a.txt").read_text() == "one"
    with version.open("a.txt") as read:
        assert read.read() == b"one"
    file.write_text("two")
    assert (version.download(tmp_path / "out") / "a.txt").read_text() == "one", "it is there, and sound"
    with pytest.raises(StoreError, match=r"is not what 'a\.txt' referred to"):
        version.download(tmp_path / "anew")
    assert list((tmp_path / "anew").iterdir()) == []
    file.unlink()
    with pytest.raises(NotFoundError, match="nothing is at"):
        version.download(tmp_path / "anew")
    assert version.download(tmp_path / "anew", allow_missing_references=True).is_dir()


def test_without_a_checksum_a_change_makes_no_new_version(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    found = []
    for content in ("one", "other"):
        file.write_text(content)
        artifact = Artifact("refs", type="dataset")
        artifact.add_reference(file, name="x", checksum=False)
        found.append(_logged(artifact).version)
    assert found == ["v0", "v0"]


def test_a_folder_stands_for_its_files_up_to_a_number(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (folder / name).write_text(name)
    artifact = Artifact("refs", type="dataset")
    artifact.add_reference(f"file://{folder}", name="here")
    assert sorted(artifact.manifest) == ["here/a", "here/sub/b"]
    with pytest.raises(UsageError, match="more than 1 files"):
        Artifact("refs", type="dataset").add_reference(f"file://{folder}", max_objects=1)


def test_a_web_address_is_known_by_its_etag(home: Path, tmp_path: Path, web: str) -> None:
    _Files.held = {"/d/a.bin": (b"12345", '"abc"'), "/plain": (b"x", None)}
    artifact = Artifact("refs", type="dataset")
    (entry,) = artifact.add_reference(f"{web}/d/a.bin")
    assert (entry.path, entry.digest, entry.size, entry.check) == ("a.bin", "abc", 5, "etag")
    (plain,) = artifact.add_reference(f"{web}/plain")
    assert (plain.digest, plain.check) == (f"{web}/plain", "uri")
    version = _logged(artifact)
    assert (version.download(tmp_path / "out") / "a.bin").read_bytes() == b"12345"
    _Files.held["/d/a.bin"] = (b"67890", '"def"')
    with pytest.raises(StoreError, match="etag was abc, now it is def"):
        version.download(tmp_path / "out")
    assert (tmp_path / "out" / "a.bin").read_bytes() == b"12345"
    del _Files.held["/d/a.bin"]
    with pytest.raises(NotFoundError, match="nothing is at"):
        version.download(tmp_path / "out")


def test_a_server_without_head_is_asked_otherwise_and_one_that_is_not_there_is_said(home: Path, web: str) -> None:
    _Files.held, _Files.heads = {"/a": (b"1", 'W/"weak"')}, False
    (entry,) = Artifact("refs", type="dataset").add_reference(f"{web}/a")
    assert entry.digest == "weak"
    with pytest.raises(NotFoundError):
        Artifact("refs", type="dataset").add_reference(f"{web}/absent")
    with pytest.raises(Error, match="cannot be reached"):
        Artifact("refs", type="dataset").add_reference("http://127.0.0.1:1/x")


def test_of_an_unknown_scheme_the_address_is_all_that_is_known(home: Path, tmp_path: Path) -> None:
    artifact = Artifact("refs", type="dataset")
    (entry,) = artifact.add_reference("tape://shelf/7", name="seven")
    assert (entry.digest, entry.size, entry.check) == ("tape://shelf/7", None, "uri")
    with pytest.raises(UsageError, match="cannot fetch"):
        _logged(artifact).download(tmp_path / "out")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "is an address"),
        ("https://user:secret@host/x", "no user name or password"),
        ("https://host/x?token=ghp_" + "a" * 36, "secret"),
        ("file://elsewhere/x", "another machine"),
        ("tape://x/..", "cannot be a path"),
    ],
)
def test_addresses_that_cannot_be_kept_are_refused(home: Path, address: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Artifact("refs", type="dataset").add_reference(address)


def test_an_added_file_and_a_reference_to_it_have_the_same_entry_digest(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("hello")
    added, referenced = Artifact("a", type="x"), Artifact("b", type="x")
    added.add_file(file)
    referenced.add_reference(file)
    assert added.manifest["a.txt"]["digest"] == referenced.manifest["a.txt"]["digest"]
    assert added.digest != referenced.digest, "where the content is takes part"
