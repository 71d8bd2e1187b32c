"""The filter language: what a filter means, on every database, and what it refuses."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, RunStarted, SpanClosed, SpanOpened, SpanPriced, SpanUpdated
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import TraceRecord
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

NAMES = ["plain", "100%", "a_b", "axb", "back\\slash", "MiXed", 'it\'s "quoted"']
THREADS = [None, "t1", "t2"]
TAGS = [None, ["x"], ["x", "y z"], []]


def _records(number: int) -> list[Record]:
    trace_id, span_id = number.to_bytes(16, "big"), b"a" * 8
    name, thread_id = NAMES[number % len(NAMES)], THREADS[number % 3]
    run_uid = bytes([number % 2]) * 16 if number % 4 == 0 else None
    found: list[Record] = [
        SpanOpened(
            SCHEMA, trace_id, span_id, None, name, "op", number, f"p{number % 2}", run_uid, None, None, thread_id
        )
    ]
    if number % 5:
        found.append(
            SpanClosed(SCHEMA, trace_id, span_id, number + 10, number % 7, "error" if number % 3 == 0 else "ok")
        )
    if number % 2:
        found.append(SpanPriced(SCHEMA, trace_id, span_id, 1, number * 10**9, "t"))
    tags = TAGS[number % 4]
    if tags is not None:
        found.append(SpanUpdated(SCHEMA, trace_id, span_id, 1, tags=orjson.dumps(tags)))
    return found


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    """A reader of 42 traces that differ in everything."""
    records: list[Record] = [RunStarted(SCHEMA, bytes([n]) * 16, f"run{n}", "p0", "", 1) for n in range(2)]
    for number in range(42):
        records += _records(number)
    frames = [Frame(at, at + 1, record) for at, record in enumerate(records)]
    store.sink().apply(frames, Position("home", "s", len(frames), b"writer00"))
    return store.reader()


def ids(reader: Reader, where: Mapping[str, Any] | None) -> set[str]:
    page = reader.traces(where, limit=100)
    assert page.total == len(page.rows) == reader.trace_stats(where).count
    return {row.trace_id for row in page.rows}


def holds(row: TraceRecord, where: Mapping[str, Any]) -> bool:
    """What a filter means, in Python."""
    return all(_one(row, name, value) for name, value in where.items())


def _one(row: TraceRecord, name: str, value: Any) -> bool:
    if name == "$and":
        return all(holds(row, part) for part in value)
    if name == "$or":
        return any(holds(row, part) for part in value)
    if name == "$not":
        return not holds(row, value)
    found = getattr(row, name)
    operators = value if isinstance(value, Mapping) else {"$eq": value}
    return all(_leaf(found, operator, operand) for operator, operand in operators.items())


def _leaf(found: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "$not":
            return not all(_leaf(found, inner, value) for inner, value in operand.items())
        case "$eq":
            return bool(found == operand)
        case "$ne":
            return bool(found != operand)
        case "$in":
            return found in operand
        case "$nin":
            return found not in operand
        case "$exists":
            return (found is not None) == operand
        case "$contains":
            return found is not None and operand.lower() in found.lower()
    if found is None:
        return False
    return bool(
        {"$gt": found > operand, "$gte": found >= operand, "$lt": found < operand, "$lte": found <= operand}[operator]
    )


def leaves(name: str, values: st.SearchStrategy[Any], nullable: bool, text: bool) -> st.SearchStrategy[dict[str, Any]]:
    maybe = st.none() | values if nullable else values
    operators = [st.fixed_dictionaries({operator: values}) for operator in ("$gt", "$gte", "$lt", "$lte")] + [
        st.fixed_dictionaries({operator: maybe}) for operator in ("$eq", "$ne")
    ]
    operators += [st.fixed_dictionaries({operator: st.lists(maybe, max_size=3)}) for operator in ("$in", "$nin")]
    operators.append(st.fixed_dictionaries({"$exists": st.booleans()}))
    if text:
        operators.append(
            st.fixed_dictionaries({"$contains": st.sampled_from(["a", "%", "_", "\\", "MIX", '"', "'", ""])})
        )
    found = st.one_of(operators)
    return st.fixed_dictionaries({name: st.one_of(maybe, found, st.fixed_dictionaries({"$not": found}))})


LEAVES = st.one_of(
    leaves("name", st.sampled_from([*NAMES, "other"]), False, True),
    leaves("status", st.sampled_from(["ok", "error", "running"]), False, True),
    leaves("thread_id", st.sampled_from(["t1", "t2", "t3"]), True, True),
    leaves("start_ns", st.integers(-1, 45), False, False),
    leaves("duration_ns", st.integers(0, 7), True, False),
    leaves("cost", st.sampled_from([Decimal(n) / 1000 for n in (1, 7, 20, 41)]), True, False),
    leaves("project", st.sampled_from(["p0", "p1", "p2"]), False, True),
    leaves("run_id", st.sampled_from(["run0", "run1", "run2"]), True, True),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$and": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"$or": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"$not": inner}),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FILTERS, min_size=1, max_size=5))
def test_a_filter_finds_what_it_says(reader: Reader, filters: list[dict[str, Any]]) -> None:
    rows = reader.traces(limit=100).rows
    for where in filters:
        assert ids(reader, where) == {row.trace_id for row in rows if holds(row, where)}


def test_wildcards_are_plain_characters(reader: Reader) -> None:
    found = {row.name for row in reader.traces({"name": {"$contains": "a_b"}}).rows}
    assert found == {"a_b"}
    assert {row.name for row in reader.traces({"text": "0%"}).rows} == {"100%"}


def test_tags_are_asked_item_by_item(reader: Reader) -> None:
    rows = reader.traces(limit=100).rows
    for where, wanted in (
        ({"tags": "x"}, lambda tags: "x" in tags),
        ({"tags": {"$contains": "y z"}}, lambda tags: "y z" in tags),
        ({"tags": {"$contains": "y"}}, lambda tags: False),
        ({"tags": {"$ne": "x"}}, lambda tags: "x" not in tags),
        ({"tags": {"$in": ["q", "y z"]}}, lambda tags: "y z" in tags),
        ({"tags": {"$nin": ["x"]}}, lambda tags: "x" not in tags),
    ):
        assert ids(reader, where) == {row.trace_id for row in rows if wanted(row.tags)}, where


def test_an_id_is_found_by_its_end(reader: Reader) -> None:
    assert ids(reader, {"trace_id": {"$endswith": "0b"}}) == {(11).to_bytes(16, "big").hex()}
    assert ids(reader, {"trace_id": {"$endswith": "ff0b"}}) == set()
    assert reader.spans({"trace_id": {"$endswith": "00000b"}}).total == 1


def test_ids_are_hex(reader: Reader) -> None:
    trace_id = (7).to_bytes(16, "big").hex()
    assert ids(reader, {"trace_id": trace_id}) == {trace_id}
    assert ids(reader, {"trace_id": {"$in": [trace_id, "f" * 32]}}) == {trace_id}
    assert reader.spans({"trace_id": trace_id, "span_id": (b"a" * 8).hex()}).total == 1
    assert reader.spans({"trace_id": {"$ne": trace_id}}).total == 41
    assert ids(reader, {"run_uid": "00" * 16}) == ids(reader, {"run_id": "run0"}) != set()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"speed": 1}, r"unknown filter field 'speed'; valid: trace_id, project, .*\$not"),
        ({"name": {"$near": "x"}}, r"unknown filter operator '\$near' of 'name'; valid: \$eq"),
        ({"inputs.a": {"$near": "x"}}, r"unknown filter operator '\$near' of 'inputs.a'; valid: \$eq"),
        ({"inputs..a": 1}, "is no path"),
        ({"inputs.a": {"$regex": "("}}, "no regular expression"),
        ({"inputs.a": {"$gt": [1]}}, "number or text"),
        ({"inputs.a": {"$size": "3"}}, "whole number"),
        ({"inputs.a": {"$type": "date"}}, "one of number, string"),
        ({"inputs.a": {"$as": "date", "$gt": 1}}, "one of number, text"),
        ({"inputs.a": {"$contains": 5}}, "takes text"),
        ({"inputs.a": {"$gt": {"$field": "speed"}}}, "'speed' cannot be compared"),
        ({"scores": 5}, "elemMatch"),
        ({"scores.helpful.speed": {"$near": 1}}, "unknown filter operator"),
        ({"scores": {"$elemMatch": {"speed": 1}}}, "unknown filter field 'speed'"),
        ({"name.first": "x"}, "unknown filter field"),
        ({"name": 5}, "takes text, not 5"),
        ({"start_ns": "now"}, "takes a number, not 'now'"),
        ({"start_ns": True}, "takes a number"),
        ({"start_ns": 1 << 70}, "64 bits"),
        ({"trace_id": "abc"}, "32 hex digits"),
        ({"trace_id": "z" * 32}, "32 hex digits"),
        ({"cost": "much"}, "amount of USD"),
        ({"cost": float("nan")}, "amount of USD"),
        ({"name": {"$in": "ab"}}, "takes a list"),
        ({"name": {"$gt": None}}, "takes a value"),
        ({"name": {"$exists": 1}}, "True or False"),
        ({"duration_ns": {"$contains": "1"}}, "is no text"),
        ({"start_ns": {"$endswith": "b"}}, "is no text and no id"),
        ({"start_ns": {"$startswith": "b"}}, "is no text"),
        ({"trace_id": {"$endswith": "abc"}}, "even number"),
        ({"text": {"$gt": "a"}}, r"takes text or \$contains, \$search"),
        ({"tags": {"$gt": ["a"]}}, "number or text"),
        ({"tags": {"$in": [str(n) for n in range(40_000)]}}, "takes up to 500 texts, not 40,000"),
        ({"$or": {"name": "a"}}, "takes a list of filters"),
        ({"$and": ["x"]}, "a filter is a dict"),
        ("name", "a filter is a dict"),
    ],
)
def test_what_cannot_be_meant_is_refused(reader: Reader, where: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        reader.traces(where)


@pytest.mark.parametrize("where", [{"name": "\udcff"}, {"text": {"$contains": "\udcff"}}, {"tags": "\udcff"}])
def test_text_that_is_no_utf_8_finds_nothing_and_breaks_nothing(reader: Reader, where: dict[str, Any]) -> None:
    """As a shell hands over an argument of stray bytes."""
    assert reader.traces(where, limit=1 << 70, offset=0).rows == []


def test_as_many_tags_as_are_taken_are_asked_at_once(reader: Reader) -> None:
    asked = [*map(str, range(499)), "x"]
    assert ids(reader, {"tags": {"$in": asked}}) == ids(reader, {"tags": "x"}) != set()
    assert ids(reader, {"tags": {"$nin": asked}}) == ids(reader, {"tags": {"$ne": "x"}})


@pytest.mark.parametrize(
    "where",
    [
        {"$or": [{"name": str(number)} for number in range(5_000)]},
        functools.reduce(lambda inner, _: {"$not": inner}, range(300), {"name": "a"}),
        functools.reduce(lambda inner, _: {"$or": [inner, {"inputs.a": 1}]}, range(300), {"name": "a"}),
    ],
    ids=["many", "deep", "deep in lists"],
)
def test_a_filter_that_no_database_takes_is_refused_in_one_line(store: Store, where: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="at most 400 conditions, nested 60 deep"):
        store.reader().spans(where)


def test_as_many_conditions_as_are_allowed_are_answered(store: Store) -> None:
    wide = {"$or": [{"name": str(number)} for number in range(390)]}
    deep = functools.reduce(lambda inner, _: {"$and": [inner]}, range(28), {"inputs.a": 1})

    assert store.reader().spans(wide).rows == []
    assert store.reader().spans(deep).rows == []
