"""Films of frames and of files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from weft.tracking.errors import UsageError
from weft.tracking.media import Video, restore


def frames(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_frames_become_a_gif_that_plays_as_fast_as_asked(channels: int) -> None:
    video = Video(frames(6, channels, 10, 14), fps=20, caption="x")
    found: Any = Pillow.open(io.BytesIO(video.bytes()))
    assert (found.n_frames, found.size, found.info["duration"]) == (6, (14, 10), 50)
    assert (video.media_type, video.extension, video.frames, video.fps) == ("image/gif", "gif", 6, 20)
    assert (video.width, video.height) == (14, 10)
    assert restore(video.record()) == video


def test_several_films_stand_beside_each_other() -> None:
    video = Video(frames(3, 5, 3, 10, 14))
    assert (video.width, video.height, video.frames, video.fps) == (28, 20, 5, 4)


def test_floats_from_0_to_1_are_spread() -> None:
    film = np.zeros((2, 1, 4, 4))
    film[1] = 1.0
    found: Any = Pillow.open(io.BytesIO(Video(film).bytes()))
    found.seek(1)
    assert np.asarray(found.convert("L")).max() == 255


def test_files_bytes_and_open_files_keep_their_bytes(tmp_path: Path) -> None:
    data = b"\0\0\0\x20ftypisom" + bytes(40)
    (tmp_path / "a.mp4").write_bytes(data)
    made = [Video(str(tmp_path / "a.mp4")), Video(data), Video(io.BytesIO(data), format="mp4")]
    assert {(video.bytes(), video.media_type, video.extension) for video in made} == {(data, "video/mp4", "mp4")}


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (np.zeros((2, 4, 4)), {}),
        (np.zeros((2, 2, 4, 4)), {}),
        (np.zeros((0, 3, 4, 4)), {}),
        (frames(2, 3, 4, 4), {"format": "avi"}),
        (frames(2, 3, 4, 4), {"fps": 0}),
        (frames(2, 3, 4, 4), {"fps": "fast"}),
        ("no.mp4", {}),
        (b"nothing known", {}),
        (7, {}),
        (None, {}),
    ],
)
def test_what_is_no_film_is_told_at_the_call(given: Any, options: dict[str, Any]) -> None:
    with pytest.raises((UsageError, TypeError), match="Video"):
        Video(given, **options)


@pytest.mark.parametrize("form", ["mp4", "webm", "ogg"])
def test_a_film_that_nothing_here_can_write_becomes_a_gif_and_says_so(
    form: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Scripts written for wandb ask for mp4 as a matter of course; what they show must not be lost for it."""
    monkeypatch.setattr("weft.tracking.media.video.find_spec", lambda name: None)
    video = Video(frames(3, 3, 10, 14), format=form)
    assert (video.extension, video.frames, video.width) == ("gif", 3, 14)
    assert "pip install imageio imageio-ffmpeg" in caplog.text


@pytest.mark.parametrize(("form", "begins"), [("mp4", b"ftyp"), ("webm", b"\x1aE\xdf\xa3")])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_films_are_written_by_ffmpeg_where_it_is_installed(form: str, begins: bytes, channels: int) -> None:
    pytest.importorskip("imageio_ffmpeg")
    imageio = pytest.importorskip("imageio.v2")
    video = Video(frames(5, channels, 33, 46), fps=10, format=form)
    assert video.extension == form
    assert begins in video.bytes()[:12]
    found = imageio.get_reader(io.BytesIO(video.bytes()), form)
    assert found.get_meta_data()["size"] == (46, 32)
    assert found.get_meta_data()["fps"] == 10
