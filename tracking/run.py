"""One run: configuration, metrics, summary, artifacts, its end. Whatever it is told is in the journal at return.

`runs` makes them. Recording trouble never raises here; a wrong call does, at the call.
"""

from __future__ import annotations

import functools
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weft.tracking import exits, metrics, names
from weft.tracking.config import Config, Summary
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import (
    SCHEMA,
    ArtifactUsed,
    MetricsLogged,
    Record,
    RunFinished,
    RunStarted,
    RunUpdated,
)
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact, redact_text
from weft.tracking.surroundings import process

if TYPE_CHECKING:
    from weft.tracking.artifacts import Artifact
    from weft.tracking.home import Home
    from weft.tracking.runtime import Runtime
    from weft.tracking.surroundings.recorders import Recorders
    from weft.tracking.tables import Table
    from weft.tracking.versions import ArtifactVersion

_EXACT = metrics.EXACT
_STACK_CHARS = 64 << 10


class Run:
    """One experiment, training or evaluation. Made by `init` or `start_run`; a context manager that finishes itself."""

    def __init__(
        self,
        active: Runtime,
        *,
        project: str | None,
        name: str | None,
        id: str | None,  # noqa: A002 - wandb's name for it
        config: Any,
        tags: str | Iterable[str] | None,
        group: str | None,
        job_type: str | None,
        notes: str | None,
        parent: Run | None,
        on_end: Callable[[Run], None],
    ) -> None:
        self.project: str = names.check_project(active.settings.project if project is None else project)
        """The project's name."""
        # The same id in the same project is the same run, in whichever process: no store need be asked.
        chosen = None if id is None else names.check_run_id(id)
        self.uid: bytes = active.ids.uid() if chosen is None else names.uid_of(self.project, chosen)
        """16 bytes, unique everywhere."""
        self.id: str = chosen or names.run_id(self.uid)
        """Unique in its project."""
        self._name = names.check_optional_text("a run's name", name) or names.run_name(self.uid)
        self._tags = names.check_tags(tags)
        self._notes = names.check_optional_text("a run's notes", notes)
        self.group: str | None = names.check_optional_text("a run's group", group)
        self.job_type: str | None = names.check_optional_text("a run's job_type", job_type)
        self.config = Config(config, functools.partial(self._updated, "config"))
        self.summary = Summary(functools.partial(self._updated, "summary"))
        self.state = "running"
        """running, finished, failed, killed."""
        self.surroundings: Recorders | None = None
        """What records console, git, machine, ... of it, where something does."""
        self._runtime = active
        self._on_end = on_end
        self._append = active.journal.append if active.recording else _nowhere
        self._wall_ns = active.ids.wall_ns
        self._pid = os.getpid()
        self._lock = threading.RLock()  # guards the steps; re-entrant, since a signal handler may log too
        self._step = 0
        self._highest: int | None = None
        self._plain: set[str] = set()
        """Names of metrics that hold no secret: each is looked at once."""
        self._record(
            RunStarted(
                SCHEMA,
                self.uid,
                self.id,
                self.project,
                self._name,
                active.ids.wall_ns(),
                config=self._json(self.config.as_dict()),
                tags=self._clean_tags(),
                group=self._clean(self.group),
                job_type=self._clean(self.job_type),
                notes=self._clean(self._notes),
                parent_uid=None if parent is None else parent.uid,
                metadata=self._json(process.collect(with_git=active.settings.git)) if active.recording else None,
            )
        )

    @property
    def step(self) -> int:
        """The step that the next `log()` without one takes."""
        return self._step

    @property
    def name(self) -> str:
        """For people; may be set."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"a run's name must be text, got {name!r:.80}")
        self._name = names.check_text("a run's name", name)
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), name=self._name))

    @property
    def tags(self) -> tuple[str, ...]:
        """May be set, as a whole."""
        return tuple(self._tags)

    @tags.setter
    def tags(self, tags: str | Iterable[str] | None) -> None:
        self._tags = names.check_tags(tags)
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), tags=self._clean_tags()))

    @property
    def notes(self) -> str | None:
        """May be set."""
        return self._notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._notes = names.check_optional_text("a run's notes", notes)
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), notes=self._clean(self._notes) or ""))

    @property
    def owned(self) -> bool:
        """Whether this process started it; a forked child may log to its parent's run, but not end it."""
        return self._pid == os.getpid()

    @property
    def runtime(self) -> Runtime:
        """What it is recorded with."""
        return self._runtime

    @property
    def home(self) -> Home:
        """Where it is recorded."""
        return self._runtime.home

    @property
    def path(self) -> str:
        """`project/id`."""
        return f"{self.project}/{self.id}"

    def log(self, values: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Record values of one step. They are in the journal when this returns.

        Args:
            values: names and values. Numbers become metrics (NaN and infinities too); nested dicts dotted names; a
                Table a version of an artifact; anything else is kept as it is.
            step: default the run's own counter. One below the highest so far is kept, and marked late.
            commit: whether the counter moves on: True by default, False by default where `step` is given.

        Raises:
            TypeError: `values` is no dict, a name no text, `step` no whole number.
            UsageError: the run is finished.

        Example:
            >>> run.log({"loss": 0.25, "lr": 1e-3})
        """
        if self.state != "running":
            raise UsageError(
                f"run {self.path} is {self.state}; nothing more can be logged to it. Start one with init()"
            )
        scalars: dict[str, float] = {}
        parts = None
        if values.__class__ is not dict:
            metrics.check_values(values)
        for name, value in values.items():
            kind = value.__class__
            if name.__class__ is str and (kind is float or (kind is int and -_EXACT <= value <= _EXACT)):
                scalars[name] = value
            else:
                metrics.check_values(values)
                parts = metrics.split(values)
                scalars = parts.scalars
                break
        with self._lock:
            at = self._step if step is None else metrics.check_step(step)
            highest = self._highest
            late = highest is not None and at < highest
            if not late:
                self._highest = at
            if at >= self._step:
                self._step = at + 1 if (step is None if commit is None else commit) else at
        rich = None if parts is None else self._rich(parts, at)
        written = scalars
        again: Sequence[tuple[str, float]] = () if parts is None else parts.again
        if not self._plain.issuperset(scalars):
            written, again = self._clean_names(scalars, again)
        if scalars or rich is not None:
            self._append(MetricsLogged(SCHEMA, self.uid, at, self._wall_ns(), written, rich, late))
            self.summary.logged(scalars)
        for name, number in again:
            self._append(MetricsLogged(SCHEMA, self.uid, at, self._wall_ns(), {name: number}, None, late))

    def _clean_names(
        self, scalars: Mapping[str, float], again: Sequence[tuple[str, float]]
    ) -> tuple[dict[str, float], Sequence[tuple[str, float]]]:
        """Numbers under names without secrets; where two names become one, points of their own."""
        clean: dict[str, float] = {}
        more: list[tuple[str, float]] = []
        for name, number in (*scalars.items(), *again):
            written = clean_name(name, self._runtime.settings.redact)
            if written == name:
                self._plain.add(name)
            if written in clean:
                more.append((written, number))
            else:
                clean[written] = number
        return clean, more

    def _rich(self, parts: metrics.Parts, at: int) -> bytes | None:
        for cause, error in parts.faults:
            self._runtime.faults.note(cause, error, hint="A marker stands in its place.")
        rich = {name: self._table(name, table) for name, table in parts.tables.items()} | parts.rich
        if not rich:
            return None
        from weft.tracking.richvalues import rich_json  # what logs numbers alone need not load it

        return rich_json(self._runtime, rich, at)

    def _table(self, key: str, table: Table) -> dict[str, Any]:
        """A logged Table as what stands for it among the values: a reference to a version that holds it."""
        from weft.tracking.tables.recording import log_table  # what logs numbers alone need not load it

        return log_table(self._runtime, self, key, table)

    def log_artifact(
        self,
        artifact: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - wandb's name for it
        aliases: str | Iterable[str] | None = None,
    ) -> Artifact:
        """Log a version, made by this run: its files are on the disk, synced, before the record that names them.

        Args:
            artifact: the artifact, or the path of a file or folder to make one of.
            name, type: of the artifact made of a path; default `run-<id>-<file name>` and `unspecified`.
            aliases: besides `latest`, which every newest version has.

        Raises:
            UsageError: a bad name or alias, or the run is finished.
        """
        self._check_running()
        chosen = [alias for alias in names.check_aliases(aliases) if alias != "latest"]
        made = self._artifact(artifact, name, type)
        self._log_artifact(made, chosen, self.uid)
        return made

    def _artifact(self, artifact: Artifact | str | os.PathLike[str], name: str | None, kind: str | None) -> Artifact:
        from weft.tracking.artifacts import Artifact  # as above

        if isinstance(artifact, Artifact):
            return artifact
        path = Path(artifact)
        made = Artifact(name or names.artifact_name(f"run-{self.id}-{path.name}"), type=kind or "unspecified")
        if path.is_dir():
            made.add_dir(path)
        else:
            made.add_file(path)
        return made

    def _log_artifact(self, artifact: Artifact, aliases: list[str], maker: bytes | None) -> None:
        from weft.tracking.artifacts import log_version  # as above

        log_version(self._runtime, artifact, project=self.project, aliases=aliases, made_by=maker)

    def use_artifact(self, artifact: str | Artifact) -> ArtifactVersion:
        """Record that this run reads a version, and open it.

        Args:
            artifact: `name`, `name:alias`, `name:v3` (each perhaps after `project/`), or an Artifact, which is logged
                as an input when it is not yet.

        Raises:
            NotFoundError: there is no such version.
            StoreError: the store cannot be read.
            UsageError: the reference is none, or the run is finished.
        """
        from weft.tracking.artifacts import Artifact  # as above
        from weft.tracking.versions import ArtifactVersion, find

        self._check_running()
        if isinstance(artifact, Artifact):
            self._log_artifact(artifact, [], None)
            version = ArtifactVersion(
                self.project,
                artifact.name,
                artifact.type,
                artifact.digest,
                artifact.manifest,
                artifact.metadata,
                self._blobs(),
                artifact.description,
            )
        else:
            version = find(artifact, self.project, self._blobs())
        self._record(ArtifactUsed(SCHEMA, version.project, version.name, version.digest, self.uid, self._wall_ns()))
        return version

    def finish(self, exit_code: int | None = 0) -> None:
        """End the run: `finished` for exit code 0, else `failed`. A second call does nothing."""
        if exit_code is not None and not isinstance(exit_code, int):
            raise UsageError(f"finish() takes a whole number as exit code, got {exit_code!r:.80}")
        code = exits.exit_code(exit_code)
        self.end(exits.Ending("failed" if code else "finished", code, None))

    def end(self, ending: exits.Ending) -> None:
        """`finish`, for whoever knows more of the reason than an exit code."""
        if self.state != "running":
            return
        self.config.write_mutations()
        self.summary.write_mutations()
        self.state = ending.state
        if self._runtime.run is self:
            self._runtime.run = None
        self._on_end(self)
        if self.surroundings is not None:
            self.surroundings.close()
        if self.owned:
            self._record(
                RunFinished(
                    SCHEMA,
                    self.uid,
                    self._wall_ns(),
                    ending.state,
                    ending.exit_code,
                    None if ending.error is None else self._json(_error(ending.error)),
                )
            )
        self._runtime.journal.sync()

    def renew_lock(self) -> None:
        """After a fork: a thread of the parent may have held it."""
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(exits.ending_of(error))

    def _check_running(self) -> None:
        if self.state != "running":
            raise UsageError(f"run {self.path} is {self.state}. Start another one with init()")

    def _updated(self, field: str, changed: dict[str, Any]) -> None:
        data = self._json(changed)
        self._record(
            RunUpdated(SCHEMA, self.uid, self._wall_ns(), config=data)
            if field == "config"
            else RunUpdated(SCHEMA, self.uid, self._wall_ns(), summary=data)
        )

    def _record(self, record: Record) -> None:
        self._append(record)

    def _json(self, value: Mapping[str, Any]) -> bytes:
        data = encode(value)
        return redact(data, self._runtime.faults, self._runtime.settings.redact)

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else redact_text(text, self._runtime.settings.redact)

    def _clean_tags(self) -> list[str]:
        return [clean_name(tag, self._runtime.settings.redact) for tag in self._tags]

    def _blobs(self) -> Any:
        from weft.tracking.blobs import Blobs  # as above

        return Blobs(self._runtime.home)

    def __repr__(self) -> str:
        return f"<weft.Run {self.path} {self._name!r} {self.state}>"


def _nowhere(record: Record) -> bool:
    """Mode disabled."""
    return True


def _error(error: BaseException) -> dict[str, str]:
    try:
        message = str(error)
    except Exception as broken:  # the user's own __str__
        message = f"<its message raised {type(broken).__name__}>"
    stack = "".join(traceback.format_exception(error))
    return {"type": type(error).__qualname__, "message": message, "stacktrace": stack[-_STACK_CHARS:]}
