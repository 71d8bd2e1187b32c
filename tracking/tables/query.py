"""SQL over tables in memory, by DuckDB: one statement that only reads what it is given. Never a file, never a network.

Called by `Table.query` and by `Api().sql` and `weft sql`. DuckDB is an extra: it comes with the first question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.tables.interrupting import interrupted_by

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow

    from weft.tracking.tables.table import Table

Params = Sequence[Any] | Mapping[str, Any]

MEMORY = "4GB"
"""What one question may take; DuckDB says so where it would need more, and cannot go to the disk."""
_SEALED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": MEMORY,
}
"""No files, no network, no extensions, and no Python variables of whoever calls as tables."""
_READS = ("SELECT", "EXPLAIN", "MULTI")
"""Kinds of statement that only read; MULTI is what a PIVOT becomes."""
_guess = re.compile(r' Did you mean "([^"]*)"\?$').search


class Row(tuple[Any, ...]):
    """Values in the order of the columns, by place or by name: `row[0]`, `row["loss"]`."""

    _names: Mapping[str, int]

    @overload  # type: ignore[override]
    def __getitem__(self, at: str) -> Any: ...
    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, str):
            if at not in self._names:
                raise KeyError(f"the result has no column {at!r}; it has {', '.join(self._names)}")
            at = self._names[at]
        return super().__getitem__(at)


class QueryResult(Sequence[Row]):
    """What a question was answered with: `columns`, `rows`, or the whole for other libraries."""

    def __init__(self, content: pyarrow.Table, cut: bool = False) -> None:
        self._content = content
        self._rows: list[Row] | None = None
        self.cut = cut
        """Whether there was more than the limit let through."""

    @property
    def columns(self) -> list[str]:
        """Names, each once: a second one of the same name is called `name_2`."""
        return list(self._content.column_names)

    @property
    def rows(self) -> list[Row]:
        """Rows of Python values: times are aware datetimes in UTC, money Decimal."""
        if self._rows is None:
            kind = type("Row", (Row,), {"_names": {name: at for at, name in enumerate(self.columns)}})
            columns = [column.to_pylist() for column in self._content.columns]
            self._rows = [kind(row) for row in zip(*columns, strict=True)]
        return self._rows

    def to_arrow(self) -> pyarrow.Table:
        """As an Arrow table."""
        return self._content

    def to_pandas(self) -> pandas.DataFrame:
        """As a pandas DataFrame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd  # optional; pyarrow's own message would name no extra
        except ImportError as error:
            raise MissingExtraError("QueryResult.to_pandas()", "ui") from error
        frame = self._content.to_pandas()
        assert isinstance(frame, pd.DataFrame)
        return frame

    def to_polars(self) -> polars.DataFrame:
        """As a polars DataFrame; polars is the user's own."""
        import polars as pl  # no extra of ours brings it

        found = pl.from_arrow(self._content)
        return found if isinstance(found, pl.DataFrame) else found.to_frame()

    def to_table(self) -> Table:
        """As a Table, to log for instance."""
        from weft.tracking.tables.table import Table  # it asks by this module

        return Table(dataframe=self._content, allow_mixed_types=True)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        return self.rows[at]

    def __len__(self) -> int:
        return int(self._content.num_rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __repr__(self) -> str:
        return f"<QueryResult: {len(self)} rows of {', '.join(self.columns)}>"


def ask(sql: str, sources: Mapping[str, Any], params: Params | None = None, *, limit: int | None = None) -> QueryResult:
    """Answer one question over Arrow tables or datasets, by the names they are given here.

    Args:
        params: values for `?`, or by name for `$name`.
        limit: rows that are fetched at most.

    Raises:
        MissingExtraError: DuckDB is not installed.
        UsageError: the query is wrong, does not only read, or needs more memory than it may take.
    """
    duck = duckdb_for("SQL")
    if not isinstance(sql, str) or not sql.strip():
        raise UsageError(f"a query is text such as 'select * from t', got {sql!r:.80}")
    if any(0xD800 <= ord(char) < 0xE000 for char in sql):
        raise UsageError(f"a query is text without lone surrogates, got {sql!r:.80}")
    with _connection(duck, sources) as connection:
        try:
            _check_reads(duck, connection, sql)
            with interrupted_by(connection.interrupt):
                answer = connection.sql(sql, params=params) if params else connection.sql(sql)
                return _fetched(answer, limit)
        except duck.InterruptException:
            raise KeyboardInterrupt from None
        except duck.Error as error:
            raise UsageError(_told(error, sources)) from error
        except RuntimeError as error:
            if "interrupted" not in str(error).lower():
                raise
            raise KeyboardInterrupt from None  # DuckDB's word for Ctrl-C


@contextmanager
def _connection(duck: Any, sources: Mapping[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duck.connect(config=dict(_SEALED))
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set lock_configuration = true")
        for name, source in sources.items():
            connection.register(name, source)
        yield connection
    finally:
        connection.close()


def _check_reads(duck: Any, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UsageError(f"a query is one statement, this text has {len(statements)}")
    kind = statements[0].type
    if kind not in {getattr(duck.StatementType, name) for name in _READS}:
        raise UsageError(
            f"a query can only read, and this one is of the kind {str(kind).rpartition('.')[2]}. Begin it with SELECT, "
            "FROM, WITH, DESCRIBE or EXPLAIN"
        )


def _fetched(answer: Any, limit: int | None) -> QueryResult:
    """All rows, or the first ones without computing those behind them."""
    import pyarrow  # DuckDB answers in Arrow

    if answer is None:
        raise UsageError("the query answers nothing")
    reader = answer.to_arrow_reader(1 << 16)
    batches, count = [], 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        if limit is not None and count > limit:
            break
    content = pyarrow.Table.from_batches(batches, schema=reader.schema)
    cut = limit is not None and count > limit
    return QueryResult(_named(content.slice(0, limit) if cut else content), cut)


def _named(content: pyarrow.Table) -> pyarrow.Table:
    names: list[str] = []
    for name in content.column_names:
        number, free = 2, name
        while free in names:
            free, number = f"{name}_{number}", number + 1
        names.append(free)
    return content.rename_columns(names)


def _told(error: Exception, sources: Mapping[str, Any]) -> str:
    """DuckDB's message on one line, without the picture of the place, and with what there is to ask."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("LINE ", "^"))]
    message = " ".join(kept) or type(error).__name__
    if "file system operations are disabled" in message or "disabled through configuration" in message:
        return f"a query reads only what weft keeps, no files and no network. {message}"
    guess = _guess(message) if "Table with name" in message else None
    if guess is not None and guess[1] not in sources:  # of DuckDB's own tables
        return f"{message[: guess.start()]} There is {', '.join(sources)}"
    return message


def duckdb_for(what: str) -> Any:
    """The module.

    Raises:
        MissingExtraError: DuckDB or pyarrow is not installed.
    """
    try:
        import duckdb  # optional, and slow to import
        import pyarrow  # noqa: F401 - its answers come by it
    except ImportError as error:
        raise MissingExtraError(what, "tables") from error
    return duckdb
