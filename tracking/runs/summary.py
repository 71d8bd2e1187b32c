"""A run's summary: what its metrics come to, and what was set by hand. Whatever is set here is recorded.

`Run` makes it and gives it the function that records. It counts lazily: `log()` only hands its numbers over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

import orjson

from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.runs import metrics
from weft.tracking.runs.config import plain
from weft.tracking.runs.metricrules import MetricRules
from weft.tracking.runs.metricstats import ABSENT, LONG, LONGEST, MADE, Ends, Order, Standing, Stats, ends, shown

Recorder = Callable[[dict[str, Any], Sequence[str]], None]
"""Told of keys that were set, and of keys that were deleted."""

_HELD = 128
"""Calls of `log()` that are counted together."""


class Summary(Mapping[str, Any]):
    """The last value of every metric, or what `define_metric` asks for instead, and what was set by hand: that stands
    until the name is logged again. Nested names are reached as `summary["val"]["loss"]` and as `summary["val.loss"]`.

    Example:
        >>> run.summary["best_accuracy"] = 0.93
        >>> run.summary.loss
    """

    __slots__ = ("_calls", "_held", "_lock", "_made", "_own", "_record", "_rich", "_rules", "_stats", "_written")

    def __init__(
        self,
        record: Recorder,
        rules: MetricRules | None = None,
        made: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """
        Args:
            record: told of every change.
            rules: what `define_metric` said.
            made: answers those of `MADE` that are known.
        """
        put = object.__setattr__
        put(self, "_record", record)
        put(self, "_made", made)
        put(self, "_rules", MetricRules() if rules is None else rules)
        put(self, "_own", {})
        put(self, "_stats", {})
        put(self, "_rich", {})
        put(self, "_held", [])
        put(self, "_calls", 0)
        put(self, "_written", {})
        put(self, "_lock", threading.RLock())  # guards what was counted; re-entrant: a signal handler may log too

    def restore(self, standing: Standing) -> None:
        """Take over what a run that is resumed had come to, without recording it again."""
        with self._lock:
            self._own.update(standing.own)
            self._stats.update(standing.stats)
            self._rich.update(standing.rich)
            self._written.update({key: encode(value) for key, value in standing.own.items()})
            for metric in standing.metrics:
                self._rules.put(metric)

    def logged(self, step: int, late: bool, values: dict[str, float]) -> None:
        """Take note of a `log()` call."""
        self._held.append((step, late, values))
        if len(self._held) >= _HELD:
            self._count()

    def logged_rich(self, step: int, data: bytes, numbers: Container[str]) -> None:
        """Take note of what a call held besides numbers, as its JSON. Where it has a number of the same name, that
        counts."""
        with self._lock:
            self._count()
            object.__setattr__(self, "_calls", self._calls + 1)
            for name, value in orjson.loads(data).items():
                if name in numbers:
                    continue
                text = orjson.dumps(value)
                at = (step, True, self._calls)
                stats = self._stats.get(name)
                former = max(
                    (order for order in (stats and stats.last_at, self._rich.get(name, (None,))[0]) if order),
                    default=None,
                )
                if former is None or at > former:
                    self._rich[name] = (at, text if len(text) <= LONGEST else None)

    def update(self, values: Any = None, **more: Any) -> None:
        """Set several keys."""
        fresh = {key: _held(value) for key, value in {**plain(values), **plain(more)}.items()}
        with self._lock:
            self._count()
            for key in fresh:
                self._forget(key)
            self._own.update(fresh)
            self._write(fresh)

    def write_mutations(self) -> None:
        """Record what was changed inside values since they were set."""
        with self._lock:
            self._count()
            standing = {key: value for key, value in self._own.items() if self._value(key) is ABSENT}
            self._write({key: value for key, value in standing.items() if self._written.get(key) != encode(value)})

    def as_dict(self) -> dict[str, Any]:
        """A copy, one level deep, nested names joined by dots."""
        with self._lock:
            self._count()
            found: dict[str, Any] = {}
            for name in sorted({*self._stats, *self._rich}):
                value = self._value(name)
                if value is not ABSENT:
                    found[name] = value
            return {**found, **{key: value for key, value in self._own.items() if key not in found}}

    def renew_lock(self) -> None:
        """After a fork: a thread of the parent may have held it."""
        object.__setattr__(self, "_lock", threading.RLock())

    def _value(self, name: str) -> Any:
        rule = self._rules.of(name)
        stats = self._stats.get(name) or Stats()
        at, text = self._rich.get(name, (None, None))
        rich: Any = ABSENT
        if at is not None and (stats.last_at is None or at > stats.last_at):
            rich = LONG if text is None else decode(text)
        return shown(stats, rich, rule.summary if rule else (), rule.goal if rule else None)

    def _count(self) -> None:
        """Count what was handed over since the last time."""
        with self._lock:
            held = self._held[:]
            del self._held[: len(held)]  # what another thread appends meanwhile stays
            if not held:
                return
            before = self._calls
            object.__setattr__(self, "_calls", before + len(held))
            names, steps = list(held[0][2]), [step for step, _, _ in held]
            if steps == sorted(steps) and not any(late or list(values) != names for _, late, values in held):
                # The usual case: all calls have the same names, and come one after the other.
                both = Ends((steps[0], True, before + 1), 0, (steps[-1], True, before + len(held)), len(held) - 1)
                for name, column in zip(
                    names, zip(*[values.values() for _, _, values in held], strict=True), strict=True
                ):
                    self._add(name, column, both)
                return
            columns: dict[str, tuple[list[float], list[Order]]] = {}
            for at, (step, late, values) in enumerate(held):
                for name, value in values.items():
                    numbers, orders = columns.setdefault(name, ([], []))
                    numbers.append(value)
                    orders.append((step, not late, before + at + 1))
            for name, (numbers, orders) in columns.items():
                self._add(name, numbers, ends(orders))

    def _add(self, name: str, values: Sequence[float], both: Ends) -> None:
        stats = self._stats.get(name)
        if stats is None:
            stats = self._stats[name] = Stats()
        stats.add(values, both)

    def _write(self, changed: dict[str, Any]) -> None:
        if changed:
            self._written.update({key: encode(value) for key, value in changed.items()})
            self._record(changed, ())

    def _put(self, path: tuple[str, ...], value: Any) -> None:
        """Set what lies at a path: inside a value that was set by hand, else under its dotted name."""
        with self._lock:
            own = self._by_hand(path[0])
            self.update({path[0]: _with(own, path[1:], value)} if isinstance(own, dict) else {".".join(path): value})

    def _by_hand(self, key: str) -> Any:
        """What was set there and not logged since."""
        self._count()
        return self._own.get(key) if self._value(key) is ABSENT else None

    def _drop(self, path: tuple[str, ...]) -> None:
        with self._lock:
            own = self._by_hand(path[0])
            if len(path) > 1 and isinstance(own, dict):
                self.update({path[0]: _without(own, path[1:])})
                return
            whole = ".".join(path)
            found = [key for key in self.as_dict() if key == whole or key.startswith(f"{whole}.")]
            if not found:
                raise KeyError(whole)
            for key in found:
                self._forget(key)
                self._own.pop(key, None)
                self._written.pop(key, None)
            self._record({}, found)

    def _forget(self, key: str) -> None:
        """Count anew from here on what is logged under this name."""
        former = self._stats.pop(key, None)
        if former is not None and not former.whole:  # that is told of all that was ever logged
            self._stats[key] = Stats(whole=False)
        self._rich.pop(key, None)

    def __getitem__(self, key: str) -> Any:
        found = self.as_dict()
        if key in found:
            value = found[key]
            return SubSummary(self, (key,), value) if isinstance(value, dict) else value
        below = nested(found, key)
        if below:
            return SubSummary(self, (key,), below)
        if key in MADE:
            return self._made()[key]
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        found = self.as_dict()
        if key in found or (isinstance(key, str) and any(name.startswith(f"{key}.") for name in found)):
            return True
        return key in MADE and key in self._made()

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        self._drop((key,))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while unpickled or copied, our own slots are not there yet
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no key {name!r}; it has {', '.join(self) or 'none'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delattr__(self, name: str) -> None:
        self._drop((name,))

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())

    def __reduce__(self) -> Any:
        return dict, (self.as_dict(),)  # a copy is what it holds now, and records nothing

    def __repr__(self) -> str:
        return f"Summary({self.as_dict()!r})"


class SummaryPart(dict[str, Any]):
    """What a summary has below a name: read, set and copied by its own `[]`."""

    __slots__ = ()

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def update(self, *values: Any, **more: Any) -> None:
        for key, value in dict(*values, **more).items():
            self[key] = value

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class SubSummary(SummaryPart):
    """A part of a summary as it was when it was asked for. What is set or deleted here is so in the summary."""

    __slots__ = ("_path", "_summary")

    def __init__(self, summary: Summary, path: tuple[str, ...], values: Mapping[str, Any]) -> None:
        super().__init__(values)
        object.__setattr__(self, "_summary", summary)
        object.__setattr__(self, "_path", path)

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return SubSummary(self._summary, (*self._path, key), value) if isinstance(value, dict) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self._summary._put((*self._path, key), value)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._summary._drop((*self._path, key))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this part of the summary has no key {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def _held(value: Any) -> Any:
    """A number in place of the array or tensor that holds it: nothing is kept alive by a summary."""
    if isinstance(value, (bool, int, float, str)):
        return value
    number = metrics.scalar(value)
    return value if number is None else number


def nested(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The dotted names under a key, nested."""
    made: dict[str, Any] = {}
    for name, value in found.items():
        if name.startswith(f"{key}."):
            made = _with(made, tuple(name[len(key) + 1 :].split(".")), value)
    return made


def _with(values: Any, path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy with the value at a path."""
    made = dict(values) if isinstance(values, dict) else {}
    made[path[0]] = value if len(path) == 1 else _with(made.get(path[0]), path[1:], value)
    return made


def _without(values: Any, path: Sequence[str]) -> dict[str, Any]:
    made = dict(values)
    if len(path) == 1:
        del made[path[0]]
    else:
        made[path[0]] = _without(made[path[0]], path[1:])
    return made
