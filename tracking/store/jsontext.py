"""What the store's JSON columns hold: text, from the records' bytes and back. For sinks and readers."""

from __future__ import annotations

from typing import Any

import orjson

from weft.tracking.payloads.encoding import decode


def text(value: bytes | None) -> str | None:
    """JSON bytes as the text that a column takes. Bytes that are no UTF-8, which weft never writes, are marked."""
    return None if value is None else str(value, "utf-8", "replace")


def data(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def loads(value: bytes | str | None) -> Any:
    """Parsed JSON. What is none, which weft never writes, comes back as the text that it is."""
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def decoded(value: bytes | str | None) -> Any:
    """The value of a stored payload. What is no JSON, which weft never writes, comes back as the text that it is."""
    if value is None:
        return None
    try:
        return decode(value)
    except ValueError:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
