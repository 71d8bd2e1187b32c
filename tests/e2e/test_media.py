"""Recorded media in a real Chromium: shown, played or offered, and never run."""

from __future__ import annotations

import base64
import http.client
import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import Server
from PIL import Image
from playwright.sync_api import Page, expect

import weft
from weft.tracking.blobs import Blobs
from weft.tracking.home import Home
from weft.tracking.payloads.content import Content

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>window.pwned=1</script>" + b" " * 1500 + b"</svg>"
HTML = b"<script>window.pwned=2</script>" + b" " * 1500


def recorded(home: Path) -> dict[str, bytes]:
    """A home with one call that was given a picture, a recording and things that could run."""
    picture, sound = io.BytesIO(), io.BytesIO()
    Image.effect_noise((80, 60), 90).save(picture, "PNG")
    with wave.open(sound, "wb") as made:
        made.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        made.writeframes(bytes(8000))

    def url(kind: str, data: bytes) -> str:
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"

    content = [
        {"type": "text", "text": "Look and listen."},
        {"type": "image_url", "image_url": {"url": url("image/png", picture.getvalue())}},
        {
            "type": "input_audio",
            "input_audio": {"data": base64.b64encode(sound.getvalue()).decode(), "format": "wav"},
        },
        {"type": "image_url", "image_url": {"url": url("image/svg+xml", SVG)}},
        {"type": "image_url", "image_url": {"url": url("image/png", HTML)}},
    ]
    weft.configure(home=home, project="media")

    @weft.op(kind="llm")
    def ask(messages: Any) -> Any:
        return {"role": "assistant", "content": "Noise."}

    ask([{"role": "user", "content": content}])
    weft.flush()
    return {"picture": picture.getvalue(), "sound": sound.getvalue(), "svg": SVG, "html": HTML}


def get(server: Server, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    found: dict[str, str] = {}
    for name, value in answer.getheaders():  # a policy may be given twice, and both hold
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    connection.close()
    return answer.status, found, body


def test_pictures_are_shown_recordings_played_and_nothing_runs(
    page: Page, tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    """In the chat of the span that was given them; a picture that is none says so."""
    home = tmp_path / "media"
    recorded(home)
    page.goto(serve_home(home).url + "/traces")
    page.locator(".body a.go").first.click()
    chat = page.locator(".msg.user")
    expect(chat).to_contain_text("Look and listen.")
    expect(chat.locator("img")).to_have_count(1)
    expect(chat.locator("audio")).to_have_count(1)
    expect(chat).to_contain_text("cannot be shown: missing, or not what it says it is")
    expect(chat.get_by_role("link", name="image/png", exact=False).last).to_have_attribute("download")
    assert chat.locator("img").evaluate("(i) => i.decode().then(() => i.naturalWidth)") == 80
    assert (
        chat.locator("audio").evaluate(
            "(a) => new Promise((r) => a.duration ? r(a.duration) : a.onloadedmetadata = () => r(a.duration))"
        )
        == 0.5
    )
    expect(chat.get_by_role("link", name="image/svg+xml")).to_have_attribute("download")
    assert page.evaluate("window.pwned") is None


def test_the_route_serves_pictures_and_recordings_and_everything_else_as_files(
    tmp_path: Path, serve_home: Callable[..., Server]
) -> None:
    """By their own first bytes, whatever they claimed to be; damaged or unknown ones are said."""
    home = tmp_path / "media"
    made = recorded(home)
    server = serve_home(home)
    at = {name: f"/blob/{Content.from_bytes(data).digest}" for name, data in made.items()}
    for name, kind in {"picture": "image/png", "sound": "audio/wav"}.items():
        status, headers, body = get(server, at[name])
        assert (status, headers["content-type"], body) == (200, kind, made[name])
        assert headers["x-content-type-options"] == "nosniff"
    assert get(server, at["sound"], Range="bytes=0-3")[::2] == (206, b"RIFF")
    for name in ("svg", "html"):
        status, headers, _ = get(server, at[name])
        assert (status, headers["content-type"]) == (200, "application/octet-stream")
        assert headers["content-disposition"].startswith("attachment")
        assert "sandbox" in headers["content-security-policy"]
    assert get(server, at["picture"], Host="evil.example")[0] == 403
    for path in ("/blob/../journal", "/blob/%2e%2e%2fweft.db", f"/blob/{'0' * 64}", "/blob/short", f"/blob/{'A' * 64}"):
        status, _, body = get(server, path)
        assert status in (400, 404) or body.lstrip().startswith(b"<!")  # Streamlit's own page
        assert b"SQLite" not in body
    Blobs(Home(home)).path(at["picture"][6:]).write_bytes(b"x" * 50)
    assert get(server, at["picture"])[0] == 410
