"""What a list on a terminal says below itself: how many more there are, as far as anybody counted."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from weft.tracking.store.readmodels import Page


def rest(console: Console, page: Page[Any], what: str) -> None:
    """`20 of 37 runs; --limit shows more`, or only that more match where, to be counted, each would have to be read.

    Args:
        what: the rows' name in the plural.
    """
    if page.total <= len(page.rows):
        return
    said = (
        f"{len(page.rows):,} of {page.total:,} {what}" if page.exact else f"{len(page.rows):,} {what}, and more match"
    )
    console.print(f"{said}; --limit shows more", style="dim")
