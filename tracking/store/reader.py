"""The questions a store answers, as frozen read models. Called by the app, the CLI and `Api()`; never writes.

Filters are Mongo-style dicts over the read models' field names (`filters`); an order is a field's name, with `-` in
front for descending. Every verb reads one state of the store, and never waits for whoever is writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from weft.tracking.store import artifactreader, runreader, schema, spanreader, tracereader
from weft.tracking.store.filters import Where
from weft.tracking.store.readmodels import (
    ArtifactRecord,
    Page,
    RunRecord,
    ScoreRecord,
    Series,
    SpanRecord,
    StoreStatus,
    TraceRecord,
    TraceStats,
)

if TYPE_CHECKING:
    from weft.tracking.store.store import Store


class Reader:
    """Asks one store. Threads may share it.

    Every verb raises `UsageError` for an unknown field, operator or order, and `StoreError` where the database fails.

    >>> with Store.open("sqlite:////tmp/weft.db") as store:
    ...     page = store.reader().traces({"status": "error", "text": {"$contains": "timeout"}}, limit=20)
    ...     print(page.total, [trace.name for trace in page.rows])
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def traces(
        self, where: Where | None = None, *, order: str = "-start_ns", limit: int = 50, offset: int = 0
    ) -> Page[TraceRecord]:
        """Traces, newest first. `text` searches the name and the previews of input and output."""
        with self._store.reading() as connection:
            return tracereader.traces(connection, where, order, limit, offset)

    def trace_stats(self, where: Where | None = None, *, buckets: int = 0) -> TraceStats:
        """Totals, exact percentiles of the duration, and the same for `buckets` equal slices of time."""
        with self._store.reading() as connection:
            return tracereader.trace_stats(connection, where, buckets)

    def spans(
        self,
        where: Where | None = None,
        *,
        payloads: bool = False,
        order: str = "start_ns",
        limit: int | None = None,
        offset: int = 0,
    ) -> Page[SpanRecord]:
        """Spans, of one trace for the most part: `{"trace_id": ...}`. `payloads` adds what they were given and said."""
        with self._store.reading() as connection:
            return spanreader.spans(connection, where, payloads, order, limit, offset)

    def runs(
        self, where: Where | None = None, *, order: str = "-started_ns", limit: int | None = 50, offset: int = 0
    ) -> Page[RunRecord]:
        """Runs, newest first. The summary is every metric's last value, under what was set by hand."""
        with self._store.reading() as connection:
            return runreader.runs(connection, where, order, limit, offset)

    def history(
        self, run_uid: str, keys: Sequence[str] | None = None, *, max_points: int | None = None
    ) -> dict[str, Series]:
        """A run's metrics in step order; beyond `max_points` each is reduced to min, max and last of equal buckets.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return runreader.history(connection, run_uid, keys, max_points)

    def rich(self, run_uid: str, key: str | None = None) -> list[dict[str, Any]]:
        """What a run logged that is no scalar, in step order: {key, step, at_ns, value}.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return runreader.rich(connection, run_uid, key)

    def artifacts(
        self, where: Where | None = None, *, order: str = "-created_ns", limit: int | None = 50, offset: int = 0
    ) -> Page[ArtifactRecord]:
        """Artifact versions, newest first, with aliases and the runs that made and used them."""
        with self._store.reading() as connection:
            return artifactreader.artifacts(connection, where, order, limit, offset)

    def scores(self, where: Where | None = None, *, limit: int | None = None, offset: int = 0) -> Page[ScoreRecord]:
        """Scores in order of time."""
        with self._store.reading() as connection:
            return spanreader.scores(connection, where, limit, offset)

    def status(self) -> StoreStatus:
        """What the store holds. `version` differs once anything was written."""
        with self._store.reading() as connection:
            run = schema.run.c
            meta = connection.execute(select(schema.meta)).one_or_none()
            runs = select(func.count()).select_from(schema.run).where(run.started_ns.is_not(None))
            names = select(schema.project.c.name).order_by(schema.project.c.name)
            if self._store.path is None:
                size = connection.execute(select(func.pg_database_size(func.current_database()))).scalar()
            else:
                size = sum(path.stat().st_size for path in self._store.files)
            return StoreStatus(
                version=meta.version if meta is not None else 0,
                schema_revision=self._store.revision,
                traces=meta.traces if meta is not None else 0,
                spans=meta.spans if meta is not None else 0,
                runs=connection.execute(runs).scalar_one(),
                size_bytes=size,
                segments=connection.execute(select(func.count()).select_from(schema.segment)).scalar_one(),
                projects=tuple(connection.execute(names).scalars()),
            )
