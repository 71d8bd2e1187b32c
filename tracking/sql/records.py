"""Loaders of views over the readers' records: each column by its name, or as a function of the record says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracking.sql.asking import Asked, table
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.lazy import Wanted

if TYPE_CHECKING:
    import pyarrow

Load = Callable[[Asked, Wanted, Mapping[str, Kind]], Iterator["pyarrow.Table"]]
"""Yields a view in pieces."""


def of_records(read: Callable[[Asked], Iterable[Any]], cells: Mapping[str, Callable[[Any], Any]]) -> Load:
    """A loader over the records that `read` answers with.

    Args:
        cells: the columns that are not fields of the record.
    """

    def load(asked: Asked, wanted: Wanted, kinds: Mapping[str, Kind]) -> Iterator[pyarrow.Table]:
        records = list(read(asked))
        columns: dict[str, Sequence[Any]] = {}
        for name in wanted.columns:
            cell = cells.get(name)
            columns[name] = [getattr(record, name) if cell is None else cell(record) for record in records]
        yield table(kinds, columns)

    return load
