"""How the scorers of this folder are made: one function each, whose settings are stored with every score."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from weft.evals.scorer import scorer
from weft.tracking import units

F = TypeVar("F", bound=Callable[..., Any])


def maker(function: F) -> F:
    """Mark a function that makes a scorer, so that giving it uncalled gets a clear answer."""
    function.__weft_makes_scorer__ = True  # type: ignore[attr-defined]
    return function


def made(
    score: Callable[..., Any], name: str, params: Mapping[str, Any], columns: Mapping[str, str] | None = None
) -> Callable[..., Any]:
    """The scorer itself: named, with its settings, run without a thread."""
    return scorer(name=name, columns=columns, params=params, inline=True)(score)


def part(output: Any, field: str | None) -> Any:
    """The output, or one field of it.

    Raises:
        KeyError, TypeError: the output has no such field; the case then counts as a scorer error that says so.
    """
    if field is None:
        return output
    if not isinstance(output, Mapping):
        raise TypeError(f"the output is {units.article(type(output).__name__)}, so it has no field {field!r}")
    if field not in output:
        raise KeyError(f"the output has no field {field!r}; it has {', '.join(map(str, output))}")
    return output[field]


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def shown(value: Any) -> str:
    """For a reason: short, with its type visible."""
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"
