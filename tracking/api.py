"""`weft.Api()`: what was recorded, to read and to correct. Results are lazy: iterated, sliced, made a data frame.

Reading takes in what this process recorded first. Corrections (names, tags, deletions) are records in this process's
journal, like everything else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from weft.tracking import names, runtime
from weft.tracking.blobs import Blobs
from weft.tracking.errors import MissingExtraError, NotFoundError, UsageError
from weft.tracking.home import Home
from weft.tracking.journal.records import SCHEMA, Removed, SpanUpdated
from weft.tracking.lineage import Direction, Lineage
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact
from weft.tracking.registry.collection import Collection, Registry
from weft.tracking.registry.linked import find_linked
from weft.tracking.registry.paths import DEFAULT, CollectionPath, is_reference
from weft.tracking.registry.sources import collection_of
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store, take_in
from weft.tracking.store.readmodels import (
    ArtifactRecord,
    ConsoleLine,
    Page,
    ScoreRecord,
    SpanRecord,
    ThreadRecord,
    TraceRecord,
)
from weft.tracking.storedrun import StoredRun
from weft.tracking.targets import Target, target_of
from weft.tracking.versions import ArtifactVersion, Reference, choose, version_of

if TYPE_CHECKING:
    import pandas as pd

    from weft.tracking.media.logged import LoggedMedia
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.filters import Where
    from weft.tracking.store.reader import Reader
    from weft.tracking.tables.query import Params, QueryResult

T = TypeVar("T")
PAGE = 200
"""Rows that are fetched at a time."""


class Results(Sequence[T], Generic[T]):
    """The answer to a question, fetched page by page as it is looked at; what was fetched once stays as it was."""

    def __init__(
        self, fetch: Callable[[int, str | None], Page[T]], page_size: int = PAGE, kind: type[T] | None = None
    ) -> None:
        self._fetch = fetch
        self._kind = kind
        self._page_size = page_size
        self._rows: list[T] = []
        self._cursor: str | None = None
        self._whole = False
        self._total: int | None = None
        self._lock = threading.RLock()  # guards what was fetched

    def __iter__(self) -> Iterator[T]:
        at = 0
        while self._reach(at):
            yield self._rows[at]
            at += 1

    def __len__(self) -> int:
        """How many there are; counted by the store where it can, else by fetching them all."""
        self._reach(0)
        if self._total is None:
            self._all()
        return len(self._rows) if self._whole or self._total is None else self._total

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            if index.stop is None or index.stop < 0 or (index.start or 0) < 0 or (index.step or 1) < 0:
                self._all()
            else:
                self._reach(index.stop - 1)
            return self._rows[index]
        if index < 0:
            self._all()
        else:
            self._reach(index)
        return self._rows[index]

    def to_pandas(self) -> pd.DataFrame:
        """One row each, a column a field; times as UTC timestamps (`start_ns` becomes `start`), money as float.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd  # late: only who asks for a frame needs it
        except ImportError as error:
            raise MissingExtraError("Results.to_pandas()", "ui") from error
        frame = pd.DataFrame([_flat(row) for row in self], columns=None if len(self) else _columns(self._kind))
        for column in [name for name in frame.columns if name.endswith("_ns") and name != "duration_ns"]:
            frame[column] = pd.to_datetime(frame[column], unit="ns", utc=True)
        return frame.rename(columns={name: name.removesuffix("_ns") for name in frame.columns if name != "duration_ns"})

    def _reach(self, at: int) -> bool:
        """Fetch until there is a row at this place; whether there is."""
        with self._lock:
            while len(self._rows) <= at and not self._whole:
                page = self._fetch(self._page_size, self._cursor)
                if not self._rows and page.exact:
                    self._total = page.total
                self._rows += page.rows
                self._cursor = page.cursor
                self._whole = page.cursor is None
            return len(self._rows) > at

    def _all(self) -> None:
        with self._lock:
            while not self._whole:
                self._reach(len(self._rows))

    def __repr__(self) -> str:
        known = f"{len(self._rows)} fetched" if self._rows or self._whole else "not fetched yet"
        return f"<Results: {known}>"


class Api:
    """What is in a store. Close it, or use it as a context manager; threads may share it.

    Args:
        project: looked into where a question names none; None: all of them.
        settings: where the store is; default this process's.

    Raises:
        StoreError: it cannot be opened.

    Example:
        >>> for trace in weft.Api().traces({"status": "error"}, order="-duration_ns")[:10]:
        ...     print(trace.name, trace.duration_ns)
    """

    def __init__(self, project: str | None = None, *, settings: Settings | None = None) -> None:
        self.project = None if project is None else names.check_project(project)
        self._settings = settings or runtime.active().settings
        self._store = open_store(self._settings)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def traces(self, where: Where | None = None, *, order: str = "-start_ns") -> Results[TraceRecord]:
        """Root calls. Filters are Mongo style over the records' fields, JSON paths included (docs/querying.md).

        Args:
            where: such as {"status": "error", "duration_ns": {"$gt": 10**9}, "output.score": {"$lt": 0.5}}.
            order: a field or JSON path, "-" in front for descending; numbers, then texts, missing ones last.

        Raises:
            UsageError: an unknown field, operator or order; the message lists those there are.
        """
        return self._results(TraceRecord, lambda reader, **page: reader.traces(self._of(where), order=order, **page))

    def trace(self, trace_id: str) -> TraceRecord:
        """One of them.

        Raises:
            NotFoundError: there is none.
        """
        return _one(self.traces({"trace_id": trace_id}), f"trace {trace_id!r:.80}")

    def spans(
        self, where: Where | None = None, *, order: str = "start_ns", payloads: bool = True
    ) -> Results[SpanRecord]:
        """Calls, of one trace (`{"trace_id": ...}`) or across all.

        Args:
            payloads: whether inputs, output, attributes and events come along.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(
            SpanRecord, lambda reader, **page: reader.spans(self._of(where), order=order, payloads=payloads, **page)
        )

    def span(self, trace_id: str, span_id: str) -> SpanRecord:
        """One of them, whole.

        Raises:
            NotFoundError: there is none.
        """
        return _one(self.spans({"trace_id": trace_id, "span_id": span_id}), f"span {span_id!r:.80}")

    def threads(self, where: Where | None = None, *, order: str = "-last_ns") -> Results[ThreadRecord]:
        """Conversations (`weft.thread`), the one with the latest turn first.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(ThreadRecord, lambda reader, **page: reader.threads(self._of(where), order=order, **page))

    def scores(self, where: Where | None = None) -> Results[ScoreRecord]:
        """Scores and feedback, in order of time: {"name": "helpful"}, {"kind": "reaction", "trace_id": ...}.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(ScoreRecord, lambda reader, **page: reader.scores(self._of(where), **page))

    def runs(self, where: Where | None = None, *, order: str = "-started_ns") -> Results[StoredRun]:
        """Runs, newest first: {"summary.loss": {"$lt": 0.3}}, order="summary.loss".

        Raises:
            UsageError: as `traces`.
        """

        def ask(reader: Reader, **page: Any) -> Page[StoredRun]:
            found = reader.runs(self._of(where), order=order, **page)
            return replace(found, rows=[StoredRun.of(row, reader) for row in found.rows])  # type: ignore[return-value]

        return self._results(StoredRun, ask)

    def run(self, path: str) -> StoredRun:
        """One of them: `id`, or `project/id` where several projects have that id.

        Raises:
            NotFoundError: there is none.
            UsageError: it is ambiguous; the message lists them.
        """
        project, _, ident = path.rpartition("/")
        where = {"id": ident} | ({"project": project} if project else {})
        found = self.runs(where)[:5]
        if len(found) > 1:
            raise UsageError(f"run {ident!r} is in several projects: {', '.join(f'{r.project}/{r.id}' for r in found)}")
        return _one(found, f"run {path!r:.80}")

    def console_logs(
        self, path: str, last: int | None = None, *, search: str | None = None, stream: str | None = None
    ) -> Sequence[ConsoleLine]:
        """What a run printed, as a terminal showed it, in order of time.

        Args:
            path: as `run`.
            last: only so many lines at the end.
            search: only lines with this text, whatever its case.
            stream: only `stdout` or `stderr`.

        Raises:
            NotFoundError: there is no such run.
            UsageError: it is ambiguous; or no number of lines, no stream.
        """
        uid = self.run(path).uid
        return self._store.reader().console(uid, last=last, search=search, stream=stream).rows

    def media(self, path: str, key: str | None = None) -> list[LoggedMedia]:
        """The images, recordings, charts ... that a run logged, in order of steps, those of a list one by one.

        Args:
            path: as `run`.
            key: only what was logged under this name.

        Raises:
            NotFoundError: there is no such run.
            UsageError: it is ambiguous.

        Example:
            >>> for found in weft.Api().media("digits/x1y2z3a4", "val/samples"):
            ...     found.medium.save(f"{found.step}-{found.index}.png")
        """
        from weft.tracking.media.logged import media_of  # whoever asks for no media need not load them

        run = self.run(path)
        return media_of(self._store.reader().rich(run.uid, key), Blobs(Home(self._settings.home)))

    def artifacts(self, where: Where | None = None, *, order: str = "-created_ns") -> Results[ArtifactRecord]:
        """Versions of artifacts, newest first.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(
            ArtifactRecord, lambda reader, **page: reader.artifacts(self._of(where), order=order, **page)
        )

    def artifact(self, name: str, type: str | None = None) -> ArtifactVersion:  # noqa: A002 - wandb's name for it
        """One version, to look at, download or edit: `name`, `name:alias`, `name:v3`, each perhaps after `project/`, or
        `registry:model/classifier:production`.

        Raises:
            NotFoundError: there is none.
            UsageError: it is in several projects and none was named, or it is of another type.
        """
        blobs = Blobs(Home(self._settings.home))
        if isinstance(name, str) and is_reference(name):
            take_in(self._store, self._settings, foreign_s=0.0)
            found: ArtifactVersion = find_linked(self._store.reader(), name, blobs)
        else:
            found = version_of(self._version(name), blobs)
        if type is not None and found.type != type:
            raise UsageError(f"{found.qualified_name} is of type {found.type!r}, and type={type!r:.80} was asked for")
        return found

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002 - wandb's name for it
        """Whether there is such a version."""
        try:
            found = self._version(name)
        except NotFoundError:
            return False
        return type is None or found.type == type

    def lineage(
        self, name: str, direction: Direction = "both", depth: int | None = None, *, limit: int = 10_000
    ) -> Lineage:
        """The runs and versions that a version came of (`up`), that came of it (`down`), or both.

        Args:
            name: as `artifact`.
            depth: most steps from it; a run is one, the versions it read are the next. None: all.
            limit: most nodes; `Lineage.whole` says whether that was all.

        Raises:
            NotFoundError: there is no such version.
            UsageError: no such direction or depth.
        """
        found = self._version(name)
        reader = self._store.reader()
        return reader.lineage(
            found.project, found.name, found.version, direction=direction, depth=depth, limit=limit
        )

    def collections(self, where: Where | None = None, *, order: str = "-updated_ns") -> Results[Collection]:
        """Collections of the registry: {"registry": "model", "aliases": "production"}, {"type": "dataset"}.

        Raises:
            UsageError: as `traces`.
        """
        blobs = Blobs(Home(self._settings.home))

        def ask(reader: Reader, **page: Any) -> Page[Collection]:
            found = reader.collections(where, order=order, **page)
            rows = [Collection(row, reader, blobs) for row in found.rows]
            return Page(rows, found.total, found.offset, found.cursor, found.exact, found.notes)

        return self._results(Collection, ask)

    def collection(self, name: str) -> Collection:
        """One of them: `registry/collection`, or a collection of the registry `model` by its name alone.

        Raises:
            NotFoundError: there is none.
        """
        path = CollectionPath.parse(name)
        take_in(self._store, self._settings, foreign_s=0.0)
        reader = self._store.reader()
        return Collection(collection_of(reader, path), reader, Blobs(Home(self._settings.home)))

    def registry(self, name: str = DEFAULT) -> Registry:
        """One registry, to look at its collections.

        Raises:
            UsageError: it is no name.
        """
        chosen = CollectionPath.parse(f"{name}/any").registry
        take_in(self._store, self._settings, foreign_s=0.0)
        return Registry(chosen, self._store.reader(), Blobs(Home(self._settings.home)))

    def registries(self) -> list[Registry]:
        """All that have a collection, by name."""
        return [self.registry(name) for name in sorted({one.registry for one in self.collections()})]

    def _version(self, name: str) -> ArtifactRecord:
        reference = Reference.parse(name)
        take_in(self._store, self._settings, foreign_s=0.0)
        return choose(self._store.reader(), reference, self.project)

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
            >>> weft.Api().sql("select run_id, max(value) as best from metrics where key = ? group by all", ["acc"]).rows
        """
        from weft.tracking.sql.question import answer  # who asks otherwise needs neither Arrow nor DuckDB

        take_in(self._store, self._settings, foreign_s=0.0)
        return answer(self._store, Home(self._settings.home), query, params, limit=limit)

    def update(
        self,
        target: TraceRecord | SpanRecord | str,
        *,
        name: str | None = None,
        tags: Iterable[str] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Correct what a call is called or said to be. It is in a file when this returns.

        Args:
            target: a trace (its root call), a span, or the text of a trace's id or of `trace_id/span_id`.
            name: what it is shown as from now on.
            tags: all of its tags from now on.
            attributes: added to those it has; the same names are replaced.

        Raises:
            UsageError: nothing to change, or no such target.
            NotFoundError: there is no such trace.
        """
        if name is None and tags is None and attributes is None:
            raise UsageError("Api.update() was given nothing to change: name=, tags= or attributes=")
        if name is not None and not (isinstance(name, str) and name):
            raise UsageError(f"a call's name is a text of at least one character, not {name!r:.80}")
        found = target_of(target)
        if found.kind not in ("trace", "span"):
            raise UsageError(f"Api.update() takes a trace or a span, not {target!r:.80}")
        rt = runtime.active()
        if not rt.recording:
            return
        rt.journal.append(
            SpanUpdated(
                SCHEMA,
                found.trace_id or b"",
                found.span_id or self._root(target, found),
                rt.ids.wall_ns(),
                None if name is None else clean_name(names.check_text("a call's name", name), rt.settings.redact),
                None if attributes is None else _json(rt, dict(attributes)),
                tags=None if tags is None else _json(rt, names.check_tags(tags)),
            )
        )

    def delete(self, *targets: TraceRecord | SpanRecord | ScoreRecord | str) -> int:
        """Delete traces, spans (with all below them) or scores. They stay deleted, through a rebuild of the store too.

        Returns:
            How many were asked for.

        Raises:
            UsageError: one is none of these, and nothing is deleted then; or mode is disabled, which writes nothing.
        """
        found = [target_of(target) for target in targets]
        if any(one.kind == "run" for one in found):
            raise UsageError("Api.delete() takes traces, spans and scores; `weft rm` deletes runs")
        rt = runtime.active()
        if not rt.recording:
            raise UsageError("nothing can be deleted in mode disabled, which writes nothing: unset WEFT_MODE")
        for one in found:
            key = one.score_uid or (one.trace_id or b"") + (one.span_id or b"")
            rt.journal.append(Removed(SCHEMA, one.kind, key, one.project or "", rt.ids.wall_ns()))
        return len(found)

    def _root(self, target: TraceRecord | SpanRecord | str, found: Target) -> bytes:
        trace = target if isinstance(target, TraceRecord) else self.trace((found.trace_id or b"").hex())
        if trace.root_span_id is None:
            raise NotFoundError(
                f"of trace {trace.trace_id} only calls below the root have arrived; name one of its spans"
            )
        return bytes.fromhex(trace.root_span_id)

    def _of(self, where: Where | None) -> dict[str, Any]:
        if where is not None and not isinstance(where, Mapping):
            raise UsageError(f'a filter is a dict like {{"status": "error"}}, not {where!r:.80}')
        given = dict(where or {})
        return given if self.project is None or "project" in given else {**given, "project": self.project}

    def _results(self, kind: type[T], ask: Callable[..., Page[T]]) -> Results[T]:
        """The first page now, so that a mistake is heard at the call."""
        take_in(self._store, self._settings, foreign_s=0.0)
        reader: Reader = self._store.reader()
        made = Results[T](lambda limit, after: ask(reader, limit=limit, after=after), kind=kind)
        made._reach(0)
        return made


def _json(rt: Runtime, value: Any) -> bytes:
    data = encode(value)
    return redact(data, rt.faults, rt.settings.redact)


def _one(found: Sequence[T], what: str) -> T:
    for row in found:
        return row
    raise NotFoundError(f"there is no {what} in this store. `weft traces ls` and `weft runs ls` list what there is")


def _columns(kind: Any) -> list[str]:
    """The columns that every row of this type has."""
    known = fields(kind) if is_dataclass(kind) else ()
    return [field.name for field in known if field.name not in ("usage", "scores")]


def _flat(row: Any) -> dict[str, Any]:
    """A record's fields for a data frame: counts of usage and scores as columns of their own."""
    told: dict[str, Any] = {}
    for name, value in asdict(row.record if isinstance(row, Collection) else row).items():
        if name in ("usage", "scores") and isinstance(value, Mapping):
            told |= {f"{name}.{key}": item for key, item in value.items()}
        elif name not in ("usage",):
            told[name] = float(value) if isinstance(value, Decimal) else value
    return told
