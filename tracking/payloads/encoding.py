"""Python values to JSON bytes and back, in the tagged form of `docs/format.md`, so that nothing JSON lacks is lost.

Everything that records calls `encode`; everything that reads calls `decode`. `encode` never raises and never imports
another library. orjson does the work; only a value that JSON would lose takes the exact walk.
"""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson

from weft.tracking.faults import as_thrown_in, let_through
from weft.tracking.payloads.content import Content
from weft.tracking.payloads.objects import (
    BLOB_BYTES,
    TAG,
    StoreBlob,
    Tag,
    Tagged,
    blob_tag,
    class_name,
    handler_of,
    is_media,
    tag,
)
from weft.tracking.payloads.previews import preview
from weft.tracking.payloads.sharing import swells
from weft.tracking.payloads.walk import Walk

__all__ = ["MAX_FIELD_BYTES", "StoreBlob", "Tagged", "decode", "encode", "encode_object", "preview", "spill"]

MAX_FIELD_BYTES = 1 << 20
"""`spill` moves what is larger to blobs."""
MAX_INLINE_BYTES = 64 << 20
"""A payload larger than this is replaced by a marker where there is no place for blobs (a frame must stay sound)."""
MAX_REPEATS = 10_000
"""Objects that orjson may hand us once more; what holds one more often takes the exact walk, which minds sharing."""

OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS
_TAG_KEY = b'"$weft":'
_dumps = orjson.dumps


def encode(value: object, *, store_blob: StoreBlob | None = None) -> bytes:
    """JSON of any value. Never raises: what cannot be written is described in its place.

    Args:
        store_blob: where images, arrays and large bytes go; without it they are described or written inline. Texts and
            structures stay inline whatever their size: call `spill` once they are redacted.
    """
    try:
        if swells(value):
            return _exact(value, store_blob)
        data = _dumps(value, None, OPTIONS)
    except Exception as error:
        let_through(error)
        return _handled(value, store_blob)
    # orjson writes NaN as null, and a user's dict may look like one of our tags.
    if (b"null" in data and _lossy(value)) or (b"$" in data and _TAG_KEY in data):
        return _exact(value, store_blob)
    return data if len(data) <= MAX_INLINE_BYTES else _bounded(data, store_blob)


def encode_object(arguments: Mapping[str, object], *, store_blob: StoreBlob | None = None) -> bytes:
    """JSON object of named values, as `encode`."""
    return encode(arguments if type(arguments) is dict else dict(arguments), store_blob=store_blob)


def decode(data: bytes | str) -> Any:
    """The value that was encoded: tags become values again, or `Tagged` where Python has none for them.

    Raises:
        ValueError: it is not JSON.
    """
    value = orjson.loads(data)
    key = _TAG_KEY if isinstance(data, bytes) else '"$weft":'
    return _restore(value) if key in data else value  # type: ignore[operator]


def spill(data: bytes, store_blob: StoreBlob) -> bytes:
    """Encoded JSON of at most 1 MiB with the same content: larger texts, else the whole, go to blobs.

    Call it after redaction, so that no secret reaches a blob.
    """
    if len(data) <= MAX_FIELD_BYTES:
        return data
    lighter = _dumps(_spilled(orjson.loads(data), store_blob))
    if len(lighter) <= MAX_FIELD_BYTES:
        return lighter
    return _dumps(blob_tag(data, "application/json", store_blob, preview=preview(data)))


def _spilled(value: Any, store_blob: StoreBlob) -> Any:
    if isinstance(value, str):
        if len(value) < BLOB_BYTES:
            return value
        return blob_tag(value.encode(), "text/plain; charset=utf-8", store_blob, preview=value[:300])
    if isinstance(value, list):
        if _NUMBERS.issuperset(map(type, value)):
            return value
        return [_spilled(item, store_blob) for item in value]
    if isinstance(value, dict):
        return {key: _spilled(item, store_blob) for key, item in value.items()}
    return value


def _handled(value: object, store_blob: StoreBlob | None) -> bytes:
    """By orjson and the handlers, where that loses nothing; else by the exact walk."""
    made: list[object] = []
    seen: set[int] = set()
    raised: list[BaseException] = []
    """orjson makes an error of its own of each, whose cause has lost where it came from."""

    def default(item: object) -> object:
        try:
            handler = handler_of(type(item))
            if store_blob is not None and is_media(handler):
                raise TypeError("media takes the exact walk, which knows where blobs go")
            plain = handler(item, None)
            seen.add(id(item))
            if len(made) - len(seen) > MAX_REPEATS or swells(plain):
                raise TypeError("what repeats itself takes the exact walk, which minds sharing")
            made.append(plain)
        except BaseException as error:
            raised.append(error)
            raise
        return plain

    try:
        data = _dumps(value, default, OPTIONS)
        tags = sum(type(plain) is Tag for plain in made)
        if (b"null" not in data or not (_lossy(value) or _lossy(made))) and data.count(_TAG_KEY) == tags:
            return data if len(data) <= MAX_INLINE_BYTES else _bounded(data, store_blob)
    except Exception as error:
        let_through(raised[0] if raised else error)
        if not raised and error.__cause__ is not None:
            raise as_thrown_in(error.__cause__) from None  # before the first line of `default`
    finally:
        raised.clear()  # its traceback leads back to it, and would keep what was encoded alive until a collection
    return _exact(value, store_blob)


_NUMBERS = frozenset({int, float, bool, type(None)})
_WHOLE = frozenset({str, int, bool, type(None)})


def _lossy(value: object) -> bool:
    """Whether a non-finite float is in a value that orjson has written by itself."""
    kind = type(value)
    if kind in _WHOLE:
        return False
    if kind is float:
        return not math.isfinite(value)  # type: ignore[arg-type]
    if isinstance(value, dict):
        return any(type(item) not in _WHOLE and _lossy(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(type(item) not in _WHOLE and _lossy(item) for item in value)
    return isinstance(value, Enum) and _lossy(value.value)


def _exact(value: object, store_blob: StoreBlob | None) -> bytes:
    try:
        data = _dumps(Walk(store_blob).build(value, 0))
    except Exception as error:
        let_through(error)
        data = _dumps(
            tag("repr", {"type": class_name(type(value)), "text": f"<could not be encoded: {type(error).__name__}>"})
        )
    return data if len(data) <= MAX_INLINE_BYTES else _bounded(data, store_blob)


def _bounded(data: bytes, store_blob: StoreBlob | None) -> bytes:
    if store_blob is not None:
        return data  # spill() will move it
    return _dumps(
        tag("truncated", {"of": "bytes", "kept": 0, "total": len(data), "preview": preview(data), "value": None})
    )


_FLOATS_IN = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _restore(value: Any) -> Any:
    if isinstance(value, list):
        return [_restore(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value or len(value) != 2 or "v" not in value:
        return {key: _restore(item) for key, item in value.items()}
    kind, content = value[TAG], value["v"]
    try:
        match kind:
            case "float":
                return _FLOATS_IN[content]
            case "int":
                return int(content, 16)
            case "bytes":
                return b64decode(content, validate=True)
            case "str":
                return content.encode("ascii").decode("unicode_escape")
            case "complex":
                return complex(content)
            case "range":
                return range(*content)
            case "content":
                return Content.of_tag(_restore(content))
            case "map":
                return {_key(_restore(key)): _restore(item) for key, item in content}
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # not as we write it: shown as it stands
    return Tagged(str(kind), _restore(content))


def _key(value: Any) -> Any:
    """A tuple that was a dict's key came back as a list."""
    return tuple(_key(item) for item in value) if isinstance(value, list) else value
