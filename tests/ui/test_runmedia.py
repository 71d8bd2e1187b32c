"""What the browser is told of a run's media."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.tracking.media import Image, Media
from weft.ui import runmedia

LABELS = {1: "cat", 2: "dog"}


def item(medium: Media) -> Any:
    return runmedia._item(medium, "val/samples")


def test_media_are_grouped_by_key_and_step(home: Path) -> None:
    image = Image(np.zeros((4, 6)))
    with weft.init(project="p") as run:
        run.log({"a": [image, image], "b": weft.Histogram([1])})
        run.log({"a": image, "text": "x"})
    weft.flush()
    with weft.Api() as api:
        rows = api._store.reader().rich(run.uid.hex())
    found = runmedia.by_key(rows)
    assert {key: [(step, len(items)) for step, items in logged] for key, logged in found.items()} == {
        "a": [(0, 2), (1, 1)],
        "b": [(0, 1)],
    }


def test_boxes_are_shares_of_the_picture_whatever_their_form() -> None:
    boxes = {
        "b": {
            "box_data": [
                {"position": {"minX": 2, "maxX": 4, "minY": 1, "maxY": 3}, "domain": "pixel", "class_id": 1},
                {"position": {"middle": [0.5, 0.5], "width": 0.5, "height": 1.0}, "class_id": 2, "scores": {"p": 0.5}},
                {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "box_caption": "all"},
            ],
            "class_labels": LABELS,
        }
    }
    found = item(Image(np.zeros((10, 20)), boxes=boxes)).boxes
    assert [[box[name] for name in "xywh"] for box in found] == [[0.1, 0.1, 0.1, 0.2], [0.25, 0, 0.5, 1], [0, 0, 1, 1]]
    assert [(box["label"], box["text"]) for box in found] == [("cat", "cat"), ("dog", "dog p 0.5"), ("0", "all")]


def test_masks_name_their_classes_and_their_blob() -> None:
    image = Image(
        np.zeros((2, 3)),
        classes=[{"id": 3, "name": "sky"}],
        masks={"m": {"mask_data": np.zeros((2, 3), int), "class_labels": LABELS}},
    )
    [mask] = item(image).masks
    assert mask["src"] == f"/blob/{image.masks['m'].content.digest}"
    assert mask["labels"] == {"1": "cat", "2": "dog", "3": "sky"}


@pytest.mark.parametrize(
    ("medium", "kind"),
    [
        (lambda: Image(np.zeros((2, 3))), "image"),
        (lambda: Image(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"), "file"),
        (lambda: weft.Audio([0.0], 8000), "audio"),
        (lambda: weft.Video(np.zeros((2, 1, 4, 4))), "image"),
        (lambda: weft.Video(b"\0\0\0\x20ftypisom"), "video"),
        (lambda: weft.Html("<p>"), "html"),
        (lambda: weft.Object3D([[1, 2, 3]]), "points"),
        (lambda: weft.Molecule(b"", file_type="mol2"), "file"),
    ],
)
def test_only_what_is_harmless_is_shown(medium: Any, kind: str) -> None:
    assert item(medium()).type == kind


def test_words_for_media_among_plain_values() -> None:
    image = Image(np.zeros((4, 6)))
    batch = {"_type": "images/separated", "count": 2, "items": [image.record()] * 2}
    assert runmedia.said(image.record()) == "image, 6 × 4"
    assert runmedia.said(batch) == "2 × image"
    assert runmedia.said(weft.plot.roc_curve([0, 1], [0.1, 0.9]).record()) == "roc chart"
    for plain in ({"a": 1}, [1], "text", {"_type": "image-file"}):
        assert runmedia.said(plain) is None


def test_of_many_steps_the_first_the_last_and_even_ones_between_are_shown() -> None:
    steps: Any = [(at, []) for at in range(1000)]
    found = [at for at, _ in runmedia.thinned(steps)]
    assert (found[0], found[-1], len(found)) == (0, 999, runmedia.MOST_STEPS)
    assert found == sorted(set(found))
    assert runmedia.thinned(steps[:120]) == steps[:120]
    wide: Any = [(at, [None] * 1000) for at in range(100)]
    assert [at for at, _ in runmedia.thinned(wide)] == [0, 50, 99]
