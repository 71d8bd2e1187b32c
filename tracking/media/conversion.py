"""What `log()` makes of values that are no numbers: figures and pictures media, arrays lists or histograms.

Nothing raises, and nothing of the user's objects is kept: what cannot be read becomes a marker and a fault.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeAlias

from weft.tracking.faults import let_through
from weft.tracking.media.arrays import fetched, is_array
from weft.tracking.media.base import Media
from weft.tracking.media.histogram import Histogram
from weft.tracking.media.image import Image, figure_of, is_picture
from weft.tracking.media.plotly import Plotly, is_plotly
from weft.tracking.payloads.encoding import Tagged

Faults: TypeAlias = list[tuple[str, Exception]]

LIST_ITEMS = 32
"""Arrays of at most so many numbers are lists, larger ones histograms (wandb's rule)."""
_ATOMS = frozenset({str, int, float, bool, bytes, type(None), dict})


def converted(value: Any, faults: Faults) -> Any:
    """The value that is recorded: a Media, a list of them, or something that `encode` knows.

    Args:
        faults: what went wrong is added, with what was being done.
    """
    kind = type(value)
    if kind in _ATOMS or isinstance(value, Media):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (list, tuple)):
        # Arrays in lists stay whole: the encoding has a form for them.
        if _ATOMS.issuperset(map(type, value)) or hasattr(value, "_fields"):
            return value
        return [_shown(item, faults) for item in value]
    if is_array(value):
        return _tried("read a logged array", value, _of_array, faults)
    return _shown(value, faults)


def _shown(value: Any, faults: Faults) -> Any:
    """Figures and pictures as media."""
    if isinstance(value, Media):
        return value
    if is_plotly(value):
        return _tried("keep a logged figure", value, Plotly, faults)
    if is_picture(value) or figure_of(value) is not None:
        return _tried("keep a logged image", value, Image, faults)
    return value


def _of_array(value: Any) -> Any:
    array = fetched(value)
    if not hasattr(array, "ndim"):  # nested lists: numpy is not here
        return _of_lists(array)
    if array.size <= LIST_ITEMS:
        return array.tolist()
    return Histogram(array) if array.dtype.kind in "buif" else array


def _of_lists(value: Any) -> Any:
    histogram = Histogram(value)
    return histogram if sum(histogram.histogram) + histogram.left_out > LIST_ITEMS else value


def _tried(what: str, value: Any, make: Any, faults: Faults) -> Any:
    try:
        return make(value)
    except Exception as error:
        let_through(error)
        # Without its traceback, whose frames would hold the user's tensor.
        faults.append((what, error.with_traceback(None)))
        error.__cause__ = error.__context__ = None
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        return Tagged("unrecorded", {"cause": f"{type(error).__name__} while trying to {what}", "type": name})
