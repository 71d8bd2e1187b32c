"""Scorers of numbers: close enough to what is expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal

from weft.evals.scorer import Score
from weft.evals.scorers.making import made, maker, part, shown
from weft.tracking.errors import UsageError

_number = re.compile(r"(?:(?<![\w.])[-+−])?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")


@maker
def close_to(
    column: str = "expected",
    *,
    field: str | None = None,
    rel_tol: float = 1e-6,
    abs_tol: float = 0.0,
    take: Literal["whole", "last"] = "whole",
    name: str = "close_to",
) -> Callable[..., Any]:
    """Whether the output is a number close to a column of the row: |a - b| <= max(rel_tol * max(|a|, |b|), abs_tol).

    Args:
        column: holds the expected number.
        field: of the output, where the output is a dict.
        take: "whole": the whole text must be a number; "last": the last number in the text counts.
    """
    if take not in ("whole", "last"):
        raise UsageError(f'close_to: take is {take!r}; it must be "whole" or "last"')

    def score(output: Any, expected: Any) -> Score:
        wanted = _parsed(expected, "whole")
        if wanted is None:
            return Score(error=f"the column {column!r} holds {shown(expected)}, which is no number")
        found = _parsed(part(output, field), take)
        if found is None:
            return Score(False, reason=f"{shown(output)} {'is' if take == 'whole' else 'holds'} no number")
        close = math.isclose(found, wanted, rel_tol=rel_tol, abs_tol=abs_tol)
        return Score(close, reason=None if close else f"{found:g} is {abs(found - wanted):g} from {wanted:g}")

    params = {"column": column, "field": field, "rel_tol": rel_tol, "abs_tol": abs_tol, "take": take}
    return made(score, name, params, {"expected": column})


def _parsed(value: Any, take: str) -> float | None:
    """The number in a value; thousands may be grouped by commas. Text is parsed, never evaluated."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        matches = list(_number.finditer(text))
        if not matches or (take == "whole" and matches[0].group() != text):
            return None
        return float(matches[-1].group().replace(",", "").replace("−", "-"))
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
