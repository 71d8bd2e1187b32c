"""Runs, as `weft.Api()` finds them, by wandb's filters or the store's own; and projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weft.tracking.api.asking import Asking, the_one
from weft.tracking.api.results import PAGE
from weft.tracking.api.runlist import Runs
from weft.tracking.api.storedrun import StoredRun
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.runs.runquestions import filter_of, order_of
from weft.tracking.store.readmodels import (
    ConsoleLine,
    Page,
    ProjectRecord,
)

if TYPE_CHECKING:
    from weft.tracking.media.logged import LoggedMedia
    from weft.tracking.store.filters import Where
    from weft.tracking.store.reader import Reader


class RecordedRuns(Asking):
    """Runs, what they printed and showed, and their projects."""

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
            per_page: how many are fetched first; the more of them is looked at, the more at a time.
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
        if not found and (named := self.runs(project, {"displayName": ident})[:5]):
            raise NotFoundError(
                f"there is no run with the id {ident!r:.80}; that is the name of "
                f"{', '.join(f'{run.project}/{run.id}' for run in named)}"
            )
        return the_one(found, f"run {path!r:.80}")

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


def _project_of(path: Any) -> str | None:
    """Of `project` or `entity/project`; None for none."""
    if path is None:
        return None
    if not isinstance(path, str) or not 0 < len(path.strip("/").split("/")) < 3 or not path.strip("/"):
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
