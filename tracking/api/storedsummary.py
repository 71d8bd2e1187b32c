"""A stored run's summary: read nested or by dotted names, changed in place, kept by `update()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.tracking.runs.metricstats import MADE
from weft.tracking.runs.summary import SummaryPart, nested

_ABSENT = object()


class StoredSummary(dict[str, Any]):
    """A run's summary as it was read; what is set in it is kept by `update()`, or by the run's.

    Nested names are reached as `summary["val"]["loss"]` and as `summary["val.loss"]`, whichever they were logged as.
    `_step`, `_runtime` (s) and `_timestamp` (Unix s) are there for who asks for them; they are not listed.
    """

    def __init__(
        self,
        values: Any = (),
        keep: Callable[[], None] | None = None,
        made: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        super().__init__(values)
        self._keep = keep
        self._made = made

    def __missing__(self, key: str) -> Any:
        made = self._made() if key in MADE else {}
        if key in made:
            return made[key]
        below = nested(self, key)
        if below:
            return StoredPart(self, key, below)
        outer, dot, inner = key.rpartition(".") if isinstance(key, str) else ("", "", "")
        found = self.get(outer) if dot else None
        if not isinstance(found, dict) or inner not in found:
            raise KeyError(key)
        return found[inner]

    def __contains__(self, key: object) -> bool:
        return self.get(key, _ABSENT) is not _ABSENT

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __delitem__(self, key: str) -> None:
        for name in [name for name in self if name == key or name.startswith(f"{key}.")] or [key]:
            super().__delitem__(name)

    @property
    def _json_dict(self) -> dict[str, Any]:
        """What wandb's own export examples read."""
        return {**self, **self._made()}

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set these, and keep whatever was set. It is in a file when this returns."""
        super().update(*args, **kwargs)
        if self._keep is not None:
            self._keep()


class StoredPart(SummaryPart):
    """What a stored summary has below a name, nested. What is set or deleted here is so in the summary."""

    def __init__(self, summary: StoredSummary, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._summary = summary
        self._name = name

    def __getitem__(self, key: str) -> Any:
        value, name = super().__getitem__(key), f"{self._name}.{key}"
        return (
            StoredPart(self._summary, name, value) if isinstance(value, dict) and nested(self._summary, name) else value
        )

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._summary[f"{self._name}.{key}"] = value

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        del self._summary[f"{self._name}.{key}"]
