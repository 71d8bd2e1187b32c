"""Other libraries' data frames as columns and rows of Python values. They are recognised, never imported."""

from __future__ import annotations

import sys
from typing import Any

from weft.tracking.tables.arrow import from_arrow


def from_frame(frame: Any, *, index: bool) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of a pandas or polars DataFrame, or an Arrow table.

    Args:
        index: whether what pandas' index says comes first: a name of its own, or texts. Numbers of rows do not.

    Returns:
        The columns, `_2` behind a name that is there twice, and the rows.
    """
    columns, rows = _from(frame, index=index)
    return _each_once(columns), rows


def _each_once(names: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        number, free = 2, name
        while free in found or (free != name and free in names):
            free, number = f"{name}_{number}", number + 1
        found[free] = None
    return list(found)


def _from(frame: Any, *, index: bool) -> tuple[list[str], list[list[Any]]]:
    module = type(frame).__module__.partition(".")[0]
    if module == "pyarrow":
        return from_arrow(frame)
    if module == "polars":
        return list(frame.columns), [list(row) for row in frame.rows()]
    return _from_pandas(_with_index(frame) if index else frame)


def _with_index(frame: Any) -> Any:
    index = frame.index
    for level in reversed(range(index.nlevels)):
        name, kind = index.names[level], str(index.get_level_values(level).dtype)
        said = name is not None or kind in ("object", "str", "string", "category")
        name = "index" if name is None and index.nlevels == 1 else f"level_{level}" if name is None else name
        if said and name not in frame.columns:
            frame = frame.copy(deep=False)
            frame.insert(0, name, index.get_level_values(level))
    return frame


def _from_pandas(frame: Any) -> tuple[list[str], list[list[Any]]]:
    columns = [_values(frame.iloc[:, position]) for position in range(frame.shape[1])]
    return [str(name) for name in frame.columns], [list(row) for row in zip(*columns, strict=True)]


def _values(series: Any) -> list[Any]:
    """NaN in a column of numbers is a number; in one of texts, times or objects it is pandas' word for nothing."""
    values, gone = series.tolist(), series.isna().tolist()
    kind = str(series.dtype)
    numbers = kind.startswith("float") or (
        kind == "object" and all(_is_number(value) for value, none in zip(values, gone, strict=True) if not none)
    )
    keep = numbers or kind.startswith("complex")
    return [
        None if none and not (keep and isinstance(value, float)) else value
        for value, none in zip(values, gone, strict=True)
    ]


def _is_number(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return isinstance(value, (int, float)) or (numpy is not None and isinstance(value, numpy.number))
