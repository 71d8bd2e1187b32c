"""Applies span records: merges a batch in memory, meets what is stored, writes span rows and each trace's roll-up.

Called by `Sink.apply` within its transaction. A trace that is new costs no look-up but one; only spans of traces that
exist are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import orjson

from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanOpened, SpanPriced, SpanUpdated
from weft.tracking.store import schema, textindex
from weft.tracking.store.spanfacts import UNOPENED, Facts, Price, SpanFact
from weft.tracking.store.spanpayload import Update
from weft.tracking.store.tracestate import METERED, TRACE, TraceState, metered
from weft.tracking.store.transaction import Row, Transaction

_SPAN = [column.name for column in schema.span.columns]
_PAYLOAD = [column.name for column in schema.span_payload.columns if column.name != "id"]
_STORED = (
    f"SELECT {', '.join(f's.{name}' for name in _SPAN)}, {', '.join(f'p.{name}' for name in _PAYLOAD)} "
    "FROM {} LEFT JOIN span_payload p ON p.id = s.id"
)
_RANK = f"CASE WHEN project_key IS NULL THEN {UNOPENED} WHEN parent_id IS NULL THEN 0 ELSE 1 END"


Estimator = Callable[[SpanOpened, SpanClosed], SpanPriced | None]
"""Called for closed spans that name a model and report no usage, to count it; and for those whose service tier was
said apart from their close (which then comes with all attributes), to price them. What it answers is kept with them."""
_TIER = b"service_tier"
_REPORTS = "(s.input_tokens IS NOT NULL OR s.output_tokens IS NOT NULL OR s.cost_pico_usd IS NOT NULL)"
_ABOVE = (
    f"SELECT s.span_id, s.parent_id, {_REPORTS} FROM wanted JOIN span s ON s.trace_key = first AND s.span_id = second"
)
SpanFrame = tuple[int, int, SpanFact]
"""A `Frame` of a span's record."""


class SpanSink:
    """One batch of span records, applied."""

    def __init__(
        self, transaction: Transaction, segment: str, writer: bytes, estimate: Estimator | None = None
    ) -> None:
        self._estimate = estimate
        self._tx = transaction
        self._segment = segment
        self._writer = writer
        self._null = transaction.null
        self._new_spans: list[Row] = []
        self._old_spans: list[Row] = []
        self._new_payloads: list[Row] = []
        self._old_payloads: list[Row] = []

    def apply(self, frames: Sequence[SpanFrame]) -> None:
        """Apply the batch: span records only, from one segment."""
        traces = self._gather(frames)
        for trace_id in self._tx.removed_traces(traces):
            del traces[trace_id]
        if not traces:
            return
        states = self._states(traces)
        stored = self._stored(traces, states)
        fresh = sum(len(spans) for spans in traces.values()) - len(stored)
        keys = iter(self._tx.keys(schema.span, fresh))
        for trace_id, spans in traces.items():
            state = states[trace_id]
            for span_id, facts in spans.items():
                found = stored.get((state.id, span_id)) if not state.fresh else None
                if found is None:
                    self._new(state, next(keys), span_id, facts)
                else:
                    self._changed(state, found, span_id, facts)
            if not state.fresh:
                state.recount = state.recount or self._nests(state, spans)
            elif len(state.metered) > 1 and state.nested(spans):
                parents = {key: facts.opened.parent_id for key, facts in spans.items() if facts.opened is not None}
                state.roll_up(map(metered, state.metered), parents, self._null)
        self._write(states)

    def _new(self, state: TraceState, key: int, span_id: bytes, facts: Facts) -> None:
        null = self._null
        opened = facts.opened
        if facts.closed is not None and facts.closed.model is not None:
            self._completed(facts)
        if opened is None:
            row = facts.row(key, state.id, span_id, None, None, False, null)
        else:
            run_key = None if opened.run_uid is None else self._tx.run_key(opened.run_uid)
            project_key = self._tx.project(opened.project)
            row = facts.row(key, state.id, span_id, project_key, run_key, self._tx.ended(facts.writer), null)
        state.count(row, null)
        # Once a root is found, none of its children needs to be looked at.
        if state.root_order is None or state.root_order[0] or opened is None or opened.parent_id is None:
            state.consider(facts, row, null)
        self._new_spans.append(row)
        payload = facts.payload(key, null)
        if payload is not None:
            self._new_payloads.append(payload)

    def _changed(self, state: TraceState, stored: Any, span_id: bytes, more: Facts) -> None:
        before = tuple(stored[: len(_SPAN)])
        facts = self._load(state.trace_id, stored)
        facts.merge(more)
        self._completed(facts)
        opened = facts.opened
        project_key = None if opened is None else self._tx.project(opened.project)
        run_key = None if opened is None or opened.run_uid is None else self._tx.run_key(opened.run_uid)
        row = facts.row(before[0], state.id, span_id, project_key, run_key, self._tx.ended(facts.writer))
        state.count_again(row, before)
        state.consider(facts, row, None)
        if row != before:
            self._old_spans.append(row)
        if self._tx.text_position >= row[0]:
            texts = (stored.name, stored.inputs, stored.output, stored.error, stored.more)
            textindex.forget(self._tx, row[0], texts)
        payload = facts.payload(row[0]) or (row[0], *(None,) * len(_PAYLOAD))
        if payload[1:] != tuple(stored[len(_SPAN) :]):
            self._old_payloads.append(payload)

    def _nests(self, state: TraceState, spans: dict[bytes, Facts]) -> bool:
        """Whether a report may have come to lie below another with this batch; nothing of it is written yet.

        That takes a report of this batch below another, or a stored span below one that is opened or reports now.
        """
        if not state.used:
            return False
        reporting = {row[2] for row in state.metered}
        links = {key: facts.opened.parent_id for key, facts in spans.items() if facts.opened is not None}
        above = {row[3] for row in state.metered} - {None, self._null}
        seen: set[bytes] = set()
        while above:
            if above & reporting:
                return True
            seen |= above
            stored = list(self._tx.rows_of_pairs(_ABOVE, ((state.id, span_id) for span_id in above)))
            if any(row[2] for row in stored):
                return True
            found = {links[span_id] for span_id in above if span_id in links}
            found |= {bytes(row[1]) for row in stored if row[1] is not None}
            above = {span_id for span_id in found if span_id is not None} - seen
        parents = self._tx.rows("SELECT DISTINCT parent_id FROM span WHERE trace_key = ?", (state.id,))
        return any(row[0] is not None and (bytes(row[0]) in reporting or bytes(row[0]) in links) for row in parents)

    def _completed(self, facts: Facts) -> None:
        """Have said what takes more than a span's close to say (`Estimator`), now that its records are together."""
        closed, opened = facts.closed, facts.opened
        if self._estimate is None or closed is None or closed.model is None:
            return
        if closed.usage is None:
            price = facts.price
            if price is not None and price.usage is not None and price.at_ns <= closed.end_ns:
                facts.price = None  # of what was known before; a later one was stated on purpose
            if opened is not None and facts.price is None and (found := self._estimate(opened, closed)) is not None:
                facts.price_at(Price.of(found))
        elif facts.updates is not None or (opened is not None and _TIER in (opened.attributes or b"")):
            said = facts.said_of("service_tier")
            whole = msgspec.structs.replace(closed, attributes=orjson.dumps(said)) if said else closed
            if said and (found := self._estimate(opened or _unopened(closed), whole)) is not None:
                if facts.price is not None and facts.price.at_ns <= closed.end_ns + 1:
                    facts.price = None  # by the close alone, which had not heard of the tier
                facts.price_at(Price.of(found)._replace(at_ns=closed.end_ns + 1))

    def _gather(self, frames: Sequence[SpanFrame]) -> dict[bytes, dict[bytes, Facts]]:
        """What the batch says, by trace and span."""
        traces: dict[bytes, dict[bytes, Facts]] = {}
        segment, writer = self._segment, self._writer
        for offset, _, record in frames:
            trace_id, span_id = record.trace_id, record.span_id
            spans = traces.get(trace_id)
            if spans is None:
                spans = traces[trace_id] = {}
            facts = spans.get(span_id)
            if facts is None:
                facts = spans[span_id] = Facts()
            if type(record) is SpanOpened:
                if facts.opened is None:
                    facts.opened, facts.writer = record, writer
                else:
                    facts.open(record, writer)
            elif type(record) is SpanClosed:
                if facts.closed is None:
                    facts.closed = record
                else:
                    facts.close(record)
            elif type(record) is SpanUpdated:
                facts.update(Update.of(record, segment, offset))
            elif type(record) is SpanPriced:
                facts.price_at(Price.of(record))
        return traces

    def _states(self, traces: Iterable[bytes]) -> dict[bytes, TraceState]:
        states: dict[bytes, TraceState] = {}
        columns = ", ".join(TRACE)
        for row in self._tx.rows_in(f"SELECT {columns} FROM trace WHERE trace_id IN ({{marks}})", traces):
            trace_id = bytes(row.trace_id)  # type: ignore[attr-defined]
            states[trace_id] = TraceState(0, trace_id, row)
        fresh = [trace_id for trace_id in traces if trace_id not in states]
        for key, trace_id in zip(self._tx.keys(schema.trace, len(fresh)), fresh, strict=True):
            states[trace_id] = TraceState(key, trace_id)
        return states

    def _stored(
        self, traces: dict[bytes, dict[bytes, Facts]], states: dict[bytes, TraceState]
    ) -> dict[tuple[int, bytes], Any]:
        """Stored spans that the batch speaks of, by trace key and span id."""
        pairs = (
            (states[trace_id].id, span_id)
            for trace_id, spans in traces.items()
            if not states[trace_id].fresh
            for span_id in spans
        )
        statement = _STORED.format("wanted JOIN span s ON s.trace_key = first AND s.span_id = second")
        return {(row[1], bytes(row[2])): row for row in self._tx.rows_of_pairs(statement, pairs)}

    def _load(self, trace_id: bytes, stored: Any) -> Facts:
        project = None if stored.project_key is None else self._tx.project_name(stored.project_key)
        run_uid = None if stored.run_key is None else self._tx.run_uid(stored.run_key)
        return Facts.load(trace_id, stored, stored, project, run_uid)

    def _write(self, states: dict[bytes, TraceState]) -> None:
        tx = self._tx
        tx.spans += len(self._new_spans)
        tx.traces += sum(state.fresh for state in states.values())
        tx.insert(schema.span, self._new_spans)
        tx.insert(schema.span_payload, self._new_payloads)
        tx.upsert(schema.span, self._old_spans)
        tx.upsert(schema.span_payload, self._old_payloads)
        for state in states.values():
            if state.reroot and not state.fresh:
                self._find_root(state)
            if state.recount:
                self._recount(state)
        tx.insert(schema.trace, [state.row() for state in states.values() if state.fresh])
        tx.upsert(schema.trace, [state.row() for state in states.values() if not state.fresh])

    def sum_up(self, trace_id: bytes) -> None:
        """Make the row of a trace right again, some of whose spans went."""
        state = self._states([trace_id])[trace_id]
        self._find_root(state)
        self._recount(state)
        self._tx.upsert(schema.trace, [state.row()])

    def _find_root(self, state: TraceState) -> None:
        """Ask which span stands for the trace: the one that did was moved behind another."""
        row = self._tx.rows(
            f"{_STORED.format('span s')} WHERE s.trace_key = ? ORDER BY {_RANK}, start_ns, span_id LIMIT 1",
            (state.id,),
        )[0]
        state.root_key = row[0]
        state.show(self._load(state.trace_id, row), tuple(row[: len(_SPAN)]))

    def _recount(self, state: TraceState) -> None:
        count_again(self._tx, state)


def _unopened(closed: SpanClosed) -> SpanOpened:
    return SpanOpened(SCHEMA, closed.trace_id, closed.span_id, None, "", "", closed.end_ns, "")


def count_again(tx: Transaction, state: TraceState) -> None:
    """A trace's counts and sums, asked of its stored spans."""
    rows = [
        (row[0], bytes(row[1]), None if row[2] is None else bytes(row[2]), *row[3:])
        for row in tx.rows(f"SELECT {', '.join(METERED)} FROM span WHERE trace_key = ?", (state.id,))
    ]
    state.span_count, state.error_count = len(rows), sum(row[0] == "error" for row in rows)
    reporting = [row for row in rows if not (row[5] is row[6] is row[7] is None)]
    state.roll_up(reporting, {row[1]: row[2] for row in rows})


def end_spans(transaction: Transaction, writer: bytes) -> int:
    """Running spans of a dead writer are interrupted, and so are the traces that they stand for."""
    transaction.run(
        "UPDATE trace SET status = 'interrupted' WHERE root_key IN "
        "(SELECT id FROM span WHERE writer = ? AND status = 'running')",
        (writer,),
    )
    return transaction.run("UPDATE span SET status = 'interrupted' WHERE writer = ? AND status = 'running'", (writer,))
