"""Applies span records: merges a batch in memory, meets what is stored, writes span rows and each trace's roll-up.

Called by `Sink.apply` within its transaction. A trace that is new costs no look-up but one; only spans of traces that
exist are read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import orjson

from weft.tracking import schema
from weft.tracking.frames import Frame
from weft.tracking.records import SpanClosed, SpanOpened, SpanPriced, SpanUpdated
from weft.tracking.spanfold import MAX_INT, UNOPENED, Facts, Price, Update, shown, shown_error
from weft.tracking.transaction import Row, Transaction

SPAN_RECORDS = (SpanOpened, SpanClosed, SpanUpdated, SpanPriced)

_TRACE = [column.name for column in schema.trace.columns]
_SPAN = [column.name for column in schema.span.columns]
_PAYLOAD = [column.name for column in schema.span_payload.columns if column.name != "id"]
_trace_row = attrgetter(*_TRACE)
_STATUS, _INPUT, _OUTPUT, _COST, _THREAD, _USER = (
    _SPAN.index(name) for name in ("status", "input_tokens", "output_tokens", "cost_pico_usd", "thread_id", "user_id")
)

_STORED = (
    f"SELECT {', '.join(f's.{name}' for name in _SPAN)}, {', '.join(f'p.{name}' for name in _PAYLOAD)} "
    "FROM span s LEFT JOIN span_payload p ON p.id = s.id WHERE "
)
_RANK = f"CASE WHEN project_key IS NULL THEN {UNOPENED} WHEN parent_id IS NULL THEN 0 ELSE 1 END"


class TraceState:
    """A `trace` row on its way in."""

    __slots__ = (*_TRACE, "fresh", "recount", "reroot", "root", "root_order")

    def __init__(self, key: int, trace_id: bytes, stored: Any = None) -> None:
        self.fresh = stored is None
        self.recount = False
        """The sums must be asked for again: something counted before now counts differently."""
        self.reroot = False
        """The root may be another stored span now."""
        self.root: Facts | None = None
        """The span that stands for the trace, where this batch knows it."""
        if stored is not None:
            for name in _TRACE:
                setattr(self, name, getattr(stored, name))
            self.trace_id = trace_id
            self.root_span_id = bytes(self.root_span_id)
            self.root_order: tuple[int, int, bytes] | None = (self.root_rank, self.start_ns, self.root_span_id)
        else:
            self.id = key
            self.trace_id = trace_id
            self.root_key = 0
            self.root_order = None
            self.span_count = self.error_count = 0
            self.input_tokens = self.output_tokens = self.cost_pico_usd = None

    def count(self, row: Row, null: Any) -> None:
        """Take a new span's row into the sums."""
        self.span_count += 1
        if row[_STATUS] == "error":
            self.error_count += 1
        if (found := row[_INPUT]) is not null:
            self.input_tokens = (self.input_tokens or 0) + found
        if (found := row[_OUTPUT]) is not null:
            self.output_tokens = (self.output_tokens or 0) + found
        if (found := row[_COST]) is not null:
            # None is "nothing priced", or a sum that fits no 64 bits: adding to a stored None means asking again.
            self.recount |= self.cost_pico_usd is None and not self.fresh
            self.cost_pico_usd = (self.cost_pico_usd or 0) + found
            self.recount |= self.cost_pico_usd > MAX_INT

    def count_again(self, row: Row, before: Row) -> None:
        """Take a stored span's new row into the sums."""
        if all(before[at] == row[at] for at in (_STATUS, _INPUT, _OUTPUT, _COST)):
            return
        if before[_STATUS] == "error" or any(before[at] is not None for at in (_INPUT, _OUTPUT, _COST)):
            self.recount = True  # what was counted has changed
            return
        self.span_count -= 1
        self.count(row, None)

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
        self.root_order, self.root, self.root_key = order, facts, key
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
        return _trace_row(self)  # type: ignore[no-any-return]


class SpanSink:
    """One batch of span records, applied."""

    def __init__(self, transaction: Transaction, segment: str, writer: bytes) -> None:
        self._tx = transaction
        self._segment = segment
        self._writer = writer
        self._null = transaction.null
        self._new_spans: list[Row] = []
        self._old_spans: list[Row] = []
        self._new_payloads: list[Row] = []
        self._old_payloads: list[Row] = []

    def apply(self, frames: Sequence[Frame], ended: set[bytes]) -> None:
        """Apply the batch.

        Args:
            frames: of span records only, from one segment.
            ended: writers known to be dead.
        """
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
                    self._new(state, next(keys), span_id, facts, ended)
                else:
                    self._changed(state, found, span_id, facts, ended)
        self._write(states)

    def _new(self, state: TraceState, key: int, span_id: bytes, facts: Facts, ended: set[bytes]) -> None:
        null = self._null
        opened = facts.opened
        if opened is None:
            row = facts.row(key, state.id, span_id, None, None, False, null)
        else:
            run_key = None if opened.run_uid is None else self._tx.run_key(opened.run_uid)
            project_key = self._tx.project(opened.project)
            row = facts.row(key, state.id, span_id, project_key, run_key, facts.writer in ended, null)
        state.count(row, null)
        # Once a root is found, none of its children needs to be looked at.
        if state.root_order is None or state.root_order[0] or opened is None or opened.parent_id is None:
            state.consider(facts, row, null)
        self._new_spans.append(row)
        payload = facts.payload(key, null)
        if payload is not None:
            self._new_payloads.append(payload)

    def _changed(self, state: TraceState, stored: Any, span_id: bytes, more: Facts, ended: set[bytes]) -> None:
        before = tuple(stored[: len(_SPAN)])
        facts = self._load(state.trace_id, stored)
        facts.merge(more)
        opened = facts.opened
        project_key = None if opened is None else self._tx.project(opened.project)
        run_key = None if opened is None or opened.run_uid is None else self._tx.run_key(opened.run_uid)
        row = facts.row(before[0], state.id, span_id, project_key, run_key, facts.writer in ended)
        state.count_again(row, before)
        state.consider(facts, row, None)
        if row != before:
            self._old_spans.append(row)
        payload = facts.payload(row[0])
        if payload is not None and payload[1:] != tuple(stored[len(_SPAN) :]):
            self._old_payloads.append(payload)

    def _gather(self, frames: Sequence[Frame]) -> dict[bytes, dict[bytes, Facts]]:
        """What the batch says, by trace and span."""
        traces: dict[bytes, dict[bytes, Facts]] = {}
        segment, writer = self._segment, self._writer
        for offset, _, record in frames:
            trace_id = record.trace_id  # type: ignore[union-attr]
            span_id = record.span_id  # type: ignore[union-attr]
            spans = traces.get(trace_id)  # type: ignore[arg-type]
            if spans is None:
                spans = traces[trace_id] = {}  # type: ignore[index]
            facts = spans.get(span_id)  # type: ignore[arg-type]
            if facts is None:
                facts = spans[span_id] = Facts()  # type: ignore[index]
            kind = type(record)
            if kind is SpanOpened:
                if facts.opened is None:
                    facts.opened, facts.writer = record, writer
                else:
                    facts.open(record, writer)
            elif kind is SpanClosed:
                if facts.closed is None:
                    facts.closed = record
                else:
                    facts.close(record)
            elif kind is SpanUpdated:
                facts.update(Update.of(record, segment, offset))  # type: ignore[arg-type]
            else:
                facts.price_at(Price.of(record))  # type: ignore[arg-type]
        return traces

    def _states(self, traces: Iterable[bytes]) -> dict[bytes, TraceState]:
        states: dict[bytes, TraceState] = {}
        columns = ", ".join(_TRACE)
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
        found: dict[tuple[int, bytes], Any] = {}
        for trace_id, spans in traces.items():
            state = states[trace_id]
            if not state.fresh:
                statement = f"{_STORED} s.trace_key = ? AND s.span_id IN ({{marks}})"
                for row in self._tx.rows_in(statement, spans, (state.id,)):
                    found[state.id, bytes(row.span_id)] = row  # type: ignore[attr-defined]
        return found

    def _load(self, trace_id: bytes, stored: Any) -> Facts:
        project = None if stored.project_key is None else self._tx.project_name(stored.project_key)
        run_uid = None if stored.run_key is None else self._tx.run_uid(stored.run_key)
        return Facts.load(trace_id, stored, stored, project, run_uid)

    def _write(self, states: dict[bytes, TraceState]) -> None:
        tx = self._tx
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

    def _find_root(self, state: TraceState) -> None:
        """Ask which span stands for the trace: the one that did was moved behind another."""
        row = self._tx.rows(
            f"{_STORED} s.trace_key = ? ORDER BY {_RANK}, start_ns, span_id LIMIT 1",
            (state.id,),
        )[0]
        state.root_key = row[0]
        state.show(self._load(state.trace_id, row), tuple(row[: len(_SPAN)]))

    def _recount(self, state: TraceState) -> None:
        # Money in two parts: a sum of 64-bit numbers may fit none.
        found = self._tx.rows(
            "SELECT count(*), sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END), sum(input_tokens), "
            "sum(output_tokens), sum(cost_pico_usd / 1000000), "
            "sum(cost_pico_usd - cost_pico_usd / 1000000 * 1000000) FROM span WHERE trace_key = ?",
            (state.id,),
        )[0]
        count, errors, inputs, outputs, high, low = (None if value is None else int(value) for value in found)
        state.span_count, state.error_count = count, errors
        state.input_tokens, state.output_tokens = inputs, outputs
        cost = None if high is None else high * 1_000_000 + (low or 0)
        state.cost_pico_usd = cost if cost is not None and cost <= MAX_INT else None


def end_spans(transaction: Transaction, writer: bytes) -> int:
    """Running spans of a dead writer are interrupted, and so are the traces that they stand for."""
    transaction.run(
        "UPDATE trace SET status = 'interrupted' WHERE root_key IN "
        "(SELECT id FROM span WHERE writer = ? AND status = 'running')",
        (writer,),
    )
    return transaction.run("UPDATE span SET status = 'interrupted' WHERE writer = ? AND status = 'running'", (writer,))


def remove_trace(transaction: Transaction, trace_id: bytes) -> None:
    """Delete a trace with its spans and the scores on it."""
    transaction.run("DELETE FROM score WHERE trace_id = ?", (trace_id,))
    found = transaction.rows("SELECT id FROM trace WHERE trace_id = ?", (trace_id,))
    if found:
        key = found[0][0]
        transaction.run("DELETE FROM span_payload WHERE id IN (SELECT id FROM span WHERE trace_key = ?)", (key,))
        transaction.run("DELETE FROM span WHERE trace_key = ?", (key,))
        transaction.run("DELETE FROM trace WHERE id = ?", (key,))
