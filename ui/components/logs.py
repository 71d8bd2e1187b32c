"""Lines that a program printed, as a terminal shows them, the newest kept in sight (`logs.js`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from weft.ui.components.bundle import load

_render = load("logs")


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    id: str
    number: int
    """From 1, in the order shown."""
    at: str
    """When, for the hover."""
    stderr: bool
    spans: Sequence[tuple[str, str]]
    """(text, look)."""


def logs(lines: Sequence[Line], *, key: str, height: str, more: bool, none: str) -> bool:
    """Draw them; True where earlier ones are asked for.

    Args:
        height: CSS height in which they scroll.
        more: there are earlier ones.
        none: what is said where there are none.
    """
    data = {"lines": [asdict(line) for line in lines], "height": height, "more": more, "none": none}
    return bool(_render(key=key, data=data, on_earlier_change=_nothing).earlier)


def _nothing() -> None:
    """Streamlit reports only events that have a callback."""
