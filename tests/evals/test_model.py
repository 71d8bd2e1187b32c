"""Models of every shape, and their arguments by name."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pytest

from weft.evals.arguments import Parameters
from weft.evals.model import Model, ModelPlan
from weft.tracking.errors import UsageError

ROWS: list[tuple[str, dict[str, Any]]] = [("r1", {"question": "a", "expected": "b"}), ("r2", {"question": "c"})]


def answer(question: str, style: str = "short") -> str:
    return question + style


async def answer_async(question: str) -> str:
    return question


class Answerer(Model):
    prompt: str
    temperature: float = 0.0

    def predict(self, question: str) -> str:
        return self.prompt + question


@dataclass
class Plain:
    prompt: str

    async def predict(self, question: str) -> str:
        return self.prompt + question


def test_functions_coroutines_partials_and_objects_are_models() -> None:
    """Each knows its name, its settings and whether it is awaited."""
    plans = [ModelPlan.of(given) for given in (answer, answer_async, Answerer(prompt="p"), Plain("p"))]
    assert [(plan.name, plan.is_async) for plan in plans] == [
        ("answer", False),
        ("answer_async", True),
        ("Answerer", False),
        ("Plain", True),
    ]
    assert plans[2].params == {"prompt": "p", "temperature": 0.0}
    assert plans[3].params == {"prompt": "p"}
    assert all(plan.version for plan in plans)
    assert ModelPlan.of(Answerer(prompt="p", name="mine")).name == "mine"
    assert ModelPlan.of(functools.partial(answer_async)).is_async


def test_what_is_no_model_is_refused() -> None:
    """With the way out."""

    class Empty(Model):
        pass

    for given, words in (
        (Answerer, r"give an instance: Answerer\(...\)"),
        (Empty(), "has no `predict` of its own"),
        ("text", "'text' is no model"),
    ):
        with pytest.raises(UsageError, match=words):
            ModelPlan.of(given)


def test_arguments_are_taken_by_name_and_extra_columns_ignored() -> None:
    """Also where a parameter can only be given by position."""

    def positional(question: str, /, style: str = "s") -> str:
        return question + style

    for function in (answer, positional):
        parameters = Parameters.of(function, "model")
        picked = parameters.pick({"question": "q", "expected": "x", "style": "!"})
        assert picked == {"question": "q", "style": "!"}
        assert parameters.call(function, picked) == "q!"
    everything = Parameters.of(lambda **columns: columns, "model")
    assert everything.pick({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_a_missing_argument_is_found_before_anything_runs() -> None:
    """In all rows, in some rows, under a column named by hand."""
    Parameters.of(answer, "model 'answer'").check("model 'answer'", ROWS)
    wrong = Parameters.of(lambda prompt: prompt, "m")
    with pytest.raises(
        UsageError, match=r"needs an argument 'prompt', but the dataset has no column 'prompt'"
    ) as caught:
        wrong.check("model 'm'", ROWS)
    assert "Its columns are question, expected." in str(caught.value)
    judge = Parameters.of(lambda output, expected: True, "s")
    with pytest.raises(UsageError, match=r"1 of 2 rows have no column 'expected' \(the first: row r2\)"):
        judge.check("scorer 's'", ROWS, offered=("output",))
    judge.check("scorer 's'", ROWS, offered=("output",), columns={"expected": "question"})
    with pytest.raises(UsageError, match="no column 'answer'"):
        judge.check("scorer 's'", ROWS, offered=("output",), columns={"expected": "answer"})
