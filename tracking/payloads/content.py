"""`weft.Content`: an image, a recording, a file as a value that calls take and return, stored once by what it holds.

Made from bytes, a path, text, base64 or a data-URL; read back from a trace, its bytes come from the blobs when they are
asked for. A URL is a reference: nothing is fetched unless `fetch` is called.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

from weft.tracking import runtime
from weft.tracking.blobs import Blobs
from weft.tracking.errors import Error, UsageError
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.objects import StoreBlob, Tag, tag

FETCHED_BYTES = 256 << 20
"""`fetch` takes no more than this unless told."""

_digest = re.compile(r"[0-9a-f]{64}")
_unsafe = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]')


class ContentError(Error):
    """A content's bytes cannot be had: never fetched, gone, or not what was stored."""


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """Bytes with their type: give one to an op or return it, and the trace shows it.

    Example:
        >>> picture = weft.Content.from_path("cat.png")
        >>> describe(picture)                      # an @op: the trace shows the picture
        >>> picture.mimetype, picture.size
        ('image/png', 48213)
    """

    digest: str | None = None
    """sha256 of the bytes, in hex; None for a URL that was not fetched."""
    size: int | None = None
    """Bytes; None likewise."""
    mimetype: str = mediatypes.UNKNOWN
    filename: str | None = None
    uri: str | None = None
    """Where it lies, as it was given to `from_url`."""
    form: str | None = None
    """How it stood in what was recorded, where it was no Content: `bytes`, `base64`, `base64url`, or a data-URL's
    beginning up to its comma."""
    held: bytes | None = field(default=None, compare=False)
    """The bytes, where they are at hand; ask `data`."""

    def __post_init__(self) -> None:
        if not (self.uri if self.digest is None else isinstance(self.digest, str) and isinstance(self.size, int)):
            ways = "from_bytes, from_path, from_text, from_base64, from_data_url or from_url"
            raise UsageError(f"a Content is made by {ways}: weft.Content.from_path('cat.png')")

    @classmethod
    def from_bytes(cls, data: bytes, mimetype: str | None = None, *, filename: str | None = None) -> Content:
        """Of bytes.

        Args:
            mimetype: default what the first bytes tell, else the file name's extension.

        Raises:
            UsageError: these are no bytes, or that is no mimetype.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise UsageError(f"Content.from_bytes() takes bytes, not {type(data).__name__}")
        data = bytes(data)
        name = _named(filename)
        kind = mediatypes.guessed(data, name) if mimetype is None else _typed(mimetype)
        return cls(hashlib.sha256(data).hexdigest(), len(data), kind, name, held=data)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], mimetype: str | None = None) -> Content:
        """Of a file, read now: later changes to it do not reach the content.

        Raises:
            OSError: it cannot be read.
            UsageError: that is no path, or no mimetype.
        """
        if not isinstance(path, str | os.PathLike) or not str(path):
            raise UsageError(f"Content.from_path() takes the path of a file, not {path!r:.80}")
        place = Path(path)
        return cls.from_bytes(place.read_bytes(), mimetype, filename=place.name)

    @classmethod
    def from_text(cls, text: str, mimetype: str = "text/plain", *, filename: str | None = None) -> Content:
        """Of a text, as UTF-8.

        Raises:
            UsageError: it is no text, or holds lone surrogates, which UTF-8 has not.
        """
        if not isinstance(text, str):
            raise UsageError(f"Content.from_text() takes a text, not {type(text).__name__}")
        try:
            return cls.from_bytes(text.encode(), mimetype, filename=filename)
        except UnicodeEncodeError as error:
            raise UsageError(f"the text for Content.from_text() is no UTF-8: {error}") from None

    @classmethod
    def from_base64(cls, text: str | bytes, mimetype: str | None = None, *, filename: str | None = None) -> Content:
        """Of base64: either alphabet, padded or not, line breaks allowed.

        Raises:
            UsageError: it is no base64.
        """
        return cls.from_bytes(_decoded(text, "Content.from_base64()"), mimetype, filename=filename)

    @classmethod
    def from_data_url(cls, url: str, *, filename: str | None = None) -> Content:
        """Of `data:image/png;base64,...` (RFC 2397).

        Raises:
            UsageError: it is no data-URL, or its base64 is none.
        """
        if not isinstance(url, str) or url[:5].lower() != "data:" or "," not in url:
            raise UsageError(f"a data-URL begins with data: and has a comma, not {str(url)[:60]!r}")
        head, _, body = url[5:].partition(",")
        base64 = head.lower().endswith(";base64")
        kind = mediatypes.normal(head[:-7] if base64 else head) or "text/plain"
        data = _decoded(body, "this data-URL") if base64 else unquote_to_bytes(body)
        return cls.from_bytes(data, kind, filename=filename)

    @classmethod
    def from_url(cls, url: str, mimetype: str | None = None) -> Content:
        """A reference to something on the web: recorded as the address it is, never fetched by itself.

        Raises:
            UsageError: it is no http or https URL, or that is no mimetype.
        """
        parts = _web(url)
        name = _named(parts.path.rpartition("/")[2] or None)
        kind = _typed(mimetype) if mimetype else mediatypes.named(name) or mediatypes.UNKNOWN
        return cls(None, None, kind, name, uri=url)

    def fetch(self, *, timeout_s: float = 30.0, limit_bytes: int = FETCHED_BYTES) -> Content:
        """The content behind a URL, with its bytes.

        Raises:
            UsageError: it has no URL.
            ContentError: it is larger than `limit_bytes`.
            OSError: the request failed.
        """
        if self.uri is None:
            raise UsageError("this Content has no URL to fetch; its bytes are in .data")
        _web(self.uri)
        import urllib.request  # tens of milliseconds that no traced program should pay at its start

        with urllib.request.urlopen(self.uri, timeout=timeout_s) as answer:
            data = answer.read(limit_bytes + 1)
            said = mediatypes.normal(answer.headers.get("Content-Type", ""))
        if len(data) > limit_bytes:
            raise ContentError(f"{self.uri} is larger than {limit_bytes} bytes; pass limit_bytes= to take more")
        made = Content.from_bytes(data, said and said.partition(";")[0], filename=self.filename)
        return replace(made, uri=self.uri)

    @property
    def data(self) -> bytes:
        """The bytes: those it was made of, else the blob's, which is checked against the digest.

        Raises:
            ContentError: they cannot be had; the message says why.
        """
        if self.held is not None:
            return self.held
        if self.digest is None:
            raise ContentError(f"{self.uri} is a reference and was not fetched; call .fetch()")
        blobs = Blobs(runtime.active().home)
        try:
            found = blobs.read(self.digest)
        except (Error, OSError) as error:
            raise ContentError(f"the bytes of {self!r} cannot be read: {error}") from error
        if hashlib.sha256(found).hexdigest() != self.digest:
            blobs.doubt(self.digest)
            raise ContentError(f"the blob of {self!r} is damaged: its bytes are not those that were stored")
        return found

    @property
    def text(self) -> str:
        """The bytes as UTF-8.

        Raises:
            ContentError: they cannot be had.
            UnicodeDecodeError: they are no text.
        """
        return self.data.decode()

    @property
    def extension(self) -> str:
        """`png`: of the file name, else the usual one of the type."""
        ending = self.filename.rpartition(".")[2] if self.filename and "." in self.filename else ""
        return ending or mediatypes.extension(self.mimetype)

    def to_data_url(self) -> str:
        """`data:image/png;base64,...`, as the providers take it."""
        return f"data:{self.mimetype};base64,{b64encode(self.data).decode('ascii')}"

    def open(self) -> BinaryIO:
        """The bytes as a file to read."""
        return io.BytesIO(self.data)

    def save(self, dest: str | os.PathLike[str]) -> Path:
        """Write the bytes to a file, or under the file's own name into a folder; returns the path.

        Raises:
            ContentError: the bytes cannot be had.
            OSError: it cannot be written.
        """
        place = Path(dest)
        if place.is_dir():
            place /= self.filename or f"{(self.digest or 'content')[:16]}.{self.extension}"
        place.write_bytes(self.data)
        return place

    def original(self) -> object:
        """What stood in the program's value: the bytes, the base64 or the data-URL; a Content where it was one.

        Raises:
            ContentError: the bytes cannot be had.
        """
        if self.form is None:
            return self
        if self.form == "bytes":
            return self.data
        if self.form == "base64url":
            return urlsafe_b64encode(self.data).decode("ascii")
        beginning = "" if self.form == "base64" else f"{self.form},"
        return beginning + b64encode(self.data).decode("ascii")

    def __repr__(self) -> str:
        said = [self.mimetype]
        if self.size is not None:
            said.append(f"{self.size} bytes")
        said += [part for part in (self.filename, self.uri) if part]
        if self.digest is not None:
            said.append(f"sha256 {self.digest[:12]}")
        return f"<Content {', '.join(said)}>"

    def __weft_payload__(self, store_blob: StoreBlob | None) -> Tag:
        body: dict[str, object] = {"digest": self.digest, "size_bytes": self.size, "media_type": self.mimetype}
        body |= {name: getattr(self, name) for name in ("filename", "uri", "form") if getattr(self, name) is not None}
        if self.held is not None and store_blob is not None:
            store_blob(self.held)
        elif self.held is not None:
            body["data"] = b64encode(self.held).decode("ascii")
        return tag("content", body)

    @classmethod
    def of_tag(cls, body: Any) -> Content:
        """From its tagged form.

        Raises:
            TypeError, ValueError, KeyError: it is not as we write it.
        """
        digest, size, kind = body["digest"], body["size_bytes"], body["media_type"]
        told = [body.get(name) for name in ("filename", "uri", "form")]
        if not isinstance(kind, str) or not all(text is None or isinstance(text, str) for text in told):
            raise TypeError("a content's type and names are texts")
        if digest is None:
            if size is not None or not told[1]:
                raise ValueError("a content has a digest or a URL")
        elif not _digest.fullmatch(digest) or type(size) is not int or size < 0:
            raise ValueError("a content's digest is a sha256 in hex, its size a number")
        if set(body) - {"digest", "size_bytes", "media_type", "filename", "uri", "form", "data"}:
            raise ValueError("a newer weft wrote more")
        data = body.get("data")
        held = None if data is None else b64decode(data, validate=True)
        if held is not None and hashlib.sha256(held).hexdigest() != digest:
            raise ValueError("its bytes are not those of its digest")
        return cls(digest, size, kind, filename=told[0], uri=told[1], form=told[2], held=held)


def _decoded(text: str | bytes, what: str) -> bytes:
    try:
        plain = (text.encode("ascii") if isinstance(text, str) else bytes(text)).translate(
            bytes.maketrans(b"-_", b"+/"), b" \t\r\n"
        )
        return b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (Base64Error, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{what} is no base64: {error}") from None


def _typed(mimetype: str) -> str:
    found = mediatypes.normal(mimetype) or mediatypes.named(mimetype)
    if found is None:
        raise UsageError(f"{mimetype!r:.80} is no mimetype; one looks like image/png")
    return found


def _named(filename: str | None) -> str | None:
    """A name alone, that leads nowhere: no folders, no control characters."""
    if filename is None:
        return None
    bare = _unsafe.sub("_", str(filename).replace("\\", "/").rpartition("/")[2]).strip(". ")[:200]
    return bare.encode("utf-8", "replace").decode() or None


def _web(url: object) -> Any:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        host = parts and parts.hostname
    except ValueError:
        host = parts = None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"Content.from_url() takes an http or https URL, not {str(url)[:80]!r}")
    return parts
