"""A trace's row while a batch is applied: sums over its spans, and what its root says. For `SpanSink`.

Usage is added up as it comes while no span that reports it lies below another; otherwise by `rollup`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

import orjson

from weft.tracking.store import schema
from weft.tracking.store.rollup import Reported, Used, nearest, total
from weft.tracking.store.spanfacts import ESTIMATED, MAX_INT, Facts
from weft.tracking.store.spanpayload import shown, shown_error
from weft.tracking.store.transaction import Row

TRACE = [column.name for column in schema.trace.columns]
_SPAN = [column.name for column in schema.span.columns]
_values = attrgetter(*TRACE)
_STATUS, _THREAD, _USER = (_SPAN.index(name) for name in ("status", "thread_id", "user_id"))
_COUNTS = ("input_tokens", "output_tokens", "cost_pico_usd", "usage_flags")
METERED = ("status", "span_id", "parent_id", "kind", "model", *_COUNTS)
"""What a sum over a trace's spans needs of them."""
metered = itemgetter(*(_SPAN.index(name) for name in METERED))
_INPUT, _OUTPUT, _COST, _FLAGS = (_SPAN.index(name) for name in _COUNTS)
_ID, _PARENT, _KIND, _MODEL = (_SPAN.index(name) for name in ("span_id", "parent_id", "kind", "model"))


class TraceState:
    """A `trace` row on its way in."""

    id: int
    trace_id: bytes
    project_key: int | None
    run_key: int | None
    root_key: int
    root_rank: int
    root_span_id: bytes
    name: str
    kind: str
    status: str
    start_ns: int
    end_ns: int | None
    duration_ns: int | None
    span_count: int
    error_count: int
    input_tokens: int | None
    output_tokens: int | None
    cost_pico_usd: int | None
    thread_id: str | None
    user_id: str | None
    tags: str | None
    input_preview: str
    output_preview: str
    __slots__ = (*TRACE, "fresh", "metered", "recount", "reroot", "root_order")

    def __init__(self, key: int, trace_id: bytes, stored: Any = None) -> None:
        self.root_order: tuple[int, int, bytes] | None = None
        self.fresh = stored is None
        self.recount = False
        """The sums must be asked for again: something counted before now counts differently."""
        self.metered: list[Row] = []
        """Rows of this batch that say what they used."""
        self.reroot = False
        """The root may be another stored span now."""
        if stored is not None:
            for name in TRACE:
                setattr(self, name, getattr(stored, name))
            self.trace_id = trace_id
            self.root_span_id = bytes(self.root_span_id)
            self.root_order = (self.root_rank, self.start_ns, self.root_span_id)
        else:
            self.id = key
            self.trace_id = trace_id
            self.root_key = 0
            self.span_count = self.error_count = 0
            self.input_tokens = self.output_tokens = self.cost_pico_usd = None

    def count(self, row: Row, null: Any) -> None:
        """Take a new span's row into the sums."""
        self.span_count += 1
        if row[_STATUS] == "error":
            self.error_count += 1
        inputs, outputs, cost = row[_INPUT], row[_OUTPUT], row[_COST]
        if inputs is outputs is cost is null:
            return
        self.metered.append(row)
        if inputs is not null:
            self.input_tokens = (self.input_tokens or 0) + inputs
        if outputs is not null:
            self.output_tokens = (self.output_tokens or 0) + outputs
        if (found := cost) is not null:
            # None is "nothing priced", or a sum that fits no 64 bits: adding to a stored None means asking again.
            self.recount |= self.cost_pico_usd is None and not self.fresh
            self.cost_pico_usd = (self.cost_pico_usd or 0) + found
            self.recount |= self.cost_pico_usd > MAX_INT

    def count_again(self, row: Row, before: Row) -> None:
        """Take a stored span's new row into the sums."""
        reported = any(before[at] is not None for at in (_INPUT, _OUTPUT, _COST))
        if before[_PARENT] != row[_PARENT] or (
            reported and (before[_KIND], before[_MODEL]) != (row[_KIND], row[_MODEL])
        ):
            self.recount |= self.used
        if all(before[at] == row[at] for at in (_STATUS, _INPUT, _OUTPUT, _COST, _FLAGS)):
            return
        if before[_STATUS] == "error" or reported:
            self.recount = True  # what was counted has changed
            return
        self.span_count -= 1
        self.count(row, None)

    @property
    def used(self) -> bool:
        """Whether any of its spans has said what it used."""
        return not (self.input_tokens is self.output_tokens is self.cost_pico_usd is None)

    def nested(self, spans: Mapping[bytes, Facts]) -> bool:
        """Whether a span of this new trace that reports usage lies below another: then it is not simply added up."""
        ids = {row[_ID] for row in self.metered}
        seen = set()
        for row in self.metered:
            above = row[_PARENT]
            while above in spans and above not in seen:
                if above in ids:
                    return True
                seen.add(above)
                opened = spans[above].opened
                above = None if opened is None else opened.parent_id
        return False

    def roll_up(self, rows: Iterable[Row], parents: Mapping[bytes, bytes | None], null: Any = None) -> None:
        """Take the sums from all rows (of `METERED` columns) that report usage, each token once."""
        metered = {row[1]: row for row in rows}
        above = nearest(metered, parents)
        reports = []
        for span_id, row in metered.items():
            *said, flags = (None if item is null else item for item in row[3:])
            estimated = isinstance(flags, str) and flags.startswith(f'["{ESTIMATED}')
            reports.append(Reported._make((span_id, above[span_id], *said, estimated)))
        found = total(reports)
        self.take(found)

    def take(self, found: Used) -> None:
        """These are the sums. Money that fits no 64 bits is left out."""
        self.input_tokens, self.output_tokens, cost = found
        self.cost_pico_usd = cost if cost is not None and cost <= MAX_INT else None

    def consider(self, facts: Facts, row: Row, null: Any) -> None:
        """The span with the least (rank, start, id) stands for the trace."""
        key, span_id = row[0], row[2]
        order = (facts.rank, facts.start_ns, span_id)
        if self.root_order is None or order < self.root_order:
            self.reroot = self.reroot and key == self.root_key
        elif key != self.root_key:
            return
        elif order > self.root_order:
            self.reroot = True
        self.root_order, self.root_key = order, key
        self.show(facts, row, null)

    def show(self, facts: Facts, row: Row, null: Any = None) -> None:
        """Take over what the root says."""
        self.root_rank, self.root_span_id = facts.rank, row[2]
        row = tuple(None if value is null else value for value in row)
        self.project_key, self.run_key, self.name, self.kind, self.status = row[4:9]
        self.start_ns, self.end_ns, self.duration_ns = row[9:12]
        self.thread_id, self.user_id = row[_THREAD], row[_USER]
        opened, closed = facts.opened, facts.closed
        found = facts.overridden() if facts.updates is not None else {}
        tags = found.get("tags")
        self.tags = orjson.dumps(tags).decode() if tags is not None else None
        inputs: Any = opened.inputs if opened is not None else None
        if "inputs" in found:
            inputs = orjson.dumps(found["inputs"])
        self.input_preview = shown(inputs)
        self.output_preview = ""
        if closed is not None:
            self.output_preview = shown(closed.output) if closed.error is None else shown_error(closed.error)

    def row(self) -> Row:
        found: Row = _values(self)
        return found
