"""`weft.log(...)`, `weft.save(...)`, ...: what a run can do, done to the active one. Without one they say init()."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.runs.run import Run

P = ParamSpec("P")
T = TypeVar("T")


def log(values: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
    """`Run.log` of the active run.

    Raises:
        UsageError: no run is active.
    """
    (runtime.active().active_run or none("log")).log(values, step, commit)


def finish(exit_code: int | None = 0, quiet: bool | None = None) -> None:
    """`Run.finish` of the active run; without one, nothing is left to finish."""
    run = runtime.active().active_run
    if run is not None:
        run.finish(exit_code, quiet)


join = finish
"""What wandb called it once."""


def none(what: str) -> NoReturn:
    """No run is active.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"weft.{what} was asked for, but no run is active. Call weft.init() first")


def _of_active(method: Callable[Concatenate[Run, P], T]) -> Callable[P, T]:
    """A method of `Run` as a function: of the active run."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return method(runtime.active().active_run or none(f"{method.__name__}()"), *args, **kwargs)

    signature = inspect.signature(method)
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(signature.parameters.values())[1:]
    )
    return call


alert = _of_active(Run.alert)
define_metric = _of_active(Run.define_metric)
link_model = _of_active(Run.link_model)
log_artifact = _of_active(Run.log_artifact)
log_code = _of_active(Run.log_code)
log_model = _of_active(Run.log_model)
mark_preempting = _of_active(Run.mark_preempting)
pin_config_keys = _of_active(Run.pin_config_keys)
restore = _of_active(Run.restore)
save = _of_active(Run.save)
unwatch = _of_active(Run.unwatch)
use_artifact = _of_active(Run.use_artifact)
use_model = _of_active(Run.use_model)
watch = _of_active(Run.watch)
write_logs = _of_active(Run.write_logs)
