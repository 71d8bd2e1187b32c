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
    if channels_first and array.ndim == 4 and array.shape[1] in MODES:
        array = _grid(numpy, array)
    while channels_first and array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if channels_first and array.ndim == 3:
        array = numpy.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in MODES) or not array.size:
        axes = "([images, ][channels, ]height, width)" if channels_first else "(height, width[, channels])"
        raise UsageError(f"Image() needs an array of the shape {axes} with 1 to 4 channels; this one is {shape}")
    return to_bytes(array, normalize=normalize)


def to_bytes(array: Any, *, normalize: bool) -> Any:
    """Numbers as uint8. What is no number is black, what is out of range is cut to it.

    Args:
        normalize: numbers that all lie in [0, 1] are spread to [0, 255], those in [-1, 1] too; others are taken as they
            are (wandb's rule).

    Raises:
        UsageError: these are no real numbers.
    """
    numpy = numpy_for(array)
    if array.dtype.kind not in "buif":
        raise UsageError(f"an image is made of real numbers, this array holds {array.dtype}")
    if array.dtype.kind == "b":
        return array.astype(numpy.uint8) * 255
    if array.dtype.kind == "f":
        array = numpy.nan_to_num(array.astype(numpy.float64), nan=0.0, posinf=255.0, neginf=0.0)
    if normalize and array.size:
        low, high = array.min(), array.max()
        if low >= 0 and high <= 1:
            array = array * 255.0
        elif low >= -1 and high <= 1:
            array = (array + 1.0) * 127.5
    return numpy.clip(array, 0, 255).astype(numpy.uint8)


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


def written(picture: Any, form: str) -> bytes:
    """A Pillow image as a file, e.g. `PNG`. Modes that the format has not are turned into RGB.

    Raises:
        UsageError: Pillow cannot write it so.
    """
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
