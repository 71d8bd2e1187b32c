"""Two tables side by side by a key. Pure Python, so that every value stays what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from weft.tracking.errors import UsageError
from weft.tracking.payloads.encoding import encode
from weft.tracking.tables.table import Table

How = Literal["inner", "left", "outer"]
_HOWS = ("inner", "left", "outer")


class JoinedTable(Table):
    """wandb's name for a join: the rows of both tables, those with the same key beside each other.

    Args:
        table1, table2: what to join.
        join_key: the column to join on, or two: its name in each.

    Raises:
        UsageError: a table has no such column.
    """

    def __init__(self, table1: Table, table2: Table, join_key: str | Sequence[str]) -> None:
        if not isinstance(table1, Table) or not isinstance(table2, Table):
            raise UsageError(f"a JoinedTable joins two Tables, got {type(table1).__name__} and {type(table2).__name__}")
        made = join(table1, table2, join_key, "outer")
        super().__init__(columns=made.columns, allow_mixed_types=True)
        self.rows = made.rows


def join(left: Table, right: Table, key: str | Sequence[str], how: How = "inner") -> Table:
    """As `Table.join`. A key of None meets none, as in SQL; rows keep the order of `left`, then of `right`."""
    if how not in _HOWS:
        raise UsageError(f"how is {how!r:.40}; it must be one of {', '.join(_HOWS)}")
    if not isinstance(right, Table):
        raise UsageError(f"a Table is joined with another Table, got {type(right).__name__}")
    mine, theirs = _keys(key)
    at, there = _place(left, mine), _place(right, theirs)
    added = [name for name in right.columns if name != theirs]
    made = Table(columns=[*left.columns, *_names(left.columns, added)], allow_mixed_types=True)
    rest = [index for index, name in enumerate(right.columns) if name != theirs]
    by_key: dict[Any, list[int]] = {}
    for number, row in enumerate(right.rows):
        if row[there] is not None:
            by_key.setdefault(_hashable(row[there]), []).append(number)
    met: set[int] = set()
    for row in left.rows:
        found = by_key.get(_hashable(row[at]), []) if row[at] is not None else []
        met.update(found)
        made.rows += [[*row, *(right.rows[number][index] for index in rest)] for number in found]
        if not found and how != "inner":
            made.rows.append([*row, *(None for _ in rest)])
    if how == "outer":
        for number, row in enumerate(right.rows):
            if number not in met:
                alone = [row[there] if index == at else None for index in range(len(left.columns))]
                made.rows.append([*alone, *(row[index] for index in rest)])
    return made


def _keys(key: str | Sequence[str]) -> tuple[str, str]:
    if isinstance(key, str):
        return key, key
    match list(key):
        case [str() as mine, str() as theirs]:
            return mine, theirs
    raise UsageError(f"a join's key is a column's name, or its two names in a list; got {key!r:.80}")


def _place(table: Table, name: str) -> int:
    if name not in table.columns:
        raise UsageError(f"one of the joined tables has no column {name!r:.80}; it has {', '.join(table.columns)}")
    return table.columns.index(name)


def _names(taken: Sequence[str], names: Sequence[str]) -> list[str]:
    used = set(taken) | set(names)
    found = []
    for name in names:
        number, free = 2, name
        while name in taken and free in used:
            free, number = f"{name}_{number}", number + 1
        used.add(free)
        found.append(free)
    return found


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return encode(value)
    return value
