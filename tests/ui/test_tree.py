"""Spans become rows: order, depth, critical path, whatever arrived."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.store.readmodels import SpanRecord
from weft.ui import tree


def span(ident: str, parent: str | None, start: int, length: int | None, status: str = "ok") -> SpanRecord:
    nothing: dict[str, Any] = dict.fromkeys(
        ("model", "provider", "usage", "cost", "price_source", "run_id", "thread_id", "turn_id", "user_id", "version")
    )
    end = None if length is None else start + length
    return SpanRecord(
        trace_id="t", span_id=ident, parent_id=parent, project="p", name=ident, kind="op", status=status,
        start_ns=start, end_ns=end, duration_ns=length, input_preview="", output_preview="", **nothing,
    )  # fmt: skip


def test_depth_first_by_start() -> None:
    """Children follow their parent in order of time; counts are of direct and of all below."""
    nodes = tree.arrange(
        [span("b", "root", 20, 5), span("root", None, 0, 100), span("a", "root", 10, 5), span("c", "b", 21, 1)], 0
    )
    assert [(node.span.span_id, node.depth, node.children, node.below) for node in nodes] == [
        ("root", 0, 2, 3),
        ("a", 1, 0, 0),
        ("b", 1, 1, 1),
        ("c", 2, 0, 0),
    ]


def test_the_critical_path_is_what_the_root_waited_for() -> None:
    """Of parallel children the one that ended last; of those before it, the last that ended before it began."""
    nodes = tree.arrange(
        [
            span("root", None, 0, 100),
            span("first", "root", 0, 30),
            span("slow", "root", 40, 55),
            span("quick", "root", 40, 10),
        ],
        0,
    )
    assert {node.span.span_id for node in nodes if node.critical} == {"root", "first", "slow"}


def test_clocks_of_caller_and_callee_may_differ_a_little() -> None:
    """A child that ended some microseconds after its caller was waited for; one that outlives it by far was not."""
    ms = 1_000_000
    nodes = tree.arrange(
        [
            span("root", None, 0, 100 * ms),
            span("awaited", "root", 50 * ms, 50 * ms + 9_000),
            span("left behind", "root", 40 * ms, 500 * ms),
        ],
        0,
    )
    assert {node.span.span_id for node in nodes if node.critical} == {"root", "awaited"}


def test_orphans_and_cycles_are_shown() -> None:
    """A parent that never arrived, a span that is its own parent, and a ring: all are rows, once."""
    nodes = tree.arrange(
        [span("lost", "gone", 0, 1), span("self", "self", 1, 1), span("x", "y", 2, 1), span("y", "x", 3, 1)], 0
    )
    assert sorted(node.span.span_id for node in nodes) == ["lost", "self", "x", "y"]
    assert {node.span.span_id: node.depth for node in nodes} == {"lost": 0, "self": 0, "x": 0, "y": 1}


def test_a_running_span_ends_now() -> None:
    """Its bar reaches to the present; an interrupted one has no length."""
    assert tree.end_ns(span("r", None, 10, None, "running"), 50) == 50
    assert tree.end_ns(span("i", None, 10, None, "interrupted"), 50) == 10


def test_a_chain_of_ten_thousand() -> None:
    """Depth is no recursion."""
    nodes = tree.arrange([span(str(at), str(at - 1) if at else None, at, 20_000) for at in range(10_000)], 0)
    assert nodes[-1].depth == 9_999


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 50), st.integers(0, 50)),
        max_size=13,
        unique_by=lambda each: each[0],
    )
)
def test_every_span_is_shown_once(drawn: list[tuple[int, int, int, int]]) -> None:
    """Whatever the parents are, rows are a permutation of the spans, and depth grows by at most one."""
    spans = [span(str(ident), str(parent), start, length) for ident, parent, start, length in drawn]
    nodes = tree.arrange(spans, 0)
    assert sorted(node.span.span_id for node in nodes) == sorted(each.span_id for each in spans)
    for before, after in pairwise(nodes):
        assert after.depth <= before.depth + 1
