"""One run: configuration, metrics, summary, artifacts, its end. Whatever it is told is in the journal at return.

`starting` makes them. Recording trouble never raises here; a wrong call does, at the call.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weft.tracking import exits
from weft.tracking.errors import UsageError
from weft.tracking.faults import let_through
from weft.tracking.journal.records import (
    SCHEMA,
    MetricDefined,
    MetricsLogged,
    RunFinished,
    RunRewound,
    RunUpdated,
)
from weft.tracking.payloads.redaction import clean_name
from weft.tracking.runs import metrics, resuming
from weft.tracking.runs.metricrules import Metric, MetricRules, checked
from weft.tracking.runs.runkeeping import RunKeeping
from weft.tracking.runs.runlock import RunLock
from weft.tracking.runs.summary import Summary

if TYPE_CHECKING:
    from weft.tracking.artifacts.artifact import Artifact
    from weft.tracking.artifacts.versions import ArtifactVersion
    from weft.tracking.registry.linked import LinkedVersion
    from weft.tracking.runs.runarguments import Start
    from weft.tracking.runtime import Runtime
    from weft.tracking.tables import Table

log = logging.getLogger("weft.recording")

_EXACT = metrics.EXACT
_STACK_CHARS = 64 << 10


class Run(RunKeeping):
    """One experiment, training or evaluation. Made by `init` or `start_run`; a context manager that finishes itself."""

    def __init__(
        self,
        active: Runtime,
        start: Start,
        *,
        on_end: Callable[[Run], None],
        parent: Run | None = None,
        attached_at: int | None = None,
        leads: bool = False,
    ) -> None:
        """
        Args:
            active: what it records with.
            start: what `init` was asked for.
            on_end: told when it ends in this process.
            parent: the run that this one is part of.
            attached_at: the step of a run that another process started; nothing is recorded of it now.
            leads: no other process is to lead it at the same time.
        """
        super().__init__(active, start)
        self._rules = MetricRules()
        self.summary = Summary(self._summarised, self._rules, self._made)
        if start.way.earlier is not None:
            self.summary.restore(start.way.earlier.standing)
        self.state = "running"
        self._on_end = on_end
        self._lock = threading.RLock()  # guards the steps and the end; re-entrant: a signal handler may log too
        self._step = self.starting_step if attached_at is None else attached_at
        self._highest: int | None = self._step - 1 if self._step else None
        self._closed = True
        """Whether the row of the highest step is committed."""
        self._logged_ns: int | None = None
        """When something was logged last."""
        self._axes: dict[str, tuple[int | float, int]] = {}
        """Of metrics that are x axes of others: the last value and its step."""
        self._warned_late = False
        self._plain: set[str] = set()
        """Names of metrics that hold no secret: each is looked at once."""
        self.lock: RunLock | None = None
        """Held by the process that leads it."""
        if attached_at is not None:
            self._pid = -1
            return
        if leads:
            self.lock = RunLock(active.home, self.uid)
            if self.lock.claim(self.path) and start.way.replaced is not None:
                self._replace(start.way.replaced)
        if start.way.rewound is not None:
            self._record(RunRewound(SCHEMA, self.uid, self._wall_ns(), start.way.rewound))
        self._begin(None if parent is None else parent.uid)

    def _replace(self, former: resuming.Earlier) -> None:
        self._record(RunRewound(SCHEMA, self.uid, self._wall_ns(), -1))
        log.warning(
            "run %s existed already and begins anew: what it had (%s) stays in the store and no longer counts. "
            "init(resume='allow') goes on with a run",
            self.path,
            "no steps" if former.last_step is None else f"steps up to {former.last_step}",
        )

    @property
    def step(self) -> int:
        """The step that the next `log()` without one takes."""
        return self._step

    def log(self, values: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Record values of one step. They are in the journal when this returns.

        Args:
            values: names and values. Numbers become metrics (NaN and infinities too); nested dicts dotted names (their
                keys may be numbers: `{"acc": {0: 0.9}}` is `acc.0`); a Table a version of an artifact; anything else is
                kept as it is.
            step: default the run's own counter. What comes for a step below the highest, or for one that is committed,
                is kept and marked late.
            commit: whether the counter moves on: True by default, False by default where `step` is given. Calls of one
                step are one row of the history.

        Raises:
            TypeError: `values` is no dict, a name no text, `step` no whole number.
            UsageError: a name is empty, or the run is finished.

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
        plain = self._plain.issuperset(scalars)
        if not plain and parts is None:
            metrics.check_values(values)
        with self._lock:
            closes = step is None if commit is None else commit
            if step is None:
                at, late = self._step, False
            else:
                at, highest = metrics.check_step(step), self._highest
                late = highest is not None and (at < highest or (at == highest and self._closed))
            if not late:
                self._highest = at
                self._closed = closes
            if at >= self._step:
                self._step = at + 1 if closes else at
        if late and not self._warned_late:
            self._warn_late(at)
        if self._rules.synced:
            scalars = self._synced(at, late, scalars, () if parts is None else parts.rich)
            plain = self._plain.issuperset(scalars)
        rich = None if parts is None else self._rich(parts, at)
        written = scalars
        again: Sequence[tuple[str, float]] = () if parts is None else parts.again
        if not plain:
            written, again = self._clean_names(scalars, again)
        if scalars or rich is not None:
            self._logged_ns = now = self._wall_ns()
            self._append(MetricsLogged(SCHEMA, self.uid, at, now, written, rich, late))
            if scalars:
                self.summary.logged(at, late, scalars)
            if rich is not None:
                self.summary.logged_rich(at, rich, written)
        for name, number in again:
            self._append(MetricsLogged(SCHEMA, self.uid, at, self._wall_ns(), {name: number}, None, late))
            self.summary.logged(at, late, {name: number})

    def define_metric(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,
    ) -> Metric:
        """Say what a metric means. It holds for the whole history, what was logged before included.

        Args:
            name: nested names joined by dots; with a `*` at its end all names that begin so, but for those that begin
                with `_` or have a definition of their own.
            step_metric: the metric that is its x axis.
            step_sync: whether a log() without the x axis takes its last value along; default whether one is named.
            hidden: leave it out of charts that are made by themselves.
            summary: what the summary says instead of the last value, separated by commas: min, max, mean, first, last,
                best (by `goal`), or copy (the last value) or none. min, max, mean and best pass over NaN and
                infinities.
            goal: minimize or maximize.
            overwrite: whether it stands in place of what was said of the name before, and does not add to it.

        Raises:
            UsageError: one of these cannot be meant, and nothing is defined; or the run is finished.

        Example:
            >>> run.define_metric("val/*", step_metric="epoch", summary="min,last")
        """
        self._check_running()
        asked = checked(name, step_metric, step_sync, hidden, summary, goal)
        with self._lock:
            made = self._rules.defined(asked, overwrite=bool(overwrite))
            for metric in made:
                self._rules.put(metric)
                self._define(metric)
        return made[-1]

    @property
    def defined_metrics(self) -> tuple[Metric, ...]:
        """What `define_metric` said, x axes that it named included."""
        return tuple(self._rules)

    def _define(self, metric: Metric) -> None:
        axis = metric.step_metric
        self._record(
            MetricDefined(
                SCHEMA,
                self.uid,
                self._wall_ns(),
                self._clean(metric.name) or metric.name,
                list(metric.summary),
                self._clean(axis),
                metric.step_sync,
                metric.goal,
                metric.hidden,
            )
        )

    def _synced(self, at: int, late: bool, scalars: dict[str, float], rich: Iterable[str]) -> dict[str, float]:
        """These numbers, with the last values of x axes that they need and that this row has not."""
        with self._lock:
            axes = self._rules.axes({*scalars, *rich})
            missing = {name: self._axes.get(name, (0, None)) for name in axes}
            if not late:
                scalars = scalars | {name: value for name, (value, step) in missing.items() if step != at}
            for name in scalars.keys() & self._rules.step_metrics:
                self._axes[name] = (scalars[name], at)
        return scalars

    def _warn_late(self, at: int) -> None:
        self._warned_late = True
        log.warning(
            "run %s: step %d was logged after step %s was begun or committed; such points are kept, marked late",
            self.path,
            at,
            self._highest,
        )

    def _made(self) -> dict[str, Any]:
        """What wandb keeps in every summary: of the last `log()`."""
        if self._highest is None:
            return {}
        found: dict[str, Any] = {"_step": self._highest}
        if self._logged_ns is not None:
            earlier = self._start.way.earlier
            elapsed_s = 0.0 if earlier is None else earlier.elapsed_ns / 1e9
            at = self._logged_ns / 1e9
            found |= {"_runtime": elapsed_s + max(0.0, at - self.start_time), "_timestamp": at}
        return found

    def _summarised(self, changed: Mapping[str, Any], dropped: Sequence[str]) -> None:
        keys = [clean_name(key, self._runtime.settings.redact) for key in dropped]
        data = self._json(changed) if changed else None
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), summary=data, summary_dropped=keys))

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
        from weft.tracking.runs.richvalues import rich_json  # what logs numbers alone need not load it

        return rich_json(self._runtime, rich, at)

    def _table(self, key: str, table: Table) -> dict[str, Any]:
        """A logged Table as what stands for it among the values: a reference to a version that holds it."""
        from weft.tracking.tables.recording import log_table  # what logs numbers alone need not load it

        return log_table(self._runtime, self, key, table)

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - wandb's name for it
        aliases: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
    ) -> Artifact:
        """Log a version, made by this run: its files are on the disk, synced, before the record that names them.

        Args:
            artifact_or_path: the artifact, or the path of a file or folder, or the address of what lies elsewhere, to
                make one of.
            name, type: of the artifact made of a path; default `run-<id>-<file name>` and `unspecified`.
            aliases: besides `latest`, which what was logged last has.
            tags: besides those that the artifact has.

        Raises:
            UsageError: a bad name or alias, or the run is finished.
        """
        from weft.tracking.runs import runartifacts  # what logs numbers alone need not load it

        self._check_running()
        return runartifacts.log(self._runtime, self, artifact_or_path, name, type, aliases, tags)

    def use_artifact(
        self,
        artifact_or_name: str | Artifact | ArtifactVersion,
        type: str | None = None,  # noqa: A002 - wandb's name for it
        aliases: str | Iterable[str] | None = None,
        use_as: str | None = None,
    ) -> ArtifactVersion:
        """Record that this run reads a version, and open it.

        Args:
            artifact_or_name: `name`, `name:alias`, `name:v3` (each perhaps after `project/`), a version, or an
                Artifact, which is logged as an input when it is not yet.
            type: what it must be.
            aliases: of an Artifact that is logged by this.
            use_as: what it is to this run (`training data`), for its lineage.

        Raises:
            NotFoundError: there is no such version.
            StoreError: the store cannot be read.
            UsageError: the reference is none, the version is of another type, or the run is finished.
        """
        from weft.tracking.runs import runartifacts  # as above

        self._check_running()
        return runartifacts.use(self._runtime, self, artifact_or_name, type, aliases, use_as)

    def log_model(
        self, path: str | os.PathLike[str], name: str | None = None, aliases: str | Iterable[str] | None = None
    ) -> Artifact:
        """`log_artifact` of a file or folder, as a `model`."""
        return self.log_artifact(path, name, "model", aliases)

    def link_artifact(
        self, artifact: Artifact | ArtifactVersion | str, target_path: str, aliases: str | Iterable[str] | None = None
    ) -> LinkedVersion | None:
        """`weft.link_artifact`; an Artifact that is not logged is logged by this run first.

        Raises:
            UsageError, NotFoundError: as `weft.link_artifact`.
        """
        from weft.tracking.registry import linking  # as above

        self._check_running()
        return linking.link(self._runtime, self, artifact, target_path, aliases)

    def link_model(
        self,
        path: str | os.PathLike[str],
        registered_model_name: str,
        name: str | None = None,
        aliases: str | Iterable[str] | None = None,
    ) -> LinkedVersion | None:
        """`log_model` of a file or folder, linked into the collection of that name.

        Raises:
            UsageError, NotFoundError: as `weft.link_artifact`.
        """
        from weft.tracking.registry import linking  # as above

        self._check_running()
        return linking.link_model(self._runtime, self, path, registered_model_name, name, aliases)

    def use_model(self, name: str) -> str:
        """`use_artifact` of a model, downloaded: the path of its only file, else of its folder.

        Raises:
            UsageError: its type says nothing of a model.
            NotFoundError, StoreError, OSError: as `use_artifact` and `download`.
        """
        from weft.tracking.runs import runartifacts  # as above

        self._check_running()
        return runartifacts.use_model(self._runtime, self, name)

    def finish(self, exit_code: int | None = 0, quiet: bool | None = None) -> None:
        """End the run: `finished` for exit code 0, else `failed`. A second call does nothing.

        It waits no longer than 5 s for the disk; what was logged is in the journal all the same.
        """
        if exit_code is not None and not isinstance(exit_code, int):
            raise UsageError(f"finish() takes a whole number as exit code, got {exit_code!r:.80}")
        code = exits.exit_code(exit_code)
        self.end(exits.Ending("failed" if code else "finished", code, None))

    def end(self, ending: exits.Ending, *, last: bool = False) -> None:
        """`finish`, for whoever knows more of the reason than an exit code.

        Args:
            last: the process ends too, which sees to the disk itself.
        """
        with self._lock:
            if self.state != "running":
                return
            if self.owned:
                self._close()
            self.state = ending.state
        self._on_end(self)
        if not self.owned:
            return
        error = None if ending.error is None else self._json(_error(ending.error))
        joined = self._start.joined
        self._record(
            RunFinished(SCHEMA, self.uid, self._wall_ns(), ending.state, ending.exit_code, error, joined=joined)
        )
        if self._start.way.auto and self._runtime.recording and ending.exit_code == 0:
            resuming.forget(self._runtime, self.project)
        if self.lock is not None:
            self.lock.release()
        if not last and not self._runtime.journal.sync_within(exits.END_SECONDS):
            log.warning("the disk had not confirmed run %s within %.0f s", self.path, exits.END_SECONDS)

    def _close(self) -> None:
        """What is still to be said, before the last word."""
        self._look_away()
        if self._runtime.recording:
            self._files.close()
        self.config.write_mutations()
        self.summary.write_mutations()

    def __reduce__(self) -> tuple[Any, ...]:
        from weft.tracking.runs.attaching import attach, attachment  # late: it makes runs

        return attach, (attachment(self),)

    def renew_lock(self) -> None:
        """After a fork: a thread of the parent may have held it."""
        self._lock = threading.RLock()
        self.summary.renew_lock()
        if self.lock is not None:
            self.lock.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(exits.ending_of(error))

    def _check_running(self) -> None:
        if self.state != "running":
            raise UsageError(f"run {self.path} is {self.state}. Start another one with init()")

    def _used(self, artifact: Any) -> None:
        if self.state == "running":
            self.use_artifact(artifact)

    def __repr__(self) -> str:
        return f"<weft.Run {self.path} {self._name!r} {self.state}>"


def _error(error: BaseException) -> dict[str, str]:
    try:
        message = str(error)
    except Exception as broken:  # the user's own __str__
        let_through(broken)
        message = f"<its message raised {type(broken).__name__}>"
    stack = "".join(traceback.format_exception(error))
    return {"type": type(error).__qualname__, "message": message, "stacktrace": stack[-_STACK_CHARS:]}
