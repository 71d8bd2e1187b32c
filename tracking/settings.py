"""Settings, resolved once from arguments and environment into one frozen object. Nothing is read at import."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from weft.tracking.errors import UsageError

Mode = Literal["online", "offline", "disabled"]
"""`online` and `offline` record alike (nothing is sent anywhere yet); `disabled` records nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where weft writes and what it does. `Settings.resolve()` reads `WEFT_*`; arguments win over the environment."""

    home: Path
    """The folder of journal, blobs and the default store. `WEFT_HOME`, else `~/.weft`."""
    project: str = "default"
    """Project of calls and runs that name none. `WEFT_PROJECT`."""
    mode: Mode = "online"
    """`WEFT_MODE`."""
    store_url: str | None = None
    """SQLAlchemy URL of the store; None is SQLite inside the home. `WEFT_STORE`."""
    strict: bool = False
    """Recording errors raise instead of being logged and counted: for weft's own tests. `WEFT_STRICT=1`."""
    redact: bool = True
    """Secrets are replaced before anything is written. `WEFT_REDACT=0` turns the default redaction off."""
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

    price_file: Path | None = None
    """The user's prices, which win over the bundled ones. `WEFT_PRICES`, else `prices.toml` in the home."""
    estimate_tokens: bool = True
    """Model calls that report no tokens get counted or estimated ones, marked so, when they are ingested.
    `WEFT_ESTIMATE_TOKENS=0`."""

    enrichers: tuple[str, ...] = ("weft.tracer.billing:enricher",)
    """What makes what adds to spans on their way into the store, as `module:function`, called with these settings by
    the ingester alone. Named, not imported: this package knows no prices."""
    estimator: str = "weft.tracer.estimates:estimator"
    """Likewise what makes the one that counts tokens nobody reported; it may answer None."""

    @classmethod
    def resolve(
        cls,
        *,
        home: str | os.PathLike[str] | None = None,
        project: str | None = None,
        mode: str | None = None,
        store_url: str | None = None,
        strict: bool | None = None,
        redact: bool | None = None,
        sample_rate: float | None = None,
        capture_code: bool | None = None,
        attributes: Mapping[str, Any] | None = None,
        postprocess_inputs: Callable[[dict[str, Any]], Any] | None = None,
        postprocess_output: Callable[[Any], Any] | None = None,
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
            home=_place(Path(home or env.get("WEFT_HOME") or "~/.weft")),
            project=project or env.get("WEFT_PROJECT") or "default",
            mode=chosen,  # type: ignore[arg-type]
            store_url=store_url or env.get("WEFT_STORE") or None,
            strict=_flag(env, "WEFT_STRICT", False) if strict is None else strict,
            redact=_flag(env, "WEFT_REDACT", True) if redact is None else redact,
            auto_ingest=_flag(env, "WEFT_AUTO_INGEST", True),
            price_file=_place(Path(env["WEFT_PRICES"])) if env.get("WEFT_PRICES") else None,
            estimate_tokens=_flag(env, "WEFT_ESTIMATE_TOKENS", True),
            sample_rate=_rate(sample_rate if sample_rate is not None else env.get("WEFT_SAMPLE_RATE") or 1.0),
            capture_code=_flag(env, "WEFT_CAPTURE_CODE", True) if capture_code is None else capture_code,
            attributes=_attributes(attributes),
            postprocess_inputs=_function("postprocess_inputs", postprocess_inputs),
            postprocess_output=_function("postprocess_output", postprocess_output),
        )

    @property
    def prices(self) -> Path:
        """The user's price file, the default filled in."""
        return self.price_file or self.home / "prices.toml"

    @property
    def url(self) -> str:
        """The store's URL, the default filled in."""
        return self.store_url or f"sqlite:///{self.home / 'weft.db'}"


def _place(home: Path) -> Path:
    """The full path; as it stands where there is none, which `Home.ensure` explains: a program must not end of it."""
    try:
        return home.expanduser().absolute()
    except (RuntimeError, OSError):  # no HOME, or no working directory any more
        return home


_OFF = frozenset({"0", "false", "no", "off"})
_ON = frozenset({"1", "true", "yes", "on"})


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if value and value not in _OFF and value not in _ON:
        raise UsageError(f"{name} is {env[name]!r:.80}; it must be 1 (also true, yes, on) or 0 (false, no, off)")
    return default if not value else value in _ON


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


def _attributes(values: object) -> Mapping[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"attributes= is a dict with text keys, not {values!r:.80}")
    return dict(values)


def _function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise UsageError(f"{name}= is a function, not {value!r:.80}")
    return value
