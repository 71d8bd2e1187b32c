"""References into a bucket, by the real s3fs, against a server that speaks as much of S3 as they ask for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

pytest.importorskip("s3fs")

from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.errors import Error, NotFoundError, StoreError
from weft.tracking.runs.starting import start_run


class _Bucket(BaseHTTPRequestHandler):
    held: ClassVar[dict[str, tuple[bytes, str]]] = {}
    """Content and ETag by key, in the one bucket `b`."""
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._object(body=False)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.strip("/") == "b":
            self._listing(parse_qs(parts.query))
        else:
            self._object(body=True)

    def _object(self, *, body: bool) -> None:
        found = self.held.get(urlsplit(self.path).path.removeprefix("/b/"))
        if found is None:
            self._answer(404, b"" if not body else b"<Error><Code>NoSuchKey</Code></Error>", {})
            return
        data, etag = found
        whole = len(data)
        more = {"ETag": f'"{etag}"', "Last-Modified": "Sat, 01 Nov 2025 00:00:00 GMT", "x-amz-version-id": "null"}
        asked = self.headers.get("Range")
        if asked and body:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            end = min(int(last or whole - 1), whole - 1)
            more["Content-Range"] = f"bytes {first}-{end}/{whole}"
            self._answer(206, data[int(first) : end + 1], more)
            return
        self._answer(200, data, more, body=body)

    def _listing(self, query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        rows, folders = [], set()
        for key, (data, etag) in sorted(self.held.items()):
            if key.startswith(prefix):
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                else:
                    rows.append(
                        f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><ETag>&quot;{etag}&quot;</ETag>"
                        "<LastModified>2025-11-01T00:00:00.000Z</LastModified></Contents>"
                    )
        told = "".join(rows) + "".join(f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>" for one in folders)
        count = len(rows) + len(folders)
        body = (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
            f"<KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>{told}</ListBucketResult>"
        )
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _answer(self, code: int, data: bytes, more: dict[str, str], *, body: bool = True) -> None:
        self.send_response(code)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, tuple[bytes, str]]]:
    _Bucket.held = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bucket)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield _Bucket.held
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_an_object_is_known_by_its_etag(home: Path, tmp_path: Path, bucket: dict[str, tuple[bytes, str]]) -> None:
    bucket["data/a.bin"] = (b"12345", "abc")
    artifact = Artifact("refs", type="dataset")
    (entry,) = artifact.add_reference("s3://b/data/a.bin")
    assert (entry.path, entry.digest, entry.size, entry.check) == ("a.bin", "abc", 5, "etag")
    with start_run(project="p") as run:
        run.log_artifact(artifact)
    assert (artifact.download(tmp_path / "out") / "a.bin").read_bytes() == b"12345"
    bucket["data/a.bin"] = (b"67890", "def")
    with pytest.raises(StoreError, match="etag was abc, now it is def"):
        artifact.download(tmp_path / "out")
    del bucket["data/a.bin"]
    with pytest.raises(NotFoundError, match="nothing is at"):
        artifact.download(tmp_path / "out")


def test_a_folder_of_a_bucket_stands_for_its_objects(home: Path, bucket: dict[str, tuple[bytes, str]]) -> None:
    bucket.update({"data/a": (b"1", "x"), "data/sub/b": (b"22", "y"), "other": (b"3", "z")})
    artifact = Artifact("refs", type="dataset")
    found = artifact.add_reference("s3://b/data", name="here")
    assert [(entry.path, entry.ref, entry.digest) for entry in found] == [
        ("here/a", "s3://b/data/a", "x"),
        ("here/sub/b", "s3://b/data/sub/b", "y"),
    ]
    with pytest.raises(NotFoundError):
        Artifact("refs", type="dataset").add_reference("s3://b/absent")


def test_a_bucket_that_cannot_be_asked_is_told_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As botocore says it there is neither an address nor what to do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(home / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Error, match=r"^'s3://b/x' cannot be read: NoCredentialsError: .*credentials"):
        Artifact("data", "dataset").add_reference("s3://b/x")
