"""Which life of a run's id this is: where a run was removed, its id may be used again, for a new run.

A tombstone keeps a run out for ever, by its uid; so whoever removes one calls `end`, and the next run of that id has
another uid. Told by a small file in the home, which every process of it sees.
"""

from __future__ import annotations

import os
from pathlib import Path

from weft.tracking import names
from weft.tracking.home import Home


def uid(home: Home, project: str, ident: str) -> bytes:
    """The uid of a run of this id that starts now."""
    return names.uid_of(project, ident, _life(_place(home, project, ident)))


def end(home: Home, project: str, ident: str) -> None:
    """The run of this id is removed.

    Raises:
        OSError: that could not be written; a new run of this id would stay hidden, so do not remove it.
    """
    place = _place(home, project, ident)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_name(f"{place.name}.{os.getpid()}.new")
    draft.write_text(str(_life(place) + 1), encoding="ascii")
    draft.replace(place)


def _life(place: Path) -> int:
    """0 for an id that was never removed."""
    try:
        return max(0, int(place.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return 0


def _place(home: Home, project: str, ident: str) -> Path:
    return home.path / "runs" / f"{names.uid_of(project, ident).hex()}.life"
