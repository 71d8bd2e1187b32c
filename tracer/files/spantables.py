"""Spans as Parquet: one row each, typed columns, payloads as JSON text. The extra `tables`; pyarrow comes late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self

import orjson

from weft.tracer.files.spanrows import COLUMNS, NUMBERS, PAYLOADS, TEXTS
from weft.tracer.otlp.files import Item, Line, Trouble
from weft.tracer.otlp.spans import Refused
from weft.tracking.errors import MissingExtraError

_BATCH = 2_000


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # optional, and slow to import
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Parquet", "tables") from error
    return pyarrow, pyarrow.parquet


class SpanTable:
    """A Parquet file that is being written, a batch a row group.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._arrow, parquet = _pyarrow()
        text, number = self._arrow.string(), self._arrow.int64()
        types = dict.fromkeys((*TEXTS, *PAYLOADS), text) | dict.fromkeys(("weft", *NUMBERS), number)
        self._schema = self._arrow.schema([(name, types[name]) for name in COLUMNS])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows (`spanrows.row`)."""
        plain = [
            {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()} for row in rows
        ]
        self._writer.write_table(self._arrow.Table.from_pylist(plain, schema=self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def read(file: IO[bytes]) -> Iterator[Item]:
    """The spans of a Parquet file that weft wrote. Never raises for what is in it.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    try:
        source = parquet.ParquetFile(file)
        if not {"trace_id", "span_id", "start_ns"} <= set(source.schema_arrow.names):
            yield Trouble("a Parquet file without the columns trace_id, span_id and start_ns: no export of weft's")
            return
        wanted = [name for name in source.schema_arrow.names if name in COLUMNS]
        for batch in source.iter_batches(_BATCH, columns=wanted):
            yield from map(_item, batch.to_pylist())
    except (arrow.ArrowException, OSError) as error:
        yield Trouble(f"no sound Parquet ({str(error).splitlines()[0]:.200})")


def _item(held: Mapping[str, Any]) -> Line | Refused:
    row: dict[str, Any] = {}
    for name, value in held.items():
        if value is None:
            continue
        try:
            row[name] = orjson.loads(value) if name in PAYLOADS and isinstance(value, (str, bytes)) else value
        except orjson.JSONDecodeError:
            return Refused(f"the column {name} holds what is no JSON")
    return Line(row)
