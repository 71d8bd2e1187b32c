"""A run as `weft.Api()` answers with it: its record, its history on demand, and what may be corrected of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weft.tracking import names, runtime
from weft.tracking.artifacts import versions
from weft.tracking.artifacts.protection import check_free
from weft.tracking.artifacts.versions import ArtifactVersion, version_of
from weft.tracking.blobs import Blobs
from weft.tracking.errors import MissingExtraError, NotFoundError, UsageError
from weft.tracking.home import Home
from weft.tracking.journal.records import SCHEMA, RunUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import redact, redact_text
from weft.tracking.results import Results
from weft.tracking.runs import runremoval
from weft.tracking.runs.savedfile import SavedFile
from weft.tracking.runs.summary import nested
from weft.tracking.store.readmodels import AlertRecord, ConsoleLine, RunRecord

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.tables import Table

_STREAMS = ("default", "system")
_MADE = ("_step", "_runtime", "_timestamp")
_EDITABLE = ("name", "tags", "notes", "group", "config", "summary")
_ENTITY = "local"
"""wandb's addresses have three parts; this one stands for the first."""
_LOOK_SECONDS = 1.0
_ABSENT = object()


class StoredSummary(dict[str, Any]):
    """A run's summary as it was read; what is set in it is kept by `update()`, or by the run's.

    Nested names are reached as `summary["val"]["loss"]` and as `summary["val.loss"]`, whichever they were logged as.
    """

    def __init__(self, values: Any = (), run: StoredRun | None = None) -> None:
        super().__init__(values)
        self._run = run

    def __missing__(self, key: str) -> Any:
        below = nested(self, key)
        if below:
            return StoredPart(self, key, below)
        outer, dot, inner = key.rpartition(".") if isinstance(key, str) else ("", "", "")
        found = self.get(outer) if dot else None
        if not isinstance(found, dict) or inner not in found:
            raise KeyError(key)
        return found[inner]

    def __contains__(self, key: object) -> bool:
        return self.get(key, _ABSENT) is not _ABSENT

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __delitem__(self, key: str) -> None:
        for name in [name for name in self if name == key or name.startswith(f"{key}.")] or [key]:
            super().__delitem__(name)

    @property
    def _json_dict(self) -> dict[str, Any]:
        """What wandb's own export examples read."""
        return dict(self)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set these, and keep whatever was set. It is in a file when this returns."""
        super().update(*args, **kwargs)
        if self._run is not None:
            self._run.update()


class StoredPart(dict[str, Any]):
    """What a stored summary has below a name, nested. What is set or deleted here is so in the summary."""

    def __init__(self, summary: StoredSummary, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._summary = summary
        self._name = name

    def __getitem__(self, key: str) -> Any:
        value, name = super().__getitem__(key), f"{self._name}.{key}"
        return (
            StoredPart(self._summary, name, value) if isinstance(value, dict) and nested(self._summary, name) else value
        )

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._summary[f"{self._name}.{key}"] = value

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        del self._summary[f"{self._name}.{key}"]

    def update(self, *values: Any, **more: Any) -> None:
        for key, value in dict(*values, **more).items():
            self[key] = value


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
        made = cls(**{field.name: getattr(record, field.name) for field in fields(record)})
        object.__setattr__(made, "_reader", reader)
        object.__setattr__(made, "_home", home or runtime.active().home)
        object.__setattr__(made, "_refresh", refresh)
        made._take(record)
        return made

    def _take(self, record: RunRecord) -> None:
        """Be this, with changeable copies of what may be changed."""
        for field in fields(record):
            object.__setattr__(self, field.name, getattr(record, field.name))
        object.__setattr__(self, "_stored", record)
        object.__setattr__(self, "tags", list(record.tags))
        object.__setattr__(self, "config", _copied(record.config))
        object.__setattr__(self, "summary", StoredSummary(_copied(record.summary), self))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _EDITABLE:
            raise AttributeError(f"{name} of a stored run cannot be set; {', '.join(_EDITABLE)} can, and update() it")
        object.__setattr__(self, name, StoredSummary(value, self) if name == "summary" else value)

    @property
    def entity(self) -> str:
        """wandb's first part of an address: `local`."""
        return _ENTITY

    @property
    def path(self) -> list[str]:
        """[entity, project, id], as wandb has it."""
        return [_ENTITY, self.project, self.id]

    @property
    def display_name(self) -> str:
        """As `name`."""
        return self.name

    @property
    def created_at(self) -> str:
        """When it started, ISO 8601, UTC."""
        return _iso(self.started_ns)

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
        before = self._stored
        gone = before.config.keys() - self.config.keys()
        if gone:
            raise UsageError(f"a key cannot be taken out of a run's config: {', '.join(sorted(gone))}. Set it to None")
        tags, rt = names.check_tags(self.tags), runtime.active()
        config = {key: value for key, value in self.config.items() if _differs(before.config, key, value)}
        summary = {key: value for key, value in self.summary.items() if _differs(before.summary, key, value)}
        dropped = sorted(before.summary.keys() - self.summary.keys())
        told: dict[str, Any] = {
            "name": None if self.name == before.name else _text("name", self.name) or None,
            "notes": None if self.notes == before.notes else _text("notes", self.notes or ""),
            "group": None if self.group == before.group else _text("group", self.group or ""),
            "tags": None if tags == list(before.tags) else [redact_text(tag, rt.settings.redact) for tag in tags],
            "config": _json(config) if config else None,
            "summary": _json(summary) if summary else None,
        }
        told = {field: value for field, value in told.items() if value is not None}
        if not told and not dropped:
            return
        self._check_writable()
        rt.journal.append(
            RunUpdated(SCHEMA, bytes.fromhex(self.uid), rt.ids.wall_ns(), **told, summary_dropped=dropped)
        )
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
            versions.remove(version.project, version.bare_name, version.digest)

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
        wanted = _keys(keys)
        _whole(1, page_size=page_size)
        _whole(
            None, **{name: step for name, step in (("min_step", min_step), ("max_step", max_step)) if step is not None}
        )
        return self._scanned(wanted, min_step, max_step)

    def _scanned(
        self, keys: Sequence[str] | None, min_step: int | None, max_step: int | None
    ) -> Iterator[Mapping[str, Any]]:
        step = min_step
        while True:
            page = self._reader.rows(self.uid, keys, min_step=step, max_step=max_step)
            yield from _only(page.rows, keys)
            if page.next_step is None:
                return
            step = page.next_step

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
        wanted = _keys(keys)
        _whole(1, samples=samples)
        if not isinstance(x_axis, str) or stream not in _STREAMS:
            raise UsageError(
                f"history(): x_axis is a metric's name and stream one of {', '.join(_STREAMS)}, "
                f"not {x_axis!r:.80} and {stream!r:.80}"
            )
        page = self._reader.sampled_rows(self.uid, wanted, x_axis=x_axis, samples=samples, stream=stream)
        rows = list(_only(page.rows, wanted if wanted is None else [*wanted, x_axis]))
        if not pandas:
            return rows
        try:
            from pandas import DataFrame  # late: only who asks for a frame needs it
        except ImportError as error:
            raise MissingExtraError("history(pandas=True)", "ui") from error
        return DataFrame(rows)


class Runs(Results[StoredRun]):
    """Several runs; what `weft.Api().runs()` answers with."""

    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: str = "default",  # noqa: A002 - wandb's name for it
        stream: str = "default",
    ) -> Any:
        """The histories of all of them, each as `StoredRun.history`, with `run_id` in every row.

        Args:
            format: `default`, a list of dicts; `pandas` or `polars`, a data frame.

        Raises:
            UsageError: no such format, or as `history`.
            MissingExtraError: pandas or polars is not installed.
        """
        if format not in ("default", "pandas", "polars"):
            raise UsageError(f"histories(): format is default, pandas or polars, not {format!r:.80}")
        rows = [
            {**row, "run_id": run.id}
            for run in self
            for row in run.history(samples, keys, x_axis, pandas=False, stream=stream)
        ]
        if format == "default":
            return rows
        try:
            if format == "polars":
                import polars  # late: only who asks for a frame needs it

                return polars.DataFrame(rows, infer_schema_length=None)
            from pandas import DataFrame  # likewise
        except ImportError as error:
            raise MissingExtraError(
                f"histories(format={format!r})", "ui" if format == "pandas" else "tables"
            ) from error
        return DataFrame(rows)


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat().replace("+00:00", "Z")


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy, with what can be changed inside copied too: else a change in place would equal what it is compared to."""
    return {key: deepcopy(value) if isinstance(value, (dict, list)) else value for key, value in values.items()}


def _differs(before: Mapping[str, Any], key: str, value: Any) -> bool:
    if key not in before or type(before[key]) is not type(value):
        return True
    return bool(before[key] != value) and not (value != value and before[key] != before[key])


def _text(what: str, value: Any) -> str:
    return redact_text(names.check_text(f"a run's {what}", value), runtime.active().settings.redact)


def _json(values: Mapping[str, Any]) -> bytes:
    rt = runtime.active()
    return redact(encode(dict(values)), rt.faults, rt.settings.redact)


def _keys(keys: Any) -> Sequence[str] | None:
    if keys is None:
        return None
    listed = [keys] if isinstance(keys, str) else list(keys)
    if not all(isinstance(key, str) for key in listed):
        raise UsageError(f"keys are names of metrics, not {keys!r:.80}")
    return listed


def _whole(least: int | None, **numbers: Any) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            raise UsageError(
                f"{name} is a whole number{'' if least is None else f' of at least {least}'}, not {value!r:.80}"
            )


def _only(rows: Sequence[Mapping[str, Any]], keys: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    """Rows with these values, and what every row has."""
    if keys is None:
        yield from rows
    else:
        wanted = {*keys, *_MADE}
        for row in rows:
            yield {key: value for key, value in row.items() if key in wanted}
