"""What the views' loaders ask with, and how their columns become an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, FromClause, select

from weft.tracking.sql.columntypes import Kind, array

if TYPE_CHECKING:
    import pyarrow

    from weft.tracking.blobs import Blobs
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's sources."""

    store: Store
    reader: Reader
    blobs: Blobs


def narrow(
    asked: Asked,
    columns: Mapping[str, ColumnElement[Any]],
    source: FromClause,
    *orders: ColumnElement[Any],
    where: ColumnElement[bool] | None = None,
) -> dict[str, Sequence[Any]]:
    """Columns straight from the store's rows, which costs a fraction of the readers' records."""
    query = select(*(column.label(f"c{at}") for at, column in enumerate(columns.values()))).select_from(source)
    if where is not None:
        query = query.where(where)
    with asked.store.reading() as connection:
        rows = connection.execute(query.order_by(*orders)).all()
    turned: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return dict(zip(columns, turned, strict=True))


def table(kinds: Mapping[str, Kind], columns: Mapping[str, Sequence[Any]]) -> pyarrow.Table:
    """These columns; there is at least one."""
    import pyarrow as pa  # the extra `tables`

    return pa.table([array(kinds[name], values) for name, values in columns.items()], names=list(columns))
