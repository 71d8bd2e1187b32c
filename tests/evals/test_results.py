"""What a summary says of the scores of an evaluation."""

from __future__ import annotations

from pathlib import Path

import weft
from weft.evals import stats


async def test_a_scorer_of_values_and_labels_has_statistics_of_the_values(home: Path) -> None:
    """`n` is of what the mean is of; the labels are counted apart, and both are printed."""
    mix = weft.scorer(name="mix")(lambda output: True if output <= 2 else "label")

    def model(x: int) -> int:
        return x

    result = await weft.Evaluation([{"x": 1}, {"x": 2}, {"x": 3}], [mix], name="mixed").evaluate(model)
    found = result.summary["mix"]
    assert (found.mean, found.stderr, found.n, found.binary) == (1.0, 0.0, 2, True)
    assert found.ci == stats.wilson(2, 2)
    assert (found.labels, found.n_errors, found.n_unscored) == ({"label": 1}, 0, 0)
    assert "(n 2, errors 0, unscored 0; labels: label 1)" in str(result)


async def test_a_scorer_of_labels_counts_its_labels(home: Path) -> None:
    """There is no mean, and `n` is of the cases that were labelled."""

    def kind(output: int) -> str | None:
        return None if output == 3 else "low"

    def model(x: int) -> int:
        return x

    result = await weft.Evaluation([{"x": 1}, {"x": 2}, {"x": 3}], [kind], name="kinds").evaluate(model)
    found = result.summary["kind"]
    assert (found.mean, found.ci, found.n, found.labels, found.n_unscored) == (None, None, 2, {"low": 2}, 1)
    assert "low 2  (n 2, errors 0, unscored 1)" in str(result)
