"""A view that DuckDB scans: nothing is read before a query scans it, and then only the columns and rows it asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.compute

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_OF_NULL = re.compile(r"\bis_\w+\(")
"""Functions whose answer for null is not null."""

Load = Callable[["Wanted"], Iterable["pyarrow.Table"]]
"""Yields the view in pieces."""


class Wanted:
    """What one scan asks of a view."""

    def __init__(
        self, schema: pyarrow.Schema, columns: Sequence[str] | None, where: pyarrow.compute.Expression | None
    ) -> None:
        self.schema = schema
        self._where = where
        self._asked = "" if where is None else _QUOTED.sub("", str(where))
        """The filter without the texts in it: a column that it names stands there."""
        named = {name for name in schema.names if self._names(name)}
        self.columns: list[str] = [name for name in schema.names if columns is None or name in columns or name in named]
        """Of the answer and of the filter."""

    def _names(self, column: str) -> bool:
        return re.search(rf"\b{re.escape(column)}\b", self._asked) is not None

    def needs(self, names: Iterable[str]) -> bool:
        """Whether any of these is."""
        return not set(names).isdisjoint(self.columns)

    def possible(self, known: pyarrow.Table) -> list[int]:
        """The numbers of the rows that may be in the answer, as far as these columns of theirs say.

        The others count as null: in the filter's three-valued logic, what is then neither true nor false is open.
        """
        import pyarrow as pa  # the extra `tables`
        import pyarrow.dataset as ds

        everything = list(range(known.num_rows))
        open_names = [name for name in self.schema.names if name not in known.column_names and self._names(name)]
        if self._where is None or (open_names and _OF_NULL.search(self._asked)):
            return everything
        for name in open_names:
            known = known.append_column(name, pa.nulls(known.num_rows, self.schema.field(name).type))
        told = ds.dataset(known).scanner(columns={"told": self._where}).to_table()["told"].to_pylist()
        return [at for at in everything if told[at] is not False]


class _Scan:
    """What DuckDB asks of a scan: a reader. A query that has enough (a limit) reads no further."""

    def __init__(self, wanted: Wanted, load: Load, columns: Sequence[str] | None, where: Any) -> None:
        self._wanted, self._load, self._where = wanted, load, where
        self._columns = list(wanted.schema.names if columns is None else columns)

    def to_reader(self) -> pyarrow.RecordBatchReader:
        import pyarrow as pa  # the extra `tables`

        shape = pa.schema([self._wanted.schema.field(name) for name in self._columns])
        return pa.RecordBatchReader.from_batches(shape, self._batches())

    def _batches(self) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow.dataset as ds  # as above

        for piece in self._load(self._wanted):
            kept = ds.dataset(piece).scanner(columns=self._columns, filter=self._where)
            yield from kept.to_table().to_batches()


def lazy_dataset(schema: pyarrow.Schema, load: Load) -> Any:
    """A dataset of this schema that calls `load` when it is scanned.

    It is pyarrow's own kind of dataset, since that is what DuckDB hands its filters to.
    """
    import pyarrow.dataset as ds  # the extra `tables`

    class Lazy(ds.InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
        def scanner(self, *, columns: Any = None, filter: Any = None, **_: Any) -> Any:  # noqa: A002 - theirs
            return _Scan(Wanted(schema, columns, filter), load, columns, filter)

    return Lazy(schema.empty_table())
