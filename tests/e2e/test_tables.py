"""A logged table in a real Chromium: paged, sorted, searched, with pictures in cells and each step's version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server
from PIL import Image
from playwright.sync_api import Page, expect

import weft
from weft.tracking.tables import Table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def recorded(home: Path) -> None:
    """A run with a table of 12,000 rows, and one with pictures that changed between two steps."""
    weft.configure(home=home, project="digits")
    with weft.init(id="cnn") as run:
        rows = [[at, f"row <b>{at}</b>", -at / 7] for at in range(12_000)]
        run.log({"long": Table(columns=["n", "words", "value"], data=rows)})
        pictures = Table(columns=["picture", "guess"])
        for at in range(2):
            pictures.add_data(weft.Image(Image.new("RGB", (40, 30), "red"), caption="a digit"), f"seven-{at}")
            run.log({"val/guesses": pictures})
    weft.Api().close()  # takes it into the store: the app's watcher would come to it in its own time


def test_a_table_is_paged_sorted_and_searched(page: Page, tmp_path: Path, serve_home: Callable[..., Server]) -> None:
    recorded(tmp_path / "home")
    page.goto(serve_home(tmp_path / "home").url + "/run?project=digits&id=cnn&view=Tables")
    table = page.get_by_role("table", name="long")
    first = table.locator(".body").first

    expect(first).to_contain_text("row <b>0</b>")
    expect(page.get_by_text("12,000 rows", exact=True)).to_be_visible()
    table.get_by_role("button", name="n").click()  # the first click asks for the greatest first
    expect(first).to_contain_text("row <b>11999</b>")
    table.get_by_role("button", name="n").click()
    expect(first).to_contain_text("row <b>0</b>")

    page.get_by_role("button", name="240").click()
    expect(first).to_contain_text("row <b>11950</b>")

    search = page.get_by_label("Search long")
    search.fill("<B>777<")
    search.press("Enter")
    expect(table.locator(".body")).to_have_count(1)
    expect(first).to_contain_text("row <b>777</b>")
    expect(page.get_by_text("1 of 12,000 rows")).to_be_visible()
    search.fill("nothing like that")
    search.press("Enter")
    expect(page.get_by_text("No row matches.")).to_be_visible()


def test_pictures_stand_in_cells_and_a_step_shows_its_own_version(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    recorded(tmp_path / "home")
    page.goto(serve_home(tmp_path / "home").url + "/run?project=digits&id=cnn&view=Tables")
    table = page.get_by_role("table", name="val/guesses")

    expect(table.locator(".body")).to_have_count(2)
    picture = table.locator("img").first
    assert picture.evaluate("(i) => i.decode().then(() => i.naturalWidth)") == 40
    expect(picture).to_have_attribute("alt", "a digit (image, 40 × 30)")

    page.get_by_label("Step of val/guesses").click()
    page.get_by_role("option", name="Step 1").click()
    expect(table.locator(".body")).to_have_count(1)
    expect(table.locator(".body").first).to_contain_text("seven-0")
