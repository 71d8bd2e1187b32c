"""A table: named, typed columns and rows of any values. Runs log them, evaluations keep results in them.

Numbers, text, booleans, bytes, times and lists of one of them are native Parquet; a column of mixed or nested values
is JSON text, marked so, and comes back as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.tables import arrow, parquet
from weft.tracking.tables.columntypes import ANY, ColumnType, is_frame, kind_from, per_column, plain
from weft.tracking.tables.frames import from_frame
from weft.tracking.tables.parquet import Target

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from weft.tracking.blobs import Blobs
    from weft.tracking.tables.joins import How
    from weft.tracking.tables.parts import Part
    from weft.tracking.tables.query import QueryResult

LogMode = Literal["IMMUTABLE", "MUTABLE", "INCREMENTAL"]
_LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")
_USUAL = frozenset({int, float, str, bool, type(None)})
_DEFAULT_COLUMNS = ("Input", "Output", "Expected")


class Table:
    """Columns and rows.

    The first value of a column says what it holds (numbers, text, booleans, bytes, times, lists, dicts, or one class of
    objects); the next ones must be of that kind.

    Args:
        columns: names, each once; taken from the rows where these are dicts or a data frame.
        data, rows: the rows (two names for it, as in wandb): sequences as long as `columns`, or dicts.
        dataframe: a pandas or polars DataFrame, or an Arrow table; pandas' index is left away.
        dtype: what the columns hold (`float`, `str`, ...): one for all, a list of one each, or a dict by name.
        optional: whether None may be in them: likewise one, a list, a dict.
        allow_mixed_types: let every column hold anything.
        log_mode: `IMMUTABLE` and `MUTABLE`: each `log()` keeps the table as it is then, as a version of its own if
            anything changed. `INCREMENTAL`: each `log()` adds a file of the new rows; what is logged stays as it is.

    Raises:
        UsageError: a name occurs twice, a row does not fit, an argument is none of those.
        TypeError: a value is of another type than its column.

    Example:
        >>> table = Table(columns=["question", "score"], data=[["why?", 0.9]])
        >>> table.add_data("how?", None)
        >>> table.query("select avg(score) as mean from t").rows
    """

    MAX_ROWS: ClassVar[int] = 10_000
    """wandb's limits, for scripts that set them. No table is ever cut."""
    MAX_ARTIFACT_ROWS: ClassVar[int] = 200_000

    def __init__(
        self,
        columns: Iterable[str] | None = None,
        data: Iterable[Any] | None = None,
        rows: Iterable[Any] | None = None,
        dataframe: pandas.DataFrame | polars.DataFrame | pyarrow.Table | None = None,
        dtype: Any = None,
        optional: bool | Sequence[bool] | Mapping[str, bool] = True,
        allow_mixed_types: bool = False,
        log_mode: LogMode | None = "IMMUTABLE",
    ) -> None:
        given = [source for source in (data, rows, dataframe) if source is not None]
        if len(given) > 1:
            raise UsageError("a Table takes its rows from one of data=, rows= and dataframe=, not from several")
        if log_mode is not None and log_mode not in _LOG_MODES:
            raise UsageError(f"log_mode is {log_mode!r:.40}; it must be one of {', '.join(_LOG_MODES)}")
        found, content = _content(given[0] if given else (), index=columns is None)
        self.columns: list[str] = _check_columns(_columns(found, content) if columns is None else columns)
        self.rows: list[list[Any]] = []
        self.log_mode: str = log_mode or "IMMUTABLE"
        self.logged_parts: dict[str, list[Part]] = {}
        """By place (home, project, artifact): the files that an INCREMENTAL table's logged rows are in."""
        self._mixed = allow_mixed_types
        kinds = [ANY if allow_mixed_types else kind_from(one) for one in per_column("dtype", dtype, self.columns)]
        nones = per_column("optional", optional, self.columns)
        self._types = [ColumnType(kind, bool(none)) for kind, none in zip(kinds, nones, strict=True)]
        self._pk: str | None = None
        self._fks: dict[str, tuple[Table | str, str]] = {}
        for row in content:
            self._add(row)

    @property
    def data(self) -> list[list[Any]]:
        """wandb's name for `rows`."""
        return self.rows

    def add_data(self, *row: Any) -> None:
        """Add one row, a value a column.

        Raises:
            UsageError: there are more or fewer values than columns.
            TypeError: a value is of another type than its column.
        """
        self._add(row)

    add_row = add_data

    def _add(self, row: Any) -> None:
        if isinstance(row, Mapping):
            strange = [str(name) for name in row if name not in self.columns]
            if strange:
                known = ", ".join(self.columns)
                raise UsageError(f"{self._next_row()} has no column {', '.join(strange)}; it has {known}")
            values = [plain_none(row.get(name)) for name in self.columns]
        else:
            if isinstance(row, (str, bytes)) or not isinstance(row, Iterable):
                told = f"got {type(row).__name__}: {row!r:.80}"
                raise UsageError(f"{self._next_row()} must be a sequence or a dict, {told}")
            values = [value if type(value) in _USUAL else plain_none(value) for value in row]
        if len(values) != len(self.columns) or not values:
            wanted = f"{len(self.columns)} columns ({', '.join(self.columns)})"
            raise UsageError(f"{self._next_row()} has {len(values)} values for {wanted}")
        at = len(self.rows)
        for name, kind, value in zip(self.columns, self._types, values, strict=True):
            kind.check(value, at, name)
        self.rows.append(values)

    def _next_row(self) -> str:
        return f"row {len(self.rows)} of the Table"

    def add_column(self, name: str, data: Iterable[Any], optional: bool = False) -> None:
        """Add a column, a value a row; of a Table without any, its rows.

        Raises:
            UsageError: the name is taken, the values are more or fewer than the rows, or the Table is INCREMENTAL.
            TypeError: the values are of several types, or None where `optional` is not set.
        """
        self._check_widening("add_column()")
        values = [plain_none(value) for value in (data.tolist() if hasattr(data, "tolist") else data)]
        if self.columns and len(values) != len(self.rows):
            raise UsageError(f"column {name!r:.80} has {len(values)} values for {len(self.rows)} rows")
        columns = _check_columns([*self.columns, name])
        kind = ColumnType(ANY if self._mixed else None, optional or self._mixed)
        for at, value in enumerate(values):
            kind.check(value, at, name)
        if not self.columns:
            self.rows = [[] for _ in values]
        self.columns = columns
        self._types.append(kind)
        for row, value in zip(self.rows, values, strict=True):
            row.append(value)

    def add_computed_columns(self, fn: Callable[[int, dict[str, Any]], Mapping[str, Any]]) -> None:
        """Add columns that `fn(number, row as a dict)` computes for each row: it returns {name: value}.

        Raises:
            UsageError: `fn` returns no dict, other names for other rows, or a name that is taken.
        """
        self._check_widening("add_computed_columns()")
        computed: dict[str, list[Any]] = {}
        for at, row in enumerate(self.rows):
            made = fn(at, dict(zip(self.columns, row, strict=True)))
            if not isinstance(made, Mapping) or (at and set(made) != set(computed)):
                raise UsageError(
                    f"add_computed_columns(): the function returned {made!r:.80} for row {at}; "
                    "it must return a dict with the same names for every row"
                )
            for name, value in made.items():
                computed.setdefault(name, []).append(value)
        _check_columns([*self.columns, *computed])
        for name, values in computed.items():
            self.add_column(name, values, optional=True)

    def _check_widening(self, what: str) -> None:
        if self.log_mode == "INCREMENTAL":
            raise UsageError(f"{what} would change rows that are logged; an INCREMENTAL Table only gets new rows")

    def get_column(self, name: str, convert_to: Literal["numpy"] | None = None) -> Any:
        """The values of one column, as a list or (`convert_to="numpy"`) an array.

        Raises:
            UsageError: there is no such column, or `convert_to` is something else.
        """
        index = self._index(name)
        values = [row[index] for row in self.rows]
        if convert_to is None:
            return values
        if convert_to != "numpy":
            raise UsageError(f'get_column() converts to "numpy" or not at all, got {convert_to!r:.40}')
        try:
            import numpy  # optional
        except ImportError as error:
            raise MissingExtraError('Table.get_column(convert_to="numpy")', "tables") from error
        try:
            return numpy.array(values)
        except ValueError:  # lists of several lengths
            made = numpy.empty(len(values), dtype=object)
            made[:] = values
            return made

    def get_index(self) -> list[int]:
        """The numbers of the rows."""
        return list(range(len(self.rows)))

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Number and values of each row."""
        return enumerate(self.rows)

    def cast(self, col_name: str, dtype: Any, optional: bool = False) -> None:
        """Say what a column holds; nothing is converted.

        Raises:
            UsageError: there is no such column, or no such type.
            TypeError: a value in it is of another type, or None without `optional`.
        """
        index = self._index(col_name)
        kind = ColumnType(kind_from(dtype), optional)
        if col_name == self._pk and optional:
            raise UsageError(f"column {col_name!r} is the primary key, so it cannot be optional")
        for at, row in enumerate(self.rows):
            kind.check(row[index], at, col_name)
        self._types[index] = kind

    def set_pk(self, col_name: str) -> None:
        """Make a column the primary key: text or whole numbers, never None.

        Raises:
            UsageError: there is no such column.
            TypeError: it holds None or something that is no key.
        """
        self._make_key(col_name, "a primary key")
        self._pk = col_name

    def set_fk(self, col_name: str, table: Table | str, table_col: str) -> None:
        """Say that a column refers to another table's column.

        Raises:
            UsageError: there is no such column here, or in `table` where it is a Table.
        """
        self._index(col_name)
        if isinstance(table, Table):
            table._index(table_col)
        self._fks[col_name] = (table, table_col)

    def _make_key(self, name: str, what: str) -> None:
        index = self._index(name)
        for at, row in enumerate(self.rows):
            if isinstance(row[index], bool) or not isinstance(plain(row[index]), (str, int)):
                raise TypeError(
                    f"row {at} of the Table, column {name!r}, is {row[index]!r:.60}; {what} is text or a whole number"
                )
        self._types[index].optional = False

    def _index(self, name: str) -> int:
        if name not in self.columns:
            raise UsageError(f"the Table has no column {name!r:.80}; it has {', '.join(self.columns)}")
        return self.columns.index(name)

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

    def to_arrow(self) -> pyarrow.Table:
        """As an Arrow table: a column of mixed or nested values is JSON text.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        return arrow.to_arrow(self.columns, self.rows, "Table.to_arrow()")

    def to_polars(self) -> polars.DataFrame:
        """As a polars DataFrame: a column of mixed or nested values is JSON text.

        Raises:
            MissingExtraError, ImportError: pyarrow or polars is not installed.
        """
        import polars as pl  # the user's own; no extra of ours brings it

        found = pl.from_arrow(arrow.to_arrow(self.columns, self.rows, "Table.to_polars()"))
        return found if isinstance(found, pl.DataFrame) else found.to_frame()

    def to_parquet(self, target: Target, *, start: int = 0, store_blob: arrow.StoreBlob | None = None) -> None:
        """Write as Parquet (zstd), in groups of rows: the same content gives the same bytes.

        Args:
            start: the first row that is written.
            store_blob: where the media and other big content of cells go; without it media are only named, by their
                sha256 (an artifact keeps their files: `Artifact.add`, `run.log`).

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        rows = self.rows[start:] if start else self.rows
        parquet.write(arrow.to_arrow(self.columns, rows, "Table.to_parquet()", store_blob), target)

    @classmethod
    def from_parquet(cls, *sources: Target, blobs: Blobs | None = None) -> Table:
        """Read Parquet files, one after the other: ours as they were written, anybody's as Arrow's Python values.

        Args:
            blobs: where the media in its cells lie; default this process's home.

        Raises:
            MissingExtraError: pyarrow is not installed.
            FileNotFoundError: there is no such file.
            UsageError: one is no sound Parquet file, or has other columns than the first.
        """
        table: Table | None = None
        for source in sources:
            columns, rows = arrow.from_arrow(parquet.read(source), blobs)
            if table is None:
                table = cls(columns=columns, allow_mixed_types=True)
            elif columns != table.columns:
                raise UsageError(
                    f"the parts of a table must have the same columns; one has {', '.join(table.columns)}, "
                    f"another {', '.join(columns)}"
                )
            table.rows += rows
        if table is None:
            raise UsageError("Table.from_parquet() was given no file")
        return table

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> QueryResult:
        """Ask this table by SQL (DuckDB's); it goes by the names `t` and `self`.

        Args:
            params: values for `?`, or by name for `$name`.

        Raises:
            MissingExtraError: DuckDB is not installed.
            UsageError: the query is wrong, or does anything else than read this table.

        Example:
            >>> table.query("select question, max(score) as best from t group by question").rows
        """
        from weft.tracking.tables.query import ask  # brings DuckDB

        own = self.to_arrow()
        return ask(sql, {"t": own, "self": own}, params)

    def join(self, other: Table, key: str | Sequence[str], how: How = "inner") -> Table:
        """This table's rows beside those of another one that have the same key; its columns follow, `_2` behind a
        name that both have.

        Args:
            key: the column to join on, or two: its name here and there.
            how: `inner`, `left` (all rows of this one) or `outer` (of both).

        Raises:
            UsageError: a table has no such column.
        """
        from weft.tracking.tables.joins import join  # it imports this module

        return join(self, other, key, how)

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.columns == other.columns and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({len(self.rows)} rows of {', '.join(self.columns)})"


def plain_none(value: Any) -> Any:
    """pandas' words for nothing as None, a tensor as its numbers (rows would keep its device's memory); anything else
    as it is."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    torch: Any = sys.modules.get("torch")
    return plain(value) if torch is not None and isinstance(value, torch.Tensor) else value


def _content(source: Any, *, index: bool) -> tuple[list[str] | None, list[Any]]:
    """The columns, where the source names them, and its rows."""
    if is_frame(source):
        return from_frame(source, index=index)
    return None, list(source.tolist() if hasattr(source, "tolist") else source)  # a numpy array has tolist


def _columns(found: list[str] | None, content: list[Any]) -> Iterable[str]:
    if found is not None:
        return found
    if content and all(isinstance(row, Mapping) for row in content):
        return dict.fromkeys(name for row in content for name in row)
    if all(isinstance(row, Sequence) and len(row) == len(_DEFAULT_COLUMNS) for row in content):
        return _DEFAULT_COLUMNS  # wandb's
    raise UsageError('a Table needs columns=["name", ...], unless its rows are dicts or a data frame')


def _check_columns(columns: Iterable[Any]) -> list[str]:
    if isinstance(columns, str):
        raise UsageError(f"columns must be a list of names, got the text {columns!r:.80}")
    names = [str(name) if isinstance(name, int) else name for name in columns]
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"a column's name must be text, got {type(name).__name__}: {name!r:.80}")
        if any(0xD800 <= ord(char) < 0xE000 for char in name):
            raise UsageError(f"a column's name must be text without lone surrogates, got {name!r:.80}")
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise UsageError(f"a Table's columns need names of their own; these occur twice: {', '.join(twice)}")
    return names
