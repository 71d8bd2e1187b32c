"""Records of media back to media: one, or whatever holds some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.tracking.errors import Error
from weft.tracking.media.audio import Audio
from weft.tracking.media.base import TYPE, Media
from weft.tracking.media.chart import Chart
from weft.tracking.media.histogram import Histogram
from weft.tracking.media.html import Html
from weft.tracking.media.image import Image
from weft.tracking.media.molecule import Molecule
from weft.tracking.media.object3d import Object3D
from weft.tracking.media.plotly import Plotly
from weft.tracking.media.video import Video

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs

KINDS: dict[str, type[Media]] = {
    made.kind: made for made in (Image, Audio, Video, Html, Histogram, Plotly, Molecule, Object3D, Chart)
}
"""Media by the `_type` of their records."""
BATCHES = frozenset(made.batch for made in KINDS.values())
"""`_type`s of lists of media."""


def restore(record: Mapping[str, Any], blobs: Blobs | None = None) -> Media:
    """The medium that a record stands for; its bytes are read when they are asked for.

    Args:
        blobs: where its bytes lie; default this process's home.

    Raises:
        ValueError: it is no record of a medium.
    """
    kind = record.get(TYPE)
    made = KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise ValueError(f"a record with {TYPE} {kind!r:.80} is no medium's; there are {', '.join(KINDS)}")
    try:
        return made.of_record(record, blobs)
    except (Error, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"this record of {kind} is not as weft writes it: {type(error).__name__} {error}") from error


def revived(value: Any, blobs: Blobs | None = None) -> Any:
    """A logged value with its media as media, lists of them as lists; the rest, and what is damaged, as it stands."""
    if isinstance(value, list):
        return [revived(item, blobs) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(TYPE)
    if isinstance(kind, str) and kind in KINDS:
        try:
            return restore(value, blobs)
        except ValueError:
            return value  # somebody's own dict that looks like one, or what a newer weft wrote
    if isinstance(kind, str) and kind in BATCHES and isinstance(value.get("items"), list):
        return [revived(item, blobs) for item in value["items"]]
    return {key: revived(item, blobs) for key, item in value.items()}
