"""Settings, resolved once from arguments and environment into one frozen object. Nothing is read at import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

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

    enrichers: tuple[str, ...] = ("weft.tracer.prices:enrich",)
    """What adds to spans on their way into the store, as `module:function`; loaded by the ingester alone. Named, not
    imported: this package knows no prices."""

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
        env: Mapping[str, str] | None = None,
    ) -> Settings:
        """Arguments, else `WEFT_*` variables, else defaults.

        Raises:
            UsageError: the mode is none of online, offline, disabled.
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
        )

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


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    return default if not value else value not in {"0", "false", "no", "off"}
