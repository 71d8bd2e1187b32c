"""What is drawn over an image: boxes, masks, and the names of their classes. Checked when they are given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.tracking.errors import UsageError
from weft.tracking.media.arrays import fetched, is_array, numpy_for
from weft.tracking.media.base import Record, StoreBlob, content_bytes, content_of, file_content
from weft.tracking.media.pixels import pillow, written
from weft.tracking.media.rasters import size_of
from weft.tracking.payloads.content import Content

_CORNERS = ("minX", "maxX", "minY", "maxY")
_CENTRE = ("middle", "width", "height")


class Classes:
    """Names of classes by their numbers, for boxes and masks.

    Args:
        class_set: dicts `{"id": 1, "name": "cat"}`.

    Raises:
        UsageError: one of them is none.

    Example:
        >>> weft.Classes([{"id": 0, "name": "road"}, {"id": 1, "name": "car"}])
    """

    def __init__(self, class_set: Iterable[Mapping[str, Any]]) -> None:
        self.names: dict[int, str] = {}
        for item in class_set:
            if not isinstance(item, Mapping) or "id" not in item or "name" not in item:
                raise UsageError(f'Classes takes dicts like {{"id": 1, "name": "cat"}}, got {item!r:.80}')
            self.names[_class_id(item["id"])] = str(item["name"])

    def record(self) -> list[Record]:
        """As it was given."""
        return [{"id": ident, "name": name} for ident, name in self.names.items()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self.names == other.names

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Classes({self.record()!r})"


def checked_classes(classes: object) -> Classes | None:
    """
    Raises:
        UsageError, TypeError: these are no classes.
    """
    if classes is None or isinstance(classes, Classes):
        return classes
    if isinstance(classes, Iterable) and not isinstance(classes, (str, bytes, Mapping)):
        return Classes(classes)
    raise TypeError(f"classes must be Classes or a list of dicts, got {type(classes).__name__}")


def checked_boxes(boxes: object) -> dict[str, Record]:
    """Sets of boxes by name, as plain JSON.

    Raises:
        TypeError, UsageError: one is not as it must be; the message says which.
    """
    found: dict[str, Record] = {}
    for name, given in _sets("boxes", boxes):
        where = f"boxes[{name!r:.60}]"
        data = given.get("box_data")
        if isinstance(data, (str, bytes)) or not isinstance(data, Sequence):
            raise UsageError(f'{where} needs "box_data", a list of boxes')
        made = [_box(f"{where} box {at}", box) for at, box in enumerate(data)]
        found[name] = {"box_data": made, "class_labels": _labels(where, given.get("class_labels"))}
    return found


def _box(where: str, box: object) -> Record:
    if not isinstance(box, Mapping):
        raise TypeError(f"{where} must be a dict, got {type(box).__name__}")
    position = box.get("position")
    if not isinstance(position, Mapping):
        raise UsageError(f'{where} needs "position", a dict')
    if all(name in position for name in _CORNERS):
        placed: Record = {name: _number(where, position[name]) for name in _CORNERS}
    elif all(name in position for name in _CENTRE):
        middle = position["middle"]
        middle = middle.tolist() if is_array(middle) else middle
        if isinstance(middle, (str, bytes)) or not isinstance(middle, Sequence) or len(middle) != 2:
            raise UsageError(f'{where}: "middle" must be two numbers, got {middle!r:.60}')
        placed = {"middle": [_number(where, each) for each in middle]}
        placed |= {name: _number(where, position[name]) for name in ("width", "height")}
    else:
        raise UsageError(
            f"{where}: the position must have {', '.join(_CORNERS)}, or {', '.join(_CENTRE)}; "
            f"it has {', '.join(map(str, position)) or 'nothing'}"
        )
    made: Record = {"position": placed}
    if box.get("class_id") is not None:
        made["class_id"] = _class_id(box["class_id"])
    caption = box.get("box_caption")
    if caption is not None:
        if not isinstance(caption, str):
            raise TypeError(f"{where}: box_caption must be text, got {type(caption).__name__}")
        made["box_caption"] = caption
    scores = box.get("scores")
    if scores is not None:
        if not isinstance(scores, Mapping) or not all(isinstance(name, str) for name in scores):
            raise TypeError(f"{where}: scores must be a dict of names and numbers")
        made["scores"] = {name: _number(where, score) for name, score in scores.items()}
    if box.get("domain") is not None:
        if box["domain"] != "pixel":
            raise UsageError(f'{where}: domain must be "pixel" or left away (shares of 1), got {box["domain"]!r:.40}')
        made["domain"] = "pixel"
    return made


class Mask:
    """One class number for each pixel, kept as a grey PNG."""

    def __init__(self, content: Content, class_labels: dict[str, str], blobs: Any = None) -> None:
        self.content = content
        self.class_labels = class_labels
        self._blobs = blobs

    @property
    def data(self) -> bytes:
        """The PNG.

        Raises:
            ContentError: it cannot be had.
        """
        return content_bytes(self.content, self._blobs)

    def record(self, store_blob: StoreBlob | None) -> Record:
        """What is written in its place."""
        if store_blob is not None:
            store_blob(content_bytes(self.content, self._blobs))
        told = {"digest": self.content.digest, "size_bytes": self.content.size, "media_type": "image/png"}
        return {"_type": "mask", **told, "format": "png", "class_labels": self.class_labels}

    @classmethod
    def of_record(cls, record: Mapping[str, Any], blobs: Any) -> Mask:
        """
        Raises:
            KeyError, TypeError, ValueError: it is not as we write it.
        """
        return cls(content_of(record), dict(record["class_labels"]), blobs)


def checked_masks(masks: object, size: tuple[int, int] | None) -> dict[str, Mask]:
    """Masks by name.

    Args:
        size: width and height of the image, where they are known.

    Raises:
        TypeError, UsageError: one is not as it must be; the message says which.
        MissingExtraError: Pillow is not installed.
    """
    found: dict[str, Mask] = {}
    for name, given in _sets("masks", masks):
        where = f"masks[{name!r:.60}]"
        labels = _labels(where, given.get("class_labels"))
        if given.get("mask_data") is not None:
            data = _mask_png(where, given["mask_data"])
        elif given.get("path") is not None:
            try:
                data = Path(given["path"]).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise UsageError(f"{where}: there is no file {str(given['path'])!r:.200}") from None
            if not data.startswith(b"\x89PNG"):
                raise UsageError(f"{where}: {str(given['path'])!r:.200} is no PNG")
        else:
            raise UsageError(f'{where} needs "mask_data" (a class number for each pixel) or "path" (of a PNG)')
        if size is not None and size_of(data) != size:
            across, down = size_of(data) or ("?", "?")
            raise UsageError(f"{where} is {across} x {down} pixels; the image is {size[0]} x {size[1]}")
        found[name] = Mask(file_content(data, "png"), labels)
    return found


def _mask_png(where: str, data: Any) -> bytes:
    library = pillow("Image(masks=)")
    if is_array(data):
        array = fetched(data)
        numpy = numpy_for(array)
        if array.ndim != 2 or not array.size:
            raise UsageError(f"{where}: mask_data must have two axes (height, width), got the shape {array.shape}")
        whole = array.dtype.kind in "bui" or (array.dtype.kind == "f" and bool((array == numpy.floor(array)).all()))
        if not whole or array.min() < 0 or array.max() > 255:
            raise UsageError(f"{where}: mask_data must be whole numbers from 0 to 255, got {_told(array)}")
        picture = library.fromarray(numpy.ascontiguousarray(array.astype(numpy.uint8)))
    else:
        rows = [list(row) for row in data] if _is_rows(data) else []
        if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
            raise UsageError(f"{where}: mask_data must be an array, or rows of equal length")
        flat = [item for row in rows for item in row]
        if not all(isinstance(item, int) and 0 <= item <= 255 for item in flat):
            raise UsageError(f"{where}: mask_data must be whole numbers from 0 to 255")
        picture = library.frombytes("L", (len(rows[0]), len(rows)), bytes(flat))
    return written(picture, "PNG")


def _told(array: Any) -> str:
    return f"{array.dtype} from {array.min():g} to {array.max():g}" if array.dtype.kind in "uif" else str(array.dtype)


def _is_rows(data: object) -> bool:
    return isinstance(data, (list, tuple)) and all(isinstance(row, (list, tuple, bytes)) for row in data)


def _sets(what: str, given: object) -> list[tuple[str, Mapping[str, Any]]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise TypeError(f"{what} must be a dict of sets by name, got {type(given).__name__}")
    for name, each in given.items():
        if not isinstance(name, str):
            raise TypeError(f"names of {what} must be text, got {type(name).__name__}: {name!r:.60}")
        if not isinstance(each, Mapping):
            raise TypeError(f"{what}[{name!r:.60}] must be a dict, got {type(each).__name__}")
    return list(given.items())


def _labels(where: str, labels: object) -> dict[str, str]:
    """Names by class number; JSON has only text as keys."""
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise TypeError(f"{where}: class_labels must be a dict of numbers and names, got {type(labels).__name__}")
    return {str(_class_id(ident)): str(name) for ident, name in labels.items()}


def _class_id(value: Any) -> int:
    if isinstance(value, str) and value.lstrip("-").isdecimal():  # a key that has been through JSON
        return int(value)
    index = getattr(value, "__index__", None)
    if index is None or isinstance(value, bool):
        raise TypeError(f"a class's number must be a whole number, got {type(value).__name__}: {value!r:.60}")
    return int(index())


def _number(where: str, value: Any) -> float | int:
    plain = value.item() if callable(getattr(value, "item", None)) else value
    if isinstance(plain, bool) or not isinstance(plain, (int, float)) or not math.isfinite(plain):
        raise TypeError(f"{where}: positions and scores must be finite numbers, got {value!r:.60}")
    return plain
