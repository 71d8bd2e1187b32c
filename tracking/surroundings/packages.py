"""Which packages are installed, by the names of their metadata folders: nothing is imported, hardly anything read."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

from weft.tracking.faults import let_through

_dist = re.compile(r"(?P<name>[^/]+?)-(?P<version>\d[^-]*)\.dist-info").fullmatch
"""PyPA's binary distribution format: `{name}-{version}.dist-info`, neither with a dash."""


def installed(path: Sequence[str] | None = None) -> list[str]:
    """`name==version` of every distribution on the path, sorted, names normalised (PEP 503).

    Args:
        path: folders to look into; default `sys.path`. The first of several of one name is the one that is imported.
    """
    found: dict[str, str] = {}
    for place in sys.path if path is None else path:
        try:
            names = os.listdir(place or ".")
        except OSError:  # no such folder, a zip file, no permission
            continue
        for name in sorted(names):
            known = _known(place, name)
            if known is not None:
                found.setdefault(re.sub(r"[-_.]+", "-", known[0]).lower(), known[1])
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _known(place: str, name: str) -> tuple[str, str] | None:
    matched = _dist(name)
    if matched is not None:
        return matched["name"], matched["version"]
    if not name.endswith((".egg-info", ".dist-info")):
        return None
    try:  # the older form, whose folder does not tell
        distribution = Distribution.at(Path(place or ".", name))
        return (distribution.name, distribution.version) if distribution.name and distribution.version else None
    except Exception as error:  # somebody else's damaged metadata
        let_through(error)
        return None
