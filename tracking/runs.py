"""The runs of this process: `init` makes its own, `start_run` one beside it (evaluations), `log`, `finish` act on it.

What is still running when the process ends is finished here, with the reason of that end.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracking import exits, runtime, surroundings
from weft.tracking.errors import UsageError
from weft.tracking.run import Run

if TYPE_CHECKING:
    from weft.tracking.artifacts import Artifact
    from weft.tracking.versions import ArtifactVersion

__all__ = ["Run", "finish", "init", "log", "log_artifact", "start_run", "use_artifact"]

_live: weakref.WeakSet[Run] = weakref.WeakSet()


def init(
    project: str | None = None,
    name: str | None = None,
    id: str | None = None,  # noqa: A002 - wandb's name for it
    config: Any = None,
    tags: str | Sequence[str] | None = (),
    group: str | None = None,
    job_type: str | None = None,
    notes: str | None = None,
) -> Run:
    """Start the run of this process; one that is still active is finished first.

    Args:
        project: default `WEFT_PROJECT`, else `default`.
        name: for people; default two words and a number.
        id: unique in the project; the same id again continues the same run. Default eight random characters.
        config: a dict or a namespace (argparse).
        tags: texts of 1 to 64 characters.

    Raises:
        UsageError: a bad name, id or tag.

    Example:
        >>> run = weft.init(project="digits", config={"lr": 1e-3})
        >>> run.log({"loss": 0.25})
        >>> run.finish()
    """
    active = runtime.active()
    run = Run(
        active,
        project=project,
        name=name,
        id=id,
        config=config,
        tags=tags,
        group=group,
        job_type=job_type,
        notes=notes,
        parent=None,
        on_end=_forget,
    )
    if active.run is not None:
        active.run.finish()
    _watch(run)
    active.run = run
    run.surroundings = surroundings.start(run, active.settings)
    return run


def start_run(
    project: str | None = None,
    name: str | None = None,
    id: str | None = None,  # noqa: A002 - wandb's name for it
    config: Any = None,
    tags: str | Sequence[str] | None = (),
    group: str | None = None,
    job_type: str | None = None,
    notes: str | None = None,
) -> Run:
    """Start a run beside the process's own, which becomes its parent. Arguments as `init`; keep what it returns."""
    active = runtime.active()
    run = Run(
        active,
        project=project or (active.run.project if active.run is not None else None),
        name=name,
        id=id,
        config=config,
        tags=tags,
        group=group,
        job_type=job_type,
        notes=notes,
        parent=active.run,
        on_end=_forget,
    )
    _watch(run)
    return run


def log(values: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
    """`Run.log` of the active run.

    Raises:
        UsageError: no run is active.
    """
    (runtime.active().run or _none("log")).log(values, step, commit)


def log_artifact(
    artifact: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - wandb's name for it
    aliases: str | Iterable[str] | None = None,
) -> Artifact:
    """`Run.log_artifact` of the active run.

    Raises:
        UsageError: no run is active.
    """
    return (runtime.active().run or _none("log_artifact")).log_artifact(artifact, name, type, aliases)


def use_artifact(artifact: str | Artifact) -> ArtifactVersion:
    """`Run.use_artifact` of the active run.

    Raises:
        UsageError: no run is active.
    """
    return (runtime.active().run or _none("use_artifact")).use_artifact(artifact)


def finish(exit_code: int | None = 0) -> None:
    """`Run.finish` of the active run; without one, nothing is left to finish."""
    run = runtime.active().run
    if run is not None:
        run.finish(exit_code)


def _none(what: str) -> Run:
    raise UsageError(f"weft.{what}() was called, but no run is active. Call weft.init() first")


def _watch(run: Run) -> None:
    exits.watch.start()
    _live.add(run)


def _forget(run: Run) -> None:
    _live.discard(run)
    if not _live:
        exits.watch.stop()


def _finish_all() -> None:
    """At exit, before the journal closes (its own hook was registered earlier)."""
    for run in list(_live):
        if run.owned and run.home.path.exists():  # who removed it wants none of this, and not the folder back
            run.end(exits.watch.ending())


def _after_fork() -> None:
    for run in list(_live):
        run.renew_lock()


atexit.register(_finish_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
