"""Markdown that users wrote about something, by the strict renderer of the app (`markdown.js`): nothing is fetched."""

from __future__ import annotations

from weft.ui.components.bundle import load
from weft.ui.values import encodable

_render = load("card", "markdown")
LONGEST = 100_000
"""Characters that go to the browser."""


def card(text: str, *, key: str) -> None:
    """Draw it."""
    _render(key=key, data={"text": encodable(text[:LONGEST])})
