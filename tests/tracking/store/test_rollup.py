"""Roll-ups: each token once, whoever repeats it, and the same in the store whatever order the spans arrive in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, SpanClosed, SpanOpened, SpanPriced
from weft.tracking.store import schema
from weft.tracking.store.rollup import Reported, Used, nearest, same_model, total
from weft.tracking.store.sink import Position
from weft.tracking.store.spanfacts import UNKNOWN_COST
from weft.tracking.store.store import Store

TRACE = b"t" * 16
_t = schema.trace.c


class Node(NamedTuple):
    """A span of a made-up tree."""

    name: str
    parent: str | None
    kind: str
    model: str | None = None
    inputs: int | None = None
    outputs: int | None = None
    cost: int | None = None
    estimated: bool = False
    """The counts are weft's own."""

    @property
    def span_id(self) -> bytes:
        return self.name.encode().rjust(8, b".")

    def records(self) -> Iterator[Record]:
        parent = None if self.parent is None else self.parent.encode().rjust(8, b".")
        yield SpanOpened(SCHEMA, TRACE, self.span_id, parent, self.name, self.kind, 1, "p")
        usage = {"input_tokens": self.inputs, "output_tokens": self.outputs}
        counts = {name: count for name, count in usage.items() if count is not None}
        reported = None if self.estimated else counts or None
        yield SpanClosed(SCHEMA, TRACE, self.span_id, 2, 1, "ok", model=self.model, usage=reported)
        if self.estimated:
            cost = UNKNOWN_COST if self.cost is None else self.cost
            yield SpanPriced(SCHEMA, TRACE, self.span_id, 3, cost, "table", None, ["estimated"], counts)
        elif self.cost is not None:
            yield SpanPriced(SCHEMA, TRACE, self.span_id, 3, self.cost, "table")


def reference(nodes: list[Node]) -> Used:
    """The pure rule over the whole tree."""
    parents = {node.span_id: node.parent.encode().rjust(8, b".") if node.parent else None for node in nodes}
    reporting = {node.span_id: node for node in nodes if node[4:7] != (None, None, None)}
    above = nearest(reporting, parents)
    return total(Reported(key, above[key], *node[2:]) for key, node in reporting.items())


def used(*nodes: Node) -> tuple[int | None, ...]:
    return tuple(reference(list(nodes)))


def test_an_agent_that_repeats_its_calls_usage_counts_once() -> None:
    """openinference #3164, pydantic-ai #3995."""
    calls = [Node("x", "a", "llm", "gpt-4o", 100, 10, 5), Node("y", "t", "llm", "gpt-4o", 200, 20, 7)]
    between = Node("t", "a", "tool")
    assert used(Node("a", None, "agent", "gpt-4o", 300, 30, 99), between, *calls) == (300, 30, 12)
    assert used(Node("a", None, "chain", None, 300, 30), between, *calls) == (300, 30, 12)


def test_what_an_agent_used_beyond_its_recorded_calls_counts_too() -> None:
    agent = Node("a", None, "agent", "gpt-4o", 300, 30, 15)
    assert used(agent, Node("x", "a", "llm", "gpt-4o", 100, 10, 5)) == (300, 30, 15)


def test_a_wrapped_call_is_one_call() -> None:
    """litellm over openai, phoenix #15793: with the same counts, or with fewer as an inner layer sees them."""
    outer = Node("a", None, "llm", "openai/gpt-4o", 100, 10, 5)
    assert used(outer, Node("x", "a", "llm", "gpt-4o-2024-08-06", 100, 10, 5)) == (100, 10, 5)
    assert used(outer, Node("x", "a", "llm", "gpt-4o", 90, 10, 4)) == (100, 10, 5)
    assert used(Node("a", None, "llm", "my-deployment", 100, 10), Node("x", "a", "llm", "gpt-4o", 100, 10, 5)) == (
        *(100, 10),
        5,
    )
    three = [Node(name, above, "llm", "m", 100, 10, 5) for name, above in (("a", None), ("x", "a"), ("y", "x"))]
    assert used(*three) == (100, 10, 5)


def test_of_two_layers_that_count_alike_the_inner_one_knows_the_cost() -> None:
    """smolagents does not say what was cached; the client inside it does."""
    inner = Node("x", "a", "llm", "gpt-4o", 100, 10, 3)
    assert used(Node("a", None, "llm", "gpt-4o", 100, 10, 5), inner) == (100, 10, 3)


def test_estimates_stand_back_where_somebody_reports() -> None:
    """dspy reports nothing over litellm, which does; langchain reports what a stream inside it was not asked for."""

    def counted(*layers: tuple[str, int, bool]) -> tuple[int | None, ...]:
        reports = [
            Reported(bytes([at]), bytes([at - 1]) if at else None, "llm", model, count, 1, count, estimated=estimated)
            for at, (model, count, estimated) in enumerate(layers)
        ]
        return tuple(total(reports))

    assert counted(("m", 90, True), ("m", 50, False)) == (50, 1, 50)
    assert counted(("m", 50, False), ("m", 90, True)) == (50, 1, 50)
    assert counted(("m", 90, True), ("m", 80, True)) == (80, 1, 80)
    assert counted(("m", 90, True)) == (90, 1, 90)
    assert counted(("m", 50, False), ("other", 90, True)) == (140, 2, 140)


@pytest.mark.parametrize("kind", ["llm", "tool", "op"])
def test_a_call_of_another_model_inside_a_call_is_a_call_of_its_own(kind: str) -> None:
    outer = Node("a", None, kind, "gpt-4o", 100, 10, 5)
    assert used(outer, Node("x", "a", "llm", "claude-opus-4-5", 40, 4, 2)) == (140, 14, 7)
    assert used(outer, Node("w", "a", "llm", "gpt-4o", 100, 10, 5), Node("x", "a", "llm", "o3", 40, 4, 2)) == (
        *(140, 14),
        7,
    )
    assert used(outer, Node("x", "a", "llm", "gpt-4o", 400, 4, 2)) == (500, 14, 7)


def test_siblings_and_rings_are_added_and_unknown_stays_unknown() -> None:
    assert used(Node("x", None, "llm", "m", 1), Node("y", "missing", "llm", "m", 2)) == (3, None, None)
    assert used(Node("x", "y", "llm", "m", 1), Node("y", "x", "llm", "m", 2)) == (3, None, None)
    assert used(Node("x", "x", "llm", "m", 1)) == (1, None, None)
    assert used(Node("x", None, "op")) == (None, None, None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gpt-4o", "openai/gpt-4o-2024-08-06", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929", True),
        ("GPT-4o", "gpt-4o", True),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("o3", "gpt-4o", False),
    ],
)
def test_models_are_told_apart_by_name(one: str, other: str, same: bool) -> None:
    assert same_model(one, other) is same_model(other, one) is same


COUNTS = st.none() | st.sampled_from([0, 1, 2, 10, 100])


@st.composite
def trees(draw: st.DrawFn, *, estimates: bool = False) -> list[Node]:
    names = "abcdefgh"[: draw(st.integers(1, 8))]
    nodes = [
        Node(
            name,
            draw(st.sampled_from([None, *names, "missing"])),
            draw(st.sampled_from(["op", "agent", "llm", "tool"])),
            draw(st.sampled_from([None, "m", "x/m", "n"])),
            *draw(st.tuples(COUNTS, COUNTS, COUNTS)),
        )
        for name in names
    ]
    counted = [estimates and node[4:6] != (None, None) for node in nodes]
    return [node._replace(estimated=may and draw(st.booleans())) for node, may in zip(nodes, counted, strict=True)]


@given(trees())
def test_never_more_than_the_sum_never_less_than_the_largest(nodes: list[Node]) -> None:
    for found, counts in zip(
        reference(nodes)[:2], ([n.inputs for n in nodes], [n.outputs for n in nodes]), strict=True
    ):
        said = [count for count in counts if count is not None]
        assert (found is None) == (not said)
        if found is not None:
            assert max(said) <= found <= sum(said)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(estimates=True), st.data())
def test_the_store_says_what_the_rule_says_in_any_order_and_any_batches(
    store: Store, nodes: list[Node], data: Any
) -> None:
    records = [record for node in nodes for record in node.records()]
    mixed = data.draw(st.permutations(records))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(mixed)), max_size=5)))
    with store.writing() as transaction:
        for table in ("span", "span_payload", "trace"):
            transaction.run(f"DELETE FROM {table}")
    for start, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True):
        frames = [Frame(16 + 10 * at, 26 + 10 * at, record) for at, record in enumerate(mixed[start:end])]
        if frames:
            store.sink().apply(frames, Position("home", "s", 16 + 10 * end, b"writer00"))
    with store.reading() as connection:
        (sums,) = connection.execute(select(_t.input_tokens, _t.output_tokens, _t.cost_pico_usd)).all()
    assert tuple(sums) == reference(nodes)
