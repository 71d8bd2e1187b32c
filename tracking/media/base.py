"""What every medium is: something to look at or listen to, whose record names its bytes in the blobs.

A medium is made of the user's object at once and keeps nothing of it; `record` says what is written in its place, and
`weft.tracking.media.restore` makes the medium of that again.
"""

from __future__ import annotations

import builtins
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import orjson

from weft.tracking import runtime
from weft.tracking.errors import Error, UsageError
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content, ContentError
from weft.tracking.payloads.redaction import redact_text

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs

StoreBlob: TypeAlias = Callable[[bytes], str]
Record: TypeAlias = dict[str, Any]

TYPE = "_type"
"""The key of a record that says which medium it is, by wandb's names."""
_TEXTS = ("text/", "application/json", "application/vnd.plotly", "chemical/")
_digest = re.compile(r"[0-9a-f]{64}")


class Media(ABC):
    """Root of the media. Two of them are equal where their records are."""

    kind: ClassVar[str] = ""
    """`_type` of its record."""
    batch: ClassVar[str] = ""
    """`_type` of a list of them."""
    folder: ClassVar[str] = ""
    """Its place below a run's `media/`."""

    def __init__(self, caption: str | None = None) -> None:
        self.caption: str | None = checked_caption(type(self).__name__, caption)
        """Shown below it."""

    def record(self, store_blob: StoreBlob | None = None) -> Record:
        """What is written in its place, as JSON.

        Args:
            store_blob: keeps bytes and answers their sha256 (`Blobs(home).put`); None keeps nothing.

        Raises:
            OSError, HomeError: the bytes could not be kept.
        """
        found: Record = {TYPE: self.kind, **self._fields(store_blob)}
        if self.caption is not None:
            found["caption"] = self.caption
        return found

    def __weft_payload__(self, store_blob: StoreBlob | None) -> Record:
        return self.record(store_blob)

    @abstractmethod
    def _fields(self, store_blob: StoreBlob | None) -> Record:
        """What its record says, besides what it is and its caption."""

    @classmethod
    def of_record(cls, record: Mapping[str, Any], blobs: Blobs | None) -> Self:
        """The medium that a record stands for.

        Raises:
            KeyError, TypeError, ValueError: it is not as we write it.
        """
        made = cls.__new__(cls)
        caption = record.get("caption")
        if caption is not None and not isinstance(caption, str):
            raise TypeError("a caption is text")
        made.caption = caption
        made._restore(record, blobs)
        return made

    @abstractmethod
    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        """Become what a record says.

        Raises:
            KeyError, TypeError, ValueError: it is not as we write it.
        """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.record() == other.record()

    def __hash__(self) -> int:
        return hash(orjson.dumps(self.record(), option=orjson.OPT_SORT_KEYS))


class FileMedia(Media):
    """A medium that is one file."""

    _content: Content
    _blobs: Blobs | None = None

    @property
    def digest(self) -> str:
        """sha256 of its bytes, in hex."""
        return str(self._content.digest)

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return int(self._content.size or 0)

    @property
    def media_type(self) -> str:
        """Such as `image/png`."""
        return self._content.mimetype

    @property
    def extension(self) -> str:
        """Such as `png`."""
        return str(self._content.filename).removeprefix("file.")

    def bytes(self) -> builtins.bytes:
        """The file's bytes, read from the blobs and checked where they are not at hand.

        Raises:
            ContentError: they cannot be had; the message says why.
        """
        return content_bytes(self._content, self._blobs)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the file; into a folder, under a name made of its digest. Returns where it is.

        Raises:
            ContentError: the bytes cannot be had.
            OSError: it cannot be written.
        """
        place = Path(path)
        if place.is_dir():
            place /= f"{self.digest[:20]}.{self.extension}"
        place.write_bytes(self.bytes())
        return place

    def _fields(self, store_blob: StoreBlob | None) -> Record:
        content = self._content
        if content.held is not None and content.mimetype.startswith(_TEXTS):
            content = self._content = _without_secrets(content)
        if store_blob is not None:
            store_blob(self.bytes())
        found = {"digest": content.digest, "size_bytes": content.size, "media_type": content.mimetype}
        return {**found, "format": self.extension, **self._details(store_blob)}

    def _details(self, store_blob: StoreBlob | None) -> Record:
        """What a record says besides the file."""
        return {}

    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        self._content = content_of(record)
        self._blobs = blobs

    def __repr__(self) -> str:
        told = [self.media_type, f"{self.size_bytes} bytes", *([self.caption] if self.caption else [])]
        return f"<weft.{type(self).__name__} {', '.join(told)}, sha256 {self.digest[:12]}>"


def checked_caption(what: str, caption: object) -> str | None:
    """
    Raises:
        TypeError: it is no text.
    """
    if caption is None or isinstance(caption, str):
        return caption
    raise TypeError(f"the caption of {what}() must be text, got {type(caption).__name__}: {caption!r:.80}")


def file_content(data: bytes, ending: str, media_type: str | None = None) -> Content:
    """Bytes as a file of this ending.

    Args:
        media_type: default what the ending usually is.
    """
    kind = media_type or mediatypes.named(ending) or mediatypes.UNKNOWN
    return Content(hashlib.sha256(data).hexdigest(), len(data), kind, f"file.{ending}", held=data)


def read_file(what: str, path: str | PathLike[str], endings: Mapping[str, str]) -> Content:
    """A file as it is now; later changes to it do not reach the medium.

    Args:
        what: who asks, for messages.
        endings: the extensions that will do, with their media types.

    Raises:
        UsageError: there is none at this path, or it has another extension.
        OSError: it cannot be read.
    """
    place = Path(fspath(path))
    ending = place.suffix.lower().lstrip(".")
    matched = next((known for known in endings if str(place).lower().endswith(f".{known}")), None)
    try:
        data = place.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{what}() was given the path {str(place)!r:.200}, and there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{what}() was given the path {str(place)!r:.200}, which is a folder") from None
    if matched is None:
        known = ", ".join(f".{one}" for one in endings)
        raise UsageError(f"{what}() takes files that end in {known}; {place.name!r:.80} ends in {ending!r}")
    return file_content(data, matched, endings[matched])


def content_of(record: Mapping[str, Any]) -> Content:
    """The file that a record names.

    Raises:
        KeyError, TypeError, ValueError: it is not as we write it.
    """
    digest, size, kind, ending = (record[name] for name in ("digest", "size_bytes", "media_type", "format"))
    if not isinstance(digest, str) or not _digest.fullmatch(digest) or type(size) is not int or size < 0:
        raise ValueError("a medium's digest is a sha256 in hex, its size a number")
    if mediatypes.normal(kind) is None or not isinstance(ending, str) or not re.fullmatch(r"[a-z0-9.]{1,12}", ending):
        raise ValueError("a medium has a media type and a format")
    return Content(digest, size, kind, f"file.{ending}")


def size_field(record: Mapping[str, Any], name: str) -> int | None:
    """A number of pixels or frames that a record says, if it does.

    Raises:
        TypeError: it is no such number.
    """
    value = record.get(name)
    if value is not None and (type(value) is not int or value < 0):
        raise TypeError(f"{name} is a number of at least 0, not {value!r:.40}")
    return value


def seconds_field(record: Mapping[str, Any], name: str) -> float | None:
    """A number of seconds, or by the second, that a record says, if it does.

    Raises:
        TypeError: it is no number.
    """
    value = record.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TypeError(f"{name} is a number, not {value!r:.40}")
    return value


def content_bytes(content: Content, blobs: Blobs | None) -> bytes:
    """
    Raises:
        ContentError: they cannot be had; the message says why.
    """
    if content.held is not None or blobs is None:
        return content.data
    try:
        found = blobs.read(str(content.digest))
    except (Error, OSError) as error:
        raise ContentError(f"the bytes of {content!r} cannot be read: {error}") from error
    if hashlib.sha256(found).hexdigest() != content.digest:
        blobs.doubt(str(content.digest))
        raise ContentError(f"the blob of {content!r} is damaged: its bytes are not those that were stored")
    return found


def _without_secrets(content: Content) -> Content:
    """A text's secrets are taken out before it reaches a blob."""
    rules = runtime.active().settings.redact
    held = content.held or b""
    try:
        text = held.decode()
    except UnicodeDecodeError:
        return content
    clean = redact_text(text, rules)
    if clean == text:
        return content
    data = clean.encode()
    return Content(hashlib.sha256(data).hexdigest(), len(data), content.mimetype, content.filename, held=data)
