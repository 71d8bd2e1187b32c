"""The one module that talks to the store: the screens' questions, answered once a data version. Never drains.

The watcher ingests (`serve.watcher`); this only reads. Answers are kept by (version, question) for all visitors, so a
page that refreshes itself costs one look at the version.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import select

from weft.tracking import runtime
from weft.tracking.artifacts.lineage import Lineage
from weft.tracking.blobs import Blobs
from weft.tracking.home import Home
from weft.tracking.settings import Settings
from weft.tracking.store import schema
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import (
    AlertRecord,
    ArtifactRecord,
    CollectionRecord,
    ConsoleLine,
    FileRecord,
    HeldLink,
    Page,
    RegistryEvent,
    RunRecord,
    ScoreRecord,
    Series,
    SpanRecord,
    ThreadRecord,
    TraceRecord,
    TraceStats,
)
from weft.tracking.store.store import Store

T = TypeVar("T")
Where = Mapping[str, Any]
KEPT = 256
"""Answers kept in memory."""
NAMES_SECONDS = 5.0
REST = 20
"""Totals are asked for again after this many times what they took: at most 5% of one processor goes into them."""
SETTLED_SECONDS = 0.25
"""How long a data version is believed: many parts of one page ask in a row."""


class _Held(NamedTuple):
    version: int
    at: float
    took: float
    answer: TraceStats


class Data:
    """Answers from one store. Visitors' threads share it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store: Store = open_store(settings, drain=False)
        self._file = _identity(self.store.path)
        self._reader = self.store.reader()
        self._lock = threading.Lock()  # guards what is below
        self._answers: OrderedDict[bytes, Any] = OrderedDict()
        self._totals: OrderedDict[bytes, _Held] = OrderedDict()
        self._version: tuple[float, int] | None = None
        self._names: dict[str | None, tuple[float, Sequence[str]]] = {}

    def replaced(self) -> bool:
        """Whether the store's file is no longer the one that was opened (removed, restored, rebuilt)."""
        return _identity(self.store.path) != self._file

    def projects(self) -> Sequence[str]:
        """By name."""
        return self._kept("projects", (), lambda: self._reader.status().projects)

    def names(self, project: str | None) -> Sequence[str]:
        """Root names that occur, at most some seconds old: they are choices, not answers."""
        with self._lock:
            at, found = self._names.get(project, (0.0, ()))
        if time.monotonic() - at < NAMES_SECONDS:
            return found
        # A filter that nothing passes: the names are of the whole project, and the totals cost nothing.
        where = {"start_ns": {"$lt": 0}} | ({"project": project} if project else {})
        found = self._reader.trace_stats(where).names
        with self._lock:
            self._names[project] = (time.monotonic(), found)
        return found

    def version(self) -> int:
        """Changes with every commit of the ingester; one row, at most a quarter of a second old."""
        with self._lock:
            if self._version and time.monotonic() - self._version[0] < SETTLED_SECONDS:
                return self._version[1]
        with self.store.reading() as connection:
            found = connection.execute(select(schema.meta.c.version)).scalar() or 0
        with self._lock:
            self._version = (time.monotonic(), found)
        return found

    def traces(self, where: Where, order: str = "-start_ns", limit: int = 50, offset: int = 0) -> Page[TraceRecord]:
        """One page of root calls."""
        return self._kept(
            "traces",
            (where, order, limit, offset),
            lambda: self._reader.traces(where, order=order, limit=limit, offset=offset),
        )

    def trace(self, trace_id: str) -> TraceRecord | None:
        """One of them."""
        return next(iter(self.traces({"trace_id": trace_id}, limit=1).rows), None)

    def trace_stats(self, where: Where, buckets: int = 0) -> TraceStats:
        """Totals, and the same by slices of time; while records pour in, a large store's are some seconds old."""
        question = orjson.dumps([where, buckets])
        version = self.version()
        with self._lock:
            held = self._totals.get(question)
        started = time.monotonic()
        if held and (held.version == version or started - held.at < REST * held.took):
            return held.answer
        answer = self._reader.trace_stats(where, buckets=buckets)
        ended = time.monotonic()
        with self._lock:
            self._totals[question] = _Held(version, ended, ended - started, answer)
            self._totals.move_to_end(question)
            while len(self._totals) > KEPT:
                self._totals.popitem(last=False)
        return answer

    def spans(self, trace_id: str) -> Sequence[SpanRecord]:
        """A trace's spans, without payloads."""
        return self._kept("spans", (trace_id,), lambda: self._reader.spans({"trace_id": trace_id}).rows)

    def threads(self, where: Where, order: str, limit: int, offset: int) -> Page[ThreadRecord]:
        """One page of conversations."""
        return self._kept(
            "threads",
            (where, order, limit, offset),
            lambda: self._reader.threads(where, order=order, limit=limit, offset=offset),
        )

    def turns(self, thread_id: str, project: str | None, limit: int, offset: int) -> Page[SpanRecord]:
        """One page of a conversation, first turn first."""
        return self._kept(
            "turns",
            (thread_id, project, limit, offset),
            lambda: self._reader.turns(thread_id, project, limit=limit, offset=offset),
        )

    def payloads(self, trace_id: str, span_ids: Sequence[str]) -> Sequence[SpanRecord]:
        """Some of them, whole."""
        where = {"trace_id": trace_id, "span_id": {"$in": list(span_ids)}}
        return self._kept("payloads", (where,), lambda: self._reader.spans(where, payloads=True).rows)

    def runs(self, where: Where, order: str = "-started_ns", limit: int = 50, offset: int = 0) -> Page[RunRecord]:
        """One page of runs."""
        return self._kept(
            "runs",
            (where, order, limit, offset),
            lambda: self._reader.runs(where, order=order, limit=limit, offset=offset),
        )

    def run(self, project: str | None, run_id: str) -> RunRecord | None:
        """One run, by its id and, where the id alone would be ambiguous, its project."""
        where = {"id": run_id} | ({"project": project} if project else {})
        return next(iter(self.runs(where, limit=1).rows), None)

    def history(self, run_uid: str, keys: Sequence[str] | None, max_points: int) -> dict[str, Series]:
        """A run's metrics, downsampled where they are long."""
        return self._kept(
            "history", (run_uid, keys, max_points), lambda: self._reader.history(run_uid, keys, max_points=max_points)
        )

    def system(self, run_uid: str, max_points: int) -> dict[str, Series]:
        """What machine and processes took, downsampled where it is long."""
        return self._kept(
            "system",
            (run_uid, max_points),
            lambda: self._reader.history(run_uid, max_points=max_points, stream="system"),
        )

    def console(self, run_uid: str, search: str | None, stream: str | None, last: int) -> Page[ConsoleLine]:
        """The last lines that a run printed."""
        return self._kept(
            "console",
            (run_uid, search, stream, last),
            lambda: self._reader.console(run_uid, search=search, stream=stream, last=last),
        )

    def files(self, run_uid: str) -> list[FileRecord]:
        """Files of a run."""
        return self._kept("files", (run_uid,), lambda: list(self._reader.files(run_uid)))

    def alerts(self, run_uid: str) -> Sequence[AlertRecord]:
        """What a run wanted somebody to see, the newest 200."""
        return self._kept("alerts", (run_uid,), lambda: self._reader.alerts(run_uid, limit=200))

    def recent_alerts(self) -> Sequence[AlertRecord]:
        """The newest 1,000 of all runs."""
        return self._kept("alerts", (), lambda: self._reader.alerts(limit=1000))

    def rich(self, run_uid: str) -> list[dict[str, Any]]:
        """What a run logged that is no number."""
        return self._kept("rich", (run_uid,), lambda: self._reader.rich(run_uid))

    def artifacts(self, where: Where, limit: int = 50) -> Page[ArtifactRecord]:
        """Versions of artifacts."""
        return self._kept("artifacts", (where, limit), lambda: self._reader.artifacts(where, limit=limit))

    def versions(self, where: Where, order: str, limit: int, offset: int) -> Page[ArtifactRecord]:
        """One page of versions, without what they hold."""
        return self._kept(
            "versions",
            (where, order, limit, offset),
            lambda: self._reader.artifacts(where, order=order, limit=limit, offset=offset, manifests=False),
        )

    def latest(self, where: Where) -> Sequence[ArtifactRecord]:
        """The latest version of each artifact, newest 1,000, without what they hold: for a filter's choices."""
        return self.versions(where, "-logged_ns", 1000, 0).rows

    def version_of(self, project: str, name: str, version: int) -> ArtifactRecord | None:
        """One version, whole."""
        where = {"project": project, "name": name, "version": version}
        return next(iter(self.artifacts(where, limit=1).rows), None)

    def lineage(self, project: str, name: str, version: int, direction: str) -> Lineage:
        """Where a version comes from and what became of it: the nearest thousand."""
        return self._kept(
            "lineage",
            (project, name, version, direction),
            lambda: self._reader.lineage(project, name, version, direction=direction, limit=1000),
        )

    def collections(
        self, where: Where, order: str = "-updated_ns", limit: int = 50, offset: int = 0
    ) -> Page[CollectionRecord]:
        """One page of the registry's collections."""
        return self._kept(
            "collections",
            (where, order, limit, offset),
            lambda: self._reader.collections(where, order=order, limit=limit, offset=offset),
        )

    def registry_events(self, collection: str, limit: int) -> Sequence[RegistryEvent]:
        """What was last done to a collection."""
        return self._kept(
            "registry_events", (collection, limit), lambda: self._reader.registry_events(collection, limit=limit)
        )

    def links(self, project: str, name: str, digest: str) -> Sequence[HeldLink]:
        """Where in the registry a version is linked."""
        return self._kept("links", (project, name, digest), lambda: self._reader.links(project, name, digest))

    def codes(self, versions: Iterable[str]) -> Mapping[str, ArtifactRecord]:
        """The code of ops, by version."""
        wanted = sorted(versions)
        if not wanted:
            return {}
        where = {"type": "op", "digest": {"$in": wanted}}
        return {record.digest: record for record in self.artifacts(where, limit=len(wanted)).rows}

    def scores(self, where: Where, limit: int | None = None) -> Sequence[ScoreRecord]:
        """Judgements."""
        return self._kept("scores", (where, limit), lambda: self._reader.scores(where, limit=limit).rows)

    def trouble(self) -> str | None:
        """Why nothing new is taken in, where the watcher says so."""
        try:
            return Home(self.settings.home).watch_trouble.read_text(encoding="utf-8")
        except OSError:
            return None

    def blobs(self) -> Blobs:
        """The files behind artifacts."""
        return Blobs(Home(self.settings.home))

    def computed(self, name: str, question: Any, answer: Callable[[], T]) -> T:
        """Something a screen derives from the store, kept like an answer of its own."""
        return self._kept(f"computed.{name}", question, answer)

    def _kept(self, verb: str, question: Any, answer: Callable[[], T]) -> T:
        key = orjson.dumps([verb, self.version(), question])
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                found: T = self._answers[key]
                return found
        fresh = answer()
        with self._lock:
            self._answers[key] = fresh
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return fresh


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


_open: Data | None = None
_opening = threading.Lock()  # guards _open


def data() -> Data:
    """This process's store, opened at first use and again once it could not be.

    Raises:
        StoreError, HomeError: it cannot be opened; the message says what to do.
    """
    global _open
    settings = runtime.active().settings
    with _opening:
        if _open is None or _open.settings != settings or _open.replaced():
            _open = Data(settings)
        return _open
