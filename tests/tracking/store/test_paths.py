"""Filters, order and pages over what lies within JSON: what is found is what is shown, on every database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, ScoreLogged, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.store import listing
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import SpanRecord
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

VALUES: list[Any] = [
    5,
    7,
    0,
    -1,
    5.5,
    "5",
    "STRing",
    "",
    True,
    False,
    None,
    [1, 2],
    [],
    {"deep": [{"x": 9}]},
    2**63,
    "é",
]
KEYS = ["plain", "a.b", 'q"uote', "$where", "__proto__", "1"]


def trace_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _records(number: int) -> list[Record]:
    trace, span = trace_id(number), b"s" * 8
    value = VALUES[number % len(VALUES)]
    opened = SpanOpened(
        SCHEMA,
        trace,
        span,
        None,
        f"op{number % 3}",
        "op",
        number // 4,
        "p",
        inputs=orjson.dumps({"n": value, "rows": [{"k": number}, {"k": number + 1}], KEYS[number % 6]: number}),
        attributes=orjson.dumps({"release": f"v{number % 4}", "gen_ai.request.model": "m", "nested": {"a": number}}),
    )
    found: list[Record] = [opened]
    if number % 3 == 0:
        change = {"release": f"v{number % 2}", "late": number}
        found.append(
            SpanUpdated(
                SCHEMA,
                trace,
                span,
                5 if number % 2 else 10**6,
                attributes=orjson.dumps(change),
                inputs=orjson.dumps({"n": "changed"}) if number % 9 == 0 else None,
                tags=orjson.dumps(["prod", f"t{number % 2}"]),
            )
        )
    if number % 5:
        found.append(
            SpanClosed(
                SCHEMA,
                trace,
                span,
                number + 1000,
                10,
                "ok",
                output=orjson.dumps(value),
                usage={"input_tokens": number, "output_tokens": 30 - number} if number % 2 else None,
                attributes=b'{"release":"closed"}' if number % 7 == 0 else None,
            )
        )
    return found


def apply(store: Store, records: list[Record], segment: str = "s") -> None:
    frames = [Frame(at, at + 1, record) for at, record in enumerate(records)]
    store.sink().apply(frames, Position("home", segment, len(records), b"writer00"))


@pytest.fixture
def reader(store: Store) -> Reader:
    """A reader of 64 spans whose payloads differ in everything, some of them changed after the fact."""
    apply(store, [record for number in range(64) for record in _records(number)])
    return store.reader()


def at(document: Any, path: list[str]) -> list[Any]:
    """What a path means, said another way than in `paths`: every way to read it is tried."""
    if not path:
        return [document]
    found: list[Any] = []
    if isinstance(document, Mapping):
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            found += at(document[key], path[length:]) if key in document else []
    elif isinstance(document, list):
        if path[0].isdigit():
            found += at(document[int(path[0])], path[1:]) if int(path[0]) < len(document) else []
        else:
            for item in document:
                found += at(item, path)
    return found


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def holds(span: SpanRecord, field: str, operator: str, operand: Any) -> bool:
    head, *path = field.split(".")
    document = getattr(span, head)
    found = at(document if head != "tags" else list(document) or None, path)
    many = found + [item for value in found if isinstance(value, list) for item in value]
    equal = any(kind(value) == kind(operand) and value == operand for value in many) or (not found and operand is None)
    match operator:
        case "$eq":
            return equal
        case "$ne":
            return not equal
        case "$exists":
            return any(value is not None for value in found) == operand
        case "$type":
            return any(kind(value) == {"string": "str"}.get(operand, operand) for value in found)
        case "$size":
            return any(isinstance(value, list) and len(value) == operand for value in found)
        case "$contains":
            return any(isinstance(value, str) and operand.lower() in value.lower() for value in many)
        case "$startswith":
            return any(isinstance(value, str) and value.startswith(operand) for value in many)
    comparable = [value for value in many if kind(value) == kind(operand)]
    return any(value > operand if operator == "$gt" else value <= operand for value in comparable)


FIELDS = st.sampled_from(
    [
        "inputs.n",
        "inputs.rows.k",
        "inputs.rows.1.k",
        "inputs.n.deep.x",
        "inputs.n.0",
        "output",
        "output.deep.0.x",
        "attributes.release",
        "attributes.gen_ai.request.model",
        "attributes.nested.a",
        "attributes.late",
        "usage.input_tokens",
        "tags",
        "error.type",
    ]
)
LEAVES = st.one_of(
    st.tuples(
        FIELDS,
        st.sampled_from(["$eq", "$ne"]),
        st.sampled_from([5, 7, "5", "STRing", None, True, "v1", "m", 9, "prod"]),
    ),
    st.tuples(FIELDS, st.sampled_from(["$gt", "$lte"]), st.sampled_from([5, 0, 20.5, "S", "v1"])),
    st.tuples(FIELDS, st.just("$exists"), st.booleans()),
    st.tuples(FIELDS, st.just("$type"), st.sampled_from(["number", "string", "bool"])),
    st.tuples(FIELDS, st.just("$size"), st.sampled_from([0, 2])),
    st.tuples(FIELDS.filter(lambda name: name != "tags"), st.just("$contains"), st.sampled_from(["str", "V", "é"])),
    st.tuples(FIELDS, st.just("$startswith"), st.sampled_from(["v1", "S", "clo"])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(LEAVES, LEAVES, st.sampled_from(["one", "and", "or", "not", "mixed"])), min_size=1, max_size=4)
)
def test_what_is_filtered_is_what_is_shown(reader: Reader, asked: list[Any]) -> None:
    shown = reader.spans(payloads=True).rows
    for first, second, how in asked:
        (a, b) = [{field: {operator: operand}} for field, operator, operand in (first, second)]
        where: dict[str, Any] = {
            "one": a,
            "and": {"$and": [a, b]},
            "or": {"$or": [a, b]},
            "not": {"$nor": [a, b]},
            "mixed": {"$or": [{"name": "op1"}, {"$not": a}], **b},
        }[how]

        def meant(span: SpanRecord, first: Any = first, second: Any = second, how: str = how) -> bool:
            x, y = holds(span, *first), holds(span, *second)
            mixed = (span.name == "op1" or not x) and y
            return {"one": x, "and": x and y, "or": x or y, "not": not (x or y), "mixed": mixed}[how]

        page = reader.spans(where)
        assert [row.trace_id for row in page.rows] == [row.trace_id for row in shown if meant(row)], where
        assert (page.total, page.exact, page.cursor) == (len(page.rows), True, None)
        if "usage" not in str(where) and "tags" not in str(where):  # what a trace has none of, or as a column
            traces = reader.traces(where | {"span_count": 1}, limit=100)
            assert {row.trace_id for row in traces.rows} == {row.trace_id for row in page.rows}
            assert reader.trace_stats(where).count == len(page.rows)


def test_the_ten_calls_of_weaves_query_cases(store: Store) -> None:
    """Numbers, texts that look like numbers, and lists: comparisons exclude what is of another type, without error."""
    for number in range(10):
        given = {"s": f"str {number}", "i": number if number % 2 == 0 else str(number), "l": [number, -1]}
        opened = SpanOpened(
            SCHEMA, trace_id(number), b"s" * 8, None, "op", "op", number, "p", inputs=orjson.dumps(given)
        )
        apply(store, [opened], f"s{number}")
    count = lambda where: store.reader().spans(where).total  # noqa: E731
    assert count({"inputs.i": {"$gt": 5}}) == 2
    assert count({"inputs.i": {"$as": "number", "$gt": 5}}) == 4
    assert count({"inputs.i": {"$not": {"$as": "number", "$gt": 5}}}) == 6
    assert count({"inputs.s": {"$contains": {"text": "STR", "case": True}}}) == 0
    assert count({"inputs.s": {"$contains": "STR"}}) == 10
    assert count({"inputs.s": {"$regex": r"^str [0-3]$"}}) == 4
    assert count({"inputs.s": {"$regex": {"pattern": "STR 1", "case": False}}}) == 1
    assert count({"inputs.l.0": {"$lt": 4}}) == 4
    assert count({"inputs.l": -1}) == 10
    assert count({"inputs.l": {"$size": {"$gte": 2}}}) == 10
    assert count({"inputs.l.0": {"$eq": {"$field": "inputs.i"}}}) == 5
    assert count({"start_ns": {"$gt": {"$field": "inputs.l.1"}}}) == 10
    assert count({"name": {"$regex": "^o"}, "inputs.i": {"$in": [0, "1", 99]}}) == 2


def test_a_key_is_met_as_it_is_written(reader: Reader) -> None:
    for key in KEYS:
        escaped = key.replace(".", "\\.")
        found = reader.spans({f"inputs.{escaped}": {"$exists": True}}, payloads=True).rows
        assert {key in row.inputs for row in found} == {True}, key
    assert reader.spans({"inputs.' OR 1=1 --": 1}).rows == []


def test_any_reaction_is_found_among_many(store: Store) -> None:
    apply(store, _records(1) + _records(2))

    def said(uid: int, label: str | None, kind: str, name: str, value: float | None = None) -> ScoreLogged:
        span = {"trace_id": trace_id(1), "span_id": b"s" * 8}
        return ScoreLogged(
            SCHEMA, uid.to_bytes(16, "big"), "span", uid, name, "p", value, label, kind=kind, author="ann", **span
        )

    down = [said(n, "👎", "reaction", "reaction") for n in range(10)]
    apply(store, [*down, said(11, "👍", "reaction", "reaction"), said(12, None, "score", "help.ful", 0.75)], "scores")
    reader = store.reader()
    for where, wanted in (
        ({"feedback.reaction": "👍"}, 1),
        ({"scores": {"$elemMatch": {"kind": "reaction", "label": "👍", "author": "ann"}}}, 1),
        ({"scores": {"$elemMatch": {"kind": "reaction", "label": "👍", "author": "bob"}}}, 0),
        ({"scores.help\\.ful.value": {"$gt": 0.5}}, 1),
        ({"scores.help.ful": {"$gt": 0.8}}, 0),
        ({"scores.help.ful": 0.75}, 1),
        ({"feedback.reaction": {"$ne": "👍"}}, 1),
        ({"scores": {"$exists": False}}, 1),
        ({"feedback.reaction": "👍", "inputs.n": {"$exists": True}}, 1),
    ):
        assert reader.spans(where).total == reader.traces(where).total == wanted, where
    (trace,) = reader.traces({"scores": {"$exists": True}}).rows
    assert (dict(trace.scores), dict(trace.labels)) == ({"reaction": None, "help.ful": 0.75}, {"reaction": "👍"})


def _sorted(reader: Reader, order: str, **more: Any) -> list[str]:
    return [row.trace_id for row in reader.spans(order=order, **more).rows]


def test_mixed_values_stand_in_one_order(reader: Reader) -> None:
    values = {row.trace_id: row.inputs.get("n") for row in reader.spans(payloads=True).rows}
    up = [values[found] for found in _sorted(reader, "inputs.n")]
    down = [values[found] for found in _sorted(reader, "-inputs.n")]
    for found, turned in ((up, False), (down, True)):
        numbers = [value for value in found if isinstance(value, (int, float))]
        texts = [value for value in found if isinstance(value, str)]
        assert numbers == sorted(numbers, reverse=turned)
        assert texts == sorted(texts, reverse=turned)
        assert found[: len(numbers) + len(texts)] == numbers + texts
    with pytest.raises(UsageError, match=r"cannot order by 'text'; valid: .*inputs\.<path>"):
        reader.spans(order="text")


@pytest.mark.parametrize("order", ["start_ns", "-start_ns", "-duration_ns", "end_ns", "name", "inputs.n", "-inputs.n"])
@pytest.mark.parametrize("where", [None, {"attributes.nested.a": {"$gte": 7}}])
def test_pages_neither_skip_nor_repeat(store: Store, reader: Reader, order: str, where: Any) -> None:
    """Equal times, unknown values, and rows that arrive while one leafs."""
    wanted = _sorted(reader, order, where=where)
    by_cursor, by_offset = [], []
    for offset in range(0, 70, 7):
        by_offset += [row.trace_id for row in reader.spans(where, order=order, limit=7, offset=offset).rows]
    cursor = None
    for turn in range(20):
        page = reader.spans(where, order=order, limit=7, after=cursor)
        by_cursor += [row.trace_id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
        early = SpanOpened(SCHEMA, trace_id(900 + turn), b"n" * 8, None, "new", "op", -5, "p")
        apply(store, [early], f"new{order}{where}{turn}")
    assert by_offset == wanted
    assert [found for found in by_cursor if int(found, 16) < 900] == wanted


@pytest.mark.parametrize("cursor", ["x", "", "é", "W10", "WyJuYW1lIiwxLDFd", "A" * 5000])
def test_a_cursor_of_something_else_is_refused(reader: Reader, cursor: str) -> None:
    with pytest.raises(UsageError, match="is no cursor of a list in order of"):
        reader.spans(after=cursor, limit=3)


def test_what_was_not_looked_at_is_said(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_LOOKED_AT", 20)
    where = {"inputs.rows.0.k": 3}
    page, seen, cursor = None, [], None
    for _ in range(4):
        page = reader.spans(where, limit=5, after=cursor)
        seen += [row.trace_id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
        assert "20 rows were looked at" in page.notes[0]
        assert not page.exact
    assert page is not None
    assert cursor is None
    assert seen == [trace_id(3).hex()]
    assert reader.spans(where).total == 1  # without a limit all are looked at
    assert reader.trace_stats({"inputs.rows.0.k": 3}).notes != ()
