"""Framing, pure: records to bytes and bytes to records. The format is `docs/format.md`; nothing here touches a file."""

from __future__ import annotations

import re
import struct
from enum import Enum
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import structs

from weft.tracking.journal.records import HIGHER, SCHEMA, Record, SpanClosed

try:
    from isal.isal_zlib import crc32  # the same checksum, 8 times faster: 2 us of an 8 KB record
except ImportError:  # a platform it has no wheel for
    from zlib import crc32

MAGIC = b"weft\x00wj\n"
VERSION = 1
HEADER = MAGIC + struct.pack("<II", VERSION, 0)
"""16 bytes: magic, format version, reserved zeros."""
MAX_BODY = 256 << 20
"""A length above this is no length but damage."""

_prefix = struct.Struct("<II")
PREFIX_SIZE = _prefix.size
_INT = 1 << 63
USAGE_NOT_KEPT = "weft.usage_not_kept"
"""Attribute of a span one of whose token counts no record holds: {name: the count}."""


def _plain(value: object) -> str | int:
    """A StrEnum or another subclass where a record has text or a number."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    raise NotImplementedError(f"a record cannot hold a {type(value).__name__}")


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_decode = msgspec.msgpack.Decoder(Record).decode
_head = msgspec.msgpack.Decoder(list[msgspec.Raw])
_KNOWN = frozenset(kind.__struct_config__.tag for kind in get_args(Record))


def encode(record: Record) -> bytes:
    """One frame: length, crc32 of the body started from the length, msgpack body."""
    try:
        body = _encode(record)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, a number beyond 64 bits
        body = _encode(_fitting(record))
    size = len(body)
    return _prefix.pack(size, crc32(body, size)) + body


def _fitting(record: Record) -> Record:
    """The record with what msgpack cannot hold made to fit, so that the rest of it is not lost."""
    fields = {name: _fit(value) for name, value in structs.asdict(record).items()}
    if isinstance(record, SpanClosed) and record.usage:
        lost = {name: _told(count) for name, count in record.usage.items() if _fit(name) not in fields["usage"]}
        if lost:
            said = msgspec.json.decode(record.attributes) if record.attributes else {}
            fields["attributes"] = msgspec.json.encode({**said, USAGE_NOT_KEPT: _fit(lost)})
    return structs.replace(record, **fields)


def _told(count: int) -> str:
    """Python refuses to write integers of more than 4300 digits."""
    return str(count) if count.bit_length() < 1000 else f"about {'-' if count < 0 else ''}2^{count.bit_length()}"


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int):
        return max(-_INT, min(value, _INT - 1))
    if isinstance(value, list):
        return [_fit(item) for item in value]
    if isinstance(value, dict):
        # A count that does not fit is no count: unknown, which is not the largest there is.
        return {_fit(key): item for key, item in value.items() if type(item) is not int or -_INT <= item < _INT}
    return value


class Stop(Enum):
    """Why a scan ended."""

    END = "end"
    """All bytes were whole frames."""
    TORN = "torn"
    """The last frame is incomplete or damaged: a live writer is in the middle of it, or a dead one never ended it."""
    CORRUPT = "corrupt"
    """A damaged frame with more behind it."""
    NEWER = "newer"
    """A record type or schema that this version does not know."""


class Frame(NamedTuple):
    """A record and where it lies."""

    offset: int
    """Of the frame's first byte: with the segment's name, the record's identity."""
    end: int
    """Of the byte after it: the position once applied."""
    record: Record


class Scan(NamedTuple):
    """What a run of bytes holds."""

    frames: list[Frame]
    end: int
    """Offset after the last whole frame."""
    stop: Stop
    detail: str = ""


def scan(data: bytes | memoryview, base: int, *, limit: int | None = None) -> Scan:
    """Decode whole frames from `data`, whose first byte lies at offset `base` of the segment.

    Args:
        limit: most frames to return; the scan then ends with `Stop.END` at the frame boundary.
    """
    frames: list[Frame] = []
    view = memoryview(data)
    total = len(view)
    at = 0
    while total - at >= PREFIX_SIZE:
        if limit is not None and len(frames) >= limit:
            return Scan(frames, base + at, Stop.END)
        size, crc = _prefix.unpack_from(view, at)
        start = at + PREFIX_SIZE
        end = start + size
        if size == 0 or size > MAX_BODY:
            # Zeros after a power cut (a file longer than what was written back) are a torn tail as well.
            zeros = not any(view[at:])
            return Scan(frames, base + at, Stop.TORN if zeros else Stop.CORRUPT, f"frame of {size} bytes")
        if end > total:
            return Scan(frames, base + at, Stop.TORN, f"{total - at} of {size + PREFIX_SIZE} bytes")
        body = view[start:end]
        if crc32(body, size) != crc:
            return Scan(frames, base + at, Stop.TORN if end == total else Stop.CORRUPT, "checksum differs")
        try:
            record = _decode(body)
        except msgspec.ValidationError as error:
            return Scan(frames, base + at, _why(body), str(error))
        except msgspec.DecodeError as error:
            return Scan(frames, base + at, Stop.CORRUPT, str(error))
        if record.schema > SCHEMA and record.schema > HIGHER.get(type(record), SCHEMA):
            return Scan(frames, base + at, Stop.NEWER, f"schema {record.schema} of {type(record).__name__}")
        frames.append(Frame(base + at, base + end, record))
        at = end
    tail = total - at
    return Scan(frames, base + at, Stop.TORN if tail else Stop.END, f"{tail} bytes of a frame" if tail else "")


def _why(body: memoryview) -> Stop:
    """A body with a sound checksum that does not fit our types was written by a newer version, or is not ours.

    One of a type and schema that we do know has a field of a wrong type: what lies behind it is sound, so it must not
    hold that up as a newer version's would.
    """
    try:
        head = _head.decode(body)
        kind = msgspec.msgpack.decode(head[0], type=int)
        schema = msgspec.msgpack.decode(head[1], type=int)
    except (msgspec.DecodeError, IndexError):
        return Stop.CORRUPT
    return Stop.CORRUPT if kind in _KNOWN and schema <= _HIGHER.get(kind, SCHEMA) else Stop.NEWER


_HIGHER = {made.__struct_config__.tag: highest for made, highest in HIGHER.items()}
_candidate = re.compile(rb"(?:[\x93-\x9f]|\xdc\x00[\x10-\xff])[\x01-\x7f]")
"""How a body begins: a msgpack array of at least three items whose first is a small type id."""


def salvage(data: bytes | memoryview, base: int) -> Scan:
    """Whatever whole frames lie in `data`, damage between them skipped. Only for segments whose writer is dead.

    A frame is believed where its length fits, its checksum agrees and its body is a record; so a damaged length hides
    no frame behind it.
    """
    view = memoryview(data)
    frames: list[Frame] = []
    at, lost = 0, 0
    while at < len(view):
        run = scan(view[at:], base + at)
        frames += run.frames
        at = run.end - base
        if run.stop is Stop.NEWER:
            return Scan(frames, run.end, run.stop, run.detail)
        if run.stop is Stop.END:
            break
        found = _next_frame(view, at + 1)
        if found is None:
            break
        lost += found - at
        at = found
    tail = len(view) - at
    if lost:
        return Scan(frames, base + len(view), Stop.CORRUPT, f"{lost + tail} damaged bytes")
    return Scan(frames, base + at, Stop.TORN, f"{tail} bytes cut off") if tail else Scan(frames, base + at, Stop.END)


def _next_frame(view: memoryview, start: int) -> int | None:
    for match in _candidate.finditer(view, start + PREFIX_SIZE):
        at = match.start() - PREFIX_SIZE
        size, crc = _prefix.unpack_from(view, at)
        if 0 < size <= len(view) - match.start() and crc32(view[match.start() : match.start() + size], size) == crc:
            return at
    return None
