"""A run as `weft.Api()` answers with it: its record, its history on demand, and what may be corrected of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weft.tracking import runtime
from weft.tracking.api import storedhistory
from weft.tracking.api.corrections import EDITABLE, copied, correction
from weft.tracking.api.storedsummary import StoredSummary
from weft.tracking.artifacts import recording
from weft.tracking.artifacts.finding import version_of
from weft.tracking.artifacts.protection import check_free
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import MissingExtraError, NotFoundError, UsageError
from weft.tracking.home import Home
from weft.tracking.runs import runremoval
from weft.tracking.runs.savedfile import SavedFile
from weft.tracking.store.readmodels import AlertRecord, ConsoleLine, RunRecord

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.tables import Table

_FIELDS = tuple(field.name for field in fields(RunRecord))
ENTITY = "local"
"""wandb's addresses have three parts; this one stands for the first."""
_LOOK_SECONDS = 1.0


class StoredRun(RunRecord):
    """A `RunRecord` that reads its history. `name`, `tags`, `notes`, `group`, `config` and `summary` may be changed:
    `update()` keeps that.

    Example:
        >>> run = weft.Api().run("digits/x1y2z3a4")
        >>> for row in run.scan_history(keys=["loss"]):
        ...     print(row["_step"], row["loss"])
        >>> run.tags.append("looked-at")
        >>> run.update()
    """

    __slots__ = ("_home", "_reader", "_refresh", "_stored")
    _reader: Reader
    _home: Home
    _refresh: Callable[[], None] | None
    _stored: RunRecord

    @classmethod
    def of(
        cls, record: RunRecord, reader: Reader, home: Home | None = None, refresh: Callable[[], None] | None = None
    ) -> StoredRun:
        """The record, with where to read more of it.

        Args:
            home: where its files are; default this process's.
            refresh: takes in what was recorded meanwhile.
        """
        made = cls.__new__(cls)
        object.__setattr__(made, "_reader", reader)
        object.__setattr__(made, "_home", home or runtime.active().home)
        object.__setattr__(made, "_refresh", refresh)
        made._take(record)
        return made

    def _take(self, record: RunRecord) -> None:
        """Be this, with changeable copies of what may be changed."""
        for name in _FIELDS:
            object.__setattr__(self, name, getattr(record, name))
        object.__setattr__(self, "_stored", record)
        object.__setattr__(self, "tags", list(record.tags))
        object.__setattr__(self, "config", copied(record.config))
        StoredRun.__setattr__(self, "summary", copied(record.summary))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in EDITABLE:
            raise AttributeError(f"{name} of a stored run cannot be set; {', '.join(EDITABLE)} can, and update() it")
        object.__setattr__(self, name, StoredSummary(value, self.update, self._made) if name == "summary" else value)

    def _made(self) -> dict[str, Any]:
        """What wandb keeps in every summary: the highest step, how long the run went on, when it was last heard of."""
        if self.step is None:
            return {}
        heard_ns = self.started_ns if self.heard_ns is None else self.heard_ns
        return {"_step": self.step, "_runtime": self.runtime_s, "_timestamp": heard_ns / 1e9}

    @property
    def entity(self) -> str:
        """wandb's first part of an address: `local`."""
        return ENTITY

    @property
    def path(self) -> list[str]:
        """[entity, project, id], as wandb has it."""
        return [ENTITY, self.project, self.id]

    @property
    def display_name(self) -> str:
        """As `name`."""
        return self.name

    @property
    def created_at(self) -> str:
        """When it started, ISO 8601, UTC."""
        return _iso(self.started_ns)

    createdAt = created_at  # noqa: N815 - wandb's name for it

    @property
    def heartbeat_at(self) -> str:
        """When it was last heard of, ISO 8601, UTC."""
        return _iso(self.heard_ns or self.started_ns)

    heartbeatAt = heartbeat_at  # noqa: N815 - wandb's name for it

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - wandb's name for it
        """The highest step logged; -1: none."""
        return -1 if self.step is None else self.step

    @property
    def system_metrics(self) -> dict[str, float]:
        """The last that was measured of each."""
        found = self._reader.history(self.uid, max_points=1, stream="system")
        return {key: series.values[-1] for key, series in found.items() if series.values}

    @property
    def url(self) -> None:
        """None: nothing is on the web. `weft ui` shows it."""
        return None

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """As `summary`, a plain dict."""
        return self.summary._json_dict if isinstance(self.summary, StoredSummary) else dict(self.summary)

    @property
    def rawconfig(self) -> dict[str, Any]:
        """As `config`."""
        return self.config  # type: ignore[return-value]

    @property
    def commit(self) -> str | None:
        """Of the git repository that it ran in."""
        git = self.metadata.get("git")
        return git.get("commit") if isinstance(git, Mapping) else None

    @property
    def sweep(self) -> None:
        """None: it is no sweep's."""
        return None

    sweep_name = sweep

    def __repr__(self) -> str:
        return f"<Run {self.project}/{self.id} {self.name!r} ({self.state})>"

    def load(self, force: bool = False) -> StoredRun:
        """Read it again; changes that were not kept are lost.

        Raises:
            NotFoundError: it is no longer there.
        """
        if self._refresh is not None:
            self._refresh()
        for record in self._reader.runs({"uid": self.uid}, limit=1).rows:
            self._take(record)
            return self
        raise NotFoundError(f"run {self.project}/{self.id} is no longer there")

    def update(self) -> None:
        """Keep what was changed of `name`, `tags`, `notes`, `group`, `config` and `summary`. It is in a file when this
        returns.

        Raises:
            UsageError: a value cannot be meant, a key was taken out of the config, or mode is disabled.
        """
        told = correction(self._stored, self)
        if told is None:
            return
        self._check_writable()
        runtime.active().journal.append(told)
        self.load()

    def delete(self, delete_artifacts: bool = False) -> None:
        """Remove it with its metrics, files and logs, for good; its id may be used again.

        Args:
            delete_artifacts: the versions that it logged, too. Those with aliases or links in the registry are refused.

        Raises:
            UsageError: it is running, or something depends on it (the message says what); nothing is removed then.
        """
        self._check_writable()
        kept = runremoval.keepers(self._reader, [self._stored])
        if kept:
            raise UsageError(f"run {self.project}/{self.id} was not deleted: {kept[self.uid]}")
        made = self._artifacts("producer_run") if delete_artifacts else []
        for version in made:
            check_free(version.project, version.bare_name, version.digest)
        runremoval.remove_runs([self._stored])
        for version in made:
            recording.remove(version.project, version.bare_name, version.digest)

    def _check_writable(self) -> None:
        rt = runtime.active()
        if not rt.recording:
            raise UsageError("nothing can be changed in mode disabled, which writes nothing: unset WEFT_MODE")
        if rt.home.path != self._home.path:
            raise UsageError(
                f"run {self.project}/{self.id} was read from {self._home.path}, and this program records to "
                f"{rt.home.path}: call weft.configure(home=...) first"
            )

    def wait_until_finished(self, timeout: float | None = None) -> None:
        """Return when it is no longer running.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: it still is.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self.load().state == "running":
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"run {self.project}/{self.id} still goes on after {timeout} s")
            time.sleep(_LOOK_SECONDS)

    def console_logs(
        self, last: int | None = None, *, search: str | None = None, stream: str | None = None
    ) -> Sequence[ConsoleLine]:
        """What it printed, as a terminal showed it; `last`: so many lines at the end."""
        return self._reader.console(self.uid, last=last, search=search, stream=stream).rows

    def logged_artifacts(self, per_page: int = 100) -> list[ArtifactVersion]:
        """The versions that it logged, oldest first."""
        return self._artifacts("producer_run")

    def used_artifacts(self, per_page: int = 100) -> list[ArtifactVersion]:
        """The versions that it used, oldest first."""
        return self._artifacts("consumer_runs")

    def _artifacts(self, role: str) -> list[ArtifactVersion]:
        found = self._reader.artifacts({role: self.id}, order="created_ns", limit=None).rows
        mine = f"{self.project}/{self.id}"
        blobs = Blobs(self._home)
        paths = "maker_paths" if role == "producer_run" else "user_paths"
        return [version_of(record, blobs) for record in found if mine in getattr(record, paths)]

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """All that was logged, a row a step: names and values, and `_step`, `_runtime` (s), `_timestamp` (Unix s).

        Calls of one step are one row, in which the later value of a name holds; what came late for a step never
        replaces what came in time. What is no number stands as it is stored.

        Args:
            keys: only the rows that have all of these, and only these values.
            page_size: as wandb has it; how much is read at a time is the store's own choice.
            min_step: from this step on.
            max_step: below this step.

        Raises:
            UsageError: one of these cannot be meant.
        """
        return storedhistory.scanned(self._reader, self.uid, keys, page_size, min_step, max_step)

    def files(self, names: Sequence[str] | None = None, per_page: int = 50) -> list[SavedFile]:
        """Its files by path: those it saved, media it logged, what was recorded by itself (`kind`: diff, code, ...).

        Args:
            names: only these.
            per_page: as wandb has it; they come at once.
        """
        blobs = Blobs(self._home)
        found = self._reader.files(self.uid)
        return [SavedFile.of(record, blobs) for record in found if names is None or record.path in names]

    def file(self, name: str) -> SavedFile:
        """One of its files.

        Raises:
            NotFoundError: it has none of that name.
        """
        for found in self.files([name]):
            return found
        raise NotFoundError(f"run {self.project}/{self.id} has no file {name!r:.150}; run.files() lists what it has")

    def alerts(self) -> Sequence[AlertRecord]:
        """What it wanted somebody to see, newest first."""
        return self._reader.alerts(self.uid, limit=None)

    def table(self, key: str, step: int | None = None) -> Table:
        """A Table that the run logged under this key: the last one, or that of a step.

        Raises:
            NotFoundError: there is none, or its files are not in this home.
            MissingExtraError: pyarrow is not installed.
        """
        from weft.tracking.tables.stored import stored_table  # who reads no table needs no blobs

        return stored_table(self._reader, self, key, step, Blobs(self._home))

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """At most so many rows of the history: the first, the last, the extremes of every metric, others in between.
        The same ones each time; `scan_history` has them all.

        Args:
            samples: how many rows at most.
            keys: only the rows that have all of these, and only these values.
            x_axis: only rows that have this metric.
            pandas: whether a DataFrame is meant, or a list of dicts.
            stream: `default`, or `system` for what the machine took.

        Raises:
            UsageError: one of these cannot be meant.
            MissingExtraError: pandas is not installed.
        """
        rows = storedhistory.sampled(self._reader, self.uid, samples, keys, x_axis, stream)
        if not pandas:
            return rows
        try:
            from pandas import DataFrame  # late: only who asks for a frame needs it
        except ImportError as error:
            raise MissingExtraError("history(pandas=True)", "ui") from error
        return DataFrame(rows, columns=storedhistory.columns(rows, keys, x_axis))


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat().replace("+00:00", "Z")
