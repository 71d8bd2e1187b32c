"""`weft.Plotly`: a Plotly figure, kept as its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from weft.tracking.errors import UsageError
from weft.tracking.media.base import FileMedia, file_content
from weft.tracking.media.image import figure_of
from weft.tracking.payloads.encoding import encode


class Plotly(FileMedia):
    """A Plotly figure.

    Args:
        figure: a plotly Figure, or the dict of one ({"data": [...], "layout": {...}}). A matplotlib figure is an Image:
            what Plotly makes of one is not always the same picture.
        caption: shown below it.

    Raises:
        UsageError: it is a matplotlib figure.
        TypeError: it is no figure.
    """

    kind: ClassVar[str] = "plotly-file"
    batch: ClassVar[str] = "plotly"
    folder: ClassVar[str] = "plotly"

    def __init__(self, figure: Any, *, caption: str | None = None) -> None:
        super().__init__(caption)
        if is_plotly(figure):
            data = figure.to_json().encode()
        elif isinstance(figure, Mapping) and "data" in figure:
            data = encode(dict(figure))
        elif figure_of(figure) is not None:
            raise UsageError("Plotly() takes a Plotly figure; log the matplotlib figure itself, or weft.Image(figure)")
        else:
            without = " without that" if isinstance(figure, Mapping) else ""
            raise TypeError(
                f'Plotly() takes a Plotly figure or its dict {{"data": [...]}}, got {type(figure).__name__}{without}'
            )
        self._content = file_content(data, "json", "application/vnd.plotly.v1+json")

    @property
    def figure(self) -> dict[str, Any]:
        """The figure as a dict: `plotly.graph_objects.Figure(medium.figure)` draws it.

        Raises:
            ContentError: it cannot be had.
        """
        found: dict[str, Any] = orjson.loads(self.bytes())
        return found


def is_plotly(value: object) -> bool:
    """Whether this is a Plotly figure; Plotly is not imported to find out."""
    return any(
        base.__module__.startswith("plotly.") and base.__name__ in ("BaseFigure", "Figure", "FigureWidget")
        for base in type(value).__mro__
    ) and callable(getattr(value, "to_json", None))
