"""`weft.Audio`: a recording."""

from __future__ import annotations

import array
import io
import math
import os
import struct
import sys
import wave
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from weft.tracking.errors import UsageError
from weft.tracking.media.arrays import fetched, flat, is_array
from weft.tracking.media.base import FileMedia, Record, StoreBlob, file_content, read_file, seconds_field, size_field
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs

_FILES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "aif": "audio/aiff",
}
MAX_CHANNELS = 32
"""An axis of more than this is time."""
_AT_A_TIME = 1 << 20
"""Samples that are turned into integers at once."""


class Audio(FileMedia):
    """A recording. Samples are written as WAV at once: nothing of the array is kept.

    Args:
        data_or_path: samples of the shape (time[, channels]) or (channels, time) of an array, a tensor or lists; the
            path or the bytes of a file, an open one, a Content. Floats in [-1, 1] become 16 bits (louder ones are cut
            to it), 16 and 32 bit integers stay as they are, 8 bit ones are taken as WAV's unsigned bytes.
        sample_rate: samples a second; needed for samples.
        caption: shown below it.

    Raises:
        UsageError: there is no such file, or no recording can be made of it.
        TypeError: it is nothing that can be played.

    Example:
        >>> run.log({"voice": weft.Audio(samples, sample_rate=16_000, caption="hello")})
    """

    kind: ClassVar[str] = "audio-file"
    batch: ClassVar[str] = "audio"
    folder: ClassVar[str] = "audio"

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None) -> None:
        super().__init__(caption)
        if sample_rate is not None:
            sample_rate = _rate(sample_rate)
        self._content = _content_of(data_or_path, sample_rate)
        rate, seconds = _told(self._content.held or b"")
        self.sample_rate: int | None = rate or sample_rate
        """Samples a second, where it is known."""
        self.duration_s: float | None = seconds
        """Seconds, where the file says it simply (WAV)."""

    def _details(self, store_blob: StoreBlob | None) -> Record:
        return {"sample_rate": self.sample_rate, "duration_s": self.duration_s}

    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        super()._restore(record, blobs)
        self.sample_rate, self.duration_s = size_field(record, "sample_rate"), seconds_field(record, "duration_s")


def _rate(value: Any) -> int:
    index = getattr(value, "__index__", None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif index is not None and not isinstance(value, bool):
        value = int(index())
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
        raise UsageError(f"sample_rate must be a whole number of samples a second, got {value!r:.60}")
    return value


def _content_of(value: Any, sample_rate: int | None) -> Content:
    if isinstance(value, Content):
        value = value.data
    elif isinstance(value, io.IOBase):
        value = value.read()
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        found = mediatypes.sniffed(data)
        if found is None or not found.startswith("audio/"):
            raise UsageError(f"Audio() was given {len(data)} bytes that begin as no recording does")
        return file_content(data, mediatypes.extension(found), found)
    if isinstance(value, (str, os.PathLike)):
        return read_file("Audio", value, _FILES)
    if not is_array(value) and (not isinstance(value, Sequence) or isinstance(value, str)):
        raise TypeError(f"Audio() takes samples, a path or bytes, got {type(value).__name__}")
    if sample_rate is None:
        raise UsageError("Audio() of samples needs sample_rate=, in samples a second")
    samples, channels, width = _pcm(fetched(value) if is_array(value) else value)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as made:
        made.setnchannels(channels)
        made.setsampwidth(width)
        made.setframerate(sample_rate)
        made.writeframes(samples)
    return file_content(buffer.getvalue(), "wav", "audio/wav")


def _pcm(samples: Any) -> tuple[bytes, int, int]:
    """Interleaved little-endian samples, the number of channels, the bytes a sample."""
    if not hasattr(samples, "ndim"):
        return _pcm_of_lists(samples)
    numpy = sys.modules["numpy"]
    if samples.ndim == 2 and samples.shape[0] <= MAX_CHANNELS < samples.shape[1]:
        samples = samples.T
    if samples.ndim not in (1, 2) or not samples.size or (samples.ndim == 2 and samples.shape[1] > MAX_CHANNELS):
        raise UsageError(f"Audio() needs samples of the shape (time,) or (time, channels), got {samples.shape}")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    kind, width = samples.dtype.kind, samples.dtype.itemsize
    if kind == "f":
        samples, width = _sixteen_bits_of(numpy, samples), 2
    elif kind == "i" and width == 1:
        samples = (samples.astype(numpy.int16) + 128).astype(numpy.uint8)
    elif kind == "i" and width == 8:
        samples, width = numpy.clip(samples, -(1 << 31), (1 << 31) - 1).astype(numpy.int32), 4
    elif (kind, width) not in (("i", 2), ("i", 4), ("u", 1)):
        raise UsageError(f"Audio() takes floats in [-1, 1] or signed integers, not {samples.dtype}")
    return samples.astype(samples.dtype.newbyteorder("<")).tobytes(), channels, width


def _sixteen_bits_of(numpy: Any, samples: Any) -> Any:
    """Floats as integers, some at a time: an hour of sound is no small thing."""
    made = numpy.empty(samples.shape, numpy.int16)
    for start in range(0, len(samples), _AT_A_TIME):
        part = samples[start : start + _AT_A_TIME].astype(numpy.float64)
        part = numpy.nan_to_num(part, nan=0.0, posinf=1.0, neginf=-1.0, copy=False)
        made[start : start + _AT_A_TIME] = numpy.rint(numpy.clip(part, -1.0, 1.0) * 32767)
    return made


def _pcm_of_lists(samples: Any) -> tuple[bytes, int, int]:
    """Lists of floats in [-1, 1], or of 16 bit integers; each item a sample, or a list of one a channel."""
    rows = list(samples)
    nested = rows and isinstance(rows[0], (list, tuple))
    channels = len(rows[0]) if nested else 1
    if not rows or not 0 < channels <= MAX_CHANNELS or (nested and {len(row) for row in rows} != {channels}):
        raise UsageError("Audio() of lists needs one sample each, or lists of one sample a channel")
    numbers = flat(rows)
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise UsageError("Audio() of lists needs numbers")
    if any(isinstance(number, float) for number in numbers):
        numbers = [_sixteen_bits(number) for number in numbers]
    elif min(numbers) < -(1 << 15) or max(numbers) >= 1 << 15:
        raise UsageError("Audio() of lists takes floats in [-1, 1], or integers of 16 bits")
    made = array.array("h", numbers)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes(), channels, 2


def _sixteen_bits(number: float) -> int:
    return 0 if math.isnan(number) else round(max(-1.0, min(1.0, number)) * 32767)


def _told(data: bytes) -> tuple[int | None, float | None]:
    """Samples a second and seconds of a WAV, by its chunks (also of one in floats, which `wave` refuses)."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None, None
    at, rate, block = 12, 0, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        if name == b"fmt " and at + 22 <= len(data):
            _, _, rate, _, block = struct.unpack("<HHIIH", data[at + 8 : at + 22])
        elif name == b"data":
            size = min(size, len(data) - at - 8)  # a stream writes a length that it does not know
            return rate or None, size / block / rate if rate and block else None
        at += 8 + size + (size & 1)
    return rate or None, None
