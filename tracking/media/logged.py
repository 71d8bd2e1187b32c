"""The media among what a run logged, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.tracking.media.base import Media
from weft.tracking.media.restoring import revived

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs


@dataclass(frozen=True, slots=True)
class LoggedMedia:
    """One medium that a run logged, or one of a list of them."""

    key: str
    step: int
    at_ns: int
    medium: Media
    """An `Image`, `Audio`, ...: its `bytes()` and `save(path)` read the blobs."""
    path: str | None
    """Its place among the run's files; None where it has none (a histogram, or a medium within another value)."""
    index: int
    """Which of the list that was logged; 0 for one alone."""


def media_of(rows: Iterable[Mapping[str, Any]], blobs: Blobs | None = None) -> list[LoggedMedia]:
    """The media among logged values.

    Args:
        rows: as `Reader.rich` answers.
        blobs: where their bytes lie; default this process's home.
    """
    found = []
    for row in rows:
        value = row["value"]
        media = revived(value, blobs)
        if isinstance(media, Media):
            media, value = [media], [value]
        elif isinstance(value, dict):
            value = value.get("items")
        if not isinstance(media, list) or not isinstance(value, list) or len(value) != len(media):
            continue
        for index, (medium, record) in enumerate(zip(media, value, strict=True)):
            if isinstance(medium, Media):
                path = record.get("path") if isinstance(record, dict) else None
                known = path if isinstance(path, str) else None
                found.append(LoggedMedia(row["key"], row["step"], row["at_ns"], medium, known, index))
    return found
