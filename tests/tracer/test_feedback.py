"""`weft.score`: what somebody says of a call, when it runs or afterwards."""

from __future__ import annotations

import math
from typing import Any

import pytest

import weft
from weft.tracking.errors import UsageError

pytestmark = pytest.mark.usefixtures("home")


@weft.op(name="answer")
def answer() -> str:
    return "yes"


def test_a_call_scores_itself() -> None:
    @weft.op(name="judge")
    def judge() -> None:
        weft.score("confidence", 0.5)

    judge()
    with weft.Api() as api:
        (span,) = api.spans({"name": "judge"})
        (score,) = span.scores
    assert (score.name, score.value, score.target, score.kind) == ("confidence", 0.5, "span", "score")


def test_of_a_call_that_sampling_left_out_nothing_is_said_and_nothing_raised() -> None:
    @weft.op(sample_rate=0)
    def judge() -> None:
        with weft.span("inner") as inner:
            weft.score("confidence", 0.5)
            weft.score("confidence", 0.5, on=inner)

    _, span = judge.call()  # type: ignore[attr-defined]
    assert len(weft.score("later", 1, on=span)) == 32
    with weft.Api() as api:
        assert list(api.scores()) == []


def test_people_speak_afterwards_of_traces_spans_and_runs() -> None:
    with weft.init("default") as run:
        answer()
    with weft.Api() as api:
        trace = api.traces()[0]
        (span,) = api.spans()
        weft.score("helpful", True, on=trace, author="ana", reason="at once")
        weft.score("reaction", "👍", on=span, kind="reaction", author="bo")
        weft.score("note", on=f"{span.trace_id}/{span.span_id}", kind="note", reason="look at this", author="cy")
        weft.score("quality", label="good", on=api.run(run.id), source={"scorer": "human"})
        weft.score("late", 1, on=run)
        found = {score.name: score for score in api.scores()}

    assert (found["helpful"].target, found["helpful"].value, found["helpful"].author) == ("trace", 1.0, "ana")
    assert (found["reaction"].target, found["reaction"].label, found["reaction"].kind) == ("span", "👍", "reaction")
    assert (found["note"].span_id, found["note"].reason) == (span.span_id, "look at this")
    assert (found["quality"].run_id, found["quality"].source) == (run.id, {"scorer": "human"})
    assert found["late"].run_id == run.id


def test_a_minority_reaction_is_found() -> None:
    answer()
    answer()
    with weft.Api() as api:
        first, second = api.traces(order="start_ns")
        for _ in range(10):
            weft.score("reaction", "👎", on=first, kind="reaction")
        weft.score("reaction", "👍", on=first, kind="reaction")
        weft.score("reaction", "👎", on=second, kind="reaction")

        assert [row.trace_id for row in api.traces({"scores.reaction.label": "👍"})] == [first.trace_id]
        assert len(api.scores({"kind": "reaction", "label": "👎"})) == 11


def test_a_score_is_replaced_by_its_id_and_deleted_by_its_record() -> None:
    answer()
    with weft.Api() as api:
        trace = api.traces()[0]
        uid = weft.score("helpful", 0.1, on=trace)
        assert weft.score("helpful", 0.9, on=trace, id=uid) == uid
        (score,) = api.scores()
        assert score.value == 0.9
        api.delete(score)
        assert len(api.scores()) == 0
        assert len(api.traces()) == 1


def test_secrets_in_what_is_said_are_replaced() -> None:
    key = "sk-proj-" + "a1B2" * 10
    answer()
    with weft.Api() as api:
        weft.score("note", on=api.traces()[0], kind="note", reason=f"it printed {key}")
        assert key not in (api.scores()[0].reason or "")


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({}, "outside of any call"),
        ({"on": "abc"}, "not 'abc'"),
        ({"on": "0" * 32}, "says nothing"),
        ({"on": "0" * 32, "value": [1]}, "a number or a text"),
        ({"on": "0" * 32, "value": math.nan}, "no judgement"),
        ({"on": "0" * 32, "value": 1, "kind": "gossip"}, "one of score, reaction, note, value, label"),
        ({"on": "0" * 32, "value": "good", "label": "bad"}, "one of them is the label"),
        ({"on": "0" * 32, "value": 1, "reason": 5}, "reason is a text"),
        ({"on": "0" * 32, "value": 1, "id": "xyz"}, "32 hex digits"),
    ],
)
def test_what_cannot_be_meant_raises_at_the_call(said: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        weft.score("helpful", **said)
