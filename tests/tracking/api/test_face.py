"""`weft.Api()`: lazy results, corrections, deletions; what was said last is what is read."""

from __future__ import annotations

from typing import Any

import pytest

import weft
from weft.tracking.api.results import Results
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.store.readmodels import Page, TraceRecord

pytestmark = pytest.mark.usefixtures("home")


@weft.op(kind="tool", name="lookup")
def lookup(number: int) -> dict[str, int]:
    return {"square": number * number}


@weft.op(name="answer", attributes={"release": "r1"})
def answer(number: int) -> dict[str, int]:
    if number < 0:
        raise ValueError("negative")
    return lookup(number)


def _newest(api: weft.Api) -> TraceRecord:
    return api.traces()[0]


def test_results_are_fetched_as_they_are_looked_at() -> None:
    for number in range(7):
        answer(number)

    with weft.Api() as api:
        found = api.traces()
        found._page_size = 2
        assert len(found) == 7
        assert [row.input_preview for row in found[:3]] == [row.input_preview for row in list(found)[:3]]
        assert found[-1].trace_id == list(found)[-1].trace_id
        assert len({row.trace_id for row in found}) == 7
        assert found[2:5] == list(found)[2:5]
        with pytest.raises(IndexError):
            found[7]


def test_who_looks_at_more_is_given_more_at_a_time() -> None:
    asked: list[int] = []

    def fetch(limit: int, after: str | None) -> Page[int]:
        first = int(after or 0)
        asked.append(limit)
        rows = list(range(first, min(first + limit, 100)))
        return Page(rows, 100, 0, str(rows[-1] + 1) if rows[-1] < 99 else None)

    found = Results(fetch, 10)
    assert (found[9], len(found), asked) == (9, 100, [10])
    assert found[10] == 10
    assert asked == [10, 10]
    assert list(found) == list(range(100))
    assert asked == [10, 10, 20, 40, 80]


def test_filters_reach_into_what_was_said() -> None:
    for number in range(5):
        answer(number)
    with pytest.raises(ValueError, match="negative"):
        answer(-1)

    with weft.Api() as api:
        assert len(api.traces({"status": "error"})) == 1
        assert len(api.spans({"name": "lookup", "output.square": {"$gt": 4}})) == 2
        assert len(api.spans({"inputs.number": {"$in": [1, 2]}, "attributes.release": "r1"})) == 2
        assert [span.inputs["number"] for span in api.spans({"name": "lookup"}, order="-output.square")] == [
            4,
            3,
            2,
            1,
            0,
        ]
        with pytest.raises(UsageError, match="no_such"):
            api.traces({"no_such": 1})


def test_this_process_reads_what_it_just_wrote() -> None:
    with weft.Api() as api:
        assert len(api.traces()) == 0
        answer(1)
        assert len(api.traces()) == 1


def test_a_question_without_answer_says_so() -> None:
    with weft.Api() as api:
        with pytest.raises(NotFoundError, match="there is no trace"):
            api.trace("0" * 32)
        with pytest.raises(NotFoundError, match="there is no run 'nobody'"):
            api.run("nobody")


def test_names_tags_and_attributes_are_corrected_and_the_last_word_counts() -> None:
    answer(3)
    with weft.Api() as api:
        trace = _newest(api)
        api.update(trace, name="better", tags=["prod", "prod", "eu"], attributes={"release": "r2", "extra": [1]})
        api.update(trace.trace_id, tags=["eu"])
        again = api.trace(trace.trace_id)
        root = api.span(trace.trace_id, trace.root_span_id)

        assert (again.name, list(again.tags)) == ("better", ["eu"])
        assert root.name == "better"
        assert root.attributes["release"] == "r2"
        assert root.attributes["extra"] == [1]
        assert [row.trace_id for row in api.traces({"tags": "eu"})] == [trace.trace_id]
        with pytest.raises(UsageError, match="nothing to change"):
            api.update(trace)
        with pytest.raises(UsageError, match="at least one character"):
            api.update(trace, name="")


def test_a_deleted_span_takes_its_children_along_and_a_trace_everything() -> None:
    for number in range(3):
        answer(number)
    with weft.Api() as api:
        first, second, third = api.traces(order="start_ns")
        weft.score("helpful", 1, on=first)
        assert api.delete(first, api.span(second.trace_id, second.root_span_id)) == 2
        assert [row.trace_id for row in api.traces()] == [third.trace_id]
        assert len(api.spans()) == 2
        assert len(api.scores()) == 0

        (child,) = api.spans({"name": "lookup"})
        api.delete(child)
        assert [span.name for span in api.spans()] == ["answer"]
        assert api.trace(third.trace_id).span_count == 1
        with pytest.raises(UsageError, match="not 'nonsense'"):
            api.delete(third, "nonsense")
        assert len(api.traces()) == 1


def test_a_data_frame_has_a_column_a_field() -> None:
    with weft.span("call", kind="llm") as span:
        span.set_usage({"input_tokens": 3}, model="gpt-4o-mini", provider="openai")
    with weft.Api() as api:
        frame = api.spans().to_pandas()

    assert frame["usage.input_tokens"].tolist() == [3]
    assert str(frame["start"].dtype) == "datetime64[ns, UTC]"
    assert frame["cost"].tolist() == [pytest.approx(3 * 0.15e-6)]


def test_a_project_is_looked_into_where_none_is_named() -> None:
    answer(1)
    with weft.init("other"):
        answer(2)

    with weft.Api("other") as api:
        assert [row.project for row in api.traces()] == ["other"]
        assert len(api.traces({"project": "default"})) == 1
        assert api.run(api.runs()[0].id).project == "other"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("asked", [{"where": "name"}, {"where": [1]}, {"where": ""}, {"order": 5}, {"order": None}])
def test_a_question_of_the_wrong_type_is_told_so(asked: dict[str, Any]) -> None:
    with weft.Api() as api, pytest.raises(UsageError, match=r"a filter is a dict like|an order is a text like"):
        api.spans(**asked)


@pytest.mark.usefixtures("home")
def test_a_frame_of_nothing_has_the_columns_of_its_rows() -> None:
    with weft.Api() as api:
        frame = api.spans().to_pandas()

    assert frame[["name", "kind", "start"]].empty
    assert str(frame["start"].dtype).startswith("datetime64")


@pytest.mark.usefixtures("home")
def test_a_pattern_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.tracking.store.patterns.MOST_SECONDS", 0.2)
    weft.op(lambda x: x)("x" * 20_000)
    with weft.Api() as api, pytest.raises(UsageError, match="took longer than"):
        api.spans({"inputs.x": {"$regex": "(x+x+)+y"}})
