"""A box in space is where its middle, its sides and its rotation say."""

from __future__ import annotations

import math
from itertools import product

import pytest

import weft
from weft.tracking.errors import UsageError


def test_an_unturned_box_has_its_corners_half_a_side_from_its_middle() -> None:
    box = weft.box3d(center=(1, 2, 3), size=(2, 4, 6), orientation=(2, 0, 0, 0), color=(255, 0, 0), label="car")
    assert box["corners"] == [[1 + x, 2 + 2 * y, 3 + 3 * z] for x, y, z in product((-1, 1), repeat=3)]
    assert (box["color"], box["label"], box["score"]) == ([255, 0, 0], "car", None)


def test_a_turned_box_keeps_its_sides_and_turns_as_wandbs_does() -> None:
    """The rotation takes the scene to the box: one of 90 degrees about z brings the box's own x to the scene's -y."""
    half = math.sqrt(0.5)
    box = weft.box3d(center=(0, 0, 0), size=(4, 2, 2), orientation=(half, 0, 0, half), color=(0, 0, 0))
    first, last = box["corners"][0], box["corners"][-1]
    assert first == pytest.approx([-1, 2, -1])
    assert last == pytest.approx([1, -2, 1])


def test_a_box_is_taken_by_a_cloud_of_points() -> None:
    box = weft.box3d(center=(0, 0, 0), size=(1, 1, 1), orientation=(1, 0, 0, 0), color=(1, 0, 0), score=0.5)
    cloud = weft.Object3D.from_point_cloud(points=[[0, 0, 0], [1, 1, 1]], boxes=[box])
    assert b'"score":0.5' in cloud.bytes()


@pytest.mark.parametrize(
    "wrong",
    [{"center": (0, 0)}, {"size": (1, 1, math.inf)}, {"orientation": (0, 0, 0, 0)}, {"orientation": (1, 0, 0)}],
)
def test_what_is_no_box_is_said(wrong: dict[str, tuple[float, ...]]) -> None:
    given = {"center": (0, 0, 0), "size": (1, 1, 1), "orientation": (1, 0, 0, 0), "color": (0, 0, 0)} | wrong
    with pytest.raises(UsageError, match=f"box3d\\({next(iter(wrong))}"):
        weft.box3d(**given)
