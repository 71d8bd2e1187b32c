"""The registry in a real Chromium: from the list to a collection, its card, the evaluation behind a promotion."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Server
from playwright.sync_api import Page, expect

import weft
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.errors import GateError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CARD = """# Digits

Reads **handwritten** digits. <script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">

![a picture](https://pictures.example.org/track.png) and ![another][ref]

[ref]: https://pictures.example.org/second.png

| set | accuracy |
|---|---|
| test | 0.97 |

```
![stays](as.it.is)
```
"""


def _version(name: str, content: bytes, kind: str = "model") -> Artifact:
    made = Artifact(name, type=kind)
    made.add_bytes(content, "weights")
    return made


def recorded(home: Path) -> None:
    """Two collections; in one a promotion that an evaluation allowed, and one that it refused."""
    weft.configure(home=home, project="digits")
    with weft.init(id="train") as run:
        for content in (b"one", b"two", b"three"):
            run.log_artifact(_version("cnn", content))
        run.log_artifact(_version("digits-8x8", b"rows", "dataset"))
    rows = [{"question": str(at), "expected": str(at if at else 9)} for at in range(40)]

    @weft.scorer
    def accuracy(output: str, expected: str) -> bool:
        return output == expected

    judged = weft.Evaluation(rows, [accuracy], name="digits-test", project="digits")
    judged.run(lambda question: question, uses="digits/cnn:v0")
    judged.run(lambda question: "7", uses="digits/cnn:v2")
    weft.link_artifact("digits/digits-8x8:v0", "dataset/digits", by="ben")
    weft.link_artifact("digits/cnn:v0", "model/classifier", ["staging"], by="ana")
    weft.link_artifact("digits/cnn:v1", "model/classifier", by="ana")
    weft.link_artifact("digits/cnn:v2", "model/classifier", ["staging", "<b>bold<b>"], by="<i>eve</i>")
    with weft.Api() as api:
        collection = api.collection("model/classifier")
        always = {"eval": "digits-test", "accuracy": "ci>=0.8"}
        collection.protect("production", require=always, by="ana")
        collection.description, collection.tags = CARD, ["vision"]
        collection.save(by="ana")
    require = {"eval": "digits-test", "accuracy": [">=0.9", "ci>=0.85"]}
    weft.promote("digits/cnn:v0", "model/classifier", require=require, note="good enough", by="ana")
    with pytest.raises(GateError):
        weft.promote("registry:classifier:staging", require=require, by="<i>eve</i>")
    weft.flush()


def test_a_collection_shows_versions_card_promotions_and_history(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    with ThreadPoolExecutor(
        1
    ) as apart:  # Playwright's loop runs in this thread, and an evaluation wants one of its own
        apart.submit(recorded, tmp_path / "home").result()
    page.goto(serve_home(tmp_path / "home").url)
    page.get_by_role("link", name="Registry").click()
    listed = page.get_by_role("table", name="Collections")
    expect(listed.locator(".body")).to_have_count(2)
    row = listed.locator(".body", has_text="classifier")
    expect(row).to_contain_text("production v0")
    expect(row.locator(".chip.kept")).to_have_text("production v0")
    expect(row).to_contain_text("<b>bold<b> v2")

    row.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/collection\\?path=model%2Fclassifier"))
    versions = page.get_by_role("table", name="Versions")
    expect(versions.locator(".body")).to_have_count(3)
    expect(versions.locator(".body").first).to_contain_text("digits/cnn:v2")

    card = page.locator(".st-key-card")
    expect(card.locator("strong")).to_have_text("handwritten")
    expect(card.get_by_role("heading", name="Digits")).to_be_visible()
    expect(card).to_contain_text("<script>window.hacked = 1</script>")
    expect(card).to_contain_text("picture a picture (https://pictures.example.org/track.png)")
    expect(card.locator("img")).to_have_count(0)
    expect(card.locator("td").first).to_have_text("test")
    expect(card.locator("pre")).to_contain_text("![stays](as.it.is)")
    assert page.evaluate("window.hacked") is None

    expect(page.get_by_text("digits-test: accuracy ci>=0.8", exact=True)).to_be_visible()
    promotions = page.get_by_role("table", name="Promotions")
    expect(promotions.locator(".body")).to_have_count(6)
    expect(promotions.locator(".body").first).to_contain_text("refused")
    expect(promotions.locator(".body").nth(3)).to_contain_text("0.975")
    history = page.get_by_role("table", name="History")
    expect(history.locator(".body").first).to_contain_text("refused v2 for production")
    expect(history.locator(".body").first).to_contain_text("<i>eve</i>")

    promotions.locator(".body").nth(3).get_by_role("link", name="digits-test").click()
    expect(page).to_have_url(re.compile("/evaluation\\?"))
    expect(page.get_by_role("heading", name="digits-test")).to_be_visible()
    page.go_back()
    versions.locator(".body").nth(2).get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/artifact\\?"))
    linked = page.get_by_role("table", name="Registry").locator(".body")
    expect(linked).to_contain_text("model/classifier:v0")
    expect(linked).to_contain_text("production")


def test_what_is_not_there_is_said(page: Page, tmp_path: Path, serve_home: Callable[..., Server]) -> None:
    weft.configure(home=tmp_path / "home", project="digits")
    weft.init().finish()
    weft.flush()
    url = serve_home(tmp_path / "home").url
    page.goto(f"{url}/registry")
    expect(page.get_by_text("No collections yet")).to_be_visible()
    page.goto(f"{url}/collection?path=model/none")
    expect(page.get_by_text("No such collection")).to_be_visible()
