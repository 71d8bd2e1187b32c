"""What is said of a version and may change: description, metadata, tags, ttl, aliases. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from weft.tracking.errors import UsageError

METADATA_KEYS = 100


class Said(NamedTuple):
    """All of it at one moment, as records have it."""

    description: str | None
    metadata: bytes
    """JSON."""
    tags: tuple[str, ...]
    ttl_s: int | None
    aliases: tuple[str, ...]


def check_metadata(metadata: object) -> dict[str, Any]:
    """It, as a dict, if an artifact may have it.

    Raises:
        UsageError: it is no dict, a key is no text, or there are more than 100.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise UsageError(f"an artifact's metadata must be a dict, got {metadata!r:.80}")
    bad = [key for key in metadata if not isinstance(key, str)]
    if bad:
        raise UsageError(f"keys of an artifact's metadata are text, these are not: {', '.join(map(repr, bad[:5]))}")
    if len(metadata) > METADATA_KEYS:
        raise UsageError(
            f"an artifact's metadata has at most {METADATA_KEYS} keys, this has {len(metadata)}. "
            "Nest them, or add a file"
        )
    return dict(metadata)
