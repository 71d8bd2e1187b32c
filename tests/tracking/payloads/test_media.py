"""Media in payloads become blobs, once each; everything comes back to the character; the usual text is not touched."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import wave
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weft.tracking import runtime
from weft.tracking.blobs import Blobs
from weft.tracking.faults import Faults
from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import Tagged, decode
from weft.tracking.payloads.media import MIN_CHARS, is_prose, may_hold_media, originals
from weft.tracking.payloads.payload import payload


@pytest.fixture
def blobs(home: object) -> Blobs:
    return Blobs(runtime.active().home)


def written(value: object, blobs: Blobs, *, redacted: bool = True) -> bytes:
    return payload(value, redacted=redacted, faults=Faults(strict=True), store_blob=blobs.put)


def kept(blobs: Blobs) -> int:
    folder = runtime.active().home.blobs
    return sum(len(files) for _, _, files in os.walk(folder))


def noise(size: int = 4000, head: bytes = b"\x89PNG\r\n\x1a\n") -> bytes:
    """Bytes that look like no text, the same each time."""
    data, block = head, b"seed"
    while len(data) < size:
        block = hashlib.sha256(block).digest()
        data += block
    return data[:size]


PNG = noise()
BASE64 = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{BASE64}"
WAV = noise(4000, b"RIFF\x24\0\0\0WAVEfmt ")


@pytest.mark.parametrize(
    ("value", "path", "mimetype"),
    [
        ({"url": URL}, ["url"], "image/png"),
        ([URL], [0], "image/png"),
        (URL, [], "image/png"),
        ({"type": "image_url", "image_url": {"url": URL}}, ["image_url", "url"], "image/png"),
        (
            {"type": "input_audio", "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"}},
            ["input_audio", "data"],
            "audio/wav",
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": BASE64}},
            ["source", "data"],
            "image/jpeg",
        ),
        ({"inline_data": {"mime_type": "image/png", "data": BASE64}}, ["inline_data", "data"], "image/png"),
        (
            {"inlineData": {"mimeType": "audio/mp3", "data": base64.urlsafe_b64encode(WAV).decode()}},
            ["inlineData", "data"],
            "audio/mpeg",
        ),
        ({"data": [{"b64_json": BASE64}]}, ["data", 0, "b64_json"], "image/png"),
        ({"type": "image_generation_call", "result": BASE64}, ["result"], "image/png"),
        ({"images": [BASE64]}, ["images", 0], "image/png"),
        ({"type": "image", "data": BASE64, "mimeType": "image/png"}, ["data"], "image/png"),
        (
            {"file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{BASE64}"}},
            ["file", "file_data"],
            "application/pdf",
        ),
        ({1: URL}, [1], "image/png"),
        ({"x": float("nan"), "url": URL}, ["url"], "image/png"),
        ({"raw": PNG}, ["raw"], "image/png"),
        ({"raw": bytearray(WAV)}, ["raw"], "audio/wav"),
    ],
)
def test_media_is_found_where_the_providers_put_it(value: Any, path: list[Any], mimetype: str, blobs: Blobs) -> None:
    """It reads back as Content whose bytes are in a blob, and as what it was on request."""
    data = written(value, blobs)
    assert BASE64[:200].encode() not in data
    back = found = decode(data)
    for step in path:
        found = found[step]
    assert isinstance(found, Content)
    assert found.mimetype == mimetype
    assert found.data in (PNG, WAV)
    assert kept(blobs) == 1
    if "raw" not in value and "x" not in value:
        assert originals(back, blobs) == value


def test_a_file_keeps_its_name(blobs: Blobs) -> None:
    """The one that stands beside it."""
    back = decode(written({"filename": "report.pdf", "file_data": URL}, blobs))
    assert back["file_data"].filename == "report.pdf"


def test_the_same_picture_a_hundred_times_is_one_blob(blobs: Blobs) -> None:
    """In one call and over many, as bytes, base64, Content."""
    value = {"messages": [{"role": "user", "content": [{"image_url": {"url": URL}}]}] * 100}
    for _ in range(3):
        written(value, blobs)
    written([Content.from_bytes(PNG), PNG, {"data": BASE64}], blobs)
    assert kept(blobs) == 1


def test_media_inside_a_longer_text_leaves_the_text_around_it(blobs: Blobs) -> None:
    """Markdown, JSON in a tool's arguments; two in one."""
    text = f"Look: ![a]({URL}) and ![b]({URL.replace('png', 'webp')}). Good?"
    back = decode(written({"content": text}, blobs))
    parts = back["content"].value
    assert [part if isinstance(part, str) else part.mimetype for part in parts] == [
        "Look: ![a](",
        "image/png",
        ") and ![b](",
        "image/webp",
        "). Good?",
    ]
    assert originals(back, blobs) == {"content": text}
    arguments = json.dumps({"image": URL})
    assert originals(decode(written({"arguments": arguments}, blobs)), blobs) == {"arguments": arguments}


@pytest.mark.parametrize(
    "value",
    [
        {"data": BASE64[:-2] + "!!"},
        {"url": "data:image/png;base64," + base64.encodebytes(PNG).decode()},
        {"data": base64.b64encode(noise(4000, b"none")).decode()},
        {"note": BASE64},
        {"url": "data:image/png;base64," + BASE64[:400]},
        {"data": "x" * 5000, "format": "json_schema"},
        {"url": f"data:image/png,{BASE64}"},
        {"data": "word " * 1000},
        {"$weft": "content", "v": {"digest": "x"}, "data": "z" * 3000},
        {"hex": noise().hex()},
    ],
)
def test_what_only_resembles_media_stays_what_it_is(value: Any, blobs: Blobs) -> None:
    """Broken or non-canonical base64, unknown bytes, texts."""
    assert decode(written(value, blobs)) == value
    assert kept(blobs) == 0


def test_what_stands_under_a_secrets_name_is_no_media(blobs: Blobs) -> None:
    """It is redacted, and no blob keeps it."""
    assert decode(written({"api_key": URL, "private_key": PNG}, blobs))["api_key"] == "[redacted:api_key]"
    text = base64.b64encode(b"key sk-abcdefghijklmnop " * 100).decode()
    written({"url": f"data:text/plain;base64,{text}"}, blobs)
    folder = runtime.active().home.blobs
    for place, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(place, name), "rb") as file:  # noqa: PTH118 - as os.walk gives it
                assert b"sk-abcdefghijklmnop" not in file.read()


def test_redaction_leaves_media_whole_and_finds_secrets_beside_it(blobs: Blobs) -> None:
    """Base64 that happens to look like a key is not torn."""
    value = {"url": URL, "text": "my key is sk-abcdefghijklmnop", "b": b"AKIAIOSFODNN7EXAMPLE"}
    back = originals(decode(written(value, blobs)), blobs)
    assert back == {**value, "text": "my key is [redacted:api-key]"}


def test_a_picture_object_keeps_its_format_and_loses_nothing(blobs: Blobs) -> None:
    """PNG for what has none; WEBP without loss; modes that PNG has not as TIFF; the same one again is one blob."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "WEBP", lossless=True)
    for image in (
        Image.new("RGB", (30, 20), "red"),
        Image.open(buffer),
        Image.new("CMYK", (5, 5), "blue"),
        Image.new("F", (5, 5), 0.5),
        Image.new("P", (5, 5), 3),
        Image.new("1", (5, 5), 1),
    ):
        before = kept(blobs)
        body = decode(written({"image": image}, blobs))["image"].value
        again = decode(written({"image": image}, blobs))["image"].value
        assert body == again
        assert kept(blobs) == before + 1
        stored = Image.open(io.BytesIO(blobs.read(body["blob"]["digest"])))
        mode = "RGBA" if image.mode == "P" else stored.mode  # a palette may be written in another order
        assert (stored.size, stored.convert(mode).tobytes()) == (image.size, image.convert(mode).tobytes())
        assert body["blob"]["media_type"] == f"image/{(stored.format or '').lower()}"
    assert decode(written({"i": Image.open(buffer)}, blobs))["i"].value["blob"]["media_type"] == "image/webp"


def test_a_jpeg_is_not_compressed_again_with_other_tables(blobs: Blobs) -> None:
    """Its own quantisation is kept: the pixels stay within one step."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "JPEG", quality=40)
    image = Image.open(buffer)
    body = decode(written(image, blobs)).value
    assert body["blob"]["media_type"] == "image/jpeg"
    stored = Image.open(io.BytesIO(blobs.read(body["blob"]["digest"])))
    assert stored.quantization == image.quantization  # type: ignore[attr-defined]


def test_a_picture_that_changed_is_another_blob(blobs: Blobs) -> None:
    """It is known by its pixels, not by its address."""
    image = Image.new("RGB", (4, 4), "red")
    first = decode(written(image, blobs)).value["blob"]["digest"]
    image.putpixel((0, 0), (0, 0, 0))
    assert decode(written(image, blobs)).value["blob"]["digest"] != first


def test_a_recording_is_kept_whole_and_stays_where_it_was(blobs: Blobs) -> None:
    """A `wave` file open for reading."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as made:
        made.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        made.writeframes(bytes(range(200)) * 20)
    buffer.seek(0)
    with wave.open(buffer, "rb") as recording:
        recording.readframes(7)
        back = decode(written({"sound": recording}, blobs))["sound"]
        assert recording.tell() == 7
    assert back.mimetype == "audio/wav"
    with wave.open(back.open()) as again:
        assert again.readframes(again.getnframes()) == bytes(range(200)) * 20


def test_a_disk_that_is_full_leaves_the_base64_in_the_record() -> None:
    """Counted, and nothing raised."""

    def full(data: bytes) -> str:
        raise OSError(28, "No space left on device")

    faults = Faults()
    data = payload({"url": URL}, redacted=True, faults=faults, store_blob=full)
    assert decode(data) == {"url": URL}
    assert faults.counts == {"keep media as a blob": 1}


def test_a_blob_that_is_missing_or_damaged_spoils_no_reading(blobs: Blobs) -> None:
    """What names it stays; the rest comes back."""
    big = "line\n" * 300_000
    back = decode(written({"url": URL, "log": big, "n": 1}, blobs))
    assert originals(back, blobs) == {"url": URL, "log": big, "n": 1}
    blobs.path(back["url"].digest).unlink()
    blobs.path(back["log"].value["digest"]).write_bytes(b"other")
    left = originals(back, blobs)
    assert left == back
    assert isinstance(left["log"], Tagged)


@given(
    st.lists(
        st.sampled_from(
            [URL, BASE64, BASE64[:1370], "data:", ";base64,", "image/png", "word ", '"', ",", "\\", "é", "=", "-"]
        ),
        max_size=6,
    ).map("".join)
    | st.binary(min_size=1024, max_size=1500).map(lambda data: f"data:a/b;base64,{base64.b64encode(data).decode()}")
)
@settings(deadline=None, max_examples=60)
def test_whatever_a_text_holds_it_comes_back_to_the_character(text: str) -> None:
    """Through blobs, without redaction."""
    store: dict[str, bytes] = {}

    class Memory:
        def put(self, data: bytes) -> str:
            digest = hashlib.sha256(data).hexdigest()
            store[digest] = data
            return digest

        def verify(self, digest: str) -> bool:
            return digest in store

        def read(self, digest: str) -> bytes:
            return store[digest]

    memory: Any = Memory()
    value = {"content": [{"url": text}, text], "data": text}
    back = decode(payload(value, redacted=False, faults=Faults(strict=True), store_blob=memory.put))
    assert _joined(back, store) == value


def _joined(value: Any, store: dict[str, bytes]) -> Any:
    """As `originals`, from memory."""
    if isinstance(value, Content):
        return Content(**{**_fields(value), "held": store[value.digest or ""]}).original()
    if isinstance(value, Tagged):
        return "".join(_joined(part, store) for part in value.value)
    if isinstance(value, list):
        return [_joined(item, store) for item in value]
    return {key: _joined(item, store) for key, item in value.items()} if isinstance(value, dict) else value


def _fields(content: Content) -> dict[str, Any]:
    return {name: getattr(content, name) for name in ("digest", "size", "mimetype", "filename", "uri", "form")}


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(["", " ", "words and words "]))
def test_the_quick_look_misses_no_run_that_is_long_enough(before: int, after: int, filler: str) -> None:
    """Wherever it begins."""
    run = BASE64[:MIN_CHARS]
    text = (filler * before)[:before] + run + (filler * after)[:after]
    assert not is_prose(text)
    assert may_hold_media(json.dumps({"a": text}).encode())


def test_prose_is_told_from_media_by_the_quick_look() -> None:
    """A long text of words, a list of numbers, JSON."""
    assert is_prose("The quick brown fox. " * 1000)
    for value in (list(range(10_000)), {"text": "word " * 10_000}, [{"role": "user", "content": "a b"}] * 500):
        assert not may_hold_media(json.dumps(value, separators=(",", ":")).encode())
