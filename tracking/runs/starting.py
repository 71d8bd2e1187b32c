"""The runs of this process: `init` makes its own, `start_run` one beside it (evaluations). `activerun` acts on it.

What is still running when the process ends is finished here, with the reason of that end.
"""

from __future__ import annotations

import atexit
import builtins
import logging
import os
from collections.abc import Sequence
from typing import Any

from weft.tracking import exits, names, runtime, surroundings
from weft.tracking.errors import UsageError
from weft.tracking.runs import activerun, resuming, runarguments
from weft.tracking.runs.resuming import Way
from weft.tracking.runs.run import Run
from weft.tracking.runs.runarguments import Start

said = logging.getLogger("weft.recording")

finish = activerun.finish
log = activerun.log
log_artifact = activerun.log_artifact
use_artifact = activerun.use_artifact

_live: list[Run] = []
"""Those that run, in order of their start: held, so that none is forgotten before it is ended."""
_made_by_init: set[int] = set()
"""Their `id()`s: what another `init` finishes or returns."""
_NOTHING_HAPPENS = ("sync_tensorboard", "tensorboard", "monitor_gym")


def init(
    project: str | None = None,
    entity: str | None = None,
    *,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - wandb's names, here and below
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: str | Sequence[str] | None = None,
    config: Any = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,
    anonymous: str | None = None,
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,
    tensorboard: bool | None = None,
    sync_tensorboard: bool | None = None,
    monitor_gym: bool | None = None,
    settings: Any = None,
) -> Run:
    """Start the run of this process. What is not given comes from `WEFT_*`, else `WANDB_*` variables, else defaults.

    Args:
        project: default `WEFT_PROJECT`, else `default`.
        entity: kept among the run's metadata.
        dir: the folder in which `run.dir` is made; default the home.
        id: unique in the project; the same id again, without `resume`, is the same run begun anew, its earlier steps no
            longer counting. Default eight random characters.
        name: for people; default two words and a number.
        notes: free text.
        tags: texts of 1 to 64 characters.
        config: a dict, a namespace (argparse), absl's FLAGS or the path of a YAML file; `config-defaults.yaml` in the
            working directory is under it.
        config_exclude_keys, config_include_keys: of `config`, which keys are left out, or the only ones taken.
        allow_val_change: whether `run.config` may change values by itself; default in notebooks only.
        group: runs that belong together.
        job_type: train, eval, ...
        mode: `online`, `offline` (the same: all is local) or `disabled`, which records nothing of this run.
        reinit: what to do while a run is active: `finish_previous` (True; the default in notebooks),
            `return_previous` (False; the default elsewhere), or `create_new`: a run beside it, never `weft.run`.
        resume: `allow` goes on with the run of this id where there is one, `must` raises where there is none, `never`
            where there is one; `auto` (True) goes on with this program's last run if that did not end well.
        resume_from: "<id>?_step=<N>": goes on after step N of that run; what came later counts no more.
        fork_from: the same, as a new run whose history up to N is that run's.
        save_code: whether a copy of the program's file is kept.
        settings: `weft.Settings(...)` with weft's or wandb's names, for this run.
        force, anonymous, tensorboard, sync_tensorboard, monitor_gym: wandb's; accepted.

    Raises:
        UsageError: a wrong argument, all bad tags named at once; or there is no such run to resume.

    Example:
        >>> run = weft.init(project="digits", config={"lr": 1e-3})
        >>> run.log({"loss": 0.25})
        >>> run.finish()
    """
    given = {key: value for key, value in locals().items() if value is not None}
    for feature in _NOTHING_HAPPENS:
        if given.get(feature):
            runarguments.say_once(f"init({feature}=True): weft records nothing of it by itself; log what you need")
    active = runtime.active()
    previous = _running(active)
    chosen = _second(given) if previous else "create_new"
    if chosen == "return_previous":
        return _previous(active.active_run if active.active_run in previous else previous[-1], given)
    same = [run for run in previous if run.id == id]
    if same and reinit == "create_new":
        raise UsageError(f"run {same[0].path} is running in this process already: choose another id, or finish it")
    ending = previous if chosen == "finish_previous" else []
    for run in ending:
        if run in same:  # it is this very run that begins: what it says last is to be read first
            run.finish()
    start = runarguments.start(active, given)
    for run in ending:
        run.finish()
    return _begun(active, start, beside=reinit == "create_new")


def _running(active: runtime.Runtime) -> list[Run]:
    """What `init` made here and has not ended."""
    mine = active.journal
    return [run for run in _live if run.owned and run.runtime.journal is mine and builtins.id(run) in _made_by_init]


def _begun(active: runtime.Runtime, start: Start, *, beside: bool) -> Run:
    """Make the run that `init` was asked for.

    Args:
        beside: it never becomes `weft.run`.
    """
    leads = start.recording and not start.joined
    made = Run(active.view(start.settings, start.recording), start, on_end=forget, leads=leads)
    _watch(made)
    _made_by_init.add(builtins.id(made))
    if not beside:
        active.run, active.silent = (made, None) if start.recording else (None, made)
    if start.recording:
        if start.way.auto:
            resuming.note(active, made.project, made.id)
        made.surroundings = surroundings.start(made, start.settings, leads=not start.joined)
    return made


def _second(given: dict[str, Any]) -> str:
    """What to do while a run is active."""
    settings = given.get("settings")
    said = settings.get("reinit") if isinstance(settings, dict) else getattr(settings, "reinit", None)
    chosen = runarguments.reinit(given.get("reinit", said))
    if chosen != "default":
        return chosen
    return "finish_previous" if hasattr(builtins, "get_ipython") else "return_previous"


def _previous(run: Run, given: dict[str, Any]) -> Run:
    left_out = ", ".join(f"{name}=" for name in given if name not in ("reinit", "settings"))
    if left_out:
        said.warning(
            "init() was called while run %s is active: that run is returned, and %s left out. Call finish() before, or "
            "init(reinit='finish_previous')",
            run.path,
            left_out,
        )
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
    parent = active.run
    if project is None:
        project = parent.project if parent is not None else active.settings.project
    start = Start(
        project=names.check_project(project),
        way=Way(None if id is None else names.check_run_id(id)),
        name=names.check_optional_text("a run's name", name),
        notes=names.check_optional_text("a run's notes", notes),
        tags=tuple(names.check_tags(tags)),
        group=names.check_optional_text("a run's group", group),
        job_type=names.check_optional_text("a run's job_type", job_type),
        config=config,
        mode=active.settings.mode,
        settings=active.settings,
    )
    run = Run(active, start, parent=parent, on_end=forget)
    _watch(run)
    return run


def known(uid: bytes) -> Run | None:
    """The run of this identity that runs in this process."""
    return next((run for run in _live if run.uid == uid and run.state == "running"), None)


def attached(run: Run) -> None:
    """Take note of a run that another process started."""
    if run.state == "running":
        _live.append(run)


def forget(run: Run) -> None:
    """It ended."""
    if run in _live:
        _live.remove(run)
    _made_by_init.discard(builtins.id(run))
    active = runtime.active_or_none()
    if active is not None and active.run is run:
        active.run = None
    elif active is not None and active.silent is run:
        active.silent = None
    if not _live:
        exits.watch.stop()


def finish_all(exit_code: int | None = 0) -> None:
    """End every run that this process has started."""
    for run in [run for run in _live if run.owned]:
        run.finish(exit_code)


def _watch(run: Run) -> None:
    exits.watch.start()
    _live.append(run)


def _at_exit() -> None:
    """Before the journal closes (its own hook was registered earlier)."""
    for run in _live[:]:
        if run.owned and run.home.path.exists():  # who removed it wants none of this, and not the folder back
            run.end(exits.watch.ending(), last=True)


def _after_fork() -> None:
    for run in _live:
        run.renew_lock()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
