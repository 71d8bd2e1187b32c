"""What the views' loaders ask with, and how their columns become an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def table(kinds: Mapping[str, Kind], columns: Mapping[str, Sequence[Any]]) -> pyarrow.Table:
    """These columns; there is at least one."""
    import pyarrow as pa  # the extra `tables`

    return pa.table([array(kinds[name], values) for name, values in columns.items()], names=list(columns))
