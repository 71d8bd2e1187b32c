"""Any recorded value as a tree that unfolds (`json.js`)."""

from __future__ import annotations

from typing import Any

from weft.ui.components.bundle import load
from weft.ui.values import showable

_render = load("json")


def tree(value: Any, *, key: str, height: str | None = None) -> None:
    """Draw it; taller than `height` (CSS) it scrolls in itself."""
    _render(key=key, data={"value": showable(value), "height": height})
