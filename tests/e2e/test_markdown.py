"""Chats in markdown in a real Chromium: elements of our own, nothing that runs, is fetched or leads away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server
from playwright.sync_api import Page, expect
from richhome import MARKDOWN, SCRIPT

import weft
from weft.tracking.store.access import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
ODD = [
    "**never closed, `nor this, *nor that",
    "f(*args, **kwargs) and 2*3*4 and __init__ and a_b_c",
    "***both*** and **bold *with em* in it** and *em **with bold***",
    "\\*not em\\* and `a * b` and ``two ` ticks``",
    "> quoted\n> > twice\n\n- - -\n\n1) one\n5) two\n\n   still two\n\nafter",
    "| a | b |\n|---|---|\n| only one |\n| `x` | 2 | 3 |\nafter the table",
    f"[{SCRIPT}](https://e.example/{SCRIPT}) [x](data:text/html,1)",
    "```html\n<b>never closed\n# no heading",
    "* " * 400 + "x",
    "\n".join("  " * at + "- deep" for at in range(40)),
    "*a " * 2000,
    "[" * 3000 + "](" * 3000,
    "\x1b[31m \u202e [redacted:email]",
]


def test_chats_show_their_markdown_and_nothing_of_it_runs(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    """And every character of what cannot be read stays; the raw words are a click away."""
    home = tmp_path / "home"
    weft.configure(home=home, project="p")

    @weft.op(kind="llm")
    def chat(model: str, messages: list[dict[str, str]]) -> dict[str, object]:
        return {"choices": [{"message": {"role": "assistant", "content": MARKDOWN}}]}

    chat("m", [{"role": "user", "content": text} for text in ODD] + [{"role": "tool", "content": "**as it is**"}])
    weft.flush()
    open_store().close()
    page.goto(serve_home(home).url + "/traces")
    page.locator(".body a.go").first.click()
    answer = page.locator(".msg.assistant")
    expect(answer.locator("[role=heading]")).to_have_text("What a decorator is")
    expect(answer.locator("strong")).to_have_text("decorator")
    expect(answer.locator("em")).to_have_text("another")
    expect(answer.locator("ol > li")).to_have_count(3)
    expect(answer.locator("ol > li ul > li")).to_have_count(2)
    expect(answer.locator("tbody td").last).to_have_text("f = a(1)(f)")
    expect(answer.locator("tbody td").last).to_have_css("text-align", "right")
    expect(answer.locator("pre")).to_have_text("@twice\ndef add(a, b):\n    return a + b")
    expect(answer.locator("s")).to_have_text("never")
    expect(answer).to_contain_text("the reference (https://docs.python.org/3/reference/)")
    expect(answer).to_contain_text("picture a picture (https://evil.example/p.png)")
    expect(answer).to_contain_text('run me (javascript:window.pwned=3) <b onclick="window.pwned=4">raw</b>')
    expect(answer.locator("a, img, b")).to_have_count(0)
    answer.get_by_role("button", name="raw").click()
    expect(answer.locator(".inside")).to_contain_text("A **decorator** is")
    said = page.locator(".msg.user .inside")
    for at, shown in {
        0: ODD[0],
        1: ODD[1],
        2: "both and bold with em in it and em with bold",
        3: "*not em* and a * b and two ` ticks",
        12: "⟨ESC⟩[31m ⟨U+202E⟩ [redacted:email]",
    }.items():
        expect(said.nth(at)).to_have_text(shown)
    expect(said.nth(2).locator("strong")).to_have_count(3)
    expect(said.nth(3).locator("code")).to_have_text(["a * b", "two ` ticks"])
    expect(said.nth(4).locator("blockquote blockquote")).to_have_text("twice")
    expect(said.nth(4).locator("ol > li").last).to_contain_text("still two")
    expect(said.nth(5).locator("tbody tr")).to_have_count(2)
    expect(said.nth(7).locator("pre")).to_have_text("<b>never closed\n# no heading")
    expect(said.nth(12).locator(".redacted")).to_have_text("[redacted:email]")
    expect(page.locator(".msg.tool .inside")).to_have_text("**as it is**")
    assert page.evaluate("window.pwned") is None


def test_an_unknown_span_and_an_unknown_address_are_said(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    home = tmp_path / "home"
    weft.configure(home=home, project="p")
    with weft.span("outer") as span:
        pass
    weft.flush()
    open_store().close()
    url = serve_home(home).url
    page.goto(f"{url}/trace?id={span.trace_id}&span=0123456789abcdef")
    expect(page.get_by_text("There is no span 0123456789abcdef in this trace")).to_be_visible()
    page.goto(f"{url}/no/such<b>")
    expect(page.get_by_text("The app has nothing at '/no/such<b>'")).to_be_visible()
    page.get_by_role("link", name="Overview").last.click()
    expect(page.get_by_text("Latest traces")).to_be_visible()
