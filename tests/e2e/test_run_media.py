"""A run's media in a real Chromium: shown by step, drawn over, played, and nothing of them runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Server
from playwright.sync_api import Page, expect

import weft
from weft.tracking import runtime
from weft.tracking.store.access import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SCRIPT = "<script>parent.pwned=1;top.pwned=2</script><img src=x onerror='top.pwned=3'>"
EVIL = f"../../evil {SCRIPT}"
LABELS = {1: "cat", 2: SCRIPT}


def recorded(home: Path) -> str:
    """A run with something of every kind; its path in the app."""
    weft.configure(home=home, project="media")
    with weft.init(name="shown") as run:
        for step in range(3):
            picture = np.full((60, 80, 3), 60 * step, np.uint8)
            boxes = [
                {
                    "position": {"minX": 8, "maxX": 40, "minY": 6, "maxY": 30},
                    "domain": "pixel",
                    "class_id": 1,
                    "box_caption": SCRIPT,
                }
            ]
            mask = np.zeros((60, 80), int)
            mask[:30] = 2
            run.log(
                {
                    EVIL: weft.Image(
                        picture,
                        caption=f"{step} {SCRIPT}",
                        boxes={"b": {"box_data": boxes, "class_labels": LABELS}},
                        masks={"m": {"mask_data": mask, "class_labels": LABELS}},
                    ),
                    "weights": np.linspace(-1, step, 200),
                }
            )
        run.log(
            {
                "tone": weft.Audio([0.0] * 4000, 8000),
                "page": weft.Html(f"<h3>Report</h3>{SCRIPT}"),
                "cloud": weft.Object3D([[0, 0, 0], [1, 1, 1]]),
                "confusion": weft.plot.confusion_matrix(y_true=[0, 1], preds=[0, 0], class_names=["cat", SCRIPT]),
                "mine": weft.plot_table("me/mine/v0", weft.Table(columns=[SCRIPT], data=[[SCRIPT]]), {"x": SCRIPT}),
            }
        )
    weft.flush()
    open_store(runtime.active().settings).close()  # takes it in
    return f"/run?id={run.id}&project=media&view=Media"


def test_media_are_shown_by_step_and_nothing_of_them_runs(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    """Boxes and masks lie over the picture, classes can be switched off, the slider goes through the steps."""
    home = tmp_path / "shown"
    where = recorded(home)
    page.goto(serve_home(home).url + where)
    images = page.locator(".gallery", has=page.locator("figure.image"))
    expect(images.locator(".bar b")).to_have_text(EVIL)
    expect(images.locator("figcaption b")).to_have_text(f"2 {SCRIPT}")
    expect(images).to_contain_text("step 2 · 3 of 3")
    picture = images.locator("img")
    assert picture.evaluate("(i) => i.decode().then(() => i.naturalWidth)") == 80
    box, frame = images.locator(".box").bounding_box(), picture.bounding_box()
    assert box is not None
    assert frame is not None
    assert box["x"] - frame["x"] == pytest.approx(frame["width"] * 0.1, abs=2)
    assert box["height"] == pytest.approx(frame["height"] * 0.4, abs=2)
    alpha = "(c) => [0, 50].map((y) => c.getContext('2d').getImageData(5, y, 1, 1).data[3])"
    expect(images.locator("canvas.mask")).to_have_js_property("width", 80)
    assert images.locator("canvas.mask").evaluate(alpha) == [140, 0]
    for chip in images.locator(".class").all():
        assert chip.text_content() in LABELS.values()
    images.locator(".class").nth(0).click()
    images.locator(".class").nth(1).click()
    expect(images.locator(".box")).to_be_hidden()
    assert images.locator("canvas.mask").evaluate(alpha) == [0, 0]

    images.locator("input[type=range]").fill("0")
    expect(images.locator("figcaption b")).to_have_text(f"0 {SCRIPT}")
    expect(images.locator(".box")).to_be_hidden()

    report = page.locator("figure.html iframe")
    assert report.get_attribute("sandbox") == ""
    expect(report.content_frame.locator("h3")).to_have_text("Report")
    expect(page.locator("figure.audio audio")).to_have_count(1)
    expect(page.locator("figure.points canvas")).to_have_count(1)
    expect(page.get_by_role("img", name=re.compile("confusion|weights"))).to_have_count(2)
    assert page.evaluate("window.pwned") is None
