"""Pages of texts and files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.errors import UsageError
from weft.tracking.media import Html, restore


def test_links_of_a_page_open_in_a_tab_of_their_own() -> None:
    assert Html("<p>x</p>").html == '<base target="_blank"><p>x</p>'
    assert Html("<html><HEAD><title>t</title></head></html>").html.startswith(
        '<html><HEAD><base target="_blank"><title>'
    )
    assert Html("<base href='x'><p>").html == "<base href='x'><p>"
    assert Html("<p>", inject=False).html == "<p>"


def test_paths_open_files_and_texts(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>ä")
    for given in (tmp_path / "a.html", str(tmp_path / "a.html"), io.StringIO("<p>ä"), io.BytesIO("<p>ä".encode())):
        assert Html(given, inject=False).html == "<p>ä"
    assert Html("a.html", inject=False, data_is_not_path=True).html == "a.html"
    page = Html("<p>x", caption="c")
    assert restore(page.record()) == page


def test_a_secret_does_not_reach_the_blob() -> None:
    page = Html("<p>sk-live-abcdefghijklmnopqrstuvwxyz123456</p>")
    kept: list[bytes] = []

    def store(data: bytes) -> str:
        kept.append(data)
        return ""

    record = page.record(store)
    assert b"abcdefghijklmnop" not in kept[0]
    assert b"[redacted:" in kept[0]
    assert record["size_bytes"] == len(kept[0])


@pytest.mark.parametrize("given", ["no.html", Path("no.html"), b"\xff\xfe", 7, None])
def test_what_is_no_page_is_told_at_the_call(given: Any) -> None:
    with pytest.raises((UsageError, TypeError), match="Html"):
        Html(given)
