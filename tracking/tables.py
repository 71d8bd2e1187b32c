"""A table: named columns and rows of any values, to and from Parquet. Runs log them, evaluations keep results in them.

Numbers, text, booleans, bytes and times are native Parquet; a column of mixed or nested values is JSON text, marked so,
and comes back as it was.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.payloads.encoding import decode, encode

if TYPE_CHECKING:
    import pandas
    import pyarrow

Target: TypeAlias = "str | PathLike[str] | IO[bytes]"

_KIND = b"weft.kind"
"""Field metadata: `json` where cells are JSON text in the tagged form."""
_INT64 = range(-(1 << 63), 1 << 63)
_EXACT = 1 << 53


class Table:
    """Columns and rows.

    Args:
        columns: names, each once; needed unless the rows are dicts or a DataFrame is given.
        data, rows: the rows (two names for it, as in wandb): sequences as long as `columns`, or dicts.
        dataframe: a pandas DataFrame; its index is left away.

    Raises:
        UsageError: a name occurs twice, or a row does not fit.

    Example:
        >>> table = Table(columns=["question", "score"], data=[["why?", 0.9]])
        >>> table.add_data("how?", None)
        >>> table.to_parquet("answers.parquet")
    """

    def __init__(
        self,
        columns: Iterable[str] | None = None,
        data: Iterable[Any] | None = None,
        rows: Iterable[Any] | None = None,
        dataframe: pandas.DataFrame | None = None,
    ) -> None:
        given = [source for source in (data, rows, dataframe) if source is not None]
        if len(given) > 1:
            raise UsageError("a Table takes its rows from one of data=, rows= and dataframe=, not from several")
        source: Any = given[0] if given else ()
        if is_frame(source):
            found, source = _from_frame(source)
            columns = found if columns is None else columns
        elif hasattr(source, "tolist"):  # a numpy array
            source = source.tolist()
        content = list(source)
        if columns is None:
            if not content or not all(isinstance(row, Mapping) for row in content):
                raise UsageError('a Table needs columns=["name", ...], unless its rows are dicts or a DataFrame')
            columns = dict.fromkeys(name for row in content for name in row)
        self.columns: list[str] = _check_columns(columns)
        self.rows: list[list[Any]] = []
        for row in content:
            self._add(row)

    def add_data(self, *row: Any) -> None:
        """Add one row, a value a column.

        Raises:
            UsageError: there are more or fewer values than columns.
        """
        self._add(row)

    def _add(self, row: Any) -> None:
        where = f"row {len(self.rows)} of the Table"
        if isinstance(row, Mapping):
            strange = [str(name) for name in row if name not in self.columns]
            if strange:
                raise UsageError(f"{where} has no column {', '.join(strange)}; it has {', '.join(self.columns)}")
            self.rows.append([row.get(name) for name in self.columns])
            return
        if isinstance(row, (str, bytes)) or not isinstance(row, Iterable):
            raise UsageError(f"{where} must be a sequence or a dict, got {type(row).__name__}: {row!r:.80}")
        values = list(row)
        if len(values) != len(self.columns) or not values:
            raise UsageError(
                f"{where} has {len(values)} values for {len(self.columns)} columns ({', '.join(self.columns)})"
            )
        self.rows.append(values)

    def get_column(self, name: str) -> list[Any]:
        """The values of one column.

        Raises:
            UsageError: there is no such column.
        """
        if name not in self.columns:
            raise UsageError(f"the Table has no column {name!r}; it has {', '.join(self.columns)}")
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Number and values of each row."""
        return enumerate(self.rows)

    def get_dataframe(self) -> pandas.DataFrame:
        """As a pandas DataFrame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd  # optional, and slow to import
        except ImportError as error:
            raise MissingExtraError("Table.get_dataframe()", "ui") from error
        return pd.DataFrame(self.rows, columns=self.columns)

    to_pandas = get_dataframe

    def to_parquet(self, target: Target) -> None:
        """Write as Parquet (zstd): the same content gives the same bytes.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        arrow, parquet = _pyarrow("Table.to_parquet()")
        fields, arrays = [], []
        for name in self.columns:
            kind, array = _to_arrow(arrow, [_plain(value) for value in self.get_column(name)])
            fields.append(arrow.field(name, array.type, metadata={_KIND: kind.encode()}))
            arrays.append(array)
        parquet.write_table(arrow.table(arrays, schema=arrow.schema(fields)), target, compression="zstd")

    @classmethod
    def from_parquet(cls, source: Target) -> Table:
        """Read a Parquet file: one of ours as it was written, anybody's as Arrow's Python values.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        _, parquet = _pyarrow("Table.from_parquet()")
        content = parquet.read_table(source)
        columns = []
        for field, column in zip(content.schema, content.columns, strict=True):
            values = column.to_pylist()
            if (field.metadata or {}).get(_KIND) == b"json":
                values = [None if cell is None else decode(cell) for cell in values]
            columns.append(values)
        table = cls(columns=[field.name for field in content.schema])
        table.rows = [list(row) for row in zip(*columns, strict=True)]
        return table

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.columns == other.columns and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({len(self.rows)} rows of {', '.join(self.columns)})"


def _check_columns(columns: Iterable[Any]) -> list[str]:
    if isinstance(columns, str):
        raise UsageError(f"columns must be a list of names, got the text {columns!r:.80}")
    names = [str(name) if isinstance(name, int) else name for name in columns]
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"a column's name must be text, got {type(name).__name__}: {name!r:.80}")
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise UsageError(f"a Table's columns need names of their own; these occur twice: {', '.join(twice)}")
    return names


def is_frame(value: object) -> bool:
    """Whether this is a pandas DataFrame; pandas is not imported to find out."""
    pandas = sys.modules.get("pandas")  # who passes a DataFrame has imported it
    return pandas is not None and isinstance(value, getattr(pandas, "DataFrame", ()))


def _from_frame(frame: Any) -> tuple[list[str], list[list[Any]]]:
    columns = []
    for position in range(frame.shape[1]):
        series = frame.iloc[:, position]
        # NaN in a column of numbers or objects is a number; in one of texts or times it is pandas' word for nothing.
        nan_counts = str(series.dtype).startswith(("float", "object"))
        columns.append(
            [
                None if gone and not (nan_counts and isinstance(value, float)) else value
                for value, gone in zip(series.tolist(), series.isna().tolist(), strict=True)
            ]
        )
    rows = [list(row) for row in zip(*columns, strict=True)]
    return [str(name) for name in frame.columns], rows


def _plain(value: Any) -> Any:
    """numpy's and pandas' scalars as Python's own, where nothing is lost."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic) and not isinstance(value, numpy.datetime64):
        return value.item()
    if isinstance(value, datetime.datetime) and type(value) is not datetime.datetime:
        convert = getattr(value, "to_pydatetime", None)
        if callable(convert) and not getattr(value, "nanosecond", 0):
            return convert()
    return value


def _to_arrow(arrow: Any, values: Sequence[Any]) -> tuple[str, pyarrow.Array]:
    """The narrowest native type that holds every value as it is; JSON text where none does."""
    native = _native(arrow, values)
    if native is not None:
        try:
            return "native", arrow.array(values, type=native, from_pandas=False)
        except (arrow.ArrowInvalid, UnicodeEncodeError, OverflowError):  # a lone surrogate, a year out of range
            pass
    cells = [None if value is None else encode(value).decode() for value in values]
    return "json", arrow.array(cells, type=arrow.string())


def _native(arrow: Any, values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return arrow.bool_()
    if kinds == {int}:
        return arrow.int64() if all(value is None or value in _INT64 for value in values) else None
    if kinds == {float}:
        return arrow.float64()
    if kinds == {int, float}:
        exact = all(type(value) is not int or -_EXACT <= value <= _EXACT for value in values)
        return arrow.float64() if exact else None
    if kinds == {bytes}:
        return arrow.binary()
    if kinds == {datetime.date}:
        return arrow.date32()
    if kinds == {datetime.datetime}:
        aware = {value.tzinfo is not None for value in values if value is not None}
        return None if len(aware) > 1 else arrow.timestamp("us", tz="UTC" if aware.pop() else None)
    return arrow.string() if kinds <= {str} else None


def _pyarrow(what: str) -> tuple[Any, Any]:
    try:
        import pyarrow  # optional, and slow to import
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(what, "tables") from error
    return pyarrow, pyarrow.parquet
