"""Configurations as files: YAML of plain keys or of wandb's `key: {value: x}`. Read when a run starts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from weft.tracking.errors import ConfigError

DEFAULTS = Path("config-defaults.yaml")
"""Read from the working directory at every `init`, as wandb does; what the program gives wins over it."""

_FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_OWN_KEYS = frozenset({"wandb_version", "_wandb"})


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The keys and values of a YAML (or JSON) file.

    Raises:
        ConfigError: there is no such file, it is no YAML, or its top is no mapping.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(
            f"{str(place)!r} is taken as the path of a YAML file with configuration, which cannot be read: {error}"
        ) from error
    return _keys(_parsed(text, place), place)


def _parsed(text: str, place: Path) -> Any:
    import yaml  # type: ignore[import-untyped]  # late: only who keeps configurations in files needs it

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """As SafeLoader, but 1e-3 is a number, not a text."""

    Loader.yaml_implicit_resolvers = {
        first: list(rules) for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"the config file {place} is no YAML: {' '.join(str(error).split())}") from error


def _keys(found: Any, place: Path) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"the config file {place} holds {type(found).__name__}; its top must be `key: value` lines")
    return {key: _value(value) for key, value in found.items() if key not in _OWN_KEYS}


def _value(value: Any) -> Any:
    """What stands under `value`, where that is wandb's form (perhaps with `desc`)."""
    wrapped = isinstance(value, dict) and "value" in value and value.keys() <= {"value", "desc"}
    return value["value"] if wrapped else value
