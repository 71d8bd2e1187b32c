"""A run's logs, system metrics and environment in a real browser: found, searched, and nothing of them obeyed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server
from playwright.sync_api import BrowserContext, expect

pytestmark = pytest.mark.e2e

PROGRAM = """
import sys, weft
with weft.init("p", id="talks") as run:
    for at in range(1200):
        print("line", at)
    print("\\x1b[31mred\\x1b[0m <script>window.pwned=1</script>")
    sys.stderr.write("10%\\r100%\\n")
"""


def test_logs_system_and_environment(
    context: BrowserContext, serve_home: Callable[..., Server], tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "repository"
    folder.mkdir()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (folder / "train.py").write_text("lr = 1\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    (folder / "train.py").write_text("lr = 2\n")
    unset = ("WEFT_CONSOLE", "WEFT_GIT", "WEFT_PACKAGES", "WEFT_MACHINE", "WEFT_SYSTEM_INTERVAL")
    env = {name: value for name, value in os.environ.items() if name not in unset} | {"WEFT_HOME": str(home)}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    url = serve_home(home).url
    page = context.new_page()
    page.goto(f"{url}/run?project=p&id=talks&view=Logs")
    log = page.get_by_role("log")
    expect(log).to_contain_text("red <script>window.pwned=1</script>")
    expect(log).to_contain_text("100%")
    expect(log).not_to_contain_text("10%\r")
    expect(log.locator(".l-vermillion")).to_have_text("red")
    expect(log.locator(".err .txt")).to_have_text("stderr: 100%")
    expect(log).not_to_contain_text("line 12\n")
    log.get_by_role("button", name="Show earlier lines").click()
    expect(log.locator(".line").first).to_contain_text("line 0")
    page.get_by_placeholder("Search the logs").fill("LINE 77")
    page.keyboard.press("Enter")
    expect(page.get_by_text("11 lines match")).to_be_visible()
    page.get_by_role("button", name="System").or_(page.get_by_role("radio", name="System")).first.click()
    expect(page.get_by_text("Memory of the run")).to_be_visible()
    page.get_by_role("button", name="Environment").or_(page.get_by_role("radio", name="Environment")).first.click()
    expect(page.locator(".weft-diff ins")).to_have_text("+lr = 2")
    expect(page.get_by_text("+ changes")).to_be_visible()
    assert page.evaluate("window.pwned") is None


NUMBERS = """
import weft
for lr in (0.0001234, 1.234e-05, -1.234e-05):
    with weft.init("p", config={"lr": lr}) as run:
        run.log({"acc": lr})
"""


def test_no_number_is_cut_in_the_list_of_runs(
    context: BrowserContext, serve_home: Callable[..., Server], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-c", NUMBERS], env=os.environ | {"WEFT_HOME": str(home)}, check=True)
    page = context.new_page()
    page.goto(f"{serve_home(home).url}/runs")
    numbers = page.locator(".cell.num").filter(has_text="234")
    expect(numbers).to_have_count(6)
    cut = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)"
    for width in (1440, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        assert numbers.evaluate_all(cut) == []
