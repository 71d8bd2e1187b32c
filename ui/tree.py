"""Spans as a tree in the order they are read: depth, folds, and the path that the trace's time was spent on. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from weft.tracking.store.readmodels import SpanRecord

CLOCK_NS = 100_000
"""How far the ends of a caller and of what it waited for may differ, beside 1% of the caller's length."""


@dataclass(frozen=True, slots=True)
class Node:
    """One row of the trace view."""

    span: SpanRecord
    depth: int
    children: int
    below: int
    """Spans under it, at any depth."""
    critical: bool
    """On the chain of calls that the root waited for, last to first."""


def arrange(spans: Sequence[SpanRecord], now_ns: int) -> list[Node]:
    """Depth first, siblings by start. A span whose parent has not arrived, or that is its own ancestor, is a root."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[SpanRecord]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (span.start_ns, span.span_id)):
        parent = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else None
        children[parent].append(span)
    order = _walk(children, children[None])
    if len(order) < len(spans):  # cycles: reached from no root
        reached = {span.span_id for span, _ in order}
        for span in sorted(spans, key=lambda span: span.start_ns):
            if span.span_id not in reached:
                loop = _walk(children, [span], reached)
                reached |= {each.span_id for each, _ in loop}
                order += loop
    depths = [depth for _, depth in order]
    children_of = _children(depths)
    below = _below(depths)
    critical = _critical(order, children_of, now_ns)
    return [
        Node(span, depth, len(children_of[at]), below[at], span.span_id in critical)
        for at, (span, depth) in enumerate(order)
    ]


def end_ns(span: SpanRecord, now_ns: int) -> int:
    """When it ended, on the time line of its start; one that still runs ends now."""
    if span.end_ns is not None and span.end_ns >= span.start_ns:
        return span.end_ns
    if span.duration_ns is not None:
        return span.start_ns + span.duration_ns
    return max(span.start_ns, now_ns) if span.status == "running" else span.start_ns


def _walk(
    children: dict[str | None, list[SpanRecord]], roots: Sequence[SpanRecord], seen: set[str] | None = None
) -> list[tuple[SpanRecord, int]]:
    seen = set() if seen is None else set(seen)
    order: list[tuple[SpanRecord, int]] = []
    stack = [(span, 0) for span in reversed(roots)]
    while stack:
        span, depth = stack.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        order.append((span, depth))
        stack.extend((child, depth + 1) for child in reversed(children.get(span.span_id, ())))
    return order


def _below(depths: Sequence[int]) -> list[int]:
    below = [0] * len(depths)
    open_at: list[int] = []
    for at, depth in enumerate(depths):
        while open_at and depths[open_at[-1]] >= depth:
            closed = open_at.pop()
            below[closed] = at - closed - 1
        open_at.append(at)
    for at in open_at:
        below[at] = len(depths) - at - 1
    return below


def _children(depths: Sequence[int]) -> list[list[int]]:
    """By row, the rows directly under it."""
    children: list[list[int]] = [[] for _ in depths]
    open_at: list[int] = []
    for at, depth in enumerate(depths):
        while open_at and depths[open_at[-1]] >= depth:
            open_at.pop()
        if open_at:
            children[open_at[-1]].append(at)
        open_at.append(at)
    return children


def _critical(order: Sequence[tuple[SpanRecord, int]], children: Sequence[Sequence[int]], now_ns: int) -> set[str]:
    """From each root's end backwards: the child that ended last, then the one that ended last before it began."""
    if not order:
        return set()
    path: set[str] = set()
    roots = [at for at, (_, depth) in enumerate(order) if depth == 0]
    pending = [max(roots, key=lambda at: end_ns(order[at][0], now_ns))]
    while pending:
        at = pending.pop()
        span = order[at][0]
        path.add(span.span_id)
        until = end_ns(span, now_ns)
        kids = sorted(children[at], key=lambda kid: end_ns(order[kid][0], now_ns), reverse=True)
        # A child's end, told by its own clock reading, may lie a little behind its parent's that waited for it.
        slack = CLOCK_NS + max(0, until - span.start_ns) // 100
        for kid in kids:
            if order[kid][0].start_ns < until and end_ns(order[kid][0], now_ns) <= until + slack:
                pending.append(kid)
                until = order[kid][0].start_ns
    return path
