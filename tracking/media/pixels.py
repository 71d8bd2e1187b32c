"""Arrays of numbers to pixels: which axis is which, which range is white, and batches as one picture."""

from __future__ import annotations

import io
import math
from typing import Any

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.media.arrays import fetched, is_tensor, numpy_for

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's names for so many channels."""
GRID_COLUMNS = 8
_GAP = 2
"""Pixels between the images of a batch."""
_STRIP = 1 << 22
"""Numbers that are turned into bytes at a time."""
_SIXTEEN_BITS = frozenset({"PNG", "TIFF"})
_WITHOUT_ALPHA = frozenset({"JPEG", "BMP"})


def image_array(value: Any, *, normalize: bool) -> Any:
    """An array or tensor as uint8 of the shape (height, width) or (height, width, channels).

    numpy's axes are (height, width[, channels]); torch's are ([images, ][channels, ]height, width), and several images
    become one grid of at most 8 columns.

    Raises:
        UsageError: the shape is no image's.
    """
    channels_first = is_tensor(value)
    shape = tuple(value.shape)
    array = fetched(value)
    numpy = numpy_for(array)
    array = numpy.asarray(array)
    while (
        not channels_first and array.ndim > 2 and array.shape[0] == 1 and not (array.ndim == 3 and shape[-1] in MODES)
    ):
        array = array[0]  # wandb squeezes, too
    if channels_first and array.ndim == 4 and array.shape[1] in MODES:
        array = _grid(numpy, array)
    while channels_first and array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if channels_first and array.ndim == 3:
        array = numpy.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in MODES) or not array.size:
        hint = ""
        if len(shape) == 3 and channels_first and shape[-1] in MODES:
            hint = ". Are its channels last? tensor.movedim(-1, 0) puts them first"
        elif len(shape) == 3 and not channels_first and shape[0] in MODES:
            hint = ". Are its channels first? numpy.moveaxis(array, 0, -1) puts them last"
        axes = "([images, ][channels, ]height, width)" if channels_first else "(height, width[, channels])"
        raise UsageError(f"Image() needs an array of the shape {axes} with 1 to 4 channels; this one is {shape}{hint}")
    return to_bytes(array, normalize=normalize)


def to_bytes(array: Any, *, normalize: bool) -> Any:
    """Numbers as uint8, a strip of rows at a time. What is no number is black, what is out of range is cut to it.

    Args:
        normalize: numbers that all lie in [0, 1] are spread to [0, 255], those in [-1, 1] too; others are taken as they
            are (wandb's rule). Infinities are not asked. Unsigned integers of 16 bits beyond 255 are halved to 8 bits
            in any case: that is their scale, no spreading.

    Raises:
        UsageError: these are no real numbers.
    """
    numpy = numpy_for(array)
    kind = array.dtype.kind
    if kind not in "buif":
        raise UsageError(f"an image is made of real numbers, this array holds {array.dtype}")
    if kind == "b":
        return array.astype(numpy.uint8) * 255
    if not array.size:
        return array.astype(numpy.uint8)
    strips = [slice(top, top + _rows_a_strip(array)) for top in range(0, len(array), _rows_a_strip(array))]
    low, high = _range(numpy, array, strips)
    scale, shift = 1.0, 0.0
    if normalize and low >= 0 and high <= 1:
        scale = 255.0
    elif normalize and low >= -1 and high <= 1:
        scale, shift = 127.5, 1.0
    elif array.dtype == numpy.uint16 and high > 255:
        scale = 1 / 257
    elif kind != "f" and low >= 0 and high <= 255:
        return array.astype(numpy.uint8)
    made = numpy.empty(array.shape, numpy.uint8)
    for strip in strips:
        values = (array[strip].astype(numpy.float64) + shift) * scale
        made[strip] = numpy.clip(numpy.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)
    return made


def _rows_a_strip(array: Any) -> int:
    return int(max(1, _STRIP // max(1, array[0].size)))


def _range(numpy: Any, array: Any, strips: list[slice]) -> tuple[float, float]:
    """The least and the greatest finite number; 0 and 0 where there is none."""
    if array.dtype.kind != "f":
        return int(array.min()), int(array.max())
    low, high = math.inf, -math.inf
    for strip in strips:
        part = array[strip]
        finite = numpy.isfinite(part)
        if finite.any():
            low = min(low, float(part.min(where=finite, initial=numpy.inf)))
            high = max(high, float(part.max(where=finite, initial=-numpy.inf)))
    return (low, high) if low <= high else (0.0, 0.0)


def _grid(numpy: Any, batch: Any) -> Any:
    """(images, channels, height, width) as one picture (channels, height, width)."""
    count, channels, height, width = batch.shape
    if count == 1:
        return batch[0]
    columns = min(count, GRID_COLUMNS)
    rows = math.ceil(count / columns)
    made = numpy.zeros((channels, rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), batch.dtype)
    for at in range(count):
        top, left = at // columns * (height + _GAP), at % columns * (width + _GAP)
        made[:, top : top + height, left : left + width] = batch[at]
    return made


def pillow(what: str) -> Any:
    """Pillow's `Image` module.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from PIL import Image  # optional, and slow to import
    except ImportError as error:
        raise MissingExtraError(what, "tables") from error
    return Image


def eight_bits(picture: Any, *, normalize: bool) -> Any:
    """A Pillow image of whole numbers (`I`) or floats (`F`), which files have no room for, by the rules of arrays."""
    library = pillow("Image()")
    if picture.mode == "F":
        return library.fromarray(to_bytes(_numbers(picture), normalize=normalize))
    low, high = picture.getextrema()
    if low >= 0 and 255 < high <= 0xFFFF:
        return picture.convert("I;16")  # what a PNG of 16 bits is read as
    return library.fromarray(to_bytes(_numbers(picture), normalize=normalize))


def _numbers(picture: Any) -> Any:
    """
    Raises:
        MissingExtraError: numpy is not installed.
    """
    try:
        import numpy  # optional
    except ImportError as error:
        raise MissingExtraError("Image() of a Pillow image of numbers", "tables") from error
    return numpy.asarray(picture)


def written(picture: Any, form: str) -> bytes:
    """A Pillow image as a file, e.g. `PNG`. Modes that the format has not are turned into RGB.

    Raises:
        UsageError: Pillow cannot write it so.
    """
    if picture.mode.startswith("I;16") and form not in _SIXTEEN_BITS:
        picture = pillow("Image()").fromarray(to_bytes(_numbers(picture), normalize=False))
    if form in _WITHOUT_ALPHA and picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("RGB")
    buffer = io.BytesIO()
    options: dict[str, Any] = {"compress_level": 1} if form == "PNG" else {}
    if form == "WEBP":
        options = {"lossless": True}
    try:
        picture.save(buffer, form, **options)
    except (OSError, ValueError, KeyError):
        try:
            buffer = io.BytesIO()
            picture.convert("RGB").save(buffer, form, **options)
        except (OSError, ValueError, KeyError) as error:
            shape = f"{picture.width} x {picture.height}, mode {picture.mode}"
            raise UsageError(f"an image of {shape} cannot be written as {form}: {error}") from error
    return buffer.getvalue()
