"""How long a version is kept (its TTL), as programs say it and as records do. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Final, TypeAlias

from weft.tracking.errors import UsageError

FOREVER_S = -1
"""In a `VersionUpdated`: never removed, whatever was said before."""


class ArtifactTTL(Enum):
    """What was said of the same content before, else for ever."""

    INHERIT = "inherit"


INHERIT: Final = ArtifactTTL.INHERIT
Lifetime: TypeAlias = timedelta | ArtifactTTL | None


def seconds(ttl: object) -> int | None:
    """Of a record: None says nothing, -1 for ever.

    Raises:
        UsageError: it is no timedelta, negative, or beyond what a record holds.
    """
    if ttl is INHERIT:
        return None
    if ttl is None:
        return FOREVER_S
    if not isinstance(ttl, timedelta):
        raise UsageError(f"a ttl is a timedelta, None (for ever) or INHERIT, got {ttl!r:.80}")
    if ttl < timedelta(0):
        raise UsageError(f"a ttl cannot be negative, this one is {ttl}. None keeps a version for ever")
    return int(ttl.total_seconds())
