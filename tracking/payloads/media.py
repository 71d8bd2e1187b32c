"""Images, recordings and files that stand as base64 in encoded JSON: found, kept as blobs, named in their place.

`payload` calls it before redaction, on every payload: one cheap look tells those that cannot hold any. Known are
data-URLs anywhere, also inside longer texts, and bare base64 in the fields where the providers put it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from weft.tracking.blobs import Blobs
from weft.tracking.faults import let_through
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import decode
from weft.tracking.payloads.objects import TAG, StoreBlob, Tagged, content_tag, tag
from weft.tracking.payloads.redaction import redact_text
from weft.tracking.payloads.secretnames import is_secret_name

MIN_CHARS = 1366
"""Characters of base64 from which it is moved: 1 KiB of content."""

_DATA_URL = re.compile(
    r"(data:([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)(?:;[\w.+-]+=[\w.+-]+)*;base64),"
    rf"([A-Za-z0-9+/_-]{{{MIN_CHARS - 2},}}={{0,2}})"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_FIELDS = frozenset(
    {"data", "b64_json", "result", "file_data", "image", "audio", "images", "base64", "bytes", "content"}
)
"""Where providers put bare base64: OpenAI's input_audio and b64_json, Anthropic's source, Gemini's inline_data, MCP's
images, Ollama's lists."""
_TYPES = ("media_type", "mime_type", "mimeType", "mediaType", "mimetype", "format", "output_format")
"""What beside it says the type."""


def may_hold_media(data: bytes) -> bool:
    """Whether encoded JSON has so long a run without space, quote and comma as base64 of 1 KiB is.

    Looks at the ends of windows only: ordinary text costs one short search a kilobyte.
    """
    at, last, before = 0, len(data) - MIN_CHARS, data.rfind
    while at <= last:
        end = at + MIN_CHARS
        found = before(b" ", at, end)
        if found < 0 and (found := before(b'"', at, end)) < 0 and (found := before(b",", at, end)) < 0:
            return True
        at = found + 1
    return False


def is_prose(text: str) -> bool:
    """Whether a text has a space in every stretch as long as base64 of 1 KiB: it holds no media then."""
    at, last, before = 0, len(text) - MIN_CHARS, text.rfind
    while at <= last:
        at = before(" ", at, at + MIN_CHARS) + 1
        if not at:
            return False
    return True


def without_media(data: bytes, store_blob: StoreBlob, *, redacted: bool) -> bytes:
    """The same JSON with its media as blobs; the very bytes where there are none.

    Args:
        redacted: whether what stands under a secret's name is left for redaction, and texts lose their secrets.

    Raises:
        OSError: a blob could not be written.
    """
    value = orjson.loads(data)
    moved = _Move(store_blob, redacted).value(value, "", {})
    return data if moved is value else orjson.dumps(moved)


class _Move:
    """One payload's media on their way to blobs."""

    __slots__ = ("_redacted", "_store_blob")

    def __init__(self, store_blob: StoreBlob, redacted: bool) -> None:
        self._store_blob = store_blob
        self._redacted = redacted

    def value(self, value: Any, name: str, around: Mapping[str, Any]) -> Any:
        """The same object where nothing had to change.

        Args:
            name: the key it stands under.
            around: what stands beside it.
        """
        if type(value) is str:
            return self._text(value, name, around) if len(value) >= MIN_CHARS else value
        if type(value) is list:
            items = [self.value(item, name, around) for item in value]
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        if type(value) is not dict or (value.get(TAG) in ("content", "blob", "bytes") and "v" in value):
            return value
        changed = {
            key: moved
            for key, item in value.items()
            if not (self._redacted and is_secret_name(key)) and (moved := self.value(item, key, value)) is not item
        }
        return {**value, **changed} if changed else value

    def _text(self, text: str, name: str, around: Mapping[str, Any]) -> Any:
        if name in _FIELDS and (found := self._bare(text, around)) is not None:
            return found
        if ";base64," not in text:
            return text
        parts: list[Any] = []
        at = 0
        for match in _DATA_URL.finditer(text):
            moved = self._kept(match[3], match[2], match[1], _filename(around))
            if moved is not None:
                parts += [text[at : match.start()], moved] if match.start() > at else [moved]
                at = match.end()
        if not parts:
            return text
        if at == len(text) and len(parts) == 1:
            return parts[0]
        return tag("text", [*parts, text[at:]] if at < len(text) else parts)

    def _bare(self, text: str, around: Mapping[str, Any]) -> Any:
        """Base64 by itself, where its neighbours or its first bytes say what it is."""
        if not _BASE64.fullmatch(text):
            return None
        said = next((found for key in _TYPES if (found := _kind(around.get(key))) is not None), None)
        try:
            found = said or mediatypes.sniffed(b64decode(text[:684].translate(_STANDARD)))
        except ValueError:
            return None
        if found is None or (said is None and not found.startswith(mediatypes.MEDIA)):
            return None
        return self._kept(text, found, None, _filename(around))

    def _kept(self, text: str, mimetype: str, beginning: str | None, filename: str | None) -> Any:
        """The content that stands for this base64; None where it would not come back to the character."""
        try:
            data = b64decode(text, validate=True) if "-" not in text and "_" not in text else None
            form = beginning or "base64"
            if data is None and beginning is None:
                data, form = b64decode(text.translate(_STANDARD), validate=True), "base64url"
        except ValueError:
            return None
        if data is None or (b64encode if form != "base64url" else urlsafe_b64encode)(data).decode("ascii") != text:
            return None
        kind = mediatypes.normal(mimetype) or mediatypes.UNKNOWN
        if self._redacted and kind.startswith(("text/", "application/json")):
            return None if _secret(data) else content_tag(data, kind, self._store_blob, form=form)
        more = {} if filename is None else {"filename": filename}
        return content_tag(data, kind, self._store_blob, **more, form=form)


_STANDARD = str.maketrans("-_", "+/")


def _secret(data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    return redact_text(text) != text


def _kind(said: Any) -> str | None:
    """The mimetype that a neighbour names: `image/png`, or a bare `wav`."""
    if not isinstance(said, str) or len(said) > 200:
        return None
    return mediatypes.normal(said) or mediatypes.named(said)


def _filename(around: Mapping[str, Any]) -> str | None:
    name = around.get("filename")
    return name[:200] if isinstance(name, str) and name and name.isprintable() else None


def originals(value: Any, blobs: Blobs) -> Any:
    """A decoded payload with what had gone to blobs back in it, as it stood in the program.

    Texts, whole payloads, bytes and base64 come back themselves; images and arrays stay `Tagged`, and so does what is
    missing in the blobs or damaged.
    """
    return _Back(blobs).value(value)


class _Back:
    __slots__ = ("_blobs",)

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, Content):
            return self._tried(value, value.original)
        if not isinstance(value, Tagged):
            return value
        if value.kind == "text" and isinstance(value.value, list):
            parts = [self.value(part) for part in value.value]
            return "".join(parts) if all(isinstance(part, str) for part in parts) else value
        return self._tried(value, lambda: self._blob(value.value)) if value.kind == "blob" else value

    def _tried(self, value: Any, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:
            let_through(error)
            return value  # missing or damaged: the reference says which

    def _blob(self, body: Mapping[str, Any]) -> Any:
        if not self._blobs.verify(body["digest"]):
            raise ValueError("damaged")
        data = self._blobs.read(body["digest"])
        if body["media_type"] == "application/json":
            return self.value(decode(data))
        return data.decode() if body["media_type"].startswith("text/plain") else data
