"""What two versions differ in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """From one version to another."""

    added: Sequence[str]
    """Paths that only the other has."""
    removed: Sequence[str]
    """Paths that it no longer has."""
    changed: Sequence[str]
    """Paths of other content."""
    unchanged: int
    """How many files are the same."""
    size_bytes: int
    """How much larger the other is."""
    metadata: Mapping[str, tuple[Any, Any]]
    """{key: (before, after)} of what differs; None where there is none."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.metadata)


def difference(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    metadata: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> Difference:
    """Of two manifests, and what was said of them."""
    both = before.keys() & after.keys()
    changed = sorted(path for path in both if before[path] != after[path])
    said, says = metadata
    keys = [key for key in {**said, **says} if said.get(key) != says.get(key)]
    return Difference(
        added=sorted(after.keys() - both),
        removed=sorted(before.keys() - both),
        changed=changed,
        unchanged=len(both) - len(changed),
        size_bytes=_size(after) - _size(before),
        metadata={key: (said.get(key), says.get(key)) for key in sorted(keys)},
    )


def _size(manifest: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(entry.get("size_bytes") or 0 for entry in manifest.values())
