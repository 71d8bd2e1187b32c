"""`weft.Image`: a picture, with what is drawn over it."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from weft.tracking.errors import UsageError
from weft.tracking.media.annotations import Classes, Mask, checked_boxes, checked_classes, checked_masks
from weft.tracking.media.arrays import is_array
from weft.tracking.media.base import FileMedia, Record, StoreBlob, file_content, read_file, size_field
from weft.tracking.media.pixels import eight_bits, image_array, pillow, written
from weft.tracking.media.rasters import size_of
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from weft.tracking.blobs import Blobs

__all__ = ["Classes", "Image"]

LONGEST_SIDE = 65_500
"""Pixels. A larger image is kept; browsers do not draw it."""
_FORMS = {
    "png": ("PNG", "image/png"),
    "jpg": ("JPEG", "image/jpeg"),
    "jpeg": ("JPEG", "image/jpeg"),
    "bmp": ("BMP", "image/bmp"),
    "gif": ("GIF", "image/gif"),
    "webp": ("WEBP", "image/webp"),
    "tif": ("TIFF", "image/tiff"),
    "tiff": ("TIFF", "image/tiff"),
}
_FILES = {ending: kind for ending, (_, kind) in _FORMS.items()} | {"svg": "image/svg+xml", "avif": "image/avif"}
_KNOWN_BY_BYTES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What one of another kind cannot be shown as."""
log = logging.getLogger("weft.media")


class Image(FileMedia):
    """A picture. Encoded at once: nothing of the array, tensor or figure is kept.

    Args:
        data_or_path: a numpy array (height, width[, channels]), a torch tensor ([images, ][channels, ]height, width), a
            Pillow image, a matplotlib figure, the path of a file, the bytes of one, an open file, a Content or another
            Image.
        mode: Pillow's mode that an array is turned into ("L", "RGB", ...); default what its channels say.
        caption: shown below it.
        grouping: how many images of a list belong together.
        classes: names of the classes in boxes and masks.
        boxes: by name, `{"box_data": [{"position": {"minX", "maxX", "minY", "maxY"}, "class_id", "box_caption",
            "scores", "domain"}], "class_labels": {1: "cat"}}`; positions are shares of 1 unless `domain` is "pixel".
        masks: by name, `{"mask_data": an array of class numbers, or "path": of a PNG, "class_labels": {1: "cat"}}`.
        file_type: png (default), jpg, webp, bmp, gif or tiff: what arrays, figures and Pillow images are written as.
        normalize: numbers of an array that all lie in [0, 1] or [-1, 1] are spread to [0, 255]; others are taken as
            they are and cut to it. 16 bits are halved to 8; a Pillow image of 16 bits keeps them.

    Raises:
        UsageError: there is no such file, or no image can be made of it; boxes or masks are not as they must be.
        TypeError: it is nothing that can be shown.
        MissingExtraError: Pillow is needed and not installed; the bytes or the path of an image do without.

    Example:
        >>> run.log({"sample": weft.Image(array, caption="a cat")})
    """

    kind: ClassVar[str] = "image-file"
    batch: ClassVar[str] = "images/separated"
    folder: ClassVar[str] = "images"

    def __init__(
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Classes | Any = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool = True,
    ) -> None:
        super().__init__(caption)
        if grouping is not None and (isinstance(grouping, bool) or not isinstance(grouping, int)):
            raise TypeError(f"grouping must be a whole number, got {grouping!r:.60}")
        ending = (file_type or "png").lower().lstrip(".")
        if ending not in _FORMS:
            raise UsageError(f"file_type must be one of {', '.join(_FORMS)}, got {file_type!r:.40}")
        self.grouping = grouping
        self._content, size = _content_of(data_or_path, mode, ending, normalize)
        self.width: int | None = size[0] if size else None
        """Pixels; None where the file does not say."""
        self.height: int | None = size[1] if size else None
        if size and max(size) > LONGEST_SIDE:
            log.warning("an image of %d x %d pixels is kept, but no browser draws a side over %d", *size, LONGEST_SIDE)
        self.classes: Classes | None = checked_classes(classes)
        self.boxes: dict[str, Record] = checked_boxes(boxes)
        self.masks: dict[str, Mask] = checked_masks(masks, size)
        if isinstance(data_or_path, Image):
            _inherit(self, data_or_path, caption)

    @property
    def image(self) -> Picture:
        """As a Pillow image.

        Raises:
            MissingExtraError: Pillow is not installed.
            ContentError: the bytes cannot be had.
        """
        found: Picture = pillow("Image.image").open(io.BytesIO(self.bytes()))
        return found

    def _details(self, store_blob: StoreBlob | None) -> Record:
        found: Record = {"width": self.width, "height": self.height}
        if self.grouping is not None:
            found["grouping"] = self.grouping
        if self.classes is not None:
            found["classes"] = self.classes.record()
        if self.boxes:
            found["boxes"] = self.boxes
        if self.masks:
            found["masks"] = {name: mask.record(store_blob) for name, mask in self.masks.items()}
        return found

    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        super()._restore(record, blobs)
        self.width, self.height = size_field(record, "width"), size_field(record, "height")
        self.grouping = size_field(record, "grouping")
        self.classes = checked_classes(record.get("classes"))
        self.boxes = checked_boxes(record.get("boxes"))
        self.masks = {name: Mask.of_record(mask, blobs) for name, mask in record.get("masks", {}).items()}


def _inherit(made: Image, other: Image, caption: str | None) -> None:
    """An Image of an Image keeps what it is not told anew."""
    made.caption = other.caption if caption is None else caption
    made.width, made.height = other.width, other.height
    made.grouping = other.grouping if made.grouping is None else made.grouping
    made.classes = made.classes or other.classes
    made.boxes = made.boxes or other.boxes
    made.masks = made.masks or other.masks


def _content_of(value: Any, mode: str | None, ending: str, normalize: bool) -> tuple[Content, tuple[int, int] | None]:
    form, media_type = _FORMS[ending]
    if isinstance(value, Image):
        return file_content(value.bytes(), value.extension, value.media_type), None
    if isinstance(value, Content):
        value = value.data
    elif isinstance(value, io.IOBase):
        value = value.read()
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        found = mediatypes.sniffed(data)
        if found is None or not found.startswith("image/"):
            raise UsageError(f"Image() was given {len(data)} bytes that begin as no image does")
        return file_content(data, mediatypes.extension(found), found), size_of(data)
    if isinstance(value, (str, os.PathLike)):
        content = read_file("Image", value, _FILES)
        data = content.held or b""
        if content.mimetype in _KNOWN_BY_BYTES and not (mediatypes.sniffed(data) or "").startswith("image/"):
            raise UsageError(
                f"Image() was given {os.fspath(value)!r:.200}: {len(data)} bytes that begin as no image does"
            )
        return content, size_of(data)
    if is_array(value):
        library = pillow("Image() of an array")
        picture = library.fromarray(image_array(value, normalize=normalize))
        if mode is not None and mode != picture.mode:
            picture = _moded(picture, mode)
        return file_content(written(picture, form), ending, media_type), (picture.width, picture.height)
    figure = figure_of(value)
    if figure is not None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        return file_content(buffer.getvalue(), "png"), size_of(buffer.getvalue())
    if is_picture(value):
        picture = eight_bits(value, normalize=normalize) if mode is None and value.mode in ("I", "F") else value
        if mode is not None and mode != value.mode:
            picture = _moded(value, mode)
        return file_content(written(picture, form), ending, media_type), (picture.width, picture.height)
    raise TypeError(
        "Image() takes an array, a tensor, a Pillow image, a matplotlib figure, a path or bytes, got "
        f"{type(value).__name__}: {value!r:.60}"
    )


def _moded(picture: Any, mode: str) -> Any:
    try:
        return picture.convert(mode)
    except ValueError as error:
        raise UsageError(f"Image(mode={mode!r:.20}): {error}") from error


def is_picture(value: object) -> bool:
    """Whether this is a Pillow image; Pillow is not imported to find out."""
    library = sys.modules.get("PIL.Image")
    return library is not None and isinstance(value, getattr(library, "Image", ()))


def figure_of(value: Any) -> Any:
    """The matplotlib figure that this is, or belongs to (`pyplot`, axes, a line); None for anything else."""
    library = sys.modules.get("matplotlib.figure")
    if library is None:
        return None
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and value is pyplot:
        return pyplot.gcf()
    base = getattr(library, "FigureBase", ())
    if isinstance(value, base):
        return value
    artist = getattr(sys.modules.get("matplotlib.artist"), "Artist", ())
    found = value.get_figure() if isinstance(value, artist) and callable(getattr(value, "get_figure", None)) else None
    return found if isinstance(found, base) else None
