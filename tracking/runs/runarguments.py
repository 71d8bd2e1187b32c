"""What `init` was asked for, resolved once: arguments, then `WEFT_*`, then `WANDB_*` variables, then defaults.

A mistake in an argument raises; one in a variable is said once and left out, for a program must not end of it.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from weft.tracking import names
from weft.tracking.errors import UsageError
from weft.tracking.runs import configfile, overrides, resuming
from weft.tracking.runs.config import plain
from weft.tracking.runs.mistakes import Mistakes
from weft.tracking.runs.resuming import Way, replacing, way
from weft.tracking.runtime import Runtime
from weft.tracking.settings import Mode, Settings

log = logging.getLogger("weft.recording")

T = TypeVar("T")

REINIT = ("default", "return_previous", "finish_previous", "create_new")
_MODES: dict[str, str] = {
    **{mode: mode for mode in get_args(Mode)},
    "shared": "online",
    "dryrun": "offline",
    "run": "online",
}
"""wandb's words for modes, and weft's: all processes may always share a run, and everything is local."""


_TEXTS = {
    "name": "NAME", "notes": "NOTES", "group": "RUN_GROUP", "job_type": "JOB_TYPE", "entity": "ENTITY",
    "label": "LABEL",
}  # fmt: skip
"""Arguments that are free text, and their variables."""
_NEW = Way(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run that is to start."""

    project: str
    way: Way = _NEW
    name: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] | None = None
    """None: those that the run has already."""
    group: str | None = None
    job_type: str | None = None
    config: Mapping[str, Any] | None = None
    allow_val_change: bool | None = None
    entity: str | None = None
    label: str | None = None
    """What this process is called among those of one run."""
    mode: str = "online"
    folder: Path | None = None
    """Where `run.dir` is made; None: in the home."""
    settings: Settings
    """The process's own, with what was chosen for this run."""
    joined: bool = False
    """It adds to a run that another process leads."""

    @property
    def recording(self) -> bool:
        return self.mode != "disabled"


def start(rt: Runtime, given: Mapping[str, Any]) -> Start:
    """Resolve the arguments of `init`.

    Raises:
        UsageError: some of them are wrong, which is told of all at once; or they contradict each other or what there is
            to resume.
    """
    parted = overrides.part(given.get("settings"), rt.settings)
    asked = {**parted.arguments, **{name: value for name, value in given.items() if value is not None}}
    wrong = Mistakes()
    mode = wrong.tried(_mode, rt, asked.get("mode"))
    given_project = _first(asked.get("project"), _unless_default(rt.settings.project))
    if given_project is None:
        given_project = _variable("PROJECT", names.check_project) or rt.settings.project
    project = wrong.tried(names.check_project, given_project)
    ident = _first(wrong.tried(_checked, asked.get("id"), names.check_run_id), _variable("RUN_ID", names.check_run_id))
    tags = wrong.tried(_checked, _first(asked.get("tags"), _variable("TAGS", _tags)), names.check_tags)
    texts = {name: wrong.tried(_text, name, asked, variable) for name, variable in _TEXTS.items()}
    folder = wrong.tried(_folder, asked.get("dir"))
    wrong.tried(reinit, asked.get("reinit"))
    wrong.tried(resuming.resume_mode, asked.get("resume"))
    settled = wrong.tried(config, asked)
    wrong.tell("init()")
    chosen = dict(parted.settings)
    if asked.get("save_code") is not None:
        chosen["save_code"] = bool(asked["save_code"])
    made = Start(
        project=str(project),
        name=texts["name"],
        notes=texts["notes"],
        tags=None if tags is None else tuple(tags),
        group=texts["group"],
        job_type=texts["job_type"],
        config=settled,
        allow_val_change=asked.get("allow_val_change"),
        entity=texts["entity"],
        label=texts["label"],
        mode=str(mode),
        folder=folder,
        settings=replace(rt.settings, **chosen) if chosen else rt.settings,
        joined=_joined(ident, asked),
    )
    return replace(made, way=_way(rt, made, ident, asked))


def _way(rt: Runtime, made: Start, ident: str | None, asked: Mapping[str, Any]) -> Way:
    if not made.recording:
        return Way(ident)
    moments = (asked.get("resume_from"), asked.get("fork_from"))
    resume = asked.get("resume")
    if resume is None and moments == (None, None):
        resume = _variable("RESUME", _resume_word)
    if resume in (None, False) and moments == (None, None) and asked.get("id") is not None and not made.joined:
        return replacing(rt, made.project, str(ident))
    return way(rt, made.project, ident, resume=resume, resume_from=moments[0], fork_from=moments[1])


def reinit(value: object) -> str:
    """What a second `init` does.

    Raises:
        UsageError: it is none of the words.
    """
    if value is None or isinstance(value, bool):
        return {None: "default", True: "finish_previous", False: "return_previous"}[value]
    if value not in REINIT:
        raise UsageError(f"init(reinit=) is one of {', '.join(REINIT)} or a bool, not {value!r:.80}")
    return str(value)


def config(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration a run starts with: config-defaults.yaml, `WANDB_CONFIG_PATHS`, `config=`; the later wins."""
    found: dict[str, Any] = {}
    for path in _config_paths(asked.get("config_paths")):
        found |= path
    included, excluded = asked.get("config_include_keys"), asked.get("config_exclude_keys")
    if included and excluded:
        raise UsageError("init() takes one of config_include_keys= and config_exclude_keys=, not both")
    given = plain(asked.get("config"))
    if included:
        given = {key: value for key, value in given.items() if key in included}
    return found | {key: value for key, value in given.items() if key not in (excluded or ())}


def _config_paths(given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if configfile.DEFAULTS.is_file():
        defaults = _sound(str(configfile.DEFAULTS), _configured)
        if defaults == {}:
            log.warning("%s is empty: it gives the run no configuration", configfile.DEFAULTS)
        found.append(defaults or {})
    if given:
        paths = [given] if isinstance(given, str) else given
        return found + [_configured(path) for path in paths]
    listed = next((name for name in ("WEFT_CONFIG_PATHS", "WANDB_CONFIG_PATHS") if os.environ.get(name)), None)
    paths = _listed(os.environ[listed]) if listed else []
    return found + [_sound(path, _configured, f"{path} of {listed}") or {} for path in paths]  # others may do


def _configured(path: Any) -> dict[str, Any]:
    return plain(configfile.read_config(path))


def _mode(rt: Runtime, given: object) -> str:
    if given is not None and given not in _MODES:
        raise UsageError(f"init(mode=) is one of {', '.join(_MODES)}, not {given!r:.80}")
    if given is not None:
        return _MODES[str(given)]
    if rt.settings.mode != "online" or os.environ.get("WEFT_MODE"):
        return rt.settings.mode
    if os.environ.get("WANDB_DISABLED", "").strip().lower() in ("1", "true", "yes", "on"):
        return "disabled"
    return _variable("MODE", _mode_word) or rt.settings.mode


def _mode_word(text: str) -> str:
    if text not in _MODES:
        raise UsageError(f"it is one of {', '.join(_MODES)}, not {text!r:.80}")
    return _MODES[text]


def _resume_word(text: str) -> str | None:
    return resuming.resume_mode({"true": True, "1": True, "false": None, "0": None}.get(text.lower(), text))


def _joined(ident: str | None, asked: Mapping[str, Any]) -> bool:
    """Whether another process leads this run: it says so (wandb's x_primary), or it is a rank above 0 of several that
    were given one id."""
    if asked.get("primary") is not None:
        return not asked["primary"]
    rank = os.environ.get("RANK", "") or os.environ.get("SLURM_PROCID", "")
    return ident is not None and rank.isdigit() and int(rank) > 0


def _folder(given: Any) -> Path | None:
    return _variable("DIR", _full_path) if given is None else _full_path(given)


def _full_path(chosen: Any) -> Path:
    path = "." if chosen == "" else names.check_local_path("init(dir=)", chosen)
    try:
        return Path(path).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"init(dir=) is the path of a folder, not {chosen!r:.80}: {error}") from error


def _text(name: str, asked: Mapping[str, Any], variable: str) -> str | None:
    return _first(
        names.check_optional_text(f"a run's {name}", asked.get(name)),
        _variable(variable, lambda text: names.check_text(f"a run's {name}", text)),
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _tags(text: str) -> list[str]:
    return names.check_tags(_listed(text))


def _variable(name: str, sound: Callable[[str], T]) -> T | None:
    """What the environment says, weft's own variable first; None where it says nothing that could be used."""
    for variable in (f"WEFT_{name}", f"WANDB_{name}"):
        text = os.environ.get(variable, "")
        if text:
            return _sound(text, sound, variable)
    return None


def _sound(text: str, sound: Callable[[str], T], variable: str | None = None) -> T | None:
    try:
        return sound(text)
    except (UsageError, TypeError) as error:
        say_once(f"{variable} is left out: {error}" if variable else f"{text} is left out: {error}")
        return None


@functools.cache
def say_once(line: str) -> None:
    """One log line, once a process."""
    log.warning("%s", line)


def _checked(value: Any, check: Callable[[Any], T]) -> T | None:
    return None if value is None else check(value)


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


def _unless_default(project: str) -> str | None:
    return None if project == "default" and not os.environ.get("WEFT_PROJECT") else project
