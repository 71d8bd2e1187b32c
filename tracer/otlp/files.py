"""Files of spans, read one request at a time: plain or gzip, JSON, JSON lines, protobuf, length-delimited protobuf.

The form is found by looking. Memory is bounded by the largest request, and that by `MAX_REQUEST_BYTES`, also while
inflating.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson

from weft.tracer.otlp import jsonform
from weft.tracer.otlp.spans import NotOtlpError, OtlpSpan, Refused
from weft.tracking.errors import MissingExtraError

MAX_REQUEST_BYTES: Final = 256 << 20
"""The largest line or message that is read; the collector's are a few MiB."""
MAX_RATIO: Final = 300
"""Bytes out of one of gzip: honest spans inflate 5 to 50 times, a bomb 1,000 times."""
_FREE_BYTES: Final = 16 << 20
"""So much may come out at any ratio."""
_CHUNK: Final = 1 << 18

FORMATS: Final = ("auto", "otlp-json", "otlp-protobuf", "jsonl", "parquet")


@dataclass(frozen=True, slots=True)
class Line:
    """A span as weft's own JSON line."""

    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a part of a file could not be read."""

    reason: str


Item = OtlpSpan | Line | Refused | Trouble


class Inflated(io.RawIOBase):
    """What a gzip stream says, never more of it at once than is asked for.

    Raises (while reading):
        NotOtlpError: it is a bomb, or no sound gzip. What ends early is `cut`.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._inflate = zlib.decompressobj(wbits=31)
        self._in = self._out = 0
        self._rest = b""
        self.cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            ended = False
            if not self._rest:
                self._rest = self._raw.read(_CHUNK)
                self._in += len(self._rest)
                ended = not self._rest
            if self._inflate.eof:
                if ended:
                    return 0
                self._inflate = zlib.decompressobj(wbits=31)  # members may follow one another
            try:
                found = self._inflate.decompress(self._rest, len(buffer))  # at the end: what zlib holds back
            except zlib.error as error:
                raise NotOtlpError(f"no sound gzip ({error})") from None
            self._rest = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            self._out += len(found)
            if self._out > _FREE_BYTES and self._out > MAX_RATIO * self._in:
                raise NotOtlpError(
                    f"it inflates more than {MAX_RATIO} times ({self._out >> 20} MiB so far out of {self._in:,} "
                    "bytes): refused as a gzip bomb"
                )
            if found:
                buffer[: len(found)] = found
                return len(found)
            if ended:
                self.cut = not self._inflate.eof
                return 0


def read(raw: IO[bytes], form: str = "auto") -> Iterator[Item]:
    """The spans of one file, and what could not be read of it. Never raises for what is in the file.

    Args:
        raw: opened for reading bytes; need not be seekable.
        form: one of `FORMATS`, but Parquet.

    Raises:
        MissingExtraError: it is protobuf, and the extra `otlp` is not installed.
    """
    source: io.BufferedReader[Any] = io.BufferedReader(_Readable(raw), _CHUNK)
    inflated = None
    try:
        if source.peek(2)[:2] == b"\x1f\x8b":
            inflated = Inflated(source)
            source = io.BufferedReader(inflated, _CHUNK)
        head = source.peek(_CHUNK)
        if not head.strip():
            head = _past_blanks(source)
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if not start and not head:
            yield Trouble("there is nothing in it: the file is empty")
        elif form == "otlp-protobuf" or (form == "auto" and start not in (b"{", b"[") and not _is_text(head)):
            yield from _protobuf(source)
        else:
            yield from _json(source, form)
    except (NotOtlpError, OSError) as error:
        yield Trouble(str(error))
    if inflated is not None and inflated.cut:
        yield Trouble("the gzip stream ends in the middle")


def _past_blanks(source: io.BufferedReader[Any]) -> bytes:
    """Leave out white space, a buffer at a time; answers what is there then."""
    while (head := source.peek(1)) and not head.strip():
        source.read(len(head))
    return head


class _Readable(io.RawIOBase):
    """A pipe, a file or a buffer as what BufferedReader takes."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._raw.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def _is_text(head: bytes) -> bool:
    """Whether it looks like writing. A message has control characters: the tags of its first fields are some."""
    return all(byte >= 0x20 or byte in b"\t\r\n" for byte in head[:64])


# ---- JSON ----


def _json(source: io.BufferedReader[Any], form: str) -> Iterator[Item]:
    number = read_any = 0
    while line := source.readline(MAX_REQUEST_BYTES + 1):
        number += 1
        if len(line) > MAX_REQUEST_BYTES:
            raise NotOtlpError(f"line {number} is longer than {MAX_REQUEST_BYTES >> 20} MiB, the most that is read")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            _past_blanks(source)
            continue
        try:
            document = _loads(line)
        except orjson.JSONDecodeError:
            if not read_any:
                yield from _whole(line + source.read(MAX_REQUEST_BYTES + 1 - len(line)), form)
                return
            last = not line.endswith(b"\n") and not source.peek(1)
            yield from _cut(line, f"line {number}", form, last=last)
            continue
        read_any += 1
        yield from _document(document, f"line {number}", form)


def _whole(data: bytes, form: str) -> Iterator[Item]:
    """One document over many lines."""
    if len(data) > MAX_REQUEST_BYTES:
        raise NotOtlpError(f"one JSON document of more than {MAX_REQUEST_BYTES >> 20} MiB, the most that is read")
    try:
        document = _loads(data)
    except orjson.JSONDecodeError:
        lines = data.split(b"\n")
        if len(lines) > 1 and any(_is_json(line) for line in lines[1:3]):  # lines of which the first is damaged
            for number, line in enumerate(lines, 1):
                if line.strip() and _is_json(line):
                    yield from _document(_loads(line), f"line {number}", form)
                elif line.strip():
                    yield from _cut(line, f"line {number}", form, last=number == len(lines))
            return
        yield from _cut(data, "the file", form, last=True)
        return
    yield from _document(document, "the file", form)


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(_loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _document(document: Any, where: str, form: str) -> Iterator[Item]:
    if isinstance(document, list) and document and all(isinstance(item, dict) for item in document):
        for item in document:
            yield from _document(item, where, form)
        return
    ours = isinstance(document, dict) and "trace_id" in document and "span_id" in document
    if form == "jsonl" or (form == "auto" and ours):
        yield Line(document) if isinstance(document, dict) else Trouble(f"{where} is no JSON object")
        return
    try:
        yield from jsonform.spans(document)
    except NotOtlpError as error:
        yield Trouble(f"{where} holds {error}")


_ESCAPED: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def _loads(data: bytes) -> Any:
    """As orjson reads it; half a character (a sender cut its text within an emoji) becomes U+FFFD."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        mended = _ESCAPED.sub(lambda found: b"\\ufffd" if found[1] else found[0], data)
        if mended == data:
            raise
        return orjson.loads(mended)


MAX_DEPTH: Final = 1024
"""Levels of nesting that orjson reads."""
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_SPANS: Final = b"{[{[{["
"""What is open within a list of spans: document, resourceSpans, its item, scopeSpans, its item, spans."""


def _cut(data: bytes, where: str, form: str, *, last: bool) -> Iterator[Item]:
    """A request that is no JSON as it stands: its whole spans, and a word on the rest.

    It ends in the middle, or spans of it are nested deeper than is read: these are refused, and count as the others.
    """
    opened = bytearray()
    kept, refused = bytearray(), 0
    copied = begun = safe = depth = deepest = 0
    for token in _TOKEN.finditer(data):
        sign = token[0][:1]
        if sign in b"{[":
            if sign == b"{" and opened == _SPANS:
                begun, depth = token.start(), 0
            opened += sign
            depth = max(depth, len(opened))
            deepest = max(deepest, depth)
        elif sign in b"}]" and opened:
            opened.pop()
            if sign == b"}" and opened == _SPANS:
                safe = token.end()
                if depth > MAX_DEPTH or not _is_json(data[begun:safe]):
                    kept += data[copied:begun] + b"null"
                    copied, refused = safe, refused + 1
    too_deep = f"nested {deepest:,} levels deep, and {MAX_DEPTH:,} are read" if deepest > MAX_DEPTH else ""
    unread = f"is {too_deep or 'no JSON'}; nothing of it could be read"
    if not safe:
        yield Trouble(
            f"{where} ends in the middle; nothing of it could be read" if last and opened else f"{where} {unread}"
        )
        return
    whole = not opened
    try:
        document = _loads(bytes(kept + data[copied:]) if whole else bytes(kept + data[copied:safe]) + b"]}]}]}")
    except orjson.JSONDecodeError:
        yield Trouble(f"{where} {unread}")
        return
    yield from _document(document, where, form)
    if refused:
        yield Trouble(f"{where}: {refused:,} of its spans cannot be read: {too_deep or 'no JSON'}")
    if not whole:
        yield Trouble(f"{where} ends in the middle of a span, which is left out")


# ---- protobuf ----


def _protobuf(source: io.BufferedReader[Any]) -> Iterator[Item]:
    try:
        from weft.tracer.otlp import protoform  # late: the extra `otlp`
    except ImportError as error:
        raise MissingExtraError("OTLP protobuf", "otlp") from error
    for number, (message, whole) in enumerate(_messages(source), 1):
        where = "the file" if number == 1 else f"message {number}"
        try:
            yield from protoform.spans(message)
        except NotOtlpError as error:
            yield Trouble(f"{where} holds {error}")
        except protoform.CutOff:
            whole = False
        if not whole:
            yield Trouble(f"{where} ends in the middle; what was whole before is kept")


def _messages(source: io.BufferedReader[Any]) -> Iterator[tuple[bytes, bool]]:
    """The requests of a file, each with whether it is all there.

    One without a frame begins with the tag of its first field; the collector's file exporter writes four bytes of
    length, big-endian, in front of each; others a varint.
    """
    first = source.peek(1)[:1]
    if first == b"\x0a":
        data = source.read(MAX_REQUEST_BYTES + 1)
        if len(data) > MAX_REQUEST_BYTES:
            raise NotOtlpError(f"one message of more than {MAX_REQUEST_BYTES >> 20} MiB, the most that is read")
        yield data, True
        return
    fixed = first[0] < 0x0A
    while source.peek(1):
        size = int.from_bytes(source.read(4), "big") if fixed else _varint(source)
        if not 0 < size <= MAX_REQUEST_BYTES:
            raise NotOtlpError("neither JSON nor OTLP protobuf")
        data = source.read(size)
        yield data, len(data) == size


def _varint(source: io.BufferedReader[Any]) -> int:
    value = shift = 0
    while byte := source.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80 or shift > 63:
            break
        shift += 7
    return value


def opened(path: Path) -> Iterator[Path]:
    """The files that a path names: itself, or those in a folder, by name; hidden ones are left out."""
    if not path.is_dir():
        yield path
        return
    for found in _shown(path):
        if found.is_file():
            yield found


def no_files(folder: Path) -> list[str]:
    """What of a folder `opened` passes over, each with what it is: a pipe would wait for ever, a link lead nowhere."""
    return [
        f"{found.relative_to(folder)} ({'a broken link' if found.is_symlink() and not found.exists() else 'no file'})"
        for found in _shown(folder)
        if not found.is_file() and not found.is_dir()
    ]


def _shown(folder: Path) -> Iterator[Path]:
    """Everything in it but what is hidden, by name."""
    for found in sorted(folder.rglob("*")):
        if not any(part.startswith(".") for part in found.relative_to(folder).parts):
            yield found
