"""What kind of content bytes are: by how they begin, by a file's extension. Never by opening or running anything.

The table is our own, so that every machine gives one answer (the `mimetypes` module reads the system's files).
"""

from __future__ import annotations

import re

UNKNOWN = "application/octet-stream"

_EXTENSIONS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "heic": "image/heic",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "pcm": "audio/L16",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "parquet": "application/vnd.apache.parquet",
    "npy": "application/x-npy",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "txt": "text/plain",
    "log": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "html": "text/html",
    "htm": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "py": "text/x-python",
}
_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "application/x-pdf": "application/pdf",
}
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF-", "application/pdf"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"\x93NUMPY", "application/x-npy"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}
_BRANDS |= {b"M4A ": "audio/mp4", b"qt  ": "video/quicktime"}
# An MPEG frame: eleven bits of sync, layer III, a bit rate and a sampling rate that exist.
_mp3 = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xeb]")
_svg = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE[^>]*>\s*)?<svg[\s>]", re.DOTALL)
_mimetype = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}(?:\s*;[ -~]{0,200})?")

MEDIA = ("image/", "audio/", "video/", "application/pdf")
"""What people look at or listen to."""


def sniffed(data: bytes | memoryview) -> str | None:
    """The type that the first bytes tell; None where they tell none."""
    head = bytes(data[:512])
    for beginning, mimetype in _BEGINNINGS:
        if head.startswith(beginning):
            return mimetype
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[:2] == b"BM" and int.from_bytes(head[2:6], "little") == len(data):
        return "image/bmp"
    if _mp3.match(head):
        return "audio/mpeg"
    return "image/svg+xml" if _svg.match(head) else None


def guessed(data: bytes, filename: str | None = None) -> str:
    """By the first bytes, except that what a file's extension says of a zip or a text is more exact."""
    found = sniffed(data)
    by_name = named(filename)
    if found is None or (found == "application/zip" and by_name):
        if by_name:
            return by_name
        return found or ("text/plain" if _is_text(data) else UNKNOWN)
    return found


def named(filename: str | None) -> str | None:
    """The type that a file's extension, or a bare `wav`, stands for."""
    return _EXTENSIONS.get(filename.rpartition(".")[2].lower()) if filename else None


def normal(mimetype: object) -> str | None:
    """A type in its usual spelling, parameters kept; None for what is no type at all."""
    if not isinstance(mimetype, str) or not _mimetype.fullmatch(text := mimetype.strip().lower()):
        return None
    return _OTHER_NAMES.get(text, text)


def extension(mimetype: str) -> str:
    """`png`: how files of this type are usually named; `bin` where we know none."""
    bare = mimetype.partition(";")[0].strip()
    return next((ending for ending, kind in _EXTENSIONS.items() if kind == bare), "bin")


def _is_text(data: bytes) -> bool:
    if b"\0" in data[:4096]:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return bool(data)
