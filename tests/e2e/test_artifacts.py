"""From the list of artifacts to a version, its files, its lineage and another version, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Server
from playwright.sync_api import Page, expect
from test_screens import rows, sound

from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.runs.starting import start_run
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.tables import Table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
EVIL = "<img src=x onerror='window.pwned=1'>"


@pytest.fixture
def app(tmp_path: Path, serve_home: Callable[..., Server]) -> str:
    """digits v0 and v1, made by prepare and used by train, which makes a model; names that would run if they could."""
    home = tmp_path / "served"
    runtime.configure(Settings.resolve(home=home, project="p", strict=True))
    for at in range(2):
        with start_run(project="p", name=f"prepare {EVIL}", id=f"prepare-{at}") as run:
            data = Artifact("digits", "dataset", f"described {EVIL}", metadata={"seed": at, "evil": EVIL})
            data.add_bytes(b"plain words\n" * 3, "notes.txt")
            data.add_bytes(f"<script>window.pwned=2</script>{at}".encode(), f"pages/{at}.html")
            data.add_bytes(b"\x00\x01\x02" * 10, "raw.bin")
            data.add(Table(columns=["word"], data=[["cell words"]]), "table")
            run.log_artifact(data, aliases=["best"] if at else [])
    with start_run(project="p", name="train", id="train") as run:
        run.use_artifact("digits:best", use_as="training data")
        model = Artifact("net", "model")
        model.add_bytes(b"weights", "w.bin")
        run.log_artifact(model)
    open_store().close()
    runtime.reset()
    return serve_home(home).url


def test_from_the_list_to_a_version_and_along_its_lineage(page: Page, app: str) -> None:
    page.goto(f"{app}/artifacts")
    expect(rows(page, "Artifacts")).to_have_count(2)
    page.get_by_role("link", name="digits").click()
    expect(page).to_have_url(re.compile(r"/artifact\?.*version=v1"))
    expect(rows(page, "Files")).to_have_count(4)
    expect(page.get_by_text("@best")).to_be_visible()
    lineage = page.get_by_role("group", name="Lineage")
    expect(lineage.get_by_role("link")).to_have_count(4)
    expect(lineage.locator("[aria-current=page]")).to_contain_text("digits:v1")
    for label in ("Larger", "Larger", "Larger"):
        page.get_by_role("button", name=label).click()
    assert lineage.evaluate("frame => frame.scrollWidth > frame.clientWidth")
    page.get_by_role("button", name="All of it").click()
    assert lineage.evaluate("frame => frame.scrollWidth <= frame.clientWidth")
    lineage.get_by_role("link", name="net:v0").click()
    expect(page).to_have_url(re.compile(r"name=net.*version=v0"))
    expect(rows(page, "Files")).to_have_count(1)
    page.get_by_role("group", name="Lineage").get_by_role("link", name=re.compile("^train")).click()
    expect(page).to_have_url(re.compile(r"/run\?.*id=train"))
    page.go_back()
    expect(rows(page, "Files")).to_have_count(1)
    sound(page)


@pytest.mark.parametrize(
    ("file", "shows"),
    [
        ("notes.txt", "plain words"),
        ("pages%2F1.html", "<script>window.pwned=2</script>1"),
        ("raw.bin", "nothing to show"),
        ("table.parquet", "cell words"),
    ],
)
def test_a_file_is_looked_at_as_what_it_is_and_never_run(page: Page, app: str, file: str, shows: str) -> None:
    page.goto(f"{app}/artifact?project=p&name=digits&version=v1&file={file}")
    expect(page.get_by_text(shows).first).to_be_visible()
    sound(page)
    assert page.evaluate("window.pwned") is None


def test_two_versions_are_compared(page: Page, app: str) -> None:
    page.goto(f"{app}/artifact?project=p&name=digits&version=v1&with=v0")
    found: Any = rows(page, "Difference")
    expect(found).to_have_count(3)
    expect(found.nth(0)).to_contain_text("+ pages/1.html")
    expect(found.nth(1)).to_contain_text("− pages/0.html")
    expect(found.nth(2)).to_contain_text("metadata seed")
    sound(page)


def test_what_there_is_not_is_said_with_a_way_on(page: Page, app: str) -> None:
    page.goto(f"{app}/artifact?project=p&name=digits&version=v9")
    expect(page.get_by_text("No such version")).to_be_visible()
    page.get_by_role("link", name="All artifacts").click()
    expect(rows(page, "Artifacts")).to_have_count(2)
