"""References into a bucket of Google's, by the real gcsfs, against a server that speaks as much of its JSON API as it
asks for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

pytest.importorskip("gcsfs")

from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.runs.starting import start_run

_OBJECTS = "/storage/v1/b/b/o"


class _Bucket(BaseHTTPRequestHandler):
    held: ClassVar[dict[str, dict[int, bytes]]] = {}
    """The one bucket `b`: contents by generation, by key; a bucket that keeps versions has several."""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/download")
        if path == _OBJECTS:
            self._listing(query)
        elif path.startswith(f"{_OBJECTS}/"):
            self._object(unquote(path.removeprefix(f"{_OBJECTS}/")), query)
        else:
            self._answer(404, {"error": {"code": 404, "message": "Not Found"}})

    def _object(self, key: str, query: dict[str, str]) -> None:
        versions = self.held.get(key, {})
        generation = int(query.get("generation", max(versions, default=0)))
        data = versions.get(generation)
        if data is None:
            self._answer(404, {"error": {"code": 404, "message": f"No such object: b/{key}"}})
        elif query.get("alt") == "media":
            self._content(data)
        else:
            self._answer(200, _told(key, generation, data))

    def _content(self, data: bytes) -> None:
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last or len(data)) + 1]
        ranged = {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"}
        self._send(206 if "Range" in self.headers else 200, part, ranged | {"Content-Type": "application/octet-stream"})

    def _listing(self, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, folders = [], set()
        for key, versions in sorted(self.held.items()):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                items.append(_told(key, max(versions), versions[max(versions)]))
        most = int(query.get("maxResults", 1000))
        self._answer(200, {"kind": "storage#objects", "items": items[:most], "prefixes": sorted(folders)})

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        self._send(code, json.dumps(body).encode(), {"Content-Type": "application/json; charset=UTF-8"})

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _told(key: str, generation: int, data: bytes) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "bucket": "b",
        "name": key,
        "size": str(len(data)),
        "generation": str(generation),
        "metageneration": "1",
        "md5Hash": md5(data).hexdigest(),
        "etag": f"e{generation}",
        "timeCreated": "2025-11-01T00:00:00.000Z",
        "updated": "2025-11-01T00:00:00.000Z",
        "storageClass": "STANDARD",
    }


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[int, bytes]]]:
    _Bucket.held = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bucket)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody asks a machine of Google's who we are
    yield _Bucket.held
    server.shutdown()
    server.server_close()
    thread.join(10)


def _logged(address: str) -> Artifact:
    artifact = Artifact("refs", type="dataset")
    artifact.add_reference(address)
    with start_run(project="p") as run:
        return run.log_artifact(artifact)


@pytest.mark.parametrize("scheme", ["gs", "gcs"])
def test_an_object_is_known_by_its_etag_and_generation(
    home: Path, tmp_path: Path, bucket: dict[str, dict[int, bytes]], scheme: str
) -> None:
    bucket["data/a.bin"] = {17: b"12345" * 1000}
    artifact = Artifact("refs", type="dataset")
    (entry,) = artifact.add_reference(f"{scheme}://b/data/a.bin")
    assert (entry.path, entry.digest, entry.size, entry.check, entry.version_id) == ("a.bin", "e17", 5000, "etag", "17")
    with start_run(project="p") as run:
        run.log_artifact(artifact)
    assert (artifact.download(tmp_path / "out") / "a.bin").read_bytes() == b"12345" * 1000


def test_what_was_replaced_is_said_and_read_where_the_bucket_keeps_versions(
    home: Path, tmp_path: Path, bucket: dict[str, dict[int, bytes]]
) -> None:
    bucket["a.bin"] = {1: b"first"}
    artifact = _logged("gs://b/a.bin")
    bucket["a.bin"] = {1: b"first", 2: b"second"}
    assert (artifact.download(tmp_path / "kept") / "a.bin").read_bytes() == b"first"
    with artifact.open("a.bin") as file:
        assert file.read() == b"first"
    bucket["a.bin"] = {2: b"second"}
    with pytest.raises(StoreError, match="etag was e1, now it is e2"):
        artifact.download(tmp_path / "replaced")
    del bucket["a.bin"]
    with pytest.raises(NotFoundError, match="nothing is at"):
        artifact.download(tmp_path / "gone")
    assert list(Path(artifact.download(tmp_path / "left out", allow_missing_references=True)).iterdir()) == []


@pytest.mark.parametrize("key", ["a#7", "a#7.bin", "a?b=c.bin", "a b+%41é.bin", "a#b#1"])
def test_keys_of_any_letters_are_read(
    home: Path, tmp_path: Path, bucket: dict[str, dict[int, bytes]], key: str
) -> None:
    bucket[f"odd/{key}"] = {3: b"odd"}
    bucket["odd/a"] = {1: b"another"}
    artifact = Artifact("refs", type="dataset")
    found = {entry.path for entry in artifact.add_reference("gs://b/odd")}
    assert found == {key, "a"}
    assert [entry.path for entry in Artifact("one", type="dataset").add_reference(f"gs://b/odd/{key}")] == [key]
    with start_run(project="p") as run:
        run.log_artifact(artifact)
    assert (artifact.download(tmp_path / "out") / key).read_bytes() == b"odd"


def test_a_folder_of_a_bucket_stands_for_its_objects(home: Path, bucket: dict[str, dict[int, bytes]]) -> None:
    bucket.update({"data/a": {1: b"1"}, "data/sub/b": {2: b"22"}, "other": {3: b"3"}})
    artifact = Artifact("refs", type="dataset")
    found = artifact.add_reference("gs://b/data", name="here")
    assert [(entry.path, entry.ref, entry.digest, entry.size) for entry in found] == [
        ("here/a", "gs://b/data/a", "e1", 1),
        ("here/sub/b", "gs://b/data/sub/b", "e2", 2),
    ]
    assert Artifact("refs", type="dataset").add_reference("gs://b/data/", max_objects=2)
    with pytest.raises(UsageError, match="more than 1 files"):
        Artifact("refs", type="dataset").add_reference("gs://b/data", max_objects=1)
    with pytest.raises(NotFoundError, match="nothing is at 'gs://b/absent'"):
        Artifact("refs", type="dataset").add_reference("gs://b/absent")
