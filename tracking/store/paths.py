"""Values inside JSON documents, and what can be asked of them: paths, comparisons, order. Pure; for `filters`.

`output.choices.0.message.content`: a number indexes a list, any other part goes through a list to each of its items. A
key that itself holds dots is met as it is written (`attributes.gen_ai.request.model`); `\\.` is a dot that never parts.
Comparisons go by type: a number is greater than numbers only, so that text is left out and is no error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from weft.tracking.errors import UsageError
from weft.tracking.store import patterns

Test = Callable[[list[Any]], bool]
"""Asks what a path found: every value there, none where it is missing."""
MOST_PARTS = 32
MOST_FOUND = 10_000
"""Of one path in one document; a list that is longer is asked up to here."""
TYPES = ("number", "string", "bool", "null", "list", "object")
CASTS = ("number", "text", "bool")


def split(name: str, path: str) -> tuple[str, ...]:
    """A path's parts; `name` is the whole field for the message."""
    parts = tuple(part.replace("\0", ".") for part in path.replace("\\.", "\0").split("."))
    if not all(parts) or len(parts) > MOST_PARTS:
        raise UsageError(f"{name!r} is no path: its parts are separated by dots, at most {MOST_PARTS}, none empty")
    return parts


def found(document: Any, path: Sequence[str]) -> list[Any]:
    """The values at a path."""
    out: list[Any] = []
    _walk(document, tuple(path), out)
    return out


def _walk(value: Any, path: tuple[str, ...], out: list[Any]) -> None:
    if len(out) >= MOST_FOUND:
        return
    if not path:
        out.append(value)
    elif isinstance(value, Mapping):
        for length in range(1, len(path) + 1):
            key = path[0] if length == 1 else ".".join(path[:length])
            if key in value:
                _walk(value[key], path[length:], out)
    elif isinstance(value, list):
        if path[0].isdecimal() and path[0].isascii():
            if len(path[0]) < 10 and int(path[0]) < len(value):
                _walk(value[int(path[0])], path[1:], out)
        else:
            for item in value:
                _walk(item, path, out)


def spread(values: list[Any]) -> list[Any]:
    """The values, and the items of those that are lists."""
    if not any(isinstance(value, list) for value in values):
        return values
    return [*values, *(item for value in values if isinstance(value, list) for item in value)]


def type_of(value: Any) -> str | None:
    """One of `TYPES`; None for what JSON has no name for."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float, Decimal)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "list"
    return "object" if isinstance(value, Mapping) else None


def same(left: Any, right: Any) -> bool:
    """Equal and of one type: True is not 1, 1 is 1.0."""
    return type_of(left) == type_of(right) and bool(left == right)


_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
}
_EQUAL = {"$eq": False, "$ne": True}
COMPARISONS = (*_EQUAL, *_ORDERED)


def compared(operator: str, values: list[Any], operands: list[Any]) -> bool:
    """Whether any of the values stands so to any of the operands; for `$ne`, whether none equals one."""
    if operator in _EQUAL:
        hit = any(same(value, operand) for operand in operands for value in spread(values))
        # Null is what is missing, too.
        hit = hit or (not values and None in operands)
        return hit is not _EQUAL[operator]
    holds = _ORDERED[operator]
    return any(
        type_of(value) == type_of(operand) and type_of(value) in ("number", "string") and holds(value, operand)
        for operand in operands
        for value in spread(values)
    )


def test(name: str, operator: str, operand: Any) -> Test:
    """What an operator asks of the values of field `name`.

    Raises:
        UsageError: there is no such operator, or it takes something else.
    """
    if operator in COMPARISONS:
        if operator in _ORDERED and type_of(operand) not in ("number", "string"):
            raise UsageError(f"filter {name!r}: {operator} takes a number or text, not {operand!r}")
        return lambda values: compared(operator, values, [operand])
    if operator not in _TESTS:
        raise UsageError(f"unknown filter operator {operator!r} of {name!r}; valid: {', '.join(OPERATORS)}")
    return _TESTS[operator](name, operand)


def _in(name: str, operand: Any) -> Test:
    if not isinstance(operand, Sequence | set | frozenset) or isinstance(operand, str):
        raise UsageError(f"filter {name!r}: $in and $nin take a list, not {operand!r}")
    wanted = list(operand)
    return lambda values: compared("$eq", values, wanted)


def _nin(name: str, operand: Any) -> Test:
    inside = _in(name, operand)
    return lambda values: not inside(values)


def _exists(name: str, operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise UsageError(f"filter {name!r}: $exists takes True or False, not {operand!r}")
    return lambda values: any(value is not None for value in values) is operand


def contained(name: str, operand: Any) -> tuple[str, bool]:
    """What `$contains` looks for, and whether by case: it takes text, or {"text": ..., "case": true}."""
    case = False
    if isinstance(operand, Mapping) and operand.keys() == {"text", "case"} and isinstance(operand["case"], bool):
        operand, case = operand["text"], operand["case"]
    if not isinstance(operand, str):
        raise UsageError(f'filter {name!r}: $contains takes text or {{"text": ..., "case": true}}, not {operand!r}')
    return operand, case


def _contains(name: str, operand: Any) -> Test:
    wanted, case = contained(name, operand)
    if case:
        return lambda values: any(wanted in value for value in spread(values) if isinstance(value, str))
    folded = wanted.casefold()
    return lambda values: any(folded in value.casefold() for value in spread(values) if isinstance(value, str))


def _textual(method: Callable[[str, str], bool]) -> Callable[[str, Any], Test]:
    def make(name: str, operand: Any) -> Test:
        if not isinstance(operand, str):
            raise UsageError(f"filter {name!r}: $startswith and $endswith take text, not {operand!r}")
        return lambda values: any(method(value, operand) for value in spread(values) if isinstance(value, str))

    return make


def _regex(name: str, operand: Any) -> Test:
    case = True
    if isinstance(operand, Mapping) and operand.keys() == {"pattern", "case"} and isinstance(operand["case"], bool):
        operand, case = operand["pattern"], operand["case"]
    if not isinstance(operand, str):
        raise UsageError(f'filter {name!r}: $regex takes text or {{"pattern": ..., "case": false}}, not {operand!r}')
    holds = patterns.search(name, operand, case=case)
    return lambda values: any(holds(value) for value in spread(values) if isinstance(value, str))


def _size(name: str, operand: Any) -> Test:
    asked = operand if isinstance(operand, Mapping) else {"$eq": operand}
    for operator, wanted in asked.items():
        if operator not in COMPARISONS or isinstance(wanted, bool) or not isinstance(wanted, int):
            raise UsageError(f'filter {name!r}: $size takes a whole number or {{"$gt": 3}}, not {operand!r}')
    return lambda values: any(
        isinstance(value, list)
        and all(compared(operator, [len(value)], [wanted]) for operator, wanted in asked.items())
        for value in values
    )


def _type(name: str, operand: Any) -> Test:
    if operand not in TYPES:
        raise UsageError(f"filter {name!r}: $type is one of {', '.join(TYPES)}, not {operand!r}")
    return lambda values: any(type_of(value) == operand for value in values)


_TESTS: Mapping[str, Callable[[str, Any], Test]] = {
    "$in": _in,
    "$nin": _nin,
    "$exists": _exists,
    "$contains": _contains,
    "$startswith": _textual(str.startswith),
    "$endswith": _textual(str.endswith),
    "$regex": _regex,
    "$size": _size,
    "$type": _type,
}
OPERATORS = (*COMPARISONS, *_TESTS)
"""Beside them `$not`, `$as` (one of `CASTS`) and, as operand of a comparison, `{"$field": other}`."""


def cast(name: str, kind: Any) -> Callable[[list[Any]], list[Any]]:
    """`$as`: the values as numbers, text or bools; those that are none are left out.

    Raises:
        UsageError: there is no such type.
    """
    if kind not in CASTS:
        raise UsageError(f"filter {name!r}: $as is one of {', '.join(CASTS)}, not {kind!r}")
    convert = {"number": _number, "text": _text, "bool": _bool}[kind]
    return lambda values: [made for value in spread(values) if (made := convert(value)) is not None]


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return int(value) if re.fullmatch(r"\s*[+-]?[0-9]{1,400}\s*", value) else float(value)
        except ValueError:
            return None
    return int(value) if isinstance(value, bool) else value if type_of(value) == "number" else None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value) if type_of(value) == "number" else None


def _bool(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return bool(value) if type_of(value) in ("bool", "number") else None


Rank = tuple[int, Any]
"""How a value stands in order: numbers first, then text, then what is missing, in either direction."""
MISSING: Rank = (2, "")


def rank(values: list[Any]) -> Rank:
    """The place of what a path found: its first value that has one."""
    for value in values:
        kind = type_of(value)
        if kind in ("number", "bool") and not (isinstance(value, float) and math.isnan(value)):
            return 0, value
        if kind == "string":
            return 1, value
    return MISSING
