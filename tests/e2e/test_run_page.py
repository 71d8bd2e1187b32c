"""Runs as a user meets them, in a real Chromium: the list, what tells them apart, and the views of one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Server
from playwright.sync_api import Page, expect
from richhome import SCRIPT
from test_screens import rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The rich home, served."""
    home = tmp_path_factory.mktemp("rich") / "home"
    script = Path(__file__).with_name("richhome.py")
    subprocess.run(
        [sys.executable, str(script), str(home), "801"], check=True, env={**os.environ, "WEFT_HOME": str(home)}
    )
    server = Server(home)
    yield server.url
    server.stop()


def view(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).or_(
        page.get_by_role("radio", name=name, exact=True)
    ).first.click()


def test_the_list_tells_runs_apart_and_is_filtered_and_sorted(page: Page, url: str) -> None:
    """By settings, metrics, tags and groups; an alert is seen; nothing that was recorded runs."""
    page.goto(f"{url}/runs")
    expect(rows(page, "Runs")).to_have_count(8)
    broken = rows(page, "Runs").filter(has_text="loud-finch-9")
    expect(broken.locator(".error", has_text="▲ 1")).to_have_attribute("title", "error: Diverged")
    expect(broken).to_contain_text("failed")
    assert page.evaluate("window.pwned") is None
    page.goto(f"{url}/runs?project=digits&tag=cnn")
    expect(rows(page, "Runs")).to_have_count(2)
    page.get_by_role("button", name="train/loss.min").click()
    expect(page).to_have_url(re.compile("sort=-summary.train"))
    expect(rows(page, "Runs")).to_have_count(2)
    page.get_by_placeholder("Search names").fill("LOGISTIC")
    page.keyboard.press("Enter")
    expect(rows(page, "Runs")).to_have_count(1)
    page.get_by_role("link", name="calm-otter-8").or_(page.get_by_role("link", name="brisk-heron-7")).click()
    expect(page.get_by_text("The first one that beats logistic regression.")).to_be_visible()


def test_a_run_has_a_view_for_each_kind_of_thing_that_it_logged(page: Page, url: str) -> None:
    page.goto(f"{url}/run?project=digits&id=cnn-1")
    expect(page.get_by_text("Loss spiked")).to_be_visible()
    expect(page.get_by_text(SCRIPT).first).to_be_visible()
    expect(page.get_by_text("by epoch").first).to_be_visible()
    expect(page.locator("[class*=weft-chart-epoch]")).to_have_count(0)
    view(page, "Media")
    expect(page.locator("figure.image")).to_have_count(4)
    view(page, "Tables")
    expect(rows(page, "predictions")).to_have_count(40)
    view(page, "Artifacts")
    expect(rows(page, "Used by the run")).to_have_count(1)
    page.get_by_role("link", name="digits-cnn:v2").click()
    expect(page).to_have_url(re.compile(r"/artifact\?.*version=v2"))
    expect(page.get_by_text("A small network for digits")).to_be_visible()
    assert page.evaluate("window.pwned") is None


def test_of_200_metrics_only_the_first_sections_are_drawn(page: Page, url: str) -> None:
    """The others open when asked, and any metric is found by its name."""
    page.goto(f"{url}/run?project=digits&id=wide")
    charts = page.locator("[class*=weft-chart-layer]")
    expect(charts).to_have_count(30)
    page.get_by_text("layer_19 10").click()
    expect(charts).to_have_count(40)
    page.get_by_placeholder("Find a metric").fill("layer_7/BIAS")
    page.keyboard.press("Enter")
    expect(charts).to_have_count(5)


def test_a_run_that_logged_nothing_says_how(page: Page, url: str) -> None:
    page.goto(f"{url}/run?project=digits&id=nothing")
    expect(page.get_by_text("Nothing logged by step")).to_be_visible()
    expect(page.get_by_placeholder("Find a metric")).to_have_count(0)
    expect(page.get_by_text("Media", exact=True)).to_have_count(0)
