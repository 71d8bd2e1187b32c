"""What the tracer can say of a call, in a real Chromium: each thing shown, nothing of it obeyed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from conftest import Server
from playwright.sync_api import Page, expect
from recorded import EVIL, KINDS, Recorded, record

import weft

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


class App(NamedTuple):
    url: str
    made: Recorded
    home: Path


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One home and server for all tests here."""
    home = tmp_path_factory.mktemp("recorded") / "home"
    made = record(home)
    server = Server(home)
    yield App(server.url, made, home)
    server.stop()


def opened(page: Page, app: App, trace: str, span: str = "", tab: str = "") -> Any:
    """A trace, a span of it, a tab of that; the details pane."""
    page.goto(f"{app.url}/trace?id={trace}")
    expect(page.get_by_role("tree")).to_be_visible()
    if span:
        page.get_by_role("treeitem").filter(has=page.locator(".label", has_text=re.compile(f"^{span}$"))).click()
    if tab:
        page.get_by_role("tab", name=re.compile(f"^{tab}")).click()
    return page.locator(".pane").last


def test_every_kind_has_its_word(page: Page, app: App) -> None:
    """Agent, llm, tool, retriever, embedding, guardrail, scorer, chain; an op is drawn in the before-call's trace."""
    opened(page, app, app.made.whole)
    shown = {row.get_attribute("title") for row in page.locator(".sp .who").all()}
    assert {title.split(" · ")[0] for title in shown if title} == set(KINDS) - {"op"}


def test_code_stands_beside_the_call(page: Page, app: App) -> None:
    """File and line, version, the source with its line numbers, and no secret in it."""
    pane = opened(page, app, app.made.whole, "answer", "Code")
    expect(pane).to_contain_text(re.compile(r"recorded\.py:\d+"))
    expect(pane).to_contain_text(re.compile(r"answer v0 · [0-9a-f]{12}"))
    expect(pane.locator("pre")).to_contain_text("def answer(question: str, before: Any) -> str:")
    expect(pane.locator("pre .redacted")).to_have_text("[redacted:api-key]")


def test_links_lead_to_what_they_name(page: Page, app: App) -> None:
    pane = opened(page, app, app.made.whole, "answer", "Attributes")
    expect(pane).to_contain_text("asked before")
    pane.get_by_role("link", name=re.compile("^span [0-9a-f]{16} of trace")).click()
    expect(page.locator(".title h1")).to_have_text("before")


def test_feedback_is_told_by_kind_and_author(page: Page, app: App) -> None:
    """A score, a yes with its reason, an emoji, a note, a label: who said it, and why."""
    pane = opened(page, app, app.made.whole, "answer", "Scores")
    for text in ("it was in the reference", "short and right", "👍", "by bo", "good example for the tests", "friendly"):
        expect(pane.locator(".kv")).to_contain_text(text)


def test_tags_are_chips_and_a_filter(page: Page, app: App) -> None:
    """On the trace, on its span, in the list; and what is chosen narrows the list."""
    opened(page, app, app.made.whole, "answer")
    expect(page.locator(".title .chip")).to_have_text(["prod", "rain <i>x</i>"])
    expect(page.locator(".meta .chip")).to_have_text(["prod", "rain <i>x</i>"])
    page.goto(f"{app.url}/traces?project=recorded")
    page.locator(".pick", has_text="Tag").click()
    page.get_by_role("option", name="prod").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("tag=prod"))
    expect(page.get_by_role("table", name="Traces").locator(".body")).to_have_count(1)
    expect(page.locator(".body .chip")).to_have_text(["prod +1"])


def test_a_cost_tells_its_parts_and_estimates_are_marked(page: Page, app: App) -> None:
    """Hover says what a cost is made of; counted tokens have their sign in the span, the chat and the trace's head."""
    opened(page, app, app.made.whole, "chat")
    expect(page.locator(".meta [title*='cached $']")).to_contain_text("$0.00018")
    opened(page, app, app.made.estimated, "silent model")
    expect(page.locator(".meta .flag")).to_contain_text("estimated")
    expect(page.locator(".meta")).to_contain_text(re.compile(r"out ≈ \d+"))
    expect(page.locator(".title .facts")).to_contain_text(re.compile(r"≈ \d+ tok"))
    expect(page.locator(".title [title*='were estimated']").first).to_be_visible()


def test_secrets_that_were_taken_out_are_marked(page: Page, app: App) -> None:
    pane = opened(page, app, app.made.whole, "call_service")
    expect(pane.locator(".redacted")).to_have_text(["[redacted:api_key]", "[redacted:api-key]"])


def test_what_a_provider_threw_away_is_said(page: Page, app: App) -> None:
    opened(page, app, app.made.lossy)
    expect(page.locator(".lost")).to_contain_text("3 attributes not kept by the span limits")
    expect(page.locator(".lost")).to_contain_text("5 events not kept by the span limits")


def test_cancelled_and_interrupted_are_words(page: Page, app: App) -> None:
    """Neither is an error, neither is ok."""
    for trace, word in ((app.made.cancelled, "cancelled"), (app.made.interrupted, "interrupted")):
        opened(page, app, trace)
        expect(page.locator(f".title .status-{word}")).to_have_text(word)
        expect(page.locator(".sp .note")).to_have_text(word)


def test_messages_in_parts_read_as_a_chat(page: Page, app: App) -> None:
    pane = opened(page, app, app.made.whole, "think")
    expect(pane.locator(".msg.tool .call")).to_contain_text("it was dry")
    expect(pane.locator(".msg.assistant .thought")).to_contain_text("The reference says so.")
    expect(pane.locator(".msg.assistant .call .fn")).to_contain_text("find")


def test_search_finds_words_anywhere_in_a_trace(page: Page, app: App) -> None:
    """By the index: a word that only an inner call was given, and the beginning of one."""
    page.goto(f"{app.url}/traces?project=recorded&q=refere")
    rows = page.get_by_role("table", name="Traces").locator(".body")
    expect(rows).to_have_count(3)
    page.get_by_placeholder("Search names").fill('"rains in bergen" -snow')
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    page.get_by_placeholder("Search names").fill("…")
    page.keyboard.press("Enter")
    expect(page.locator(".weft-note")).to_contain_text("looked for as it stands")


def test_a_session_is_its_turns_as_a_conversation(page: Page, app: App) -> None:
    """From the list to one session, its turns in order, and from a turn to its trace and back to the session."""
    page.goto(f"{app.url}/sessions?project=recorded")
    row = page.get_by_role("table", name="Sessions").locator(".body", has_text="rainy")
    expect(row).to_contain_text("3")
    row.locator("a.go").click()
    expect(page).to_have_url(re.compile("/session\\?"))
    expect(page.locator(".weft-talk .asked")).to_have_text(
        ["where does it rain?", "and where is sun?", "what of snow?"]
    )
    expect(page.locator(".weft-talk .told").first).to_have_text("It rains in Bergen.")
    page.locator(".weft-talk a").last.click()
    expect(page.locator(".title h1")).to_have_text("answer")
    page.locator(".facts a", has_text="rainy").click()
    expect(page.locator(".weft-talk section")).to_have_count(3)
    page.goto(f"{app.url}/session?id=nothing")
    expect(page.locator(".weft-empty")).to_contain_text("No such session")


def test_a_thumb_and_a_note_are_kept(page: Page, app: App) -> None:
    """Said in the app, they are facts of the trace: shown here, answered by the API, one thumb an author."""
    opened(page, app, app.made.estimated)
    page.get_by_role("button", name="Good", exact=True).first.click()
    expect(page.get_by_role("tab", name="Scores 1")).to_be_visible()
    page.get_by_role("tab", name="Scores 1").click()
    page.get_by_role("textbox", name="Author").fill("ana <b>x</b>")
    page.get_by_role("textbox", name="Note").fill(f"see {EVIL}")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".kv")).to_contain_text("by ana <b>x</b>")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("")
    page.get_by_role("button", name="Good", exact=True).first.click()
    expect(page.get_by_role("tab", name="Scores 3")).to_be_visible()
    page.get_by_role("button", name="Bad", exact=True).first.click()
    expect(page.get_by_role("button", name="Bad", exact=True).first).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".kv .emoji", has_text="👎")).to_have_count(1)
    weft.configure(home=app.home)
    said = [score for score in weft.Api().scores() if score.trace_id == app.made.estimated]
    assert sorted((score.kind, score.label or "", score.author != "ana <b>x</b>") for score in said) == [
        ("note", "", False),
        ("reaction", "👍", True),
        ("reaction", "👎", False),
    ]
    assert page.evaluate("window.pwned") is None


def test_what_cannot_be_kept_is_said_beside_the_buttons(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is recorded: why, and the words come back into the box."""
    made = record(tmp_path / "home")
    monkeypatch.setenv("WEFT_MODE", "disabled")
    server = serve_home(tmp_path / "home")
    page.goto(f"{server.url}/trace?id={made.estimated}")
    page.get_by_role("button", name="Write a note").click()
    page.get_by_role("textbox", name="Note").fill("a thought")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".say .bad")).to_contain_text("WEFT_MODE")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("a thought")


def test_hostile_words_are_text_in_all_of_it(page: Page, app: App) -> None:
    """Tags, authors, notes, reactions, score names, sessions, models, flags: shown as written, links of none."""
    paths = ("/", "/traces?project=recorded", "/sessions", f"/session?project=recorded&id={quote(EVIL)}")
    for path in (*paths, f"/trace?id={app.made.hostile}"):
        page.goto(app.url + path)
        expect(page.get_by_text("<img src=x onerror=").locator("visible=true").first).to_be_visible()
        expect(page.locator(".weft-broken")).to_have_count(0)
        assert page.evaluate("window.pwned") is None
        assert page.locator("a[href^='javascript'], img[src='x']").count() == 0
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("window.pwned") is None
        assert page.locator("a[href^='javascript'], img[src='x']").count() == 0
    page.get_by_role("tab", name=re.compile("^Scores")).click()
    expect(page.locator(".kv").first).to_contain_text("⟨ESC⟩[31m ⟨U+202E⟩gpj")
