"""Media of one key with a slider over its steps (`gallery.js`). Screens give what stands at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from weft.ui.components.bundle import load

_render = load("gallery")


@dataclass(frozen=True, slots=True)
class Item:
    """One medium, as the browser is told of it."""

    type: str
    """image, audio, video, html, points, file."""
    src: str
    """`/blob/<digest>`."""
    text: str
    """Its type and size, in words."""
    name: str
    """Of the file, when it is downloaded."""
    caption: str | None = None
    width: int | None = None
    format: str | None = None
    boxes: Sequence[dict[str, Any]] = ()
    """`{x, y, w, h}` in shares of the picture, `id`, `label`, `text`."""
    masks: Sequence[dict[str, Any]] = ()
    """`{src, labels}`."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was logged at one step."""

    step: int
    items: Sequence[Item] = field(default_factory=tuple)


def gallery(label: str, steps: Sequence[Step], logged: int, *, key: str) -> None:
    """Draw it, at its last step.

    Args:
        logged: how many steps there are, of which these were chosen.
    """
    _render(key=key, data={"label": label, "steps": [asdict(step) for step in steps], "logged": logged})
