"""Scorers of text and values: equal, contained, matching, valid JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from weft.evals.scorer import Score
from weft.evals.scorers.making import as_text, made, maker, part, shown
from weft.tracking import units
from weft.tracking.errors import UsageError
from weft.tracking.payloads.encoding import decode, encode


@maker
def exact_match(
    column: str = "expected", *, field: str | None = None, ignore_case: bool = False, name: str = "exact_match"
) -> Callable[..., Any]:
    """Whether the output equals a column of the row. Text is compared without the white space around it.

    Args:
        column: holds what is expected.
        field: of the output, where the output is a dict.
    """

    def score(output: Any, expected: Any) -> Score:
        # The output comes in its stored form, where a tuple has become a list: so must what is expected.
        wanted = _folded(decode(encode(expected)), ignore_case)
        found = _folded(part(output, field), ignore_case)
        # To Python True == 1; to somebody who expects 1, an answer of True is wrong.
        equal = isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)
        return Score(equal, reason=None if equal else f"{shown(found)} is not {shown(wanted)}")

    return made(score, name, {"column": column, "field": field, "ignore_case": ignore_case}, {"expected": column})


@maker
def contains(
    column: str = "expected", *, field: str | None = None, ignore_case: bool = False, name: str = "contains"
) -> Callable[..., Any]:
    """Whether the output contains the text in a column of the row; where that is a list, every text in it.

    Args:
        column: holds the text, or the list of texts.
        field: of the output, where the output is a dict.
    """

    def score(output: Any, expected: Any) -> Score:
        text = _folded(as_text(part(output, field)), ignore_case)
        wanted = expected if isinstance(expected, (list, tuple)) else [expected]
        missing = [item for item in wanted if _folded(as_text(item), ignore_case) not in text]
        if not missing:
            return Score(True)
        return Score(False, reason=f"does not contain {', '.join(shown(item) for item in missing)}")

    return made(score, name, {"column": column, "field": field, "ignore_case": ignore_case}, {"expected": column})


@maker
def regex(
    pattern: str, *, field: str | None = None, ignore_case: bool = False, whole: bool = False, name: str = "regex"
) -> Callable[..., Any]:
    """Whether a regular expression matches somewhere in the output, or all of it with `whole=True`.

    Raises:
        UsageError: the pattern is none.
    """
    try:
        compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise UsageError(f"regex({pattern!r}) is no regular expression: {error}") from error

    def score(output: Any) -> Score:
        text = as_text(part(output, field))
        match = compiled.fullmatch(text) if whole else compiled.search(text)
        return Score(match is not None, reason=None if match else f"{shown(text)} does not match {pattern}")

    return made(score, name, {"pattern": pattern, "field": field, "ignore_case": ignore_case, "whole": whole})


@maker
def json_valid(*, field: str | None = None, name: str = "json_valid") -> Callable[..., Any]:
    """Whether the output is JSON text; a dict or a list already is."""

    def score(output: Any) -> Score:
        value = part(output, field)
        if isinstance(value, (dict, list)):
            return Score(True)
        if not isinstance(value, str):
            return Score(False, reason=f"the output is {units.article(type(value).__name__)}, no text")
        try:
            json.loads(value, parse_constant=_refuse)
        except ValueError as error:
            return Score(False, reason=str(error))
        return Score(True)

    return made(score, name, {"field": field})


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON value")


def _folded(value: Any, ignore_case: bool) -> Any:
    if not isinstance(value, str):
        return value
    return value.strip().casefold() if ignore_case else value.strip()
