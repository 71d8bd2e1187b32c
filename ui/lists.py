"""What every list screen is made of: a bar with a search box, the rows of a page in the order that the URL names, and
the way to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from weft.tracking.store.readmodels import Page
from weft.ui import page
from weft.ui.components.table import reorder
from weft.ui.data import data

T = TypeVar("T")
PAGE = 50
"""Rows of a page."""
HEIGHT = "calc(100vh - 170px)"
"""Of the rows below a bar."""
LIVE_SECONDS = 3.0
"""Between looks at what is new."""
AWAITED_SECONDS = 2.0
"""Between looks for what is not there yet."""


class Empty(NamedTuple):
    """What a list says that has nothing to show yet, and the lines that would fill it."""

    title: str
    words: str
    code: str


@st.fragment(run_every=AWAITED_SECONDS)
def awaited(seen: int) -> None:
    """Draw the screen again once the store holds something new: for what is not there yet.

    Args:
        seen: the data's version that the screen was drawn of.
    """
    if data().version() != seen:
        st.rerun()


@contextmanager
def bar(placeholder: str) -> Iterator[str]:
    """A row that begins with the search box; what is drawn inside stands beside it. Gives what is searched for."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        text = st.text_input(
            "Search",
            key="q",
            bind="query-params",
            on_change=page.first,
            placeholder=placeholder,
            icon=":material/search:",
            label_visibility="collapsed",
            width=300,
        )
        yield (text or "").strip()


def listed(
    what: str,
    ask: Callable[[str, int], Page[T]],
    draw: Callable[[Page[T], str, int], str | None],
    *,
    order: str,
    empty: Empty | None = None,
    foot: Any = None,
) -> None:
    """Draw a page of a list. What goes wrong is said in its place.

    Args:
        what: its name in the plural.
        ask: answers for an order and an offset.
        draw: draws what was found, in that order, as that page; gives the order that a click on a head asks for.
        order: as long as the URL names none.
        empty: shown where there is nothing at all; None where filters may be the reason.
        foot: the container in which the pages are offered; below the rows by default.
    """
    with page.part(f"The {what}"):
        chosen = st.query_params.get("sort", order)
        found, number = page.paged(lambda offset: ask(chosen, offset), PAGE)
        if empty is not None and not found.total:
            page.empty(*empty)
            return
        asked = draw(found, chosen, number)
        with foot if foot is not None else st.container():
            page.pages(found.total, number, PAGE, found.exact)
        reorder(asked)
