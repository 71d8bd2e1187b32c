"""`weft.Api()`: what was recorded, to read and to correct. Results are lazy: iterated, sliced, made a data frame.

Reading takes in what this process recorded first. Corrections (names, tags, deletions) are records in this process's
journal, like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from weft.tracking import names, runtime
from weft.tracking.artifacts.lineage import Direction, Lineage
from weft.tracking.artifacts.versions import ArtifactVersion, Reference, choose, version_of
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.home import Home
from weft.tracking.journal.records import SCHEMA, Removed, SpanUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact
from weft.tracking.registry.collection import Collection, Registry
from weft.tracking.registry.linked import find_linked
from weft.tracking.registry.paths import DEFAULT, CollectionPath, is_reference
from weft.tracking.registry.sources import collection_of
from weft.tracking.results import PAGE, Results
from weft.tracking.runs.runquestions import filter_of, order_of
from weft.tracking.runs.storedrun import Runs, StoredRun
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store, take_in
from weft.tracking.store.readmodels import (
    ArtifactRecord,
    ConsoleLine,
    Page,
    ProjectRecord,
    ScoreRecord,
    SpanRecord,
    ThreadRecord,
    TraceRecord,
)
from weft.tracking.targets import Target, target_of

if TYPE_CHECKING:
    from weft.tracking.media.logged import LoggedMedia
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.filters import Where
    from weft.tracking.store.reader import Reader
    from weft.tracking.tables.query import Params, QueryResult

T = TypeVar("T")


class Api:
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

    def __init__(
        self,
        project: str | Mapping[str, Any] | None = None,
        timeout: int | None = None,
        api_key: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        given = project if isinstance(project, Mapping) else overrides
        chosen = given.get("project") if given is not None and not isinstance(project, str) else project
        self.project = None if chosen is None else names.check_project(chosen)  # type: ignore[arg-type]
        self._own_settings = settings is None
        self._settings = settings or runtime.active().settings
        self._store = open_store(self._settings)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    @property
    def _home(self) -> Home:
        return Home(self._settings.home)

    def _take_in(self) -> None:
        """What was recorded, before something is read.

        Raises:
            UsageError: the program has since been configured to record elsewhere, so this would not show it.
        """
        if self._own_settings:
            now = runtime.active().settings
            if (now.home, now.url) != (self._settings.home, self._settings.url):
                raise UsageError(
                    f"this Api was made when the program recorded to {self._settings.home}; it now records to "
                    f"{now.home}. Make a new weft.Api(), or give weft.Api(settings=...) to read another home"
                )
        take_in(self._store, self._settings, foreign_s=0.0)

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

    def runs(
        self,
        path: str | Where | None = None,
        filters: Where | None = None,
        order: str = "+created_at",
        per_page: int = PAGE,
        include_sweeps: bool = True,
        lazy: bool = True,
        *,
        where: Where | None = None,
    ) -> Runs:
        """Runs, oldest first: `runs("digits", {"config.lr": {"$gt": 0.01}}, order="-summary_metrics.acc")`.

        Args:
            path: a project, perhaps as `entity/project`; None: as this Api. A dict in its place is meant as `where`.
            filters: as wandb takes them: displayName, state, tags, group, jobType, createdAt, config.x,
                summary_metrics.x; times as ISO 8601 text. The store's own names may be mixed in.
            order: by any field, config.x or summary.x, wandb's names or the store's; - in front for descending.
            per_page: how many are fetched at a time.
            include_sweeps: as wandb has it; a run knows here by itself whose trial it is.
            lazy: likewise; everything is read when it is looked at.
            where: the store's own filter, names as `RunRecord` has them: {"summary.loss": {"$lt": 0.3}}.

        Raises:
            UsageError: as `traces`.
        """
        project, own = (None, path) if isinstance(path, Mapping) else (_project_of(path), None)
        parts = [dict(part) for part in (filter_of(filters), own, _mapping(where)) if part]
        asked: dict[str, Any] = {} if project is None else {"project": project}
        if parts:
            asked = {"$and": [asked, *parts]} if asked or len(parts) > 1 else parts[0]
        if self.project is not None and project is None and not _asks(asked, "project"):
            asked = {"$and": [asked, {"project": self.project}]} if asked else {"project": self.project}
        if isinstance(per_page, bool) or not isinstance(per_page, int) or per_page < 1:
            raise UsageError(f"per_page is a whole number of at least 1, not {per_page!r:.80}")
        by = order_of(order)

        def ask(reader: Reader, **page: Any) -> Page[StoredRun]:
            found = reader.runs(asked, order=by, **page)
            rows = [StoredRun.of(row, reader, self._home, self._take_in) for row in found.rows]
            return replace(found, rows=rows)  # type: ignore[return-value]

        self._take_in()
        reader = self._store.reader()
        made = Runs(lambda limit, after: ask(reader, limit=limit, after=after), per_page, StoredRun)
        made._reach(0)
        return made

    def run(self, path: str) -> StoredRun:
        """One of them: `id`, `project/id` where several projects have that id, or `entity/project/id`.

        Raises:
            NotFoundError: there is none.
            UsageError: it is ambiguous; the message lists them.
        """
        if not isinstance(path, str) or not path.strip("/"):
            raise UsageError(f'Api.run() takes "project/id" or "id", not {path!r:.80}')
        *places, ident = path.strip("/").split("/")
        project = next((place for place in reversed(places) if place != "runs"), None)
        found = self.runs(project, {"id": ident})[:5]
        if len(found) > 1:
            raise UsageError(f"run {ident!r} is in several projects: {', '.join(f'{r.project}/{r.id}' for r in found)}")
        return _one(found, f"run {path!r:.80}")

    def projects(self, entity: str | None = None, per_page: int = PAGE) -> list[ProjectRecord]:
        """All projects by name, with how many runs and traces each has. The arguments are wandb's, without effect."""
        self._take_in()
        return list(self._store.reader().projects())

    def project_exists(self, name: str) -> bool:
        """Whether anything was recorded in a project of this name."""
        return any(found.name == _project_of(name) for found in self.projects())

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
        return media_of(self._store.reader().rich(run.uid, key), Blobs(self._home))

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
        blobs = Blobs(self._home)
        if isinstance(name, str) and is_reference(name):
            self._take_in()
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
        return reader.lineage(found.project, found.name, found.version, direction=direction, depth=depth, limit=limit)

    def collections(self, where: Where | None = None, *, order: str = "-updated_ns") -> Results[Collection]:
        """Collections of the registry: {"registry": "model", "aliases": "production"}, {"type": "dataset"}.

        Raises:
            UsageError: as `traces`.
        """
        blobs = Blobs(self._home)

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
        self._take_in()
        reader = self._store.reader()
        return Collection(collection_of(reader, path), reader, Blobs(self._home))

    def registry(self, name: str = DEFAULT) -> Registry:
        """One registry, to look at its collections.

        Raises:
            UsageError: it is no name.
        """
        chosen = CollectionPath.parse(f"{name}/any").registry
        self._take_in()
        return Registry(chosen, self._store.reader(), Blobs(self._home))

    def registries(self) -> list[Registry]:
        """All that have a collection, by name."""
        return [self.registry(name) for name in sorted({one.registry for one in self.collections()})]

    def _version(self, name: str) -> ArtifactRecord:
        reference = Reference.parse(name)
        self._take_in()
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
            >>> weft.Api().sql("select run_id, max(value) from metrics where key = ? group by all", ["acc"]).rows
        """
        from weft.tracking.sql.question import answer  # who asks otherwise needs neither Arrow nor DuckDB

        self._take_in()
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
            raise UsageError(
                "Api.delete() takes traces, spans and scores; a run goes by run.delete() or `weft runs rm`"
            )
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
        self._take_in()
        reader: Reader = self._store.reader()
        made = Results[T](lambda limit, after: ask(reader, limit=limit, after=after), kind=kind)
        made._reach(0)
        return made


def _project_of(path: Any) -> str | None:
    """Of `project` or `entity/project`; None for none."""
    if path is None:
        return None
    if not isinstance(path, str) or not path.strip("/"):
        raise UsageError(f'runs() takes "project" or "entity/project", not {path!r:.80}')
    return path.strip("/").rpartition("/")[2]


def _mapping(where: Any) -> Mapping[str, Any]:
    if where is not None and not isinstance(where, Mapping):
        raise UsageError(f'a filter is a dict like {{"status": "error"}}, not {where!r:.80}')
    return where or {}


def _asks(where: Any, name: str) -> bool:
    """Whether a filter names a field at all."""
    if isinstance(where, Mapping):
        return name in where or any(_asks(inner, name) for key, inner in where.items() if str(key)[:1] == "$")
    return isinstance(where, (list, tuple)) and any(_asks(inner, name) for inner in where)


def _json(rt: Runtime, value: Any) -> bytes:
    data = encode(value)
    return redact(data, rt.faults, rt.settings.redact)


def _one(found: Sequence[T], what: str) -> T:
    for row in found:
        return row
    raise NotFoundError(f"there is no {what} in this store. `weft traces ls` and `weft runs ls` list what there is")
