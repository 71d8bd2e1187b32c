"""Which of a row's values a function takes, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.evals.scorer import OFFERED
from weft.tracking.errors import UsageError


def takes(name: str) -> Callable[..., Any]:
    """A scorer with a parameter of this name."""
    found: dict[str, Any] = {}
    exec(f"def judge({name}): return True", found)
    return found["judge"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", OFFERED)
def test_a_column_that_a_scorer_would_not_see_is_refused(name: str) -> None:
    """It would be judged by something else than it says; every name that scorers are given, in any row."""
    rows = [{"id": "a", "question": "1"}, {"id": "b", "question": "2", name: "4"}]
    with pytest.raises(UsageError, match=rf"'judge' asks for '{name}'.*column '{name}' too .*row b.*Rename the column"):
        weft.Evaluation(rows, [takes(name)])


def test_the_way_out_of_a_column_output_is_expected() -> None:
    """Also where the column was named by hand."""

    @weft.scorer(columns={"right": "output"})
    def same(right: str, output: str) -> bool:
        return right == output

    with pytest.raises(UsageError, match="e\\.g\\. to 'expected'"):
        weft.Evaluation([{"question": "1", "output": "2"}], [same])


def test_a_column_of_such_a_name_serves_the_model(home: Path) -> None:
    """Where no scorer asks for it there is nothing to mistake, nor where the scorer gives the parameter a column."""

    @weft.scorer(columns={"output": "expected"})
    def column(output: str) -> bool:
        return output == "right"

    def model(usage: str) -> str:
        return usage

    rows = [{"usage": "high", "expected": "right"}]
    result = weft.Evaluation(rows, [takes("output"), column]).run(model)
    assert (result.summary["judge"].mean, result.summary["column"].mean) == (1.0, 1.0)
