"""What a promotion may require (`">=0.9"`, `"ci>=0.9"`, `"0.2..0.4"`), and whether a summary shows it. Pure.

A number that is not there, is no number, or is NaN meets nothing. `ci` asks the whole 95% interval, not its middle.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from weft.tracking import units
from weft.tracking.errors import UsageError

EVAL = "eval"
"""The key that names the evaluation; `evaluation` is taken too."""
DATASET = "dataset"
"""The key that names the data which it must have run on."""
_NAMES = (EVAL, "evaluation")
_COUNTED = ("errors", "scorer_errors")
"""Must be none unless a requirement says how many may be."""
_COMPARATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?%?"
_COMPARED = re.compile(rf"(ci\s*)?(>=|<=|==|!=|>|<)\s*({_NUMBER})")
_RANGE = re.compile(rf"(ci\s+)?({_NUMBER})\s*\.\.\s*({_NUMBER})")
_HOW = 'write ">=0.9", "<5%", "0.2..0.4", ">0.8, <0.9", or of the whole 95% interval "ci>=0.9"'


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of one value."""

    field: str
    """A scorer, or a path into the summary: accuracy, latency_s.p95, cost_usd."""
    text: str
    """As it was written."""
    bounds: tuple[tuple[str, float], ...]
    """Comparators and numbers, all of which must hold; none where the text names the data."""
    interval: bool
    """Of both ends of the interval."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one evaluation must show."""

    evaluation: str
    conditions: tuple[Condition, ...]

    @property
    def datasets(self) -> list[str]:
        """What the data must be called; or its digest's beginning."""
        return [condition.text for condition in self.conditions if not condition.bounds]


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition beside what was found."""

    required: str
    """`accuracy >=0.9`."""
    found: str
    """`0.93 ± 0.02 (n 400)`, or why there is nothing."""
    passed: bool


class _Value(NamedTuple):
    number: float
    interval: tuple[float, float] | None
    told: str


def parse(require: object) -> tuple[Requirement, ...]:
    """Of `{"eval": "name", "accuracy": ">=0.9"}`, or several of them.

    Raises:
        UsageError: it cannot be meant; the message shows how it is written.
    """
    if require is None:
        return ()
    given = [require] if isinstance(require, Mapping) else require
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(one, Mapping) for one in given):
        raise UsageError(
            f'require= is like {{"eval": "name", "accuracy": ">=0.9"}}, or a list of them, got {require!r:.150}'
        )
    if not given:
        raise UsageError("require= is empty: leave it out where nothing is required")
    return tuple(_requirement(one) for one in given)


def _requirement(given: Mapping[Any, Any]) -> Requirement:
    named = [given[key] for key in _NAMES if key in given]
    if len(named) != 1 or not isinstance(named[0], str) or not named[0]:
        raise UsageError(f'require= names one evaluation: {{"eval": "name", ...}}, got {dict(given)!r:.150}')
    conditions: list[Condition] = []
    for key, texts in given.items():
        if key in _NAMES:
            continue
        if not isinstance(key, str) or not key:
            raise UsageError(f"a requirement names a scorer or a value of the summary by text, not {key!r:.80}")
        listed = texts if isinstance(texts, (list, tuple)) else [texts]
        if not listed:
            raise UsageError(f"nothing is required of {key!r:.80}: {_HOW}, or leave it out")
        for text in listed:
            conditions += _conditions(key, text)
    return Requirement(named[0], tuple(conditions))


def kept(requirements: Iterable[Requirement]) -> list[dict[str, Any]]:
    """As a record holds them. Fields stand in pairs: as keys, one called `token` would be taken for a secret's name."""
    return [
        {EVAL: one.evaluation, "conditions": [[each.field, each.text] for each in one.conditions]}
        for one in requirements
    ]


def asked(kept: object) -> list[dict[str, Any]]:
    """What a record holds, as `require=` takes it; what is no requirement is left out."""
    found = []
    for one in kept if isinstance(kept, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get(EVAL), str):
            pairs = one.get("conditions")
            texts: dict[str, list[str]] = {}
            for pair in pairs if isinstance(pairs, list) else ():
                if isinstance(pair, list) and len(pair) == 2:
                    texts.setdefault(str(pair[0]), []).append(str(pair[1]))
            found.append(
                {EVAL: one[EVAL]} | {field: held[0] if len(held) == 1 else held for field, held in texts.items()}
            )
    return found


def told(asked: Iterable[Mapping[str, Any]]) -> str:
    """In words: `digits: accuracy >=0.9, cost_usd <1; safety`."""
    return "; ".join(_told(one) for one in asked)


def _told(asked: Mapping[str, Any]) -> str:
    said = [
        f"{field} {text}"
        for field, texts in asked.items()
        if field != EVAL
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    return f"{asked.get(EVAL)}: {', '.join(said)}" if said else str(asked.get(EVAL))


def _conditions(field: str, text: object) -> Iterator[Condition]:
    if not isinstance(text, str):
        raise UsageError(f"the requirement of {field!r:.80} is {text!r:.80}: {_HOW}")
    if field == DATASET and (name := text.strip()) and name[0] not in "<>=!" and not _RANGE.fullmatch(name):
        yield Condition(field, name, (), False)
        return
    for part in text.split(","):
        part = part.strip()
        if found := _COMPARED.fullmatch(part):
            interval, sign, number = found.groups()
            if interval and sign in ("==", "!="):
                raise UsageError(f"{field!r:.80} is required {part!r}: a whole interval is above or below, {_HOW}")
            yield Condition(field, part, ((sign, _number(number)),), bool(interval))
        elif found := _RANGE.fullmatch(part):
            interval, low, high = found.groups()
            if _number(low) > _number(high):
                raise UsageError(
                    f"{field!r:.80} is required {part!r}: nothing lies in that range; write the lower end first"
                )
            yield Condition(field, part, ((">=", _number(low)), ("<=", _number(high))), bool(interval))
        else:
            raise UsageError(f"the requirement of {field!r:.80} is {part!r:.80}: {_HOW}")


def _number(text: str) -> float:
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def check(requirement: Requirement, summary: Mapping[str, Any]) -> list[Finding]:
    """Every condition on a number beside what the summary says; that all cases ran, and none failed, among them."""
    findings = [finding for finding in _whole(requirement, summary) if finding is not None]
    return findings + [_check(condition, summary) for condition in requirement.conditions if condition.bounds]


def _whole(requirement: Requirement, summary: Mapping[str, Any]) -> Iterator[Finding | None]:
    rows, planned = _plain(summary.get("rows")), _plain(summary.get("planned"))
    if rows is not None and planned is not None and rows != planned:
        yield Finding("all cases ran", f"{rows:g} of {planned:g}", False)
    asked = {condition.field for condition in requirement.conditions}
    for name in _COUNTED:
        count = _plain(summary.get(name))
        if name not in asked and count:
            what = "models' and data's" if name == "errors" else "scorers'"
            yield Finding(f"{name} ==0", f"{count:g} ({what}; {name!r} in require= says how many may be)", False)


def _check(condition: Condition, summary: Mapping[str, Any]) -> Finding:
    required = f"{condition.field} {condition.text}"
    found = _look(summary, condition.field)
    if found is None:
        known = ", ".join(sorted(_names(summary))[:20]) or "nothing"
        return Finding(required, f"no number of that name; there is {known}", False)
    if condition.interval and found.interval is None:
        return Finding(required, f"{found.told}, without an interval", False)
    numbers = found.interval if condition.interval and found.interval is not None else (found.number,)
    passed = all(
        not math.isnan(number) and _COMPARATORS[sign](number, bound)
        for number in numbers
        for sign, bound in condition.bounds
    )
    exact = [f"{number!r}" for number in numbers if any(_near(number, bound) for _, bound in condition.bounds)]
    return Finding(
        required, f"{found.told}, exactly {', '.join(exact)}" if exact and not passed else found.told, passed
    )


def _near(number: float, bound: float) -> bool:
    """Rounded as it is shown it would look like the bound."""
    return number != bound and math.isclose(number, bound, rel_tol=1e-3)


def _look(summary: Mapping[str, Any], field: str) -> _Value | None:
    """A value by its name, by its path, or as one end of a scorer's interval (`accuracy.ci_low`)."""
    scorer, dot, end = field.rpartition(".")
    if dot and end in ("ci_low", "ci_high"):
        held = _interval(_at(summary, scorer))
        return None if held is None else _Value(held[end == "ci_high"], None, units.number(held[end == "ci_high"]))
    value = _at(summary, field)
    if isinstance(value, Mapping):
        mean = _plain(value.get("mean"))
        if mean is None:
            return None
        interval = _interval(value)
        counts = [f"n {value['n']}" if isinstance(value.get("n"), int) else ""]
        counts += [f"{value[name]} {word}" if value.get(name) else "" for name, word in _LEFT_OUT]
        told = units.number(mean) + (f" [{units.number(interval[0])}, {units.number(interval[1])}]" if interval else "")
        said = ", ".join(count for count in counts if count)
        return _Value(mean, interval, f"{told} ({said})" if said else told)
    number = _plain(value)
    return None if number is None else _Value(number, None, units.number(number))


_LEFT_OUT = (("n_errors", "failed"), ("n_unscored", "unscored"))


def _at(value: Any, path: str) -> Any:
    """The longest names first: a scorer may have dots in its own."""
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:cut])
        if head in value:
            return _at(value[head], ".".join(parts[cut:]))
    return None


def _interval(value: Any) -> tuple[float, float] | None:
    ends = value.get("ci") if isinstance(value, Mapping) else None
    if not isinstance(ends, Sequence) or isinstance(ends, str) or len(ends) != 2:
        return None
    low, high = _plain(ends[0]), _plain(ends[1])
    return None if low is None or high is None else (low, high)


def _plain(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number beyond every float
        return math.inf if value > 0 else -math.inf


def _names(summary: Mapping[str, Any]) -> Iterator[str]:
    for name, value in summary.items():
        if _plain(value) is not None or (isinstance(value, Mapping) and _plain(value.get("mean")) is not None):
            yield name
