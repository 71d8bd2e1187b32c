"""Where there is no screen: what was asked for, and the way on. `serve` leads here from what the app lacks."""

from __future__ import annotations

import streamlit as st

from weft.ui import links, page


def show() -> None:
    """Draw the screen."""
    page.head("Not found")
    asked = st.query_params.get("path", "")
    page.notice(
        "No such screen",
        f"The app has nothing at {asked!r}. The address may be mistyped, or from another version of weft."
        if asked
        else "Choose one on the left.",
        links.to(""),
        "Overview",
    )
