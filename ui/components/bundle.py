"""Loads the app's own components (JS and CSS beside this file) into Streamlit. Each is registered once, at import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent


def load(name: str, *parts: str) -> ComponentRenderer:
    """The component `name`: `base.js` and `base.css`, then those of `parts` and its own, in a shadow root."""
    script, style = (
        "\n".join((_FOLDER / f"{part}.{kind}").read_text("utf-8") for part in ("base", *parts, name))
        for kind in ("js", "css")
    )
    return st.components.v2.component(f"weft.{name}", js=script, css=style)
