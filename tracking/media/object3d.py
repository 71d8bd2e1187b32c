"""`weft.Object3D`: a model or a cloud of points in space."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from weft.tracking.errors import UsageError
from weft.tracking.media.arrays import fetched, is_array
from weft.tracking.media.base import FileMedia, file_content, read_file
from weft.tracking.media.molecule import opened
from weft.tracking.payloads.encoding import encode

_FILES = {
    "pts.json": "application/json",
    "obj": "model/obj",
    "gltf": "model/gltf+json",
    "glb": "model/gltf-binary",
    "babylon": "application/json",
    "stl": "model/stl",
}
_KINDS = ("lidar/beta",)
COLUMNS = (3, 4, 6)
"""x y z; with a class from 1 to 14; with red green blue."""


class Object3D(FileMedia):
    """A model or a cloud of points.

    Args:
        data_or_path: an array of the shape (points, 3), (points, 4: with a class from 1 to 14) or (points, 6: with red,
            green, blue); the path of an obj, gltf, glb, babylon, stl or pts.json file; an open file with `file_type`; a
            dict `{"type": "lidar/beta", "points", "boxes", "vectors"}`.
        caption: shown below it.

    Raises:
        UsageError: there is no such file, or the points are not as they must be.
        TypeError: it is nothing of these.
    """

    kind: ClassVar[str] = "object3D-file"
    batch: ClassVar[str] = "object3D"
    folder: ClassVar[str] = "object3D"

    def __init__(self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None) -> None:
        super().__init__(caption)
        if isinstance(data_or_path, (str, os.PathLike)):
            self._content = read_file("Object3D", data_or_path, _FILES)
        elif is_array(data_or_path) or isinstance(data_or_path, (list, tuple)):
            self._content = file_content(encode(_points(data_or_path)), "pts.json", "application/json")
        elif isinstance(data_or_path, Mapping):
            self._content = file_content(encode(_scene(data_or_path)), "pts.json", "application/json")
        else:
            self._content = opened("Object3D", data_or_path, file_type, _FILES)

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Self:
        """Of a path, or an open file with its type."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Self:
        """Of an array of points."""
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Any,
        boxes: Iterable[Mapping[str, Any]],
        vectors: Iterable[Mapping[str, Any]] | None = None,
        point_cloud_type: str = "lidar/beta",
    ) -> Self:
        """Of points with boxes (`corners`: 8 points, `label`, `color`) and arrows (`start`, `end`)."""
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or []})


def _points(value: Any) -> list[list[float]]:
    rows = fetched(value) if is_array(value) else value
    rows = rows.tolist() if hasattr(rows, "tolist") else [list(row) for row in rows]
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if not rows or len(widths) != 1 or not widths <= set(COLUMNS):
        raise UsageError("Object3D() needs points of 3, 4 or 6 numbers each: x y z, a class, or red green blue")
    if not all(isinstance(number, (int, float)) for row in rows for number in row):
        raise UsageError("Object3D() needs points made of real numbers")
    return rows


def _scene(scene: Mapping[str, Any]) -> dict[str, Any]:
    if scene.get("type") not in _KINDS:
        raise UsageError(f"Object3D() knows scenes of type {', '.join(_KINDS)}, got {scene.get('type')!r:.40}")
    made: dict[str, Any] = {"type": scene["type"]}
    made["points"] = _points(scene["points"]) if scene.get("points") is not None else []
    boxes = [dict(box) for box in _each(scene.get("boxes"))]
    for at, box in enumerate(boxes):
        corners = box.get("corners")
        box["corners"] = _corners(corners)
        if len(box["corners"]) != 8:
            raise UsageError(f"box {at} of Object3D() needs 8 corners, it has {len(box['corners'])}")
    made["boxes"] = boxes
    made["vectors"] = [
        {**vector, "start": _corners([vector["start"]])[0], "end": _corners([vector["end"]])[0]}
        for vector in _each(scene.get("vectors"))
        if "start" in vector and "end" in vector
    ]
    return made


def _each(value: Any) -> list[Any]:
    if is_array(value):  # an object array of dicts, as wandb's examples have it
        value = value.tolist()
    return [] if value is None else list(value)


def _corners(value: Any) -> list[list[float]]:
    rows = fetched(value) if is_array(value) else value
    rows = rows.tolist() if hasattr(rows, "tolist") else rows
    made = [fetched(row).tolist() if is_array(row) else list(row) for row in rows or ()]
    if not all(len(row) == 3 and all(isinstance(number, (int, float)) for number in row) for row in made):
        raise UsageError("corners, starts and ends in Object3D() are three numbers each")
    return made
