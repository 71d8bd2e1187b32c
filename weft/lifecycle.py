"""Begin, configure, flush: the calls that change something for the whole process. Only these do; importing does not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracer.instrument import instrument
from weft.tracking import runs, runtime
from weft.tracking.errors import UsageError
from weft.tracking.settings import Settings

if TYPE_CHECKING:
    from weft.tracking.runs import Run


def configure(
    *,
    home: str | os.PathLike[str] | None = None,
    project: str | None = None,
    mode: str | None = None,
    store_url: str | None = None,
    redact: bool | None = None,
) -> Settings:
    """Set where and how this process records, from now on. What is not given comes from `WEFT_*`, else the defaults.

    Raises:
        UsageError: `mode` is none of online, offline, disabled; or a run is active, which would be torn in two.

    Example:
        >>> weft.configure(home="/tmp/my-home", project="ask-python")
    """
    settings = Settings.resolve(home=home, project=project, mode=mode, store_url=store_url, redact=redact)
    run = active_run()
    if run is not None:
        raise UsageError(f"weft.configure() was called while the run {run.name!r} is active. Call weft.finish() first")
    runtime.configure(settings)
    return settings


def init(
    project: str | None = None,
    *,
    name: str | None = None,
    id: str | None = None,  # noqa: A002 - wandb's name for it
    config: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
    group: str | None = None,
    job_type: str | None = None,
    notes: str | None = None,
) -> Run:
    """Start a run; what is logged and every root call from now on belong to it. Installed LLM clients are instrumented.

    Args:
        project: its project; default `WEFT_PROJECT`, else "default".
        name: what it is called; default a generated one.
        id: unique in the project; default a random one.
        config: hyper-parameters and whatever else one would like to compare by.

    Returns:
        The run; use it as a context manager, or call `weft.finish()`. A second `init` finishes the first.

    Example:
        >>> with weft.init("digits", config={"lr": 1e-3}) as run:
        ...     run.log({"loss": 0.5})
    """
    instrument()
    return runs.init(
        project=project,
        name=name,
        id=id,
        config=config,
        tags=tags,
        group=group,
        job_type=job_type,
        notes=notes,
    )


def flush() -> None:
    """Make everything handed over survive a power cut, too (a killed process loses nothing anyway)."""
    runtime.active().journal.sync()


def active_run() -> Run | None:
    """`weft.run`: the active run, or None."""
    return runtime.active().run


def active_config() -> Any:
    """`weft.config` of the active run.

    Raises:
        UsageError: no run is active.
    """
    return _need("config").config


def active_summary() -> Any:
    """`weft.summary` of the active run.

    Raises:
        UsageError: no run is active.
    """
    return _need("summary").summary


def _need(what: str) -> Run:
    run = active_run()
    if run is None:
        raise UsageError(f"weft.{what} was asked for, but no run is active. Call weft.init() first")
    return run
