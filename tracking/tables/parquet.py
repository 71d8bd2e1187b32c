"""Tables as Parquet files: written in row groups, the same content always as the same bytes; read whole, or as
a query asks.

What cannot be read is said in one line. pyarrow is an extra: it comes with the first call.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from weft.tracking.errors import UsageError
from weft.tracking.tables.arrow import KIND, ROWS_A_GROUP, pyarrow_for

if TYPE_CHECKING:
    import pyarrow

Target: TypeAlias = "str | PathLike[str] | IO[bytes]"


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


def dataset(files: Sequence[Path]) -> Any:
    """The parts of one table for SQL, of which a query reads no more than it asks for; None where their columns are of
    types that do not go together.

    Raises:
        as `read`.
    """
    arrow = pyarrow_for("Reading a Parquet file")
    import pyarrow.dataset as ds  # as above

    schemas = [_schema(arrow, file) for file in files]
    told = [{field.name: (field.metadata or {}).get(KIND) for field in schema} for schema in schemas]
    if any(other != told[0] for other in told):
        return None
    try:
        whole = arrow.unify_schemas(schemas, promote_options="permissive")
    except arrow.ArrowException:
        return None
    return ds.dataset([str(file) for file in files], schema=whole, format="parquet")


def _schema(arrow: Any, file: Path) -> pyarrow.Schema:
    import pyarrow.parquet as parquet  # as above

    try:
        return parquet.read_schema(file)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, error) from error


def _unreadable(source: Target, error: Exception) -> Exception:
    """What to raise: trouble of the disk as what it is, anything else as a file that is none."""
    named = getattr(source, "name", None) if not isinstance(source, (str, PathLike)) else source
    if isinstance(error, OSError) and error.errno is not None:  # Arrow has a paragraph for it
        why = "there is no such file" if isinstance(error, FileNotFoundError) else os.strerror(error.errno)
        told = str(named) if named is not None else "this file"
        return type(error)(f"{told!r:.200} cannot be read as a table: {why}")
    first: Any = next(iter(str(error).splitlines()), type(error).__name__)
    return UsageError(
        f"{str(named) if named is not None else 'this file'!r:.200} cannot be read as a table: it is no sound Parquet "
        f"file ({first:.150}). Fetch it again, or log the Table again"
    )
