"""A value to the bytes that a record holds: encoded, secrets out, what is too large moved to a blob.

Every recording call goes through `payload`. Plain data under harmless names, which is nearly all data, takes the short
road: one look at its shape makes the scans for lost floats, look-alike tags and secret names unnecessary.
"""

from __future__ import annotations

import math

import orjson

from weft.tracking.faults import Faults, let_through
from weft.tracking.payloads.encoding import MAX_FIELD_BYTES, OPTIONS, StoreBlob, encode, spill
from weft.tracking.payloads.media import MIN_CHARS, is_prose, may_hold_media, without_media
from weft.tracking.payloads.objects import TAG, tag
from weft.tracking.payloads.redaction import SHORTEST, Redaction, purge, redact
from weft.tracking.payloads.secretnames import is_secret_name
from weft.tracking.payloads.suspicion import suspicious

_ATOMS = frozenset({str, int, bool, type(None)})
_NUMBERS = frozenset({int, float})
_TEXTS = frozenset({str})
_LONG = 256
"""A longer list of structures is scanned as bytes: that is cheaper than looking at its parts."""
_LONG_TEXT = 1 << 16
"""A longer text takes the long road too, which minds whether it is the same one over and over."""
_ROOM = 4096
"""The product of the breadths on every way down, up to which plain data cannot be vast when written."""
_NAMES_KEPT = 20_000
_dumps = orjson.dumps
_names: set[str] = set()
"""Names found to be no secret's and no tag's."""


def payload(value: object, redacted: bool | Redaction, faults: Faults, store_blob: StoreBlob) -> bytes:
    """JSON of any value, at most 1 MiB of it. Never raises (but in strict mode, by `faults`).

    Args:
        redacted: whether secrets are taken out, or by which rules (`Settings.redact`).
        faults: where trouble is counted.
        store_blob: where media and what is too large goes.
    """
    data = None
    try:
        if _is_plain(value, _ROOM):
            data = _dumps(value, None, OPTIONS)
    except Exception as error:
        let_through(error)  # changed meanwhile, too deep, or text that is no UTF-8: the long road copes
    if data is None:
        data = _by_the_long_road(value, redacted, faults, store_blob)
    elif redacted is True:
        if len(data) >= SHORTEST and suspicious(data):
            data = purge(data, faults)
    elif redacted:
        data = redacted.clean(data, faults)
    return data if len(data) <= MAX_FIELD_BYTES else _lighter(data, faults, store_blob)


def _by_the_long_road(value: object, redacted: bool | Redaction, faults: Faults, store_blob: StoreBlob) -> bytes:
    data = encode(value, store_blob=store_blob)
    if len(data) >= MIN_CHARS and may_hold_media(data):
        try:
            data = without_media(data, store_blob, redacted=bool(redacted))
        except Exception as error:
            faults.note("keep media as a blob", error, hint="It stays in the record as the base64 it was.")
    return redact(data, faults, redacted)


def unrecorded(cause: str) -> bytes:
    """The marker in place of a value that could not be recorded."""
    return encode(tag("unrecorded", {"cause": cause}))


def _is_plain(value: object, room: int) -> bool:
    """Whether this is texts, whole numbers, finite floats, lists and dicts only, under names known to be harmless.

    No more than `room` of them, however often one holds another; no text that may hold media, or is so long that
    repeating it would tell.
    """
    kind = type(value)
    if kind is dict:
        room //= len(value) or 1  # type: ignore[arg-type]
        for name, item in value.items():  # type: ignore[attr-defined]
            if name not in _names and not _learn(name):
                return False
            if type(item) is str:
                if len(item) >= MIN_CHARS and (len(item) > _LONG_TEXT or not is_prose(item)):
                    return False
            elif type(item) not in _ATOMS and not _is_plain(item, room):
                return False
        return room > 0
    if kind is str:
        return len(value) < MIN_CHARS or (len(value) <= _LONG_TEXT and is_prose(value))  # type: ignore[arg-type]
    if kind in _ATOMS:
        return True
    if kind is list or kind is tuple:
        kinds = set(map(type, value))  # type: ignore[call-overload]
        if kinds <= _NUMBERS:
            return len(value) <= room << 8 and math.isfinite(sum(value))  # type: ignore[arg-type,call-overload]
        if kinds == _TEXTS:
            return len(value) <= room and max(map(len, value)) < MIN_CHARS  # type: ignore[arg-type,call-overload]
        room //= len(value)  # type: ignore[arg-type]
        if len(value) > _LONG or room <= 0:  # type: ignore[arg-type]
            return False
        for item in value:  # type: ignore[attr-defined] # noqa: SIM110 - a generator would cost as much again
            if not _is_plain(item, room):
                return False
        return True
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
