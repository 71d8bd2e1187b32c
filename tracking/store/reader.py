"""The questions a store answers, as frozen read models. Called by the app, the CLI and `Api()`; never writes.

Filters are Mongo-style dicts over the read models' field names and paths into their JSON (`filters`); an order is a
field's name or such a path, with `-` in front for descending. Lists go on behind `Page.cursor` (`after`) or an offset.
Every verb reads one state of the store, and never waits for whoever is writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, select

from weft.tracking.artifacts.lineage import Lineage
from weft.tracking.errors import StoreError
from weft.tracking.runs.metricstats import Standing
from weft.tracking.store import (
    artifactreader,
    consolereader,
    historyrows,
    keptreader,
    lineagereader,
    metricreader,
    registryreader,
    richreader,
    runreader,
    schema,
    spanreader,
    textindex,
    threadreader,
    tracereader,
)
from weft.tracking.store.filters import Where, check_size
from weft.tracking.store.readmodels import (
    AlertRecord,
    ArtifactRecord,
    CollectionRecord,
    ConsoleLine,
    FileRecord,
    HeldLink,
    HistoryPage,
    Page,
    ProjectRecord,
    RegistryEvent,
    RunRecord,
    ScoreRecord,
    Series,
    SpanRecord,
    StoreStatus,
    ThreadRecord,
    TraceRecord,
    TraceStats,
)

if TYPE_CHECKING:
    from weft.tracking.store.store import Store

TEXT_SECONDS = 1.0
"""How long a search that finds the text index behind helps it along first."""


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
        self,
        where: Where | None = None,
        *,
        order: str = "-start_ns",
        limit: int | None = 50,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[TraceRecord]:
        """Traces, newest first. JSON is the root's; `text` looks into the name and the previews, and
        `{"text": {"$search": 'words "a phrase" begin* -not'}}` into all that any of their spans was given and said."""
        with self._asked(where) as asked:
            found = tracereader.traces(asked.connection, where, order, limit, offset, after)
            return replace(found, notes=(*found.notes, *asked.notes))

    def trace_stats(self, where: Where | None = None, *, buckets: int = 0) -> TraceStats:
        """Totals, exact percentiles of the duration, and the same for `buckets` equal slices of time."""
        with self._asked(where) as asked:
            found = tracereader.trace_stats(asked.connection, where, buckets)
            return replace(found, notes=(*found.notes, *asked.notes))

    def threads(
        self,
        where: Where | None = None,
        *,
        order: str = "-last_ns",
        limit: int | None = 50,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[ThreadRecord]:
        """Conversations, the one with the latest turn first. The filter is over threads' own fields."""
        with self._store.reading() as connection:
            return threadreader.threads(connection, where, order, limit, offset, after)

    def turns(
        self,
        thread_id: str,
        project: str | None = None,
        *,
        limit: int | None = 50,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[SpanRecord]:
        """The turns of a conversation in order of time, without payloads: the topmost calls that have its id."""
        where = {"thread_id": thread_id} | ({"project": project} if project is not None else {})
        with self._store.reading() as connection:
            turn = threadreader.turn(connection.dialect.name == "sqlite")
            return spanreader.spans(connection, where, False, "start_ns", limit, offset, after, also=turn)

    def spans(
        self,
        where: Where | None = None,
        *,
        payloads: bool = False,
        order: str = "start_ns",
        limit: int | None = None,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[SpanRecord]:
        """Spans, of one trace for the most part: `{"trace_id": ...}`. `payloads` adds what they were given and said."""
        with self._asked(where) as asked:
            found = spanreader.spans(asked.connection, where, payloads, order, limit, offset, after)
            return replace(found, notes=(*found.notes, *asked.notes))

    def runs(
        self,
        where: Where | None = None,
        *,
        order: str = "-started_ns",
        limit: int | None = 50,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[RunRecord]:
        """Runs, newest first. The summary is every metric's last value, under what was set by hand."""
        with self._store.reading() as connection:
            return runreader.runs(connection, where, order, limit, offset, after)

    def history(
        self,
        run_uid: str,
        keys: Sequence[str] | None = None,
        *,
        max_points: int | None = None,
        stream: str = "default",
    ) -> dict[str, Series]:
        """A run's metrics in step order; beyond `max_points` each is reduced to min, max and last of equal buckets.

        Args:
            stream: `default`, or `system` for what the machine took: its steps are times, Unix ns.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return metricreader.history(connection, run_uid, keys, max_points, stream)

    def rows(
        self,
        run_uid: str,
        keys: Sequence[str] | None = None,
        *,
        min_step: int | None = None,
        max_step: int | None = None,
        stream: str = "default",
    ) -> HistoryPage:
        """What a run logged as one row a step, from `min_step` on and below `max_step`, a part of a long history at a
        time. With `keys`: the rows that have them all.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return historyrows.rows(connection, run_uid, keys, min_step, max_step, stream)

    def sampled_rows(
        self,
        run_uid: str,
        keys: Sequence[str] | None = None,
        *,
        x_axis: str = "_step",
        samples: int = 500,
        stream: str = "default",
    ) -> HistoryPage:
        """At most so many rows of the whole history: the first, the last, those of every metric's extremes, and others
        in between; the same ones each time. With `keys`: of the rows that have them all, and the x axis.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return historyrows.sample(connection, run_uid, keys, x_axis, samples, stream)

    def projects(self) -> Sequence[ProjectRecord]:
        """All projects, by name."""
        with self._store.reading() as connection:
            return runreader.all_projects(connection)

    def points(self, run_uids: Sequence[str]) -> int:
        """How many points these runs logged, system metrics included."""
        with self._store.reading() as connection:
            return runreader.points(connection, run_uids)

    def standing(self, run_uid: str, until: int | None = None) -> Standing:
        """What a run's summary is made of, for a process that goes on with it; `until`: behind this step.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return metricreader.standing(connection, run_uid, until)

    def rich(self, run_uid: str, key: str | None = None) -> list[dict[str, Any]]:
        """What a run logged that is no scalar, in step order: {key, step, at_ns, value}.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return richreader.rich(connection, run_uid, key)

    def files(self, run_uid: str) -> Sequence[FileRecord]:
        """A run's files by path: those that were saved, and what was recorded by itself.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return keptreader.files(connection, run_uid)

    def console(
        self,
        run_uid: str,
        *,
        search: str | None = None,
        stream: str | None = None,
        last: int | None = None,
        before: int = 0,
    ) -> Page[ConsoleLine]:
        """What a run printed, in order of time: all, or the `last` lines, `before` so many at the end.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return consolereader.console(connection, run_uid, search, stream, last, before)

    def alerts(self, run_uid: str | None = None, *, limit: int | None = 50) -> Sequence[AlertRecord]:
        """What a run, or any, wanted somebody to see; newest first.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._store.reading() as connection:
            return keptreader.alerts(connection, run_uid, limit)

    def artifacts(
        self,
        where: Where | None = None,
        *,
        order: str = "-created_ns",
        limit: int | None = 50,
        offset: int = 0,
        after: str | None = None,
        manifests: bool = True,
    ) -> Page[ArtifactRecord]:
        """Artifact versions, newest first, with aliases and the runs that made and used them; without `manifests` a
        list costs the same however many files they have."""
        with self._store.reading() as connection:
            return artifactreader.artifacts(connection, where, order, limit, offset, after, manifests=manifests)

    def lineage(
        self,
        project: str,
        name: str,
        version: int,
        *,
        direction: str = "both",
        depth: int | None = None,
        limit: int = lineagereader.NODES,
    ) -> Lineage:
        """The runs and versions that a version came of (`up`), that came of it (`down`), or both.

        Args:
            depth: most steps from the version; a run is one, the versions it read are the next.
            limit: most nodes.

        Raises:
            NotFoundError: there is no such version.
        """
        with self._store.reading() as connection:
            return lineagereader.lineage(connection, project, name, version, direction, depth, limit)

    def collections(
        self,
        where: Where | None = None,
        *,
        order: str = "-updated_ns",
        limit: int | None = 50,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[CollectionRecord]:
        """Collections of the registry with the versions linked in them, those where something was done last first."""
        with self._store.reading() as connection:
            return registryreader.collections(connection, where, order, limit, offset, after)

    def links(self, project: str, name: str, digest: str) -> Sequence[HeldLink]:
        """Where in the registry a version of an artifact is linked."""
        with self._store.reading() as connection:
            return registryreader.links(connection, project, name, digest)

    def registry_events(
        self,
        collection: str | None = None,
        *,
        source: tuple[str, str, str] | None = None,
        limit: int | None = None,
    ) -> Sequence[RegistryEvent]:
        """What was done in the registry, newest first, deleted collections included.

        Args:
            collection: only of this one (`registry/name`).
            source: only with this version: (project, name, digest).
        """
        with self._store.reading() as connection:
            return registryreader.events(connection, collection, source, limit)

    def scores(
        self,
        where: Where | None = None,
        *,
        order: str = "at_ns",
        limit: int | None = None,
        offset: int = 0,
        after: str | None = None,
    ) -> Page[ScoreRecord]:
        """Scores and feedback in order of time."""
        with self._store.reading() as connection:
            return spanreader.scores(connection, where, order, limit, offset, after)

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
                text_lag=textindex.lag(connection),
            )

    @contextmanager
    def _asked(self, where: Where | None) -> Iterator[_Asked]:
        """A connection; where the filter searches, with the text index brought up to date as far as a moment allows."""
        if where is not None:
            check_size(where)
        if not _searches(where):
            with self._store.reading() as connection:
                yield _Asked(connection, [])
            return
        notes: list[str] = []
        try:
            textindex.TextIndex(self._store).advance(TEXT_SECONDS)
        except StoreError as error:
            notes.append(f"the text index could not be brought up to date: {error}")
        with self._store.reading() as connection:
            behind = textindex.lag(connection)
            if behind:
                notes.append(f"the text index is {behind:,} spans behind: `weft ingest` brings it up to date")
            yield _Asked(connection, notes)


class _Asked(NamedTuple):
    connection: Connection
    notes: Sequence[str]


def _searches(where: Any) -> bool:
    """Whether a filter asks the text index anything."""
    if isinstance(where, Mapping):
        return "$search" in where or any(_searches(value) for value in where.values())
    return isinstance(where, (list, tuple)) and any(_searches(value) for value in where)
