"""Artifacts on a terminal: the list's columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from weft.commands import terminal
from weft.tracking import units
from weft.tracking.store.readmodels import ArtifactRecord

_NARROW, _WIDE = 100, 120
"""Below this many columns a list shows what a version is asked for by, from the other on all."""


def listing(console: Console, rows: Sequence[ArtifactRecord], now_ns: int, *, projects: bool) -> Table:
    """The list that fits a console. What a version is asked for by (`name:v3`, its project, an alias) and the run that
    made it are never cut: they go on in the next line.

    Args:
        projects: whether the rows are of several projects.
    """
    wide, middling = console.width >= _WIDE, console.width >= _NARROW
    shown = ["artifact", "aliases", "type"]
    shown += ["project"] if projects or wide else []
    shown += ["files"] if wide else []
    shown += ["size"]
    shown += ["made by"] if middling else []
    shown += ["when"]
    made = terminal.table(*shown, right=("files", "size"))
    for row in rows:
        cells = {
            "artifact": _whole(f"{row.name}:v{row.version}"),
            "aliases": _whole(", ".join(row.aliases)),
            "type": terminal.text(row.type, limit=20 if middling else 12),
            "project": _whole(row.project),
            "files": Text(units.count(row.file_count)),
            "size": Text(units.size(row.size_bytes)),
            "made by": _whole(row.producer_run or units.UNKNOWN, "dim"),
            "when": Text(units.age(row.created_ns, now_ns).removesuffix(" ago")),
        }
        made.add_row(*(cells[name] for name in shown))
    for column in made.columns:
        column.no_wrap = str(column.header) in ("files", "size", "when")
    return made


def _whole(value: str, style: str = "") -> Text:
    return Text(terminal.escape(value), style=style, overflow="fold")
