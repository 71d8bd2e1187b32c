"""`weft.Settings(console="off", ...)` as wandb's scripts write it: wandb's names, laid over the process's own.

`runs.init` takes them apart: some are arguments of a run, some settings of weft, the rest have nothing to do here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from types import SimpleNamespace
from typing import Any, NamedTuple

from weft.tracking.errors import UsageError
from weft.tracking.settings import Settings

log = logging.getLogger("weft.recording")

_ARGUMENTS = {
    "project": "project", "entity": "entity", "run_id": "id", "run_name": "name", "run_group": "group",
    "run_job_type": "job_type", "run_tags": "tags", "run_notes": "notes", "mode": "mode", "root_dir": "dir",
    "wandb_dir": "dir", "resume": "resume", "resume_from": "resume_from", "fork_from": "fork_from",
    "reinit": "reinit", "save_code": "save_code", "allow_val_change": "allow_val_change",
    "config_paths": "config_paths", "x_primary": "primary", "x_update_finish_state": "primary", "x_label": "label",
}  # fmt: skip
_QUIET = frozenset({
    "silent", "quiet", "show_info", "show_warnings", "show_errors", "anonymous", "init_timeout", "start_method",
    "api_key", "base_url", "login_timeout", "finish_timeout", "_require_core",
})  # fmt: skip
"""Without effect, and nobody need be told: nothing is printed, sent or waited for here."""
_PLACES = frozenset({"home", "store_url", "redact", "strict"})


class Overrides(SimpleNamespace):
    """Settings by wandb's names, as they were given. Their values can be read and set like attributes."""


class Parted(NamedTuple):
    """What settings that were given to `init` come to."""

    arguments: dict[str, Any]
    """Of `init`."""
    settings: dict[str, Any]
    """Fields of `Settings`."""


def part(given: object, own: Settings) -> Parted:
    """Take apart what `init(settings=)` was given: weft's or wandb's Settings, or a dict of such names.

    Args:
        own: the process's settings; nothing can move one run to another home.

    Raises:
        UsageError: it is none of these, or a run is to go elsewhere than the process records.
    """
    parted = Parted({}, {})
    for name, value in _items(given, own).items():
        if name in _ARGUMENTS:
            parted.arguments[_ARGUMENTS[name]] = value
        elif name in RECORDERS:
            parted.settings.update(RECORDERS[name](value))
        elif name in Settings.__dataclass_fields__:
            parted.settings[name] = value
        elif name not in _QUIET:
            log.info("init(settings=): %s has no effect in weft", name)
    return parted


def _items(given: object, own: Settings) -> Mapping[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Settings):
        moved = [name for name in _PLACES if getattr(given, name) != getattr(own, name)]
        if moved and given != Settings():
            raise UsageError(
                f"init(settings=) cannot change {', '.join(sorted(moved))} for one run: call weft.configure() before"
            )
        return {field.name: getattr(given, field.name) for field in fields(given) if not _is_default(given, field)}
    found = given if isinstance(given, Mapping) else getattr(given, "__dict__", None)
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise UsageError(f"init(settings=) takes weft.Settings(...) or a dict of names, not {given!r:.80}")
    return {name: value for name, value in found.items() if value is not None}


def _is_default(given: Settings, field: Any) -> bool:
    if field.name in _PLACES:
        return True
    default = field.default if field.default is not MISSING else field.default_factory()
    return bool(getattr(given, field.name) == default)


def _interval(value: Any) -> dict[str, Any]:
    return {"system_interval_s": float(value)}


def _off(field: str, off: Any = False) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {field: off} if value else {}


RECORDERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "console": lambda value: {"console": "off" if value in ("off", False) else "wrap"},
    "x_disable_stats": _off("system_interval_s", 0.0),
    "_disable_stats": _off("system_interval_s", 0.0),
    "x_stats_sampling_interval": _interval,
    "_stats_sampling_interval": _interval,
    "disable_git": _off("git"),
    "disable_code": _off("save_code"),
    "x_disable_meta": _off("machine"),
    "_disable_meta": _off("machine"),
    "x_disable_machine_info": _off("machine"),
    "x_save_requirements": lambda value: {"packages": bool(value)},
}
"""wandb's names for what is recorded by itself, and the settings of weft that they mean."""
