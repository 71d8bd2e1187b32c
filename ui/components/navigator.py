"""Makes the frame's own links lead in place (`navigator.js`). Mounted once, by `frame`."""

from __future__ import annotations

from weft.ui.components.bundle import load

_render = load("navigator")


def navigator() -> None:
    """Mount it; it shows nothing."""
    _render(key="navigator", height=1)
