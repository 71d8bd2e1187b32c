"""Lists whose rows are links. The screens say what stands in a cell; the look and the keys are in `table.js`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from weft.ui.components.bundle import load

_render = load("table")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `link` makes its cell the row's link; `sort` is the field that its head sorts by."""

    label: str
    width: str = "minmax(90px, 1fr)"
    type: str = "text"
    """text, status, scores, mean, chips, name (of which the end is kept, where there is no room for all)."""
    look: str = ""
    """num, mono, soft, strong."""
    link: bool = False
    sort: str | None = None
    help: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: cells are text, None, or {text, title, tone, kind, href, status, scores, value, half,
    unit, picture, chips}."""

    id: str
    href: str | None
    cells: Sequence[Any]
    pick: str | None = None
    """What the row is called where picked rows are compared."""


def table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    key: str,
    label: str,
    height: str | None = None,
    order: str | None = None,
    page: object = None,
    live: bool = False,
    keys: bool = False,
    none: str = "Nothing here.",
    tall: bool = False,
    compare: str | None = None,
) -> str | None:
    """Draw a list. Returns the order that a click on a head asks for.

    Args:
        height: CSS height above which the list scrolls in itself.
        page: what is shown (filter, page, order): while it stays, rows that were not there before come in softly.
        keys: j, k and enter belong to this list.
        compare: address of the screen that picked rows are compared on, up to its parameter: `/compare?runs=`.
        tall: rows have the height of a small picture (`{picture, title}` in a cell).
    """
    data: Mapping[str, Any] = {
        "columns": [_column(column) for column in columns],
        "rows": [asdict(row) for row in rows],
        "label": label,
        "height": height,
        "order": order,
        "page": str(page),
        "live": live,
        "keys": keys,
        "none": none,
        "tall": tall,
        "compare": compare,
    }
    result = _render(key=key, data=data, on_sort_change=_nothing)
    return str(result.sort) if result.sort else None


def _column(column: Column) -> dict[str, Any]:
    shown = asdict(column)
    shown["class"] = shown.pop("look")
    return shown


def _nothing() -> None:
    """Streamlit reports only events that have a callback."""


def reorder(asked: str | None) -> None:
    """Put the order into the URL and draw again."""
    if asked:
        st.query_params["sort"] = asked
        if "page" in st.session_state:
            st.session_state["page"] = 1
        st.rerun()
