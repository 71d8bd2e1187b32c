"""Sizes by the first bytes agree with Pillow's."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weft.tracking.media.rasters import size_of


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5)])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"progressive": True}])
def test_width_and_height_are_those_of_the_file(form: str, size: tuple[int, int], options: dict[str, bool]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, form, **options)
    assert size_of(buffer.getvalue()) == size


def test_webp_with_alpha_and_metadata() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (7, 9)).save(buffer, "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", lossless=False)
    assert size_of(buffer.getvalue()) == (7, 9)


@settings(deadline=None)  # other processes may have the processor
@given(st.binary(max_size=80), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff", b"RIFF"]))
def test_any_bytes_answer_or_say_nothing(data: bytes, beginning: bytes) -> None:
    found = size_of(beginning + data)
    assert found is None or len(found) == 2
