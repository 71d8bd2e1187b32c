"""A value to the bytes that a record holds: encoded, secrets out, what is too large moved to a blob.

Every recording call goes through `payload`. Plain data under harmless names, which is nearly all data, takes the short
road: one look at its shape makes the scans for lost floats, look-alike tags and secret names unnecessary.
"""

from __future__ import annotations

import math

import orjson

from weft.tracking.faults import Faults
from weft.tracking.payloads.encoding import MAX_FIELD_BYTES, OPTIONS, StoreBlob, encode, spill
from weft.tracking.payloads.objects import TAG, tag
from weft.tracking.payloads.redaction import SHORTEST, is_secret_name, purge, redact, suspicious

_ATOMS = frozenset({str, int, bool, type(None)})
_NUMBERS = frozenset({int, float})
_LONG = 256
"""A longer list of structures is scanned as bytes: that is cheaper than looking at its parts."""
_NAMES_KEPT = 20_000
_dumps = orjson.dumps
_names: set[str] = set()
"""Names found to be no secret's and no tag's."""


def payload(value: object, *, redacted: bool, faults: Faults, store_blob: StoreBlob) -> bytes:
    """JSON of any value, at most 1 MiB of it. Never raises (but in strict mode, by `faults`).

    Args:
        redacted: whether secrets are taken out (`Settings.redact`).
        faults: where trouble is counted.
        store_blob: where media and what is too large goes.
    """
    data = None
    try:
        if _is_plain(value):
            data = _dumps(value, None, OPTIONS)
    except Exception:
        pass  # changed meanwhile, too deep, or text that is no UTF-8: the long road copes
    if data is None:
        data = encode(value, store_blob=store_blob)
        if redacted:
            data = redact(data, faults)
    elif redacted and len(data) >= SHORTEST and suspicious(data):
        data = purge(data, faults)
    return data if len(data) <= MAX_FIELD_BYTES else _lighter(data, faults, store_blob)


def unrecorded(cause: str) -> bytes:
    """The marker in place of a value that could not be recorded."""
    return encode(tag("unrecorded", {"cause": cause}))


def _is_plain(value: object) -> bool:
    """Whether this is texts, whole numbers, finite floats, lists and dicts only, under names known to be harmless."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            if (name not in _names and not _learn(name)) or (type(item) not in _ATOMS and not _is_plain(item)):
                return False
        return True
    if kind is list or kind is tuple:
        kinds = set(map(type, value))  # type: ignore[call-overload]
        if kinds <= _ATOMS:
            return True
        if kinds <= _NUMBERS:
            return math.isfinite(sum(value))  # type: ignore[call-overload]
        return len(value) <= _LONG and all(map(_is_plain, value))  # type: ignore[arg-type,call-overload]
    return kind is float and math.isfinite(value)  # type: ignore[arg-type]


def _learn(name: object) -> bool:
    if type(name) is not str or name == TAG or is_secret_name(name):
        return False
    if len(_names) >= _NAMES_KEPT:
        _names.clear()
    _names.add(name)
    return True


def _lighter(data: bytes, faults: Faults, store_blob: StoreBlob) -> bytes:
    try:
        return spill(data, store_blob)
    except Exception as error:
        faults.note("keep a large value as a blob", error, hint="The value was left out and its size recorded.")
        return unrecorded(f"{len(data)} bytes could not be kept: {type(error).__name__}")
