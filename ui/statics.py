"""Streamlit's scripts, styles and fonts, answered from memory.

A first visit asks for a hundred of them. Streamlit reads each through a thread, past its sessions and its checks of
paths; here what is no name in its folders is not looked for at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

FOLDERS = ("js", "css", "media")
KINDS = {
    ".js": b"text/javascript",
    ".css": b"text/css",
    ".woff2": b"font/woff2",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
}
"""Told by us: browsers refuse scripts of another type, and what a machine takes `.js` for is up to its registry."""
_FOREVER = b"public, immutable, max-age=31536000"
"""As Streamlit says it: a file's name holds a digest of its content."""


class Statics:
    """ASGI middleware.

    Args:
        static: Streamlit's folder of files for the browser.
    """

    def __init__(self, app: ASGIApp, static: Path) -> None:
        self._app = app
        files = (file for name in FOLDERS for file in (static / "static" / name).glob("*") if file.suffix in KINDS)
        self._files = {f"/static/{file.parent.name}/{file.name}": file for file in files}
        self._held: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = self._files.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if wanted is None or any(name == b"range" for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        body = self._held.get(scope["path"])
        if body is None:
            try:
                body = self._held[scope["path"]] = wanted.read_bytes()
            except OSError:  # another Streamlit was installed meanwhile: it says itself what it has
                await self._app(scope, receive, send)
                return
        headers = [
            (b"content-type", KINDS[wanted.suffix]),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", _FOREVER),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
