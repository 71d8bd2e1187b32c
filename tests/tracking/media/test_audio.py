"""Recordings of samples and of files."""

from __future__ import annotations

import io
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weft.tracking.errors import UsageError
from weft.tracking.media import Audio, restore


def read(audio: Audio) -> tuple[int, int, int, bytes]:
    with wave.open(io.BytesIO(audio.bytes())) as found:
        return found.getframerate(), found.getnchannels(), found.getsampwidth(), found.readframes(found.getnframes())


def test_floats_become_sixteen_bits_and_louder_ones_are_cut() -> None:
    samples = np.array([0.0, 0.5, 1.0, -1.0, 2.0, np.nan])
    rate, channels, width, data = read(Audio(samples, sample_rate=8000))
    assert (rate, channels, width) == (8000, 1, 2)
    assert np.frombuffer(data, "<i2").tolist() == [0, 16384, 32767, -32767, 32767, 0]


@pytest.mark.parametrize(("dtype", "width"), [("int16", 2), ("int32", 4), (">i2", 2), ("uint8", 1)])
def test_integers_stay_as_they_are(dtype: str, width: int) -> None:
    samples = np.array([0, 1, 100], dtype)
    found = read(Audio(samples, sample_rate=8000))
    assert found[2] == width
    assert np.frombuffer(found[3], f"<{'u' if width == 1 else 'i'}{width}").tolist() == [0, 1, 100]


def test_channels_may_be_the_first_or_the_last_axis() -> None:
    samples = np.stack([np.zeros(100), np.ones(100)])
    first, last = Audio(samples, sample_rate=8000), Audio(samples.T, sample_rate=8000)
    assert first == last
    assert read(first)[1] == 2
    assert first.duration_s == 100 / 8000


def test_lists_need_no_numpy_and_are_the_same() -> None:
    values = [math.sin(at / 7) for at in range(50)]
    assert Audio(values, sample_rate=8000) == Audio(np.array(values), sample_rate=8000)
    assert Audio([[0.0, 0.5], [1.0, -1.0]], sample_rate=8000) == Audio(
        np.array([[0.0, 0.5], [1, -1]]), sample_rate=8000
    )
    assert Audio([0, 1, -5], 8000) == Audio(np.array([0, 1, -5], np.int16), 8000)


def test_long_recordings_are_written_piece_by_piece_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).uniform(-1.2, 1.2, (1001, 2))
    whole = Audio(samples, sample_rate=8000)
    monkeypatch.setattr("weft.tracking.media.audio._AT_A_TIME", 100)
    assert Audio(samples, sample_rate=8000) == whole
    assert Audio(io.BytesIO(whole.bytes())) == whole


def test_a_file_keeps_its_bytes(tmp_path: Path) -> None:
    data = Audio([0.0, 0.1], sample_rate=8000).bytes()
    (tmp_path / "a.wav").write_bytes(data)
    audio = Audio(tmp_path / "a.wav", caption="hello")
    assert audio.bytes() == data
    assert (audio.sample_rate, audio.duration_s) == (8000, 2 / 8000)
    assert restore(audio.record()) == audio
    assert Audio(data).record() == Audio(tmp_path / "a.wav").record()
    (tmp_path / "a.mp3").write_bytes(b"ID3 whatever")
    assert Audio(tmp_path / "a.mp3").media_type == "audio/mpeg"


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        (np.zeros(5), None),
        (np.zeros(5), 0),
        (np.zeros(5), 1.5),
        (np.zeros(5), True),
        (np.zeros((0,)), 8000),
        (np.zeros((50, 50)), 8000),
        (np.zeros(5, complex), 8000),
        (np.array(["a"]), 8000),
        ([], 8000),
        ([[0.0], [0.0, 1.0]], 8000),
        (["a"], 8000),
        ([1 << 20], 8000),
        (b"no recording", None),
        ("no.wav", None),
        ("no.txt", None),
        (7, 8000),
        (None, None),
    ],
)
def test_what_is_no_recording_is_told_at_the_call(given: Any, rate: Any) -> None:
    with pytest.raises((UsageError, TypeError), match=r"Audio|sample_rate"):
        Audio(given, sample_rate=rate)


def test_a_wav_cut_short_or_strange_says_no_length() -> None:
    data = Audio([0.0] * 10, sample_rate=8000).bytes()
    assert Audio(data[:30]).duration_s is None
    assert Audio(data[:50]).duration_s == 3 / 8000
    assert Audio(b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff").duration_s is None
