"""Settings, resolved once from arguments and environment into one frozen object. Nothing is read at import."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from weft.tracking.errors import UsageError
from weft.tracking.names import check_project
from weft.tracking.payloads.redaction import OPTIONS, Redaction, Redactor, redact_text, redaction

log = logging.getLogger("weft.recording")

Mode = Literal["online", "offline", "disabled"]
"""`online` and `offline` record alike (nothing is sent anywhere yet); `disabled` records nothing."""

OtelMode = Literal["share", "separate", "global"]
"""`share`: spans of ops go to the program's own OpenTelemetry provider, too, where it has one. `separate`: they do not.
`global`: as `share`, and weft's own provider becomes the program's, which has none."""


ConsoleMode = Literal["auto", "wrap", "off"]
"""`auto` and `wrap`: what a run prints is recorded. `off`: it is not."""
_CONSOLES = {"auto": "auto", "wrap": "wrap", "off": "off"} | dict.fromkeys(("wrap_raw", "wrap_emu", "redirect"), "wrap")
"""wandb's other words for it. There is one way here; what C code prints is not heard."""

DIFF_BYTES = 10 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where weft writes and what it does. `Settings.resolve()` reads `WEFT_*`; arguments win over the environment."""

    home: Path = field(default_factory=lambda: _place(Path(os.environ.get("WEFT_HOME") or "~/.weft")))
    """The folder of journal, blobs and the default store. `WEFT_HOME`, else `~/.weft`."""
    project: str = "default"
    """Project of calls and runs that name none. `WEFT_PROJECT`."""
    mode: Mode = "online"
    """`WEFT_MODE`."""
    store_url: str | None = None
    """SQLAlchemy URL of the store; None is SQLite inside the home. `WEFT_STORE`."""
    strict: bool = False
    """Recording errors raise instead of being logged and counted: for weft's own tests. `WEFT_STRICT=1`."""
    redact: bool | Redaction = True
    """Secrets are replaced before anything is written, with `WEFT_REDACT=secrets,email,cards` e-mail and cards too;
    `WEFT_REDACT=0` writes everything as it is. True is the default rules, False none, else `redaction()` makes it."""
    auto_ingest: bool = True
    """Past a backlog of 256 MiB a program that only writes starts the niced ingester. `WEFT_AUTO_INGEST=0`."""
    sample_rate: float = 1.0
    """The share of root calls that are recorded, 0 to 1, each with all that is under it. `WEFT_SAMPLE_RATE`."""
    capture_code: bool = True
    """The source of ops is kept beside their calls. `WEFT_CAPTURE_CODE=0`."""
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Recorded with every span; an op's, a context's and a call's own win over them, in this order."""
    postprocess_inputs: Callable[[dict[str, Any]], Any] | None = None
    """What is recorded of the inputs of every op, made from what the op itself would record."""
    postprocess_output: Callable[[Any], Any] | None = None
    """What is recorded of the output of every op, likewise."""

    otel: OtelMode = "share"
    """`share`: finished spans go to the program's own OpenTelemetry provider too, where it has one. `WEFT_OTEL`."""
    exporters: tuple[Any, ...] = field(default=(), compare=False)
    """SDK exporters and processors that hear of finished spans, in the background."""

    price_file: Path | None = None
    """The user's prices, which win over the bundled ones. `WEFT_PRICES`, else `prices.toml` in the home."""
    estimate_tokens: bool = True
    """Model calls that report no tokens get counted or estimated ones, marked so, when they are ingested.
    `WEFT_ESTIMATE_TOKENS=0`."""

    console: ConsoleMode = "auto"
    """What a run prints is recorded, as a terminal shows it. `WEFT_CONSOLE`, `WANDB_CONSOLE`."""
    system_interval_s: float = 15.0
    """Seconds between two looks at processor, memory, disks, network and GPUs, at least 0.1; 0: none is taken.
    `WEFT_SYSTEM_INTERVAL`; `WANDB__DISABLE_STATS=true`."""
    git: bool = True
    """Remote, commit, branch and differences of the repository that the program lies in. `WEFT_GIT`,
    `WANDB_DISABLE_GIT=true`."""
    diff_bytes: int = DIFF_BYTES
    """How much is kept of a difference; 0: none. `WEFT_DIFF_BYTES`."""
    packages: bool = True
    """The installed packages, as `requirements.txt` of the run. `WEFT_PACKAGES`."""
    machine: bool = True
    """The processor, memory, GPUs, cluster, and names of environment variables. `WEFT_MACHINE`."""
    save_code: bool = False
    """A copy of the program's file. `WEFT_SAVE_CODE`, `WANDB_SAVE_CODE`; `WANDB_DISABLE_CODE=true`."""
    user: str | None = None
    """Who the registry's history says did it; None: git's `user.name`, else who is logged in. `WEFT_USER`."""

    enrichers: tuple[str, ...] = ("weft.tracer.money.billing:enricher",)
    """What makes what adds to spans on their way into the store, as `module:function`, called with these settings by
    the ingester alone. Named, not imported: this package knows no prices."""
    estimator: str = "weft.tracer.money.estimates:estimator"
    """Likewise what makes the one that completes a span from all its records (`spansink.Estimator`)."""

    def __new__(cls, **given: Any) -> Any:
        """Without a home: names (wandb's, too) that `init(settings=)` lays over the process's own."""
        if given and "home" not in given:
            from weft.tracking.runs.overrides import Overrides  # late: it knows this class

            return Overrides(**given)
        return object.__new__(cls)

    @classmethod
    def resolve(
        cls,
        *,
        home: str | os.PathLike[str] | None = None,
        project: str | None = None,
        mode: str | None = None,
        store_url: str | None = None,
        strict: bool | None = None,
        redact: bool | str | Iterable[str] | None = None,
        redactor: Redactor | None = None,
        sample_rate: float | None = None,
        capture_code: bool | None = None,
        attributes: Mapping[str, Any] | None = None,
        postprocess_inputs: Callable[[dict[str, Any]], Any] | None = None,
        postprocess_output: Callable[[Any], Any] | None = None,
        otel: str | None = None,
        exporters: Sequence[Any] = (),
        console: str | None = None,
        system_interval_s: float | None = None,
        git: bool | None = None,
        diff_bytes: int | None = None,
        packages: bool | None = None,
        machine: bool | None = None,
        save_code: bool | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Settings:
        """Arguments, else `WEFT_*` variables, else defaults.

        Raises:
            UsageError: a value is not of those that the setting takes; the message names the variable.
        """
        env = os.environ if env is None else env
        chosen = mode or env.get("WEFT_MODE") or "online"
        if chosen not in get_args(Mode):
            raise UsageError(f"mode is {chosen!r}; it must be one of {', '.join(get_args(Mode))} (WEFT_MODE or mode=)")
        return cls(
            home=_place(_home_path(home) if home else Path(env.get("WEFT_HOME") or "~/.weft")),
            project=check_project(project or env.get("WEFT_PROJECT") or "default"),
            mode=chosen,  # type: ignore[arg-type]
            store_url=store_url or env.get("WEFT_STORE") or None,
            strict=_flag(env, "WEFT_STRICT", False) if strict is None else strict,
            redact=redaction(_redact(env) if redact is None else redact, redactor),
            auto_ingest=_flag(env, "WEFT_AUTO_INGEST", True),
            price_file=_place(Path(env["WEFT_PRICES"])) if env.get("WEFT_PRICES") else None,
            estimate_tokens=_flag(env, "WEFT_ESTIMATE_TOKENS", True),
            sample_rate=_rate(sample_rate if sample_rate is not None else env.get("WEFT_SAMPLE_RATE") or 1.0),
            capture_code=_flag(env, "WEFT_CAPTURE_CODE", True) if capture_code is None else capture_code,
            attributes=_attributes(attributes),
            postprocess_inputs=_function("postprocess_inputs", postprocess_inputs),
            postprocess_output=_function("postprocess_output", postprocess_output),
            otel=_otel(otel or env.get("WEFT_OTEL") or "share"),
            exporters=_exporters(exporters),
            console=_console(console or env.get("WEFT_CONSOLE") or env.get("WANDB_CONSOLE") or "auto"),
            system_interval_s=_interval(_system(env) if system_interval_s is None else system_interval_s),
            git=_flag(env, "WEFT_GIT", not _flag(env, "WANDB_DISABLE_GIT", False)) if git is None else git,
            diff_bytes=_bytes(env.get("WEFT_DIFF_BYTES") or DIFF_BYTES if diff_bytes is None else diff_bytes),
            packages=_flag(env, "WEFT_PACKAGES", True) if packages is None else packages,
            machine=_flag(env, "WEFT_MACHINE", True) if machine is None else machine,
            save_code=_saves_code(env) if save_code is None else save_code,
            user=env.get("WEFT_USER", "").strip() or None,
        )

    @classmethod
    def of_environment(cls, env: Mapping[str, str] | None = None) -> Settings:
        """From `WEFT_*` alone, for a program that only records: a variable that is mistyped ends no call of its.

        It is said once and left out; a `WEFT_REDACT` that is none replaces everything that can be replaced.
        """
        sound = dict(os.environ if env is None else env)
        for name in [name for name in sound if name.startswith(("WEFT_", *_WANDB))]:
            try:
                cls.resolve(env={name: sound[name]})
            except UsageError as error:
                log.warning("%s. It is left out", error)
                if name == "WEFT_REDACT":
                    sound[name] = ",".join(OPTIONS)
                else:
                    del sound[name]
        return cls.resolve(env=sound)

    @property
    def prices(self) -> Path:
        """The user's price file, the default filled in."""
        return self.price_file or self.home / "prices.toml"

    @property
    def url(self) -> str:
        """The store's URL, the default filled in."""
        return self.store_url or f"sqlite:///{self.home / 'weft.db'}"


def _home_path(home: Any) -> Path:
    try:
        return Path(home)
    except TypeError:
        raise UsageError(f"home is a folder's path, not {home!r:.80}") from None


def check_store_url(url: Any) -> str:
    """What the code chose; a variable is judged by whoever opens the store, since a program must not end of it.

    Raises:
        UsageError: weft has no store of that kind.
    """
    if not isinstance(url, str) or not url.startswith(("sqlite:///", "postgresql://", "postgresql+", "postgres://")):
        raise UsageError(
            f"store_url is {redact_text(str(url)) if isinstance(url, str) else url!r:.80}; "
            "it takes sqlite:////absolute/path.db or postgresql://user@host/database"
        )
    return url


def _exporters(given: Any) -> tuple[Any, ...]:
    try:
        return tuple(given)
    except TypeError:
        raise UsageError(
            f"exporters= takes a list of OpenTelemetry's exporters and processors, not {given!r:.80}"
        ) from None


def _place(home: Path) -> Path:
    """The full path; as it stands where there is none, which `Home.ensure` explains: a program must not end of it."""
    try:
        return home.expanduser().absolute()
    except (RuntimeError, OSError):  # no HOME, or no working directory any more
        return home


_WANDB = (
    "WANDB_CONSOLE",
    "WANDB__DISABLE_STATS",
    "WANDB_X_DISABLE_STATS",
    "WANDB_X_STATS_SAMPLING_INTERVAL",
    "WANDB_DISABLE_GIT",
    "WANDB_SAVE_CODE",
    "WANDB_DISABLE_CODE",
)
"""wandb's variables that are read here, where ours say nothing."""

_OFF = frozenset({"0", "false", "no", "off"})
_ON = frozenset({"1", "true", "yes", "on"})


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if value and value not in _OFF and value not in _ON:
        raise UsageError(f"{name} is {env[name]!r:.80}; it must be 1 (also true, yes, on) or 0 (false, no, off)")
    return default if not value else value in _ON


def _console(value: str) -> ConsoleMode:
    if value not in _CONSOLES:
        modes = ", ".join(get_args(ConsoleMode))
        raise UsageError(f"console is {value!r:.80}; it must be one of {modes} (WEFT_CONSOLE or console=)")
    return _CONSOLES[value]  # type: ignore[return-value]


def _system(env: Mapping[str, str]) -> str | float:
    if env.get("WEFT_SYSTEM_INTERVAL"):
        return env["WEFT_SYSTEM_INTERVAL"]
    if _flag(env, "WANDB__DISABLE_STATS", False) or _flag(env, "WANDB_X_DISABLE_STATS", False):
        return 0.0
    return env.get("WANDB_X_STATS_SAMPLING_INTERVAL") or 15.0


def _interval(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        seconds = -1.0
    if seconds != 0 and not 0.1 <= seconds <= 86_400:  # NaN is neither
        raise UsageError(
            f"system_interval_s is {value!r:.80}; it must be 0 (no system metrics) or a number of seconds from 0.1 to "
            "86400 (WEFT_SYSTEM_INTERVAL or system_interval_s=)"
        )
    return seconds


def _bytes(value: object) -> int:
    try:
        size = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    except ValueError:
        size = -1
    if not 0 <= size <= 1 << 30:
        raise UsageError(
            f"diff_bytes is {value!r:.80}; it must be a number of bytes from 0 (no differences are kept) to 2**30 "
            "(WEFT_DIFF_BYTES or diff_bytes=)"
        )
    return size


def _saves_code(env: Mapping[str, str]) -> bool:
    wanted = _flag(env, "WANDB_SAVE_CODE", False) and not _flag(env, "WANDB_DISABLE_CODE", False)
    return _flag(env, "WEFT_SAVE_CODE", wanted)


def _redact(env: Mapping[str, str]) -> bool | str:
    """On, off, or the names of rules."""
    value = env.get("WEFT_REDACT", "").strip().lower()
    return (not value or value in _ON) if not value or value in _ON | _OFF else value


def _rate(value: object) -> float:
    try:
        rate = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        rate = -1.0
    if not 0.0 <= rate <= 1.0:  # NaN is neither
        raise UsageError(
            f"sample_rate is {value!r:.80}; it must be a number from 0 (no calls) to 1 (all calls) "
            "(WEFT_SAMPLE_RATE or sample_rate=)"
        )
    return rate


def _otel(value: str) -> OtelMode:
    if value not in get_args(OtelMode):
        modes = ", ".join(get_args(OtelMode))
        raise UsageError(f"otel is {value!r:.80}; it must be one of {modes} (WEFT_OTEL or otel=)")
    return value  # type: ignore[return-value]


def _attributes(values: object) -> Mapping[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"attributes= is a dict with text keys, not {values!r:.80}")
    from weft.tracking.payloads.encoding import decode, encode_object  # late: most programs set none

    copied: Mapping[str, Any] = decode(encode_object(values))  # what is changed later reaches no span
    return copied


def _function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise UsageError(f"{name}= is a function, not {value!r:.80}")
    return value
