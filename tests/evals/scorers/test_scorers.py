"""The scorers that come with weft, through the same plan the runner uses."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from weft.evals import scorers
from weft.evals.scorer import Score, ScorerPlan
from weft.tracking.errors import UsageError


def judge(made: Callable[..., Any], **values: Any) -> Score:
    plan = ScorerPlan.of(made)
    assert plan.inline
    found: Score = plan.parameters.call(plan.function, plan.parameters.pick(values, plan.columns))
    return found


@pytest.mark.parametrize(
    ("output", "expected", "equal"),
    [
        ("Paris", "Paris", True),
        (" Paris\n", "Paris", True),
        ("paris", "Paris", False),
        ([1, 2], [1, 2], True),
        (4, "4", False),
        (1, True, False),
        (1, 1.0, True),
        (None, None, True),
        ({"a": 1}, {"a": 1}, True),
    ],
)
def test_exact_match(output: object, expected: object, equal: bool) -> None:
    """Equal values of comparable types; text without the space around it."""
    score = judge(scorers.exact_match(), output=output, expected=expected)
    assert score.value is equal
    assert (score.reason is None) is equal


def test_exact_match_of_a_field_and_another_column() -> None:
    """The settings are stored with the score."""
    made = scorers.exact_match("topic", field="topic", ignore_case=True, name="right_topic")
    assert judge(made, output={"topic": "Lambdas"}, topic="lambdas").value is True
    plan = ScorerPlan.of(made)
    assert plan.name == "right_topic"
    assert plan.params == {"column": "topic", "field": "topic", "ignore_case": True}
    with pytest.raises(KeyError, match="has no field 'topic'; it has answer"):
        judge(made, output={"answer": 1}, topic="x")
    with pytest.raises(TypeError, match="the output is a str"):
        judge(made, output="text", topic="x")


def test_contains() -> None:
    """One text or every one of a list."""
    made = scorers.contains("phrase", ignore_case=True)
    assert judge(made, output="The GIL is a lock", phrase="gil").value is True
    assert judge(made, output="a b", phrase=["a", "b"]).value is True
    missing = judge(made, output="a", phrase=["a", "b"])
    assert missing == Score(False, reason="does not contain 'b'")
    assert judge(scorers.contains(), output={"n": 12}, expected="12").value is True


def test_regex() -> None:
    """Somewhere, or the whole."""
    assert judge(scorers.regex(r"\d+"), output="in 1991").value is True
    assert judge(scorers.regex(r"\d+", whole=True), output="in 1991").value is False
    with pytest.raises(UsageError, match="no regular expression"):
        scorers.regex("(")


@pytest.mark.parametrize(
    ("output", "valid"), [('{"a": 1}', True), ("[1", False), ("NaN", False), ({"a": 1}, True), (5, False)]
)
def test_json_valid(output: object, valid: bool) -> None:
    """Text that parses, strictly; a dict is JSON already."""
    assert judge(scorers.json_valid(), output=output).value is valid


@pytest.mark.parametrize(
    ("output", "expected", "take", "close"),
    [
        ("12", 12, "whole", True),
        ("1,234.5", "1234.5", "whole", True),
        ("about 12", 12, "whole", False),
        ("so 3 + 4 = 7.", 7, "last", True),
        ("3-4", 4, "last", True),
        ("it is -4", -4, "last", True),
        ("1e3", 1000, "whole", True),
        (".5", 0.5, "whole", True),
        ("none", 1, "last", False),
        (True, 1, "whole", False),
        (2.0000001, 2, "whole", True),
        (2.1, 2, "whole", False),
        ("__import__('os')", 0, "whole", False),
    ],
)
def test_close_to(output: object, expected: object, take: Any, close: bool) -> None:
    """Numbers are parsed out of text, never evaluated."""
    assert judge(scorers.close_to(take=take), output=output, expected=expected).value is close


def test_close_to_says_when_the_dataset_is_wrong() -> None:
    """An expected value that is no number is the dataset's error, not the model's."""
    score = judge(scorers.close_to(), output=1, expected="many")
    assert score.value is None
    assert "the column 'expected' holds 'many'" in str(score.error)
    assert judge(scorers.close_to(abs_tol=0.5), output="1.4", expected=1).value is True


def test_latency_and_cost() -> None:
    """As numbers, or against a limit; an unknown cost is unscored, not free."""
    assert judge(scorers.latency(), latency_s=0.5) == Score(0.5)
    assert judge(scorers.latency(below_s=1), latency_s=0.5).value is True
    assert judge(scorers.cost(), cost_usd=Decimal("0.25")) == Score(0.25)
    assert judge(scorers.cost(below_usd=0.1), cost_usd=Decimal("0.25")).value is False
    assert not judge(scorers.cost(below_usd=0.1), cost_usd=None).scored


def test_a_maker_given_uncalled_says_so() -> None:
    """exact_match is no scorer, exact_match() is."""
    with pytest.raises(UsageError, match=r"write exact_match\(\.\.\.\), not exact_match"):
        ScorerPlan.of(scorers.exact_match)
