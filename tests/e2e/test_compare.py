"""Runs picked in their list and looked at beside each other, in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e

PROGRAM = """
import weft
for at, rate in enumerate((0.1, 0.2, 0.3)):
    name = "<script>window.pwned=1</script>" if at == 2 else f"run-{at}"
    config = {"lr": rate, "batch": 64, "words_of_context": at}
    with weft.init("p", id=f"r{at}", name=name, config=config) as run:
        for step in range(20):
            run.log({"val/a_rather_long_name_of_a_metric/accuracy": step * rate, "loss": 1 / (step + 1)})
"""


@pytest.fixture
def app(serve_home: Callable[..., Server], tmp_path: Path) -> str:
    """Three runs, served."""
    home = tmp_path / "home"
    env = os.environ | {"WEFT_HOME": str(home)}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=env, check=True, stdout=subprocess.DEVNULL)
    return serve_home(home).url


def test_picked_runs_are_compared(app: str, page: Page) -> None:
    """By box and by key; one alone leads nowhere; the way back leads to the list."""
    page.goto(f"{app}/runs")
    rows = page.locator(".body")
    expect(rows).to_have_count(3)
    bar = page.get_by_role("status").filter(has_text="selected")
    expect(bar).to_be_hidden()
    rows.nth(2).get_by_role("checkbox").check()
    expect(bar).to_contain_text("1 selected")
    assert bar.locator(".open").get_attribute("href") is None
    page.keyboard.press("Escape")  # from the box; keys belong to the list again
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("link", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/compare\?runs=p%2Fr0&runs=p%2Fr2$"))
    table = page.get_by_role("table", name="Differences")
    expect(table.locator(".body").first).to_contain_text("lr")
    expect(table).to_contain_text("0.3")
    expect(table).not_to_contain_text("batch")
    page.get_by_role("radio", name="All values").or_(page.get_by_role("button", name="All values")).first.click()
    expect(table).to_contain_text("batch")
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.get_by_text("<script>window.pwned=1</script>").first).to_be_visible()
    assert page.evaluate("window.pwned") is None
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Runs").click()
    expect(rows).to_have_count(3)
    page.go_back()
    expect(page).to_have_url(re.compile("/compare"))
    expect(table).to_contain_text("batch")


def test_what_is_not_there_is_said(app: str, page: Page) -> None:
    page.goto(f"{app}/compare?runs=p%2Fr0&runs=p%2Fnope&runs=%3Cb%3E")
    expect(page.get_by_text("Not here")).to_contain_text("p/nope, <b>")
    expect(page.locator("canvas").first).to_be_visible()
    page.goto(f"{app}/compare")
    expect(page.get_by_text("No runs to compare")).to_be_visible()


def test_a_long_head_keeps_its_end_and_a_run_leads_up(app: str, page: Page) -> None:
    """What tells metrics apart stands at the end of their names."""
    page.goto(f"{app}/runs?q=run-1")
    expect(page.locator(".body")).to_have_count(1)
    head = page.get_by_role("columnheader", name=re.compile("accuracy"))
    end = head.locator(".ends > span").last
    expect(end).to_have_text("accuracy")
    assert end.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    plain = page.get_by_role("columnheader", name=re.compile("context"))  # no /: the middle is left out all the same
    expect(plain.locator(".ends > span")).to_have_text(["words_", "of_context"])
    page.get_by_role("link", name="run-1").click()
    expect(page.get_by_role("heading", name="run-1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/runs.*q=run-1"))
    expect(page.locator(".body")).to_have_count(1)
