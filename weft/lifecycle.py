"""Begin, configure, flush: the calls that change something for the whole process. Only these do; importing does not."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

from weft.tracer.instrument import instrument
from weft.tracking import errors as errors
from weft.tracking import names, runtime
from weft.tracking.errors import UsageError
from weft.tracking.names import check_project
from weft.tracking.runs import activerun, starting
from weft.tracking.runs.run import Run
from weft.tracking.settings import Settings, check_store_url

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from weft.tracking.payloads.redaction import Redactor

log = logging.getLogger("weft.recording")

P = ParamSpec("P")

util = names
"""`wandb.util.generate_id()`, which scripts make ids for `resume` with."""


def configure(
    *,
    home: str | os.PathLike[str] | None = None,
    project: str | None = None,
    mode: str | None = None,
    store_url: str | None = None,
    sample_rate: float | None = None,
    capture_code: bool | None = None,
    attributes: Mapping[str, Any] | None = None,
    postprocess_inputs: Callable[[dict[str, Any]], Any] | None = None,
    postprocess_output: Callable[[Any], Any] | None = None,
    redact: bool | str | Iterable[str] | None = None,
    redactor: Redactor | None = None,
    otel: str | None = None,
    exporters: Sequence[SpanExporter | SpanProcessor] = (),
) -> Settings:
    """Set where and how this process records, from now on. What is not given comes from `WEFT_*`, else the defaults.

    It is the whole of the settings, not a change of some: a second call starts from the environment again. Child
    processes that get work by `wrap_context` or `ContextProcessPoolExecutor` record likewise.

    Args:
        home: the folder of journal, blobs and default store. `WEFT_HOME`, else `~/.weft`.
        project: of calls and runs that name none. `WEFT_PROJECT`, else `default`.
        mode: online, offline (the same so far) or disabled, which records and writes nothing. `WEFT_MODE`.
        store_url: SQLAlchemy URL of the store. `WEFT_STORE`, else SQLite inside the home.
        sample_rate: the share of root calls to record, 0 to 1, each with all that is under it. `WEFT_SAMPLE_RATE`.
        capture_code: False keeps no source of ops. `WEFT_CAPTURE_CODE`.
        attributes: recorded with every span; an op's, a context's and a call's own win over them, in this order.
        postprocess_inputs: what is recorded of every op's inputs, made from what it would record by itself.
        postprocess_output: the same of outputs.
        redact: which secrets are taken out before anything is written: `("secrets", "email", "cards")` or some of them;
            True is secrets alone, False nothing.
        redactor: asked last, for every text: `(key, text) -> text`. Where it fails, a marker is written.
        otel: `share` (the default): where the program has an OpenTelemetry SDK provider, its backend gets finished
            spans of weft, too, so that it sees no orphans. `separate`: it does not. `global`: the program has none, and
            gets weft's, so that whatever OpenTelemetry traces is recorded.
        exporters: OpenTelemetry SDK exporters or processors that get every finished span, in the background.

    Raises:
        UsageError: a value is not of those that the setting takes; or a run is active, which would be torn in two.

    Example:
        >>> weft.configure(home="/tmp/my-home", project="ask-python", attributes={"release": "2026-07"})
    """
    settings = Settings.resolve(
        home=home,
        project=None if project is None else check_project(project),
        mode=mode,
        store_url=None if store_url is None else check_store_url(store_url),
        sample_rate=sample_rate,
        capture_code=capture_code,
        attributes=attributes,
        postprocess_inputs=postprocess_inputs,
        postprocess_output=postprocess_output,
        redact=redact,
        redactor=redactor,
        otel=otel,
        exporters=exporters,
    )
    run = active_run()
    if run is not None:
        raise UsageError(f"weft.configure() was called while the run {run.name!r} is active. Call weft.finish() first")
    _check_exporters(settings)
    if settings.otel == "global":
        _make_global()
    runtime.configure(settings)
    return settings


def _check_exporters(settings: Settings) -> None:
    if settings.exporters:
        from weft.tracer.otel.sharing import is_exporter  # late: needs the SDK, which most programs do not

        for given in settings.exporters:
            if not is_exporter(given):
                raise UsageError(f"exporters= takes SDK exporters and processors of OpenTelemetry, not {given!r:.80}")


def _make_global() -> None:
    from weft.tracer.otel.processor import make_global  # late: needs the SDK, which most programs do not

    make_global()


def _instrumented(start: Callable[P, Run]) -> Callable[P, Run]:
    """`starting.init`, with the installed LLM clients instrumented first: their calls belong to the run."""

    @functools.wraps(start)
    def init(*args: P.args, **kwargs: P.kwargs) -> Run:
        instrument()
        held = _set_before.pop() if _set_before else None
        if held is not None and kwargs.get("config") is None:
            kwargs["config"] = held
        return start(*args, **kwargs)

    return init


init = _instrumented(starting.init)


def login(
    anonymous: str | None = None,
    key: str | None = None,
    relogin: bool | None = None,
    host: str | None = None,
    force: bool | None = None,
    timeout: int | None = None,
    verify: bool = False,
    referrer: str | None = None,
) -> bool:
    """wandb's log-in. There is no account here: it is True at once, and what it was given is not looked at."""
    return True


def setup(settings: Any = None) -> Settings:
    """wandb's first call of a process; nothing need be set up. Answers the settings that it records by."""
    return runtime.active().settings


def teardown(exit_code: int | None = None) -> None:
    """End all runs of this process.

    Args:
        exit_code: of each; 0 and None: finished.
    """
    starting.finish_all(exit_code)


def flush(timeout: float = 5.0) -> bool:
    """Make everything handed over survive a power cut, too, and have exporters deliver it.

    A killed process loses nothing anyway. For programs that are frozen between two requests (serverless).

    Args:
        timeout: seconds to wait at most.

    Returns:
        Whether all of it was done in that time. Where it was not, one log line says what is left; it is in the journal
        all the same.

    Raises:
        UsageError: the timeout is no number of seconds.

    Example:
        >>> def handler(event, context):
        ...     try:
        ...         return answer(event["question"])
        ...     finally:
        ...         weft.flush(timeout=2)
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise UsageError(f"weft.flush() takes a number of seconds to wait at most, not {timeout!r:.80}")
    rt = runtime.active()
    until = time.monotonic() + timeout
    left = [] if rt.journal.sync_within(timeout) else [f"the disk's confirmation of {rt.home.journal}"]
    if rt.outlet is not None and not rt.outlet.flush(max(0.0, until - time.monotonic())):
        left.append("what exporters have not delivered")
    if left:
        log.warning("weft.flush() was not done within %.1f s; left: %s.", timeout, " and ".join(left))
    return not left


def active_run() -> Run | None:
    """`weft.run`: the active run, or None."""
    return runtime.active().active_run


def active_config() -> Any:
    """`weft.config` of the active run; before there is one, what it was set to, else what says `init()` as soon as it
    is used."""
    run = active_run()
    if run is None:
        return _set_before[-1] if _set_before else _NotYet("config")
    return run.config


_set_before: list[Any] = []
"""What `weft.config` was set to before there was a run, if it was: the next one's, unless `init(config=)` is told."""


def set_config(values: Any) -> None:
    """`weft.config = {...}`: these values become the active run's, others stay.

    Raises:
        TypeError: no dict or namespace.
    """
    run = active_run()
    if run is None:
        _set_before[:] = [values]
    elif values is not run.config:
        run.config.update(values, allow_val_change=True)


def active_summary() -> Any:
    """`weft.summary` of the active run; before there is one, likewise."""
    run = active_run()
    return _NotYet("summary") if run is None else run.summary


class _NotYet:
    """Stands for the config or summary of the active run: one that was asked for before `init()` serves after it."""

    def __init__(self, what: str) -> None:
        object.__setattr__(self, "_what", what)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspect and copy look for what is not there
            raise AttributeError(name)
        return getattr(_of_the_run(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_of_the_run(self), name, value)

    def __getitem__(self, key: str) -> Any:
        return _of_the_run(self)[key]

    def __setitem__(self, key: str, value: Any) -> None:
        _of_the_run(self)[key] = value

    def __contains__(self, key: object) -> bool:
        return key in _of_the_run(self)

    def __iter__(self) -> Iterator[str]:
        return iter(_of_the_run(self))

    def __len__(self) -> int:
        return len(_of_the_run(self))

    def __repr__(self) -> str:
        what = object.__getattribute__(self, "_what")
        return f"<weft.{what}: no run is active yet>" if active_run() is None else repr(_of_the_run(self))


def _of_the_run(stands: _NotYet) -> Any:
    what = object.__getattribute__(stands, "_what")
    run = active_run()
    return activerun.none(what) if run is None else getattr(run, what)
