"""A run's configuration and summary: dicts that one can also reach by attribute, whose every change is recorded.

`Run` makes them and gives them the function that records; they hold no file and know no journal.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from weft.tracking.errors import UsageError
from weft.tracking.payloads.encoding import encode

Recorder = Callable[[dict[str, Any]], None]


class Config(Mapping[str, Any]):
    """What a run was started with: hyper-parameters, a dataset, a model. A key is changed only on purpose.

    Example:
        >>> run.config.lr
        >>> run.config["lr"]
        >>> run.config.update({"lr": 0.1}, allow_val_change=True)
    """

    __slots__ = ("_record", "_values", "_written")

    def __init__(self, values: Any, record: Recorder) -> None:
        self._values: dict[str, Any]
        object.__setattr__(self, "_values", _plain(values))
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_written", {key: encode(value) for key, value in self._values.items()})

    def update(self, values: Any = None, allow_val_change: bool | None = None, **more: Any) -> None:
        """Set several keys, all or none of them.

        Args:
            values: a mapping, or an object with attributes (argparse.Namespace).
            allow_val_change: whether keys that are set already may take another value; in a notebook they may.

        Raises:
            UsageError: a key has another value already, and no change was allowed.
        """
        fresh = {**_plain(values), **_plain(more)}
        if not (_in_notebook() if allow_val_change is None else allow_val_change):
            for key, value in fresh.items():
                if key in self._values and not _same(self._values[key], value):
                    raise UsageError(
                        f"config key {key!r} is {self._values[key]!r:.80} and was to become {value!r:.80}. "
                        "Call config.update({...}, allow_val_change=True) if that is meant"
                    )
        changed = {key: value for key, value in fresh.items() if self._written.get(key) != encode(value)}
        self._values.update(fresh)
        self._write(changed)

    def setdefaults(self, values: Any) -> None:
        """Set only those keys that are not set yet."""
        self.update({key: value for key, value in _plain(values).items() if key not in self._values})

    def as_dict(self) -> dict[str, Any]:
        """A copy, one level deep."""
        return dict(self._values)

    def write_mutations(self) -> None:
        """Record what was changed inside values (a list that grew) since they were set; `Run.finish` asks for it."""
        self._write({key: value for key, value in self._values.items() if self._written.get(key) != encode(value)})

    def _write(self, changed: dict[str, Any]) -> None:
        if changed:
            self._written.update({key: encode(value) for key, value in changed.items()})
            self._record(changed)

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

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Config({self._values!r})"


class Summary(Mapping[str, Any]):
    """The last value of every metric, and what was set by hand. A later `log` of a name takes it over again.

    Example:
        >>> run.summary["best_accuracy"] = 0.93
    """

    __slots__ = ("_logged", "_own", "_record", "_written")

    def __init__(self, record: Recorder) -> None:
        object.__setattr__(self, "_own", {})
        object.__setattr__(self, "_logged", {})
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_written", {})

    def update(self, values: Any = None, **more: Any) -> None:
        """Set several keys."""
        fresh = {**_plain(values), **_plain(more)}
        self._own.update(fresh)
        self._write(fresh)

    def logged(self, values: dict[str, float]) -> None:
        """Take note of a `log()` call."""
        self._logged.update(values)
        if self._own and not self._own.keys().isdisjoint(values):
            self.update({name: values[name] for name in self._own.keys() & values.keys()})

    def write_mutations(self) -> None:
        """Record what was changed inside values since they were set."""
        self._write({key: value for key, value in self._own.items() if self._written.get(key) != encode(value)})

    def as_dict(self) -> dict[str, Any]:
        """A copy, one level deep."""
        return {**self._logged, **self._own}

    def _write(self, changed: dict[str, Any]) -> None:
        if changed:
            self._written.update({key: encode(value) for key, value in changed.items()})
            self._record(changed)

    def __getitem__(self, key: str) -> Any:
        return self._own[key] if key in self._own else self._logged[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no key {name!r}; it has {', '.join(self) or 'none'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __iter__(self) -> Iterator[str]:
        return iter({**self._logged, **self._own})

    def __len__(self) -> int:
        return len(self._logged.keys() | self._own.keys())

    def __repr__(self) -> str:
        return f"Summary({self.as_dict()!r})"


def _plain(values: Any) -> dict[str, Any]:
    """A dict of a mapping or of an object's attributes, its keys checked."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        try:
            values = vars(values)
        except TypeError:
            raise TypeError(f"expected a dict or a namespace, got {type(values).__name__}: {values!r:.80}") from None
    return {_key(key): value for key, value in values.items()}


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
    except Exception:  # arrays and other people's types may refuse to compare; their encodings do
        pass
    return encode(old) == encode(new)


def _in_notebook() -> bool:
    return hasattr(builtins, "get_ipython")  # IPython and Jupyter put it there
