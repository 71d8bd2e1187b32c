"""`weft.box3d`: a box among the points of an Object3D, by its middle, its sides and how it is turned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from weft.tracking.errors import UsageError


def box3d(
    *,
    center: Sequence[float],
    size: Sequence[float],
    orientation: Sequence[float],
    color: Sequence[float],
    label: str | None = None,
    score: float | None = None,
) -> dict[str, Any]:
    """A box for `Object3D.from_point_cloud(boxes=[...])`. Lists, tuples and arrays will do.

    Args:
        center: x, y, z of its middle.
        size: its length along its own x, y, z.
        orientation: the quaternion (real part first, of any length but 0) of the rotation that takes the scene's
            coordinates to the box's own.
        color: red, green, blue.
        label: a few words.
        score: how sure a detection is.

    Raises:
        UsageError: not so many numbers, or a quaternion of length 0.

    Example:
        >>> weft.box3d(center=(0, 0, 0), size=(2, 1, 1), orientation=(1, 0, 0, 0), color=(255, 0, 0), label="car")
    """
    middle, sides = _numbers("center", center, 3), _numbers("size", size, 3)
    turned = _rotation(_numbers("orientation", orientation, 4))
    corners = []
    for signs in product((-1, 1), repeat=3):
        own = [sign * side / 2 for sign, side in zip(signs, sides, strict=True)]
        corners.append([middle[j] + sum(own[i] * turned[i][j] for i in range(3)) for j in range(3)])
    return {"corners": corners, "color": list(color), "label": label, "score": score}


def _rotation(quaternion: Sequence[float]) -> list[list[float]]:
    """The matrix of a quaternion (https://en.wikipedia.org/wiki/Quaternions_and_spatial_rotation)."""
    length = math.hypot(*quaternion)
    if not length:
        raise UsageError("box3d(orientation=) is a quaternion, and one of length 0 turns nothing; (1, 0, 0, 0) is none")
    r, i, j, k = (part / length for part in quaternion)
    return [
        [1 - 2 * (j * j + k * k), 2 * (i * j - k * r), 2 * (i * k + j * r)],
        [2 * (i * j + k * r), 1 - 2 * (i * i + k * k), 2 * (j * k - i * r)],
        [2 * (i * k - j * r), 2 * (j * k + i * r), 1 - 2 * (i * i + j * j)],
    ]


def _numbers(name: str, values: Sequence[float], count: int) -> list[float]:
    found = [float(value) for value in values]
    if len(found) != count or not all(map(math.isfinite, found)):
        raise UsageError(f"box3d({name}=) takes {count} numbers, got {values!r:.80}")
    return found
