"""Tables: named, typed columns and rows of any values; to and from Parquet, queried by SQL, joined, logged in parts."""

from weft.tracking.tables.columntypes import is_frame
from weft.tracking.tables.joins import JoinedTable
from weft.tracking.tables.table import Table

__all__ = ["JoinedTable", "Table", "is_frame"]
