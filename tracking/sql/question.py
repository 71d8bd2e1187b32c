"""One question over a store: the views, and the logged tables that it names in double quotes."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.sql.asking import Asked
from weft.tracking.sql.columntypes import schema
from weft.tracking.sql.lazy import Wanted, lazy_dataset
from weft.tracking.sql.loggedtables import content
from weft.tracking.sql.views import VIEWS, View
from weft.tracking.tables.query import Params, QueryResult, ask, duckdb_for

if TYPE_CHECKING:
    import pyarrow

    from weft.tracking.home import Home
    from weft.tracking.store.store import Store

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_TABLE = re.compile(r"Table with name (.+?) does not exist")


def answer(
    store: Store, home: Home, sql: str, params: Params | None = None, *, limit: int | None = None
) -> QueryResult:
    """What the query says.

    Args:
        home: where the files of logged tables lie.
        params: values for `?`, or by name for `$name`.
        limit: rows that are fetched at most.

    Raises:
        MissingExtraError: DuckDB is not installed.
        UsageError: the query is wrong, does not only read, or needs more memory than it may take.
        NotFoundError: the files of a table that it names are not in this home.
        StoreError: the store cannot be read.
    """
    duckdb_for("SQL")
    if not isinstance(sql, str):
        raise UsageError(f"a query is text such as 'select * from runs', got {sql!r:.80}")
    asked = Asked(store, store.reader(), Blobs(home))
    trouble: list[Exception] = []
    sources: dict[str, Any] = {name: _dataset(asked, view, trouble) for name, view in VIEWS.items()}
    for name in dict.fromkeys(found.replace('""', '"') for found in _QUOTED.findall(sql)):
        if "/" in name and name not in sources:
            table = content(asked, name)
            if table is not None:
                sources[name] = table
    try:
        return ask(sql, sources, params, limit=limit)
    except UsageError as error:
        if trouble:  # what a view could not read, DuckDB tells in words of its own
            raise trouble[0] from None
        raise _with_hint(error, sources) from error


def _dataset(asked: Asked, view: View, trouble: list[Exception]) -> Any:
    @functools.wraps(view.load)
    def load(wanted: Wanted) -> Iterator[pyarrow.Table]:
        try:
            yield from view.load(asked, wanted, view.columns)
        except Exception as error:
            trouble.append(error)
            raise

    return lazy_dataset(schema(view.columns), load)


def _with_hint(error: UsageError, sources: dict[str, Any]) -> UsageError:
    """An unknown table gets told what there is instead of DuckDB's guesses among its own."""
    unknown = _TABLE.search(str(error))
    if unknown is None:
        return error
    name = unknown[1].strip('"')
    near = difflib.get_close_matches(name, sources, 1)
    instead = f" (did you mean {near[0]}?)" if near else ""
    return UsageError(
        f"there is no table {name!r:.100}{instead}. The views are {', '.join(VIEWS)}; logged tables are listed by "
        '"select name from tables", and go into double quotes'
    )
