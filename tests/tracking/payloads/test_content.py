"""Promises of `weft.Content`: its type is told by its bytes, its bytes are checked, and nothing is fetched unasked."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import weft
from weft.tracking import runtime
from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content, ContentError
from weft.tracking.payloads.encoding import Tagged, decode, encode


def picture(form: str = "PNG", size: tuple[int, int] = (3, 2)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, form)
    return buffer.getvalue()


def test_the_front_door_has_it() -> None:
    """`weft.Content` is this class."""
    assert weft.Content is Content


@pytest.mark.parametrize(
    ("data", "filename", "mimetype", "extension"),
    [
        (picture(), None, "image/png", "png"),
        (picture("JPEG"), "lies.png", "image/jpeg", "png"),
        (picture("GIF"), None, "image/gif", "gif"),
        (picture("WEBP"), None, "image/webp", "webp"),
        (picture("BMP"), None, "image/bmp", "bmp"),
        (picture("TIFF"), None, "image/tiff", "tif"),
        (b"RIFF\x24\0\0\0WAVEfmt ", None, "audio/wav", "wav"),
        (b"ID3\x04\0\0", None, "audio/mpeg", "mp3"),
        (b"\xff\xfb\x90\x64" + bytes(50), None, "audio/mpeg", "mp3"),
        (b"OggS\0\x02", None, "audio/ogg", "ogg"),
        (b"fLaC\0\0\0\x22", None, "audio/flac", "flac"),
        (b"\0\0\0\x1cftypM4A \0\0", None, "audio/mp4", "m4a"),
        (b"\0\0\0\x1cftypisom\0\0", None, "video/mp4", "mp4"),
        (b"%PDF-1.7\n", None, "application/pdf", "pdf"),
        (b"PK\x03\x04....", "a.docx", mediatypes.named("x.docx"), "docx"),
        (b"PK\x03\x04....", None, "application/zip", "zip"),
        (b"<?xml version='1.0'?><svg xmlns='x'></svg>", None, "image/svg+xml", "svg"),
        (b"a,b\n1,2\n", "t.csv", "text/csv", "csv"),
        ("Grüße".encode(), None, "text/plain", "txt"),
        (b"\0\1\2\3", None, "application/octet-stream", "bin"),
        (b"", None, "application/octet-stream", "bin"),
        (b"\xff\xfe\xff", None, "application/octet-stream", "bin"),
    ],
)
def test_the_type_is_told_by_bytes_and_name(data: bytes, filename: str | None, mimetype: str, extension: str) -> None:
    """What the bytes say wins; a name tells what is inside a zip or a text."""
    content = Content.from_bytes(data, filename=filename)
    assert (content.mimetype, content.extension) == (mimetype, extension)
    assert (content.size, content.digest) == (len(data), hashlib.sha256(data).hexdigest())
    assert Content.from_bytes(data, "audio/x-wav").mimetype == "audio/wav"


def test_every_way_to_make_one_holds_the_same_bytes(tmp_path: Path) -> None:
    """Bytes, a file, base64 in any spelling, a data-URL, a text."""
    data = picture()
    (tmp_path / "cat.png").write_bytes(data)
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    made = [
        Content.from_bytes(bytearray(data)),
        Content.from_path(tmp_path / "cat.png"),
        Content.from_base64(base64.b64encode(data)),
        Content.from_base64(base64.urlsafe_b64encode(data).decode().rstrip("=")),
        Content.from_base64(base64.encodebytes(data).decode()),
        Content.from_data_url(url),
    ]
    assert {content.digest for content in made} == {hashlib.sha256(data).hexdigest()}
    assert made[1].filename == "cat.png"
    assert made[0].to_data_url() == url
    assert made[0].open().read() == data
    assert Content.from_text("hello").text == "hello"
    assert Content.from_data_url("data:,a%20b").text == "a b"
    assert pickle.loads(pickle.dumps(made[0])) == made[0]


def test_it_is_saved_under_its_name_and_nowhere_else(tmp_path: Path) -> None:
    """A name leads out of no folder."""
    content = Content.from_bytes(b"x", filename="../../etc/pass\0wd\u202egnp.exe")
    assert content.filename == "pass_wd_gnp.exe"
    assert content.save(tmp_path) == tmp_path / "pass_wd_gnp.exe"
    assert Content.from_bytes(b"x", filename="..").filename is None
    assert Content.from_bytes(b"x", filename="a\\..\\b.txt").filename == "b.txt"
    assert Content.from_bytes(picture()).save(tmp_path).suffix == ".png"
    assert content.save(tmp_path / "other.bin").read_bytes() == b"x"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Content.from_bytes("text"),  # type: ignore[arg-type]
        lambda: Content.from_bytes(b"x", "no type"),
        lambda: Content.from_bytes(b"x", "image/png\r\nX-Evil: 1"),
        lambda: Content.from_text(b"x"),  # type: ignore[arg-type]
        lambda: Content.from_text("\ud800"),
        lambda: Content.from_base64("a%%%"),
        lambda: Content.from_base64("ü"),
        lambda: Content.from_data_url("http://x/"),
        lambda: Content.from_data_url("data:image/png;base64"),
        lambda: Content.from_url("file:///etc/passwd"),
        lambda: Content.from_url("javascript:alert(1)"),
        lambda: Content.from_url("https://"),
        lambda: Content.from_url("http://[::1"),
        lambda: Content.from_url(None),  # type: ignore[arg-type]
        lambda: Content.from_bytes(b"x").fetch(),
    ],
)
def test_what_makes_no_content_is_said_at_the_call(make: object) -> None:
    """In one line."""
    with pytest.raises(UsageError) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A loopback server that gives a picture and keeps what was asked for."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/png; charset=binary")
            self.end_headers()
            self.wfile.write(picture())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_is_a_reference_until_it_is_fetched(home: Path, web: tuple[str, list[str]]) -> None:
    """Recording it asks nobody; `fetch` takes http alone and no more than it may."""
    url, asked = web
    content = Content.from_url(f"{url}/cat.png")
    assert decode(encode({"image": content})) == {"image": content}
    assert (content.digest, content.size, content.mimetype, content.uri) == (None, None, "image/png", f"{url}/cat.png")
    with pytest.raises(ContentError, match=r"call \.fetch\(\)"):
        _ = content.data
    assert asked == []
    fetched = content.fetch()
    assert (fetched.data, fetched.mimetype, fetched.uri) == (picture(), "image/png", content.uri)
    with pytest.raises(ContentError, match="larger than 10 bytes"):
        content.fetch(limit_bytes=10)
    with pytest.raises(OSError, match="file:"):
        Content.from_url(f"{url}/away").fetch()


def test_read_back_its_bytes_come_from_the_blobs_and_are_checked(home: Path) -> None:
    """Only when they are asked for; a missing or damaged blob is said then, and raises nowhere else."""
    blobs = Blobs(runtime.active().home)
    content = Content.from_bytes(picture(), filename="cat.png")
    back = decode(encode(content, store_blob=blobs.put))
    assert back == content
    assert back.held is None
    assert back.data == picture()
    place = blobs.path(content.digest or "")
    place.write_bytes(b"x" * len(picture()))
    with pytest.raises(ContentError, match="is damaged"):
        _ = back.data
    place.unlink()
    with pytest.raises(ContentError, match="no blob"):
        _ = back.data
    assert "cat.png" in repr(back)
    assert encode(back) == encode(decode(encode(back)))


@given(st.binary(max_size=50), st.sampled_from([None, "bytes", "base64", "base64url", "data:image/png;base64"]))
def test_without_a_place_for_blobs_it_is_whole_in_the_json(data: bytes, form: str | None) -> None:
    """Its bytes come back with it, and the same bytes are written again."""
    whole = Content.from_bytes(data)
    content = Content(whole.digest, whole.size, whole.mimetype, form=form, held=data)
    written = encode([content])
    back = decode(written)[0]
    assert (back, back.data) == (content, data)
    assert encode([back]) == written


@pytest.mark.parametrize(
    "body",
    [
        {"digest": "../../etc/passwd", "size_bytes": 1, "media_type": "image/png"},
        {"digest": "ab" * 32, "size_bytes": -1, "media_type": "image/png"},
        {"digest": "ab" * 32, "size_bytes": 1, "media_type": 7},
        {"digest": "ab" * 32, "size_bytes": 1, "media_type": "image/png", "data": "eA=="},
        {"digest": "ab" * 32, "size_bytes": 1, "media_type": "image/png", "newer": 1},
        {"digest": None, "size_bytes": None, "media_type": "image/png"},
        {"digest": 5, "size_bytes": 1, "media_type": "image/png"},
        "text",
        None,
    ],
)
def test_a_tag_that_is_not_as_we_write_it_stays_a_tag(body: object) -> None:
    """Shown as it stands, never a way to a file."""
    import orjson

    assert decode(orjson.dumps({"$weft": "content", "v": body})) == Tagged("content", body)


def test_the_type_is_no_matter_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's table of types is not asked."""
    import mimetypes

    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: pytest.fail("asked"))
    assert Content.from_bytes(b"{}", filename="a.json").mimetype == "application/json"


@pytest.mark.parametrize("given", [(), (5,), (b"bytes",), ("cat.png",), (None, 3)])
def test_a_content_made_otherwise_says_how_it_is_made(given: tuple[object, ...]) -> None:
    with pytest.raises(UsageError, match=r"from_bytes, from_path, .*from_url"):
        Content(*given)  # type: ignore[arg-type]
