"""Recorded media in the app: what the browser is told of a blob, and the route that serves it.

Pictures of a few raster formats are shown and recordings played; everything else (SVG and HTML too, which could run)
is a file to download, sent so that no browser opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.tracking import units
from weft.tracking.blobs import Blobs
from weft.tracking.errors import Error
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import Tagged

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MEDIA = "\1"
"""The key under which the components find media: `{kind, src, text, name}`."""
PATH = "/blob/{digest}"
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"})
RECORDINGS = frozenset(
    {"audio/wav", "audio/mpeg", "audio/ogg", "audio/flac", "audio/mp4", "audio/aac", "video/webm", "video/mp4"}
)
SHOWN_BYTES = 64 << 20
"""A larger picture or recording is a file to download."""


def described(value: Content | Tagged) -> dict[str, Any] | None:
    """What a component shows in place of a content, an image or a blob; None where nothing can be fetched of it."""
    if isinstance(value, Content):
        return _of(value.digest, value.size, value.mimetype, value.filename, "") if value.held is None else None
    body = value.value
    if not isinstance(body, Mapping):
        return None
    more = ""
    if value.kind == "image" and isinstance(body.get("blob"), Mapping):
        more, body = f"{body.get('width')} × {body.get('height')}", body["blob"]
    elif value.kind != "blob":
        return None
    preview = body.get("preview")
    told = _of(body.get("digest"), body.get("size_bytes"), body.get("media_type"), None, more)
    if told is not None and isinstance(preview, str):
        told["preview"] = f"{preview}…"
    return told


def recorded(record: Mapping[Any, Any]) -> dict[str, Any] | None:
    """What a component shows in place of the digest of a medium's record (a call's `weft.Image`); else None."""
    kind = record.get("_type")
    if not isinstance(kind, str) or not (kind.endswith("-file") or kind in ("mask", "chart")):
        return None
    size = (record.get("width"), record.get("height"))
    more = f"{size[0]} × {size[1]}" if all(isinstance(side, int) for side in size) else ""
    return _of(record.get("digest"), record.get("size_bytes"), record.get("media_type"), None, more)


def _of(digest: Any, size: Any, mimetype: Any, name: str | None, more: str) -> dict[str, Any] | None:
    if not isinstance(digest, str) or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        return None
    mimetype = mediatypes.normal(mimetype) or mediatypes.UNKNOWN
    shown = isinstance(size, int) and size <= SHOWN_BYTES
    kind = "picture" if shown and mimetype in PICTURES else "recording" if shown and mimetype in RECORDINGS else "file"
    words = [mimetype, units.size(size if isinstance(size, int) else None), more, name or ""]
    return {
        "kind": kind,
        "src": PATH.format(digest=digest),
        "text": ", ".join(word for word in words if word),
        "name": name or f"{digest[:12]}.{mediatypes.extension(mimetype)}",
    }


async def answer(request: Request) -> Response:
    """The blob: shown or played where its own first bytes say that it is harmless, else a file to download."""
    from starlette.concurrency import run_in_threadpool  # Starlette comes with the extra `ui`
    from starlette.responses import FileResponse, PlainTextResponse

    from weft.ui.data import data

    blobs, digest = data().blobs(), request.path_params["digest"]
    try:
        found = await run_in_threadpool(_sound, blobs, digest)
        place = blobs.path(digest)
    except (Error, OSError) as error:
        return PlainTextResponse(f"{error}\n", 404)
    if found is None:
        return PlainTextResponse(f"the blob {digest} is damaged: its bytes are not those that were stored\n", 410)
    headers = {"cache-control": "private, max-age=31536000, immutable", "content-security-policy": "sandbox"}
    if found not in PICTURES | RECORDINGS:
        return FileResponse(place, media_type=mediatypes.UNKNOWN, filename=f"{digest[:12]}.bin", headers=headers)
    return FileResponse(place, media_type=found, headers=headers)


def _sound(blobs: Blobs, digest: str) -> str | None:
    """What the first bytes say it is; None where its bytes are not the digest's."""
    if blobs.size(digest) > SHOWN_BYTES:
        return mediatypes.UNKNOWN  # sent as a file, unread
    if not blobs.verify(digest):
        return None
    with blobs.open(digest) as file:
        return mediatypes.sniffed(file.read(4096)) or mediatypes.UNKNOWN
