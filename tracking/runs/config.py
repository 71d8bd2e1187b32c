"""A run's configuration and summary: dicts that one can also reach by attribute, whose every change is recorded.

`Run` makes them and gives them the function that records; they hold no file and know no journal.
"""

from __future__ import annotations

import builtins
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

from weft.tracking.errors import ConfigError
from weft.tracking.faults import let_through
from weft.tracking.payloads.encoding import encode
from weft.tracking.runs.configfile import read_config

log = logging.getLogger("weft.recording")

Recorder = Callable[[dict[str, Any]], None]

_MEDIA = ("weft.tracking.media", "weft.tracking.tables")
_LOOKED_AT = 1_000
"""Of a long list in a config, so many values are looked at for media."""


class Config(Mapping[str, Any]):
    """What a run was started with: hyper-parameters, a dataset, a model. A key is changed only on purpose.

    Example:
        >>> run.config.lr
        >>> run.config["lr"]
        >>> run.config.update({"lr": 0.1}, allow_val_change=True)
    """

    __slots__ = ("_allow", "_locked", "_record", "_used", "_values", "_written")

    def __init__(
        self,
        values: Any,
        record: Recorder,
        *,
        earlier: Mapping[str, Any] | None = None,
        allow_val_change: bool | None = None,
        used: Callable[[Any], object] | None = None,
    ) -> None:
        """
        Args:
            values: what the run is started with.
            record: told of every change.
            earlier: what the run had before it was resumed; `values` win.
            allow_val_change: what `update` does where it is not told.
            used: told of every artifact that becomes a value.
        """
        self._values: dict[str, Any]
        given = _checked(plain(values))
        object.__setattr__(self, "_values", {**(earlier or {}), **given})
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_allow", allow_val_change)
        object.__setattr__(self, "_used", used)
        object.__setattr__(self, "_locked", {})
        object.__setattr__(self, "_written", {key: _encoded(value) for key, value in self._values.items()})

    def update(self, values: Any = None, allow_val_change: bool | None = None, **more: Any) -> None:
        """Set several keys, all or none of them. Keys that a sweep has locked keep their values.

        Args:
            values: a mapping, an object with attributes (argparse.Namespace), or the path of a YAML file.
            allow_val_change: whether keys that are set already may take another value; in a notebook they may.

        Raises:
            ConfigError: a key has another value already, and no change was allowed; or a value that no config takes
                (an image, a table; an artifact anywhere but as the value of a key).
        """
        fresh = self._unlocked(_checked({**plain(values), **plain(more)}))
        if not self._may_change(allow_val_change):
            for key, value in fresh.items():
                if key in self._values and not _same(self._values[key], value):
                    raise ConfigError(
                        f"config key {key!r} is {self._values[key]!r:.80} and was to become {value!r:.80}. "
                        "Call config.update({...}, allow_val_change=True) if that is meant"
                    )
        self._set(fresh)

    def lock(self, values: Mapping[str, Any]) -> None:
        """Set keys for good: a sweep chose them. Nested dicts are merged into those that are there, and locked leaf by
        leaf; whatever is later set there is left out, with one log line a key."""
        chosen = _checked(plain(values))
        self._set({key: _merged(self._values.get(key), value) for key, value in chosen.items()})
        for key, value in chosen.items():
            self._locked[key] = _merged(self._locked.get(key), value)

    def setdefaults(self, values: Any) -> None:
        """Set only those keys that are not set yet."""
        self.update({key: value for key, value in plain(values).items() if key not in self._values})

    def as_dict(self) -> dict[str, Any]:
        """A copy, one level deep."""
        return dict(self._values)

    def persist(self) -> None:
        """wandb's: record what was changed inside values (a list that grew) now, and not at the end."""
        self.write_mutations()

    def recorded(self, keys: Iterable[str] | None = None) -> dict[str, Any]:
        """What stands in a record for these keys, or for all: an artifact by its name and digest."""
        return {key: _told(self._values[key]) for key in (self._values if keys is None else keys)}

    def artifacts(self) -> list[Any]:
        """The values that are artifacts."""
        return [value for value in self._values.values() if is_artifact(value)]

    def write_mutations(self) -> None:
        """Record what was changed inside values (a list that grew) since they were set; `Run.finish` asks for it."""
        self._write({key: value for key, value in self._values.items() if self._written.get(key) != _encoded(value)})

    def _may_change(self, asked: bool | None) -> bool:
        chosen = self._allow if asked is None else asked
        return _in_notebook() if chosen is None else chosen

    def _unlocked(self, fresh: dict[str, Any]) -> dict[str, Any]:
        """These values with the locked ones put back."""
        for key in fresh.keys() & self._locked.keys():
            kept = _merged(fresh[key], self._locked[key])
            if not _same(kept, fresh[key]):
                log.warning(
                    "config key %r was chosen by the sweep and stays as it is; what the program sets is left out", key
                )
            fresh[key] = kept
        return fresh

    def _set(self, fresh: dict[str, Any]) -> None:
        changed = {key: value for key, value in fresh.items() if self._written.get(key) != _encoded(value)}
        self._values.update(fresh)
        self._write(changed)

    def _write(self, changed: dict[str, Any]) -> None:
        if not changed:
            return
        self._written.update({key: _encoded(value) for key, value in changed.items()})
        if self._used is not None:
            for value in changed.values():
                if is_artifact(value):
                    self._used(value)
        self._record({key: _told(value) for key, value in changed.items()})

    def __getitem__(self, key: str) -> Any:
        return self._values[_key(key)]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while unpickled or copied, our own slots are not there yet
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(
                f"the config has no key {name!r}; it has {', '.join(self._values) or 'none'}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __reduce__(self) -> tuple[Any, ...]:
        return _detached, (dict(self._values),)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Config({self._values!r})"


def _detached(values: dict[str, Any]) -> Config:
    """A copy, in another process or by `copy.deepcopy`: changes of it are recorded nowhere."""
    return Config(values, lambda changed: None, allow_val_change=True)


def plain(values: Any) -> dict[str, Any]:
    """A dict of a mapping, of an object's attributes (argparse, absl's FLAGS, dataclasses, attrs, pydantic) or of a
    YAML file, its keys checked.

    Raises:
        TypeError: it is none of these, or a key is no text.
        ConfigError: the file cannot be read.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        values = _attributes(values)
    return {_key(key): value for key, value in values.items()}


def _attributes(values: Any) -> Mapping[str, Any]:
    if isinstance(values, str | os.PathLike):
        return read_config(values)
    flags = getattr(getattr(values, "FLAGS", values), "flag_values_dict", None)  # absl's FLAGS, or its module
    if callable(flags):
        return dict(flags())
    if isinstance(values, (type, ModuleType)):
        raise TypeError(f"expected a dict or a namespace, got {values!r:.80}")
    if callable(getattr(values, "keys", None)) and hasattr(values, "__getitem__"):  # ml_collections' ConfigDict
        return {key: values[key] for key in values.keys()}  # noqa: SIM118 - it is no mapping, and iterates as it likes
    names = _fields(values)
    if names is not None:
        return {name: getattr(values, name) for name in names}
    try:
        found: dict[str, Any] = vars(values)
        return found
    except TypeError:
        raise TypeError(f"expected a dict or a namespace, got {type(values).__name__}: {values!r:.80}") from None


def _fields(values: Any) -> list[str] | None:
    """What a value of a dataclass, an attrs or msgspec class holds."""
    if is_dataclass(values):
        return [field.name for field in fields(values)]
    attributes = getattr(values, "__attrs_attrs__", None)
    if attributes is not None:
        return [attribute.name for attribute in attributes]
    struct: tuple[str, ...] | None = getattr(values, "__struct_fields__", None)
    return None if struct is None else list(struct)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys must be text, got {type(key).__name__}: {key!r:.80}")
    return key.strip("-") or key


def _same(old: Any, new: Any) -> bool:
    if old is new:
        return True
    try:
        if bool(old == new):
            return True
    except Exception as error:  # arrays and other people's types may refuse to compare; their encodings do
        let_through(error)
    return encode(old) == encode(new)


def _in_notebook() -> bool:
    return hasattr(builtins, "get_ipython")  # IPython and Jupyter put it there


def is_artifact(value: object) -> bool:
    """Whether a value is an artifact or a version of one; told without loading what those are."""
    artifacts, versions = (
        sys.modules.get("weft.tracking.artifacts.artifact"),
        sys.modules.get("weft.tracking.artifacts.versions"),
    )
    return (artifacts is not None and isinstance(value, artifacts.Artifact)) or (
        versions is not None and isinstance(value, versions.ArtifactVersion)
    )


def _told(value: Any) -> Any:
    if not is_artifact(value):
        return value
    return {"_type": "artifact", "name": value.bare_name, "type": value.type, "digest": value.digest}


def _encoded(value: Any) -> bytes:
    return encode(_told(value))


_DEPTH = 16


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """These values, if a config takes them, as its own: their plain containers copied, so that a program that goes on
    to change the dict it gave changes nothing here.

    Raises:
        ConfigError: it does not; nothing was changed.
    """
    for key, value in values.items():
        if not is_artifact(value):
            _check_value(key, value, _DEPTH)
    copies: dict[int, Any] = {}
    return {key: _own(value, copies, _COPIED) for key, value in values.items()}


_COPIED = 64
"""Levels of containers that are copied; what is deeper stays the program's own."""


def _own(value: Any, copies: dict[int, Any], depth: int) -> Any:
    """A dict, list, tuple or set with all that it holds of these copied; anything else itself.

    Args:
        copies: those made already, by `id` of what they are of: what is shared, or holds itself, stays so.
    """
    kind = type(value)
    if kind not in (dict, list, tuple, set) or not depth:
        return value
    known = copies.get(id(value))
    if known is not None:
        return known
    if kind is dict:
        made: Any = {}
        copies[id(value)] = made
        made.update({key: _own(item, copies, depth - 1) for key, item in value.items()})
    elif kind is list:
        made = copies[id(value)] = []
        made += [_own(item, copies, depth - 1) for item in value]
    elif kind is tuple:
        made = copies[id(value)] = tuple([_own(item, copies, depth - 1) for item in value])
    else:
        made = copies[id(value)] = set(value)
    return made


def _check_value(path: str, value: Any, depth: int) -> None:
    if isinstance(value, str | int | float) or value is None:
        return
    if is_artifact(value):
        raise ConfigError(
            f"config value {path} is the artifact {value.name!r}, inside of another value. An artifact must be the "
            'value of a key itself: config["dataset"] = artifact'
        )
    if type(value).__module__.startswith(_MEDIA):
        raise ConfigError(
            f"config value {path} is of type {type(value).__name__}; a config holds settings. "
            f"Log it: run.log({{{path!r}: ...}})"
        )
    if not depth:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            _check_value(f"{path}.{key}", item, depth - 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value[:_LOOKED_AT]):
            _check_value(f"{path}[{index}]", item, depth - 1)


def _merged(under: Any, over: Any) -> Any:
    """Of two nested dicts each leaf, `over`'s where both have it; otherwise `over`."""
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return over
    return {**under, **{key: _merged(under.get(key), value) for key, value in over.items()}}
