"""What scorers may be and may return; whatever else they return is an error with a name."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from weft.evals.scorer import Score, Scorer, ScorerPlan, read_scores, scorer
from weft.tracking.errors import UsageError


@pytest.mark.parametrize(
    ("result", "score"),
    [
        (True, Score(True)),
        (False, Score(False)),
        (3, Score(3.0)),
        (0.25, Score(0.25)),
        (Decimal("0.5"), Score(0.5)),
        (Fraction(1, 4), Score(0.25)),
        ("good", Score(label="good")),
        (None, Score()),
        (Score(1, reason="why"), Score(1.0, reason="why")),
        (Score(True, label="yes"), Score(True, label="yes")),
        (Score(error="the judge refused"), Score(error="the judge refused")),
    ],
)
def test_what_a_scorer_may_return(result: object, score: Score) -> None:
    """Booleans stay booleans, numbers become floats, text becomes a label, None is unscored."""
    found = read_scores(result)
    assert found == {"": score}
    assert type(found[""].value) is type(score.value)


def test_numpy_scalars_are_numbers() -> None:
    """Also the boolean one, which stays a boolean."""
    numpy = pytest.importorskip("numpy")
    assert read_scores(numpy.float32(0.5)) == {"": Score(0.5)}
    assert read_scores(numpy.int64(2)) == {"": Score(2.0)}
    assert read_scores(numpy.bool_(True))[""].value is True
    assert "ndarray" in str(read_scores(numpy.array([1.0, 2.0]))[""].error)


def test_a_dict_gives_one_score_a_key_and_nests() -> None:
    """So do pydantic objects; an empty dict says nothing."""

    class Verdict(BaseModel):
        passed: bool
        why: str

    assert read_scores({"a": True, "b": {"c": 2}}) == {"a": Score(True), "b.c": Score(2.0)}
    assert read_scores(Verdict(passed=True, why="good")) == {"passed": Score(True), "why": Score(label="good")}
    assert not read_scores({})[""].scored
    assert read_scores({"a": None}) == {"a": Score()}


class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __float__(self) -> float:
        raise OSError("no float")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ([1, 2], "returned a list"),
        (object(), "returned an object"),
        (float("nan"), "returned nan; return None to leave a case unscored"),
        (float("inf"), "returned inf"),
        (10**400, "that is no number"),
        (b"x", "returned a bytes"),
        (Nasty(), "that is no number"),
        (Score([1]), "returned a list"),  # type: ignore[arg-type]
        (Score("a", label="b"), "two labels"),  # type: ignore[arg-type]
        (Score, "returned a type"),
    ],
)
def test_rubbish_is_an_error_that_says_what_came_and_what_may(result: object, words: str) -> None:
    """Nothing is dropped or taken for 0."""
    found = read_scores(result)[""]
    assert found.value is None
    assert words in str(found.error)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@given(anything)
def test_whatever_comes_back_is_read_without_raising(result: object) -> None:
    """Each score has a finite value, or a label, or an error, or says nothing."""
    for score in read_scores(result).values():
        assert score.value is None or math.isfinite(score.value)
        assert score.error is None or not score.scored


def test_a_dict_that_holds_itself_is_rubbish_like_any_other() -> None:
    """It ends."""
    loop: dict[str, object] = {"ok": True}
    loop["again"] = loop
    found = read_scores(loop)
    assert found["ok"] == Score(True)
    assert any("more than 8 deep" in str(score.error) for score in found.values())


def test_one_bad_key_of_a_dict_does_not_spoil_the_others() -> None:
    """Errors are by key."""
    found = read_scores({"good": 1, "bad": [], 3: 1})
    assert found["good"] == Score(1.0)
    assert "returned a list" in str(found["bad"].error)
    assert "keys must be text" in str(found["3"].error)


def test_a_decorated_function_is_still_the_function() -> None:
    """@scorer marks; calling it directly stays possible."""

    @scorer(name="close", columns={"expected": "answer"}, params={"tolerance": 0.1})
    def score(output: float, expected: float) -> bool:
        return abs(output - expected) < 0.1

    assert score(1.0, 1.05)
    plan = ScorerPlan.of(score)
    assert (plan.name, plan.columns, plan.params) == ("close", {"expected": "answer"}, {"tolerance": 0.1})
    assert plan.version is not None

    @scorer
    def bare(output: str) -> bool:
        return bool(output)

    assert ScorerPlan.of(bare).name == "bare"


def test_a_class_scorer_brings_its_settings() -> None:
    """Fields are stored with every score."""

    class Mentions(Scorer):
        word: str

        async def score(self, output: str) -> bool:
            return self.word in output

    plan = ScorerPlan.of(Mentions(word="weft"))
    assert (plan.name, dict(plan.params), plan.is_async) == ("Mentions", {"word": "weft"}, True)
    assert ScorerPlan.of(Mentions(word="weft", name="weft?")).name == "weft?"
    assert ScorerPlan.of(Mentions(word="weft", columns={"output": "draft"})).columns == {"output": "draft"}
    with pytest.raises(UsageError, match="is a class; give an instance"):
        ScorerPlan.of(Mentions)


def test_what_is_no_scorer_is_refused() -> None:
    """With the way out."""

    class Empty(Scorer):
        pass

    for wrong, words in (
        (Empty(), "has no `score` of its own"),
        (5, "5 is no scorer"),
        (lambda: True, "takes no arguments"),
        (scorer(name="errors")(lambda output: True), "cannot be called 'errors'"),
        (scorer(columns={"x": "y"})(lambda output: True), "columns= names x"),
    ):
        with pytest.raises(UsageError, match=words):
            ScorerPlan.of(wrong)
    with pytest.raises(UsageError, match="functions written in Python"):
        scorer(len)
