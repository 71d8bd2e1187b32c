"""`weft.as_wandb()`: libraries that import wandb themselves (Lightning's `WandbLogger`, `report_to="wandb"`) get weft.

Nothing happens on import. What stands in the place of the package has the names that libraries are known to look for,
each loaded at its first use; a module of wandb's that is not here cannot be imported, as ever.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from weft.tracking.errors import UsageError

VERSION = "0.28.0"
"""Of wandb, whose names these are: libraries ask for a least one."""

_ALL = "*"
_RUN = {"Run": "weft.tracking.runs.run:Run"}
_MODULES: dict[str, dict[str, str]] = {
    "wandb": {_ALL: "weft"},
    "wandb.apis": {"PublicApi": "weft.tracking.api:Api"},
    "wandb.apis.public": {
        "Api": "weft.tracking.api:Api",
        "File": "weft.tracking.runs.savedfile:SavedFile",
        "Run": "weft.tracking.api.storedrun:StoredRun",
        "Runs": "weft.tracking.api.runlist:Runs",
    },
    "wandb.data_types": {_ALL: "weft"},
    "wandb.errors": {_ALL: "weft.tracking.errors"},
    "wandb.integration": {},
    "wandb.integration.keras": {_ALL: "weft.integration.keras"},
    "wandb.integration.lightgbm": {_ALL: "weft.integration.lightgbm"},
    "wandb.integration.sklearn": {_ALL: "weft.integrations.sklearn"},
    "wandb.integration.xgboost": {_ALL: "weft.integration.xgboost"},
    "wandb.keras": {_ALL: "weft.integration.keras"},
    "wandb.lightgbm": {_ALL: "weft.integration.lightgbm"},
    "wandb.plot": {_ALL: "weft.tracking.media.plot"},
    "wandb.sdk": {},
    "wandb.sdk.lib": {"RunDisabled": "weft.tracking.runs.run:Run"},
    "wandb.sdk.lib.config_util": {"ConfigError": "weft.tracking.errors:ConfigError"},
    "wandb.sdk.wandb_run": _RUN,
    "wandb.sklearn": {_ALL: "weft.integrations.sklearn"},
    "wandb.util": {_ALL: "weft.tracking.names"},
    "wandb.wandb_run": _RUN,
    "wandb.xgboost": {_ALL: "weft.integration.xgboost"},
}
"""By module of wandb's: where each name lives, `*` for all that a module of ours has."""
_said: set[str] = set()
log = logging.getLogger("weft.wandb")


class _StandIn(ModuleType):
    """A module whose names are looked up where they live."""

    def __init__(self, name: str, homes: dict[str, str]) -> None:
        super().__init__(name, f"weft, by the name of {name}")
        self.__spec__ = ModuleSpec(name, None, is_package=True)
        self.__path__: list[str] = []
        self.__version__ = VERSION
        self.__weft_homes__ = homes

    def __getattr__(self, name: str) -> Any:
        homes = self.__weft_homes__
        if name in homes:
            module, _, inner = homes[name].partition(":")
            return getattr(import_module(module), inner)
        if _ALL in homes and not (name.startswith("__") and name.endswith("__")):
            return getattr(import_module(homes[_ALL]), name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "config" and self.__name__ == "wandb":
            import_module("weft").config = value  # type: ignore[attr-defined]
        else:
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """In the process that it travels to it is weft as well."""
        return stand_in, (self.__name__.removeprefix("wandb").removeprefix("."),)


class _Version(metadata.Distribution):
    """What `importlib.metadata.version("wandb")` reads."""

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: wandb\nVersion: {VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"{path}: wandb is weft here, and has no files")


class _Finder(metadata.DistributionFinder):
    """Knows the version, and imports nothing."""

    def find_spec(self, *given: Any, **named: Any) -> None:
        return None

    def find_distributions(self, context: Any = None) -> Iterator[metadata.Distribution]:
        if context is not None and context.name == "wandb":
            yield _Version()


def as_wandb() -> None:
    """From here on `import wandb` is weft in this process, in libraries too. A second call changes nothing.

    Raises:
        UsageError: the real wandb is imported already.

    Example:
        >>> weft.as_wandb()
        >>> from lightning.pytorch.loggers import WandbLogger
        >>> trainer = lightning.Trainer(logger=WandbLogger(project="digits"))
    """
    there = sys.modules.get("wandb")
    if isinstance(there, _StandIn):
        return
    if there is not None and there is not sys.modules.get("weft"):
        raise UsageError("as_wandb() must be called before anything imports wandb; the real one is imported already")
    sys.modules.update(_made())
    sys.meta_path.append(_Finder())


@functools.cache
def _made() -> dict[str, _StandIn]:
    made = {name: _StandIn(name, homes) for name, homes in _MODULES.items()}
    for name, module in made.items():
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(made[parent], own, module)
    return made


def stand_in(name: str) -> ModuleType:
    """What `wandb.<name>` is where weft was imported as wandb: `wandb.sdk.wandb_run.Run` in a script's annotations.
    Without a name: `wandb`."""
    return _made()[f"wandb.{name}" if name else "wandb"]


def sweep(*given: Any, **named: Any) -> NoReturn:
    """wandb's sweeps are not here.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "weft has no sweeps yet. Call your training function once for each choice of values, with "
        "init(config=values, group='my-sweep') in it; a loop, a shell script or Optuna can choose them"
    )


agent = controller = sweep


def attach(*given: Any, **named: Any) -> NoReturn:
    """wandb's way to a run of another process.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "weft has no attach(). Hand the run itself to the child process (it can be pickled), or call "
        "init(id=..., settings=weft.Settings(x_primary=False)) there"
    )


def require(*features: Any, **experiments: Any) -> None:
    """wandb's; nothing is to be switched on here."""


def termlog(string: str = "", newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """wandb's: what it would print is a line of the log `weft.wandb`, with `repeat=False` said once."""
    _say(logging.INFO, string, repeat)


def termwarn(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """As `termlog`, as a warning."""
    _say(logging.WARNING, string, repeat)


def termerror(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """As `termlog`, as an error."""
    _say(logging.ERROR, string, repeat)


def _say(level: int, text: str, repeat: bool) -> None:
    if not repeat:
        if text in _said:
            return
        _said.add(text)
    log.log(level, "%s", text)
