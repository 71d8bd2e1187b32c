"""Tables as Parquet files: written in row groups, the same content always as the same bytes; read whole, or its shape.

What cannot be read is said in one line. pyarrow is an extra: it comes with the first call.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeAlias

from weft.tracking.errors import UsageError
from weft.tracking.tables.arrow import KIND, ROWS_A_GROUP, pyarrow_for

if TYPE_CHECKING:
    import pyarrow

Target: TypeAlias = "str | PathLike[str] | IO[bytes]"


class Shape(NamedTuple):
    """What a file holds, by its footer alone."""

    columns: list[str]
    n_rows: int


def write(content: pyarrow.Table, target: Target) -> None:
    """Write it (zstd), a group of rows at a time."""
    import pyarrow.parquet as parquet  # `content` has brought pyarrow already

    with parquet.ParquetWriter(target, content.schema, compression="zstd") as writer:
        for start in range(0, max(content.num_rows, 1), ROWS_A_GROUP):
            writer.write_table(content.slice(start, ROWS_A_GROUP), row_group_size=ROWS_A_GROUP)


def read(source: Target, columns: list[str] | None = None) -> pyarrow.Table:
    """The file's content.

    Raises:
        MissingExtraError: pyarrow is not installed.
        FileNotFoundError: there is no such file.
        UsageError: it is no sound Parquet file.
    """
    arrow = pyarrow_for("Reading a Parquet file")
    import pyarrow.parquet as parquet  # as above

    try:
        with parquet.ParquetFile(source) as file:
            return file.read(columns=columns)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(source, error) from error


def shape(source: Target) -> Shape:
    """Columns and number of rows.

    Raises:
        as `read`.
    """
    arrow = pyarrow_for("Reading a Parquet file")
    import pyarrow.parquet as parquet  # as above

    try:
        with parquet.ParquetFile(source) as file:
            return Shape(list(file.schema_arrow.names), file.metadata.num_rows)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(source, error) from error


def joined(parts: Iterable[pyarrow.Table]) -> pyarrow.Table | None:
    """Several parts of one table as one, where their columns have types that go together; None: by values only."""
    arrow = pyarrow_for("Reading a Parquet file")
    found = list(parts)
    if len(found) == 1:
        return found[0]
    told = [{field.name: (field.metadata or {}).get(KIND) for field in part.schema} for part in found]
    if any(other != told[0] for other in told):
        return None
    try:
        return arrow.concat_tables(found, promote_options="permissive")
    except arrow.ArrowException:
        return None


def _unreadable(source: Target, error: Exception) -> Exception:
    """What to raise: trouble of the disk as it is, anything else as a file that is none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    named = getattr(source, "name", None) if not isinstance(source, (str, PathLike)) else source
    first: Any = next(iter(str(error).splitlines()), type(error).__name__)
    return UsageError(
        f"{str(named) if named is not None else 'this file'!r:.200} cannot be read as a table: it is no sound Parquet "
        f"file ({first:.150}). Fetch it again, or log the Table again"
    )
