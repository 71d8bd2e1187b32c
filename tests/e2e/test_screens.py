"""Every screen in a real Chromium, on a home full of records."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Seeder, Served, Server, seed
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def rows(page: Page, label: str) -> Any:
    """The body rows of a list."""
    return page.get_by_role("table", name=label, exact=True).locator(".body")


def sound(page: Page) -> None:
    """No stack trace, nothing broken, on this screen."""
    expect(page.locator(".weft-broken")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert "Traceback" not in page.inner_text("body")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/", "Latest traces"),
        ("/traces", "traces"),
        ("/evaluations", "Evaluations"),
        ("/runs", "Runs"),
    ],
)
def test_each_list_loads(page: Page, served: Served, path: str, says: str) -> None:
    """Each screen of the navigation shows rows and no error."""
    page.goto(served.url + path)
    expect(page.locator(".body").first).to_be_visible()
    expect(page.get_by_text(says).first).to_be_visible()
    sound(page)


def test_filters_stand_in_the_url_and_narrow_the_rows(page: Page, served: Served) -> None:
    """A status chosen by mouse goes into the URL; that URL alone shows the same rows."""
    page.goto(f"{served.url}/traces?project=ask-python")
    expect(page.locator(".body").first).to_be_visible()
    page.locator(".pick", has_text="Status").click()
    page.get_by_role("option", name="error").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"status=error"))
    expect(page.locator(".weft-label", has_text="traces").first).to_contain_text("16 traces")
    expect(page.locator(".body .status-ok")).to_have_count(0)
    page.goto(page.url)
    expect(page.locator(".weft-label", has_text="traces").first).to_contain_text("16 traces")
    expect(page.locator(".body .status-ok")).to_have_count(0)


def test_search_finds_text_in_inputs_and_outputs(page: Page, served: Served) -> None:
    """The search box filters by what was given and said, and is in the URL."""
    page.goto(f"{served.url}/traces?project=ask-python")
    expect(page.locator(".body").first).to_be_visible()
    page.get_by_placeholder("Search names").fill("metaclass")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=metaclass"))
    expect(page.locator(".body", has_text="decorators")).to_have_count(0)
    assert rows(page, "Traces").count() > 0


def test_an_order_is_in_the_url(page: Page, served: Served) -> None:
    """A click on a head sorts in SQL, longest first."""
    page.goto(f"{served.url}/traces?project=ask-python")
    page.get_by_role("button", name="Duration").click()
    expect(page).to_have_url(re.compile(r"sort=-duration_ns"))
    expect(page.get_by_role("columnheader", name="Duration")).to_have_attribute("aria-sort", "descending")
    expect(page.locator(".body").first).to_contain_text("crawl")


def test_pages_of_a_list(page: Page, served: Served) -> None:
    """The second page has other rows, and its own URL."""
    page.goto(f"{served.url}/traces?project=ask-python")
    first = rows(page, "Traces").first.get_attribute("data-id")
    page.get_by_test_id("stPagination").get_by_text("2", exact=True).click()
    expect(page).to_have_url(re.compile(r"page=2"))
    expect(page.locator(f"[data-id='{first}']")).to_have_count(0)
    expect(page.locator(".weft-label", has_text="51 – 100")).to_be_visible()


def test_from_the_list_to_the_chat_of_a_span(page: Page, served: Served) -> None:
    """A click opens the trace; its LLM span shows the conversation, with the tool call in it."""
    page.goto(f"{served.url}/traces?project=ask-python&q=decorators&status=ok")
    expect(page.locator(".body").first).to_be_visible()
    page.locator(".body a.go").first.click()
    expect(page).to_have_url(re.compile(r"/trace\?id=[0-9a-f]{32}"))
    page.get_by_role("treeitem").filter(has_text="chat gpt-4o-mini").click()
    expect(page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".msg.user")).to_contain_text("how do decorators work?")
    expect(page.locator(".msg .call .fn")).to_contain_text("lookup")
    expect(page.locator(".msg.assistant").last).to_contain_text("A decorator is a function")
    expect(page).to_have_url(re.compile(r"span=[0-9a-f]{16}"))
    sound(page)


def test_back_keeps_the_filter(page: Page, served: Served) -> None:
    """The browser's back leads to the list as it was."""
    page.goto(f"{served.url}/traces?project=ask-python&q=decorators")
    expect(page.locator(".body").first).to_be_visible()
    page.locator(".body a.go").first.click()
    expect(page.get_by_role("tree")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/traces\?.*q=decorators"))
    expect(page.get_by_placeholder("Search names")).to_have_value("decorators")
    expect(page.locator(".body", has_text="metaclass")).to_have_count(0)


def test_a_row_opens_in_a_new_tab_by_its_url(context: BrowserContext, page: Page, served: Served) -> None:
    """Control-click is the browser's own: the row is a link."""
    page.goto(f"{served.url}/traces?project=ask-python")
    with context.expect_page() as opened:
        page.locator(".body a.go").first.click(modifiers=["Control"])
    expect(opened.value.get_by_role("tree")).to_be_visible()
    assert "/traces" in page.url


def test_the_keyboard_walks_a_trace(page: Page, served: Served) -> None:
    """Down moves the cursor, left folds, e finds the next error, / finds by name."""
    page.goto(f"{served.url}/trace?id={served.made.failed}")
    cursor = page.locator(".sp.current")
    expect(cursor).to_contain_text("answer")
    page.keyboard.press("ArrowDown")
    expect(cursor).to_contain_text("plan")
    page.keyboard.press("e")
    expect(cursor).to_contain_text("read")
    before = page.get_by_role("treeitem").count()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treeitem")).to_have_count(before - 1)
    page.keyboard.press("/")
    page.keyboard.type("bm25")
    expect(cursor).to_contain_text("bm25")
    expect(page.locator(".weft-broken")).to_have_count(0)


def test_an_error_is_what_one_sees_first(page: Page, served: Served) -> None:
    """A failed span opens on its error with the stack trace."""
    page.goto(f"{served.url}/trace?id={served.made.failed}")
    expect(page.locator(".fail")).to_contain_text("429 Too Many Requests")
    expect(page.locator("pre.block")).to_contain_text("agent.py")


def test_a_large_trace_draws_only_what_is_in_view(page: Page, served: Served) -> None:
    """1,301 spans, some dozens of rows in the page, and the last one a key away."""
    page.goto(f"{served.url}/trace?id={served.made.large}")
    expect(page.get_by_role("treeitem").first).to_be_visible()
    assert page.get_by_role("treeitem").count() < 90
    page.keyboard.press("End")
    expect(page.locator(".sp.current")).to_contain_text("fetch 1199")
    expect(page.get_by_role("tabpanel").or_(page.locator(".content"))).to_contain_text("1199")
    assert page.get_by_role("treeitem").count() < 90


def test_a_running_trace_says_so(page: Page, served: Served) -> None:
    """What has not ended is running, with the time so far, never a zero."""
    page.goto(f"{served.url}/trace?id={served.made.running}")
    expect(page.locator(".title .status-running")).to_be_visible()
    expect(page.locator(".sp .time").first).to_contain_text("…")


def test_an_evaluation_and_a_row_to_its_trace(page: Page, served: Served) -> None:
    """Scorers with their intervals, failing cases on demand, and a case is a click from its trace."""
    page.goto(f"{served.url}/evaluations?project=ask-python")
    page.locator(".body a.go").first.click()
    expect(page).to_have_url(re.compile(r"/evaluation\?.*id="))
    expect(rows(page, "Scorers").filter(has_text="right_topic")).to_contain_text("±")
    expect(rows(page, "Cases")).to_have_count(40)
    page.get_by_test_id("stButtonGroup").get_by_text("Errors", exact=True).click()
    expect(rows(page, "Cases")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"show=Errors"))
    rows(page, "Cases").locator("a.go").first.click()
    expect(page.get_by_role("tree")).to_be_visible()
    expect(page.locator(".fail")).to_contain_text("RateLimitError")
    sound(page)


def test_a_run_and_its_charts(page: Page, served: Served) -> None:
    """Metrics as charts, the spike of 6,000 points still counted, the settings beside them."""
    page.goto(f"{served.url}/runs?project=ask-python")
    rows(page, "Runs").filter(has_text="brisk-heron-7").locator("a.go").click()
    expect(page).to_have_url(re.compile(r"/run\?.*id="))
    expect(page.get_by_test_id("stEChartsChart").locator("canvas").first).to_be_visible()
    expect(page.get_by_test_id("stEChartsChart")).to_have_count(4)
    expect(page.locator(".weft-label", has_text="train/loss").first).to_contain_text("6,000 points")
    expect(page.locator(".tree")).to_contain_text("adamw")
    sound(page)


def test_the_project_switch_narrows_every_list(page: Page, served: Served) -> None:
    """The chosen project travels in the URL and over the navigation."""
    page.goto(f"{served.url}/traces?project=hostile")
    expect(rows(page, "Traces")).to_have_count(1)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Runs").click()
    expect(rows(page, "Runs")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"project=hostile"))


def test_hostile_content_is_text(page: Page, served: Served) -> None:
    """Scripts, images, markdown, ANSI and bidirectional marks show as they were written, and nothing is fetched."""
    for path in (
        "/?project=hostile",
        "/traces?project=hostile",
        f"/trace?id={served.made.hostile}",
        "/runs?project=hostile",
        "/run?project=hostile&id=hostile-1",
    ):
        page.goto(served.url + path)
        expect(page.get_by_text("<script>window.pwned=1</script>").locator("visible=true").first).to_be_visible()
        assert page.evaluate("window.pwned") is None
        sound(page)
    page.goto(f"{served.url}/trace?id={served.made.hostile}")
    expect(page.get_by_role("treeitem")).to_have_count(2)
    for name in page.get_by_role("treeitem").all():
        name.click()
        for tab in page.get_by_role("tab").all():
            tab.click()
            assert page.evaluate("window.pwned") is None
    page.get_by_role("tab", name="Chat").click()
    expect(page.locator(".msg").first).to_contain_text("⟨ESC⟩[31mred")
    expect(page.locator(".msg").first).to_contain_text("⟨U+202E⟩")
    assert page.locator("img[src*='evil']").count() == 0


def test_new_traces_come_in_by_themselves(page: Page, tmp_path: Any, serve_home: Callable[..., Server]) -> None:
    """An empty home says how to fill it, and a trace written meanwhile appears without a reload."""
    home = tmp_path / "live"
    server = serve_home(home)
    page.goto(f"{server.url}/traces")
    expect(page.get_by_text("No traces yet")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_contain_text("@weft.op")
    seeder = Seeder(home)
    seeder.answer(seeder.now, "how do decorators work?", "function", "They wrap.")
    expect(rows(page, "Traces")).to_have_count(1)
    seeder.answer(seeder.now + 1, "what is a metaclass?", "metaclasses", "The class of a class.")
    expect(rows(page, "Traces")).to_have_count(2)


def test_a_page_beyond_the_end_is_the_last(page: Page, served: Served) -> None:
    """A link to page 9 of a list that has become shorter shows its last page; a filter starts at the first."""
    page.goto(f"{served.url}/traces?project=ask-python&page=9")
    expect(page.locator(".weft-label", has_text="of 263")).to_contain_text("251 – 263")
    expect(rows(page, "Traces")).to_have_count(13)
    page.get_by_placeholder("Search names").fill("a")
    page.keyboard.press("Enter")
    expect(page.locator(".weft-label", has_text=" of ")).to_contain_text("1 – 50")


def test_a_drag_over_a_chart_narrows_the_time(page: Page, served: Served) -> None:
    """The range goes into the URL, the list follows, and a button takes it back."""
    page.goto(f"{served.url}/traces?project=ask-python")
    plot = page.locator(".plot").first
    plot.wait_for()
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(page.locator(".weft-label", has_text="traces").first).not_to_contain_text("263 traces")
    page.get_by_test_id("stButton").get_by_role("button").click()
    expect(page.locator(".weft-label", has_text="traces").first).to_contain_text("263 traces")


def test_the_traces_of_a_run(page: Page, served: Served) -> None:
    """An evaluation leads to its traces, and they to all others."""
    page.goto(f"{served.url}/evaluation?project=ask-python&id={served.made.evaluation}")
    page.get_by_role("link", name="All its traces").click()
    expect(page.locator(".weft-label", has_text="of run")).to_be_visible()
    expect(rows(page, "Traces")).to_have_count(40)
    rows(page, "Traces").first.locator("a.go").click()
    page.get_by_role("tab", name="Scores 3").click()
    expect(page.locator(".kv")).to_contain_text("right_topic")


def test_a_part_that_fails_says_so_in_place(page: Page, tmp_path: Any, serve_home: Callable[..., Server]) -> None:
    """The result table's file is gone: the cases say which; the summary above them stands."""
    home = tmp_path / "damaged"
    made = seed(home)
    shutil.rmtree(home / "blobs")
    server = serve_home(home)
    page.goto(f"{server.url}/evaluation?project=ask-python&id={made.evaluation}")
    expect(page.get_by_role("alert")).to_contain_text("The cases could not be read")
    expect(rows(page, "Scorers")).to_have_count(3)


@pytest.mark.parametrize("path", ["/", "/evaluations", "/runs"])
def test_empty_screens_show_the_code_that_fills_them(page: Page, empty_home: Server, path: str) -> None:
    """Nothing recorded: a few lines to copy, no error."""
    page.goto(empty_home.url + path)
    expect(page.locator(".weft-empty")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_contain_text("weft")
    sound(page)


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = Server(tmp_path_factory.mktemp("empty") / "home")
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/trace?id=00000000000000000000000000000001", "No such trace"),
        ("/trace?id=not-an-id", "No such trace"),
        ("/trace", "No trace chosen"),
        ("/run?id=nothing", "No such run"),
        ("/evaluation?id=nothing", "No such evaluation"),
    ],
)
def test_an_unknown_id_says_what_to_do(page: Page, served: Served, path: str, says: str) -> None:
    """A link to what is not there names it, says where it may be and leads back."""
    page.goto(served.url + path)
    expect(page.locator(".weft-empty")).to_contain_text(says)
    expect(page.locator(".weft-empty a")).to_be_visible()


def test_a_newer_store_is_said_in_words(page: Page, tmp_path: Any, serve_home: Callable[..., Server]) -> None:
    """A store that a newer weft wrote: what was found and what to do, no stack trace."""
    home = tmp_path / "newer"
    seed(home)
    with sqlite3.connect(home / "weft.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    server = serve_home(home)
    page.goto(server.url)
    expect(page.get_by_role("alert")).to_contain_text("A newer weft wrote it")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_home_that_is_a_file_is_said_in_words(page: Page, tmp_path: Any, serve_home: Callable[..., Server]) -> None:
    """The app stands, says which file is in the way, and what to set."""
    home = tmp_path / "file"
    home.write_text("not a folder")
    server = serve_home(home)
    page.goto(server.url)
    expect(page.get_by_role("alert")).to_contain_text("WEFT_HOME")
