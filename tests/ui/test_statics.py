"""Streamlit's files for the browser, from memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from streamlit import file_util

from weft.ui.statics import Statics

STATIC = Path(file_util.get_static_dir())


def asked(path: str, static: Path, method: str = "GET", **headers: str) -> list[Any]:
    """What is answered: ["app"] where the app is left to."""
    answer: list[Any] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        answer.append("app")

    async def send(message: Any) -> None:
        answer.append(message)

    async def receive() -> Any:
        raise AssertionError("a request without a body was read")

    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {"type": "http", "method": method, "path": path, "headers": sent}
    asyncio.run(Statics(app, static)(scope, receive, send))
    return answer


def test_every_script_and_style_of_streamlit_is_answered_whole() -> None:
    """With the type that browsers insist on, and to be kept for ever: their names hold digests."""
    for suffix, kind in (("js", b"text/javascript"), ("css", b"text/css")):
        files = sorted((STATIC / "static" / suffix).glob(f"*.{suffix}"))
        assert files
        for file in files[:3]:
            start, body = asked(f"/static/{suffix}/{file.name}", STATIC)
            told = dict(start["headers"])
            assert (start["status"], told[b"content-type"]) == (200, kind)
            assert told[b"content-length"] == str(file.stat().st_size).encode()
            assert b"immutable" in told[b"cache-control"]
            assert body["body"] == file.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/static/js/../../index.html",
        "/static/js//etc/passwd",
        "/static/js/..%2f..%2findex.html",
        "/static/js/",
        "/static/none.js",
        "/index.html",
        "/traces",
    ],
)
def test_nothing_else_is(path: str) -> None:
    """Only names that are in the folders are known; the rest is Streamlit's to judge."""
    assert asked(path, STATIC) == ["app"]


def test_a_file_that_is_gone_by_now_is_streamlits(tmp_path: Path) -> None:
    """Where the package was replaced while the app runs."""
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "one.js").write_text("1")
    answer: list[str] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        answer.append("app")

    statics = Statics(app, tmp_path)
    (tmp_path / "static" / "js" / "one.js").unlink()
    scope: Any = {"type": "http", "method": "GET", "path": "/static/js/one.js", "headers": []}
    asyncio.run(statics(scope, app, app))  # type: ignore[arg-type]
    assert answer == ["app"]


def test_parts_of_a_file_and_other_methods_are_streamlits(tmp_path: Path) -> None:
    """It knows ranges and heads."""
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "one.js").write_text("1")
    (tmp_path / "static" / "js" / "one.map").write_text("{}")
    assert asked("/static/js/one.js", tmp_path)[1]["body"] == b"1"
    assert asked("/static/js/one.js", tmp_path, range="bytes=0-0") == ["app"]
    assert asked("/static/js/one.js", tmp_path, method="HEAD") == ["app"]
    assert asked("/static/js/one.map", tmp_path) == ["app"]
