"""`weft.Api()`: what was recorded, to read and to correct. Results are lazy: iterated, sliced, made a data frame.

Reading takes in what this process recorded first. Corrections (names, tags, deletions) are records in this process's
journal, like everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracking.api.calls import Calls
from weft.tracking.api.runs import RecordedRuns
from weft.tracking.api.versions import Versions
from weft.tracking.home import Home

if TYPE_CHECKING:
    from weft.tracking.tables.query import Params, QueryResult


class Api(RecordedRuns, Calls, Versions):
    """What is in a store. Close it, or use it as a context manager; threads may share it.

    Args:
        project: looked into where a question names none; None: all of them. A dict is taken as `overrides`.
        timeout: as wandb has it; nothing is waited for here.
        api_key: likewise.
        overrides: wandb's; `project` of it counts.
        settings: where the store is; default this process's.

    Raises:
        StoreError: it cannot be opened.

    Example:
        >>> for trace in weft.Api().traces({"status": "error"}, order="-duration_ns")[:10]:
        ...     print(trace.name, trace.duration_ns)
    """

    def sql(self, query: str, params: Params | None = None, *, limit: int | None = None) -> QueryResult:
        """Ask the whole store by SQL (docs/sql.md): views such as runs, metrics, spans, scores, and logged tables.

        Args:
            query: one SELECT; a table that a run logged is "project/run/key", in double quotes.
            params: values for `?`, or by name for `$name`.
            limit: rows that are fetched at most.

        Raises:
            UsageError: the query is wrong, or does anything else than read.
            MissingExtraError: DuckDB is not installed.

        Example:
            >>> weft.Api().sql("select run_id, max(value) from metrics where key = ? group by all", ["acc"]).rows
        """
        from weft.tracking.sql.question import answer  # who asks otherwise needs neither Arrow nor DuckDB

        self._take_in()
        return answer(self._store, Home(self._settings.home), query, params, limit=limit)
