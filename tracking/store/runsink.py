"""Applies the records of runs: fields by last writer, metric points, rich values. For `Sink.apply`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    MetricDefined,
    MetricsLogged,
    RunFinished,
    RunRewound,
    RunStarted,
    RunUpdated,
    SystemSampled,
)
from weft.tracking.names import run_name
from weft.tracking.store import schema
from weft.tracking.store.jsontext import loads, text
from weft.tracking.store.metricsink import Hand, MetricSink, remove_metrics
from weft.tracking.store.transaction import Row, Stamp, Transaction

_RUN = [column.name for column in schema.run.columns]


JOINED_NS = -(1 << 62)
"""Added to the time of a record of somebody who only joined the run, which is then negative: whoever leads it wins, in
any order."""


class RunState:
    """A `run` row on its way in, with the stamps of whoever wrote each field last."""

    def __init__(self, stored: Any) -> None:
        self.before: Row = tuple(stored)
        self.columns: dict[str, Any] = dict(zip(_RUN, stored, strict=True))
        self.config: dict[str, Any] = loads(stored.config) or {}
        self.summary: dict[str, Any] = loads(stored.summary) or {}
        self._metadata: dict[str, Any] = loads(stored.metadata) or {}
        self._stamps: dict[str, Any] = loads(stored.stamps) or {}
        self._touched: set[str] = set()

    @property
    def key(self) -> int:
        return int(self.columns["id"])

    @property
    def hand(self) -> Hand:
        """What was set by hand in the summary."""
        return Hand(self.summary, self._summary_stamp, self._touched)

    def _summary_stamp(self, key: str) -> Stamp | None:
        found = self._stamps.get(f"summary.{key}")
        return None if found is None else (found[0], found[1], found[2])

    def reached(self, step: int | None, *, anew: bool) -> None:
        """The highest step of a batch; `anew`: of all there is."""
        before = None if anew else self.columns["last_step"]
        self.columns["last_step"] = step if before is None or (step is not None and step > before) else before

    def begun_anew(self, stamp: Stamp) -> None:
        """The run's id was used again for a new one: what was set before in its config and summary counts no more."""
        if not self.won("anew", stamp):
            return
        for field, values in (("config", self.config), ("summary", self.summary)):
            for name in [name for name in self._stamps if name.startswith(f"{field}.") and self._is_old(name)]:
                del self._stamps[name]
                key = name.removeprefix(f"{field}.")
                values.pop(key, None)
                if field == "summary":
                    self._touched.add(key)

    def _is_old(self, name: str) -> bool:
        found = self._stamps[name]
        return self._is_before_anew((found[0], found[1], found[2]))

    def _is_before_anew(self, stamp: Stamp) -> bool:
        at_ns = stamp[0] if stamp[0] >= 0 else stamp[0] - JOINED_NS
        return (at_ns, *stamp[1:]) < tuple(self._stamps.get("anew", ()))

    def drop(self, keys: Sequence[str], stamp: Stamp) -> None:
        """Keys that were deleted from the summary."""
        if self._is_before_anew(stamp):
            return
        for key in keys:
            if self.won(f"summary.{key}", stamp):
                self.summary.pop(key, None)
                self._touched.add(key)

    def won(self, field: str, stamp: Stamp) -> bool:
        """Whether this writer is the last for a field; it then is on record as such."""
        if tuple(self._stamps.get(field, ())) > stamp:
            return False
        self._stamps[field] = stamp
        return True

    def change(self, stamp: Stamp, **fields: Any) -> None:
        """Changeable columns, where they are given and the writer is the last."""
        for name, value in fields.items():
            if value is not None and self.won(name, stamp):
                self.columns[name] = value

    def merge(self, field: str, values: bytes | None, stamp: Stamp) -> None:
        """Config or summary: every key by its own last writer."""
        found = loads(values)
        if not isinstance(found, dict) or self._is_before_anew(stamp):
            return
        target = self.config if field == "config" else self.summary
        for key, value in found.items():
            if self.won(f"{field}.{key}", stamp):
                if field == "summary":
                    self._touched.add(key)
                target.pop(key, None)  # to the end, so that keys of one record keep its order
                target[key] = value

    def described(self, metadata: bytes | None, stamp: Stamp) -> None:
        """Where the run happens: every key by its last writer, and none of before the session that started last."""
        began = tuple(self._stamps.get("start", ()))
        for key in [key for key in self._metadata if tuple(self._stamps.get(f"metadata.{key}", began)) < began]:
            del self._metadata[key]
        found = loads(metadata)
        if isinstance(found, dict) and stamp >= began:
            for key, value in found.items():
                if self.won(f"metadata.{key}", stamp):
                    self._metadata[key] = value

    def heard(self, at_ns: int) -> None:
        """A record of the run's own. Until its start arrives, the earliest of these stands for it."""
        self.columns["heard_ns"] = max(at_ns, self.columns["heard_ns"] or at_ns)
        if self.columns["project_key"] is None:
            started = self.columns["started_ns"]
            self.columns["started_ns"] = at_ns if started is None else min(started, at_ns)

    def session(self, started_ns: int, elapsed_ns: int) -> None:
        """A session of the run: when it started, and how long the run had gone on before."""
        known = loads(self.columns["sessions"]) or {}
        known[str(started_ns)] = max(elapsed_ns, known.get(str(started_ns), 0))
        self.columns["sessions"] = orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()

    def row(self, tx: Transaction) -> Row:
        columns = self.columns
        columns["config"] = self._ordered("config", self.config)
        columns["summary"] = self._ordered("summary", self.summary)
        known = sorted(self._metadata.items())
        columns["metadata"] = orjson.dumps(dict(known)).decode() if known else None
        columns["stamps"] = orjson.dumps(self._stamps).decode()
        columns["state"] = self._state(tx)
        return tuple(columns.values())

    def _ordered(self, field: str, values: dict[str, Any]) -> str | None:
        """Keys in the order in which they were last written, as a dict has them; not in order of arrival."""
        found = sorted(values.items(), key=lambda item: tuple(self._stamps[f"{field}.{item[0]}"]))
        return orjson.dumps(dict(found)).decode() if found else None

    def _state(self, tx: Transaction) -> str:
        columns = self.columns
        if columns["ended_ns"] is not None and (columns["ended_ns"] >= (columns["resumed_ns"] or 0) or self._went_on()):
            led = self._stamps.get("start", (JOINED_NS,))[0] >= 0
            if not led or self._stamps["finish"][0] >= 0:  # who only joined a run ends none that another leads
                return str(columns["ended_state"])
        writer = columns["writer"]
        return "crashed" if writer is not None and tx.ended(bytes(writer)) else "running"

    def _went_on(self) -> bool:
        """Whether the end stands after the start in one segment: then it came after, whatever the clock said."""
        start, finish = self._stamps.get("start"), self._stamps.get("finish")
        return start is not None and finish is not None and start[1] == finish[1] and start[2] < finish[2]


class RunSink:
    """One batch of run records, applied."""

    def __init__(self, transaction: Transaction, segment: str, segment_key: int, writer: bytes) -> None:
        self._tx = transaction
        self._segment = segment
        self._segment_key = segment_key
        self._writer = writer
        self._states: dict[bytes, RunState | None] = {}

    def apply(self, frames: Sequence[Frame], *, again: bool) -> None:
        """Apply the batch.

        Args:
            again: some of these frames may have been applied before.
        """
        metrics = MetricSink(self._tx, self._segment, self._segment_key)
        for frame in frames:
            record = frame.record
            named = isinstance(record, (RunStarted, RunUpdated, RunFinished))
            uid: bytes = record.uid if named else record.run_uid  # type: ignore[union-attr, assignment]
            state = self._state(uid)
            if state is None:
                continue
            if type(record) is MetricsLogged:
                state.heard(record.at_ns)
                metrics.log(state.key, frame.offset, record.step, record.at_ns, record.values, record.late)
                rich = _object(record.rich)
                metrics.log_rich(state.key, frame.offset, record.step, record.at_ns, rich, record.values)
            elif type(record) is SystemSampled:
                state.heard(record.at_ns)
                metrics.log(state.key, frame.offset, record.at_ns, record.at_ns, record.values, False, "system")
            elif type(record) is MetricDefined:
                state.heard(record.at_ns)
                metrics.define(state.key, frame.offset, record)
            elif type(record) is RunRewound:
                state.heard(record.at_ns)
                metrics.rewind(state.key, frame.offset, record)
                if record.step < 0:
                    state.begun_anew((record.at_ns, self._segment, frame.offset))
            elif type(record) is RunStarted:
                self._started(state, record, (record.started_ns, self._segment, frame.offset))
            elif type(record) is RunUpdated:
                self._updated(state, record, (record.at_ns, self._segment, frame.offset))
            elif type(record) is RunFinished:
                self._finished(state, record, (record.ended_ns, self._segment, frame.offset))
        states = [state for state in self._states.values() if state is not None]
        ended = {state.key for state in states if state.columns["ended_ns"] is not None}
        metrics.flush({state.key: state.hand for state in states}, ended, again=again)
        for state in states:
            state.reached(metrics.highest.get(state.key), anew=state.key in metrics.rewound)
        rows = [(state.row(self._tx), state.before) for state in states]
        self._tx.upsert(schema.run, [row for row, before in rows if row != before])

    def _state(self, uid: bytes) -> RunState | None:
        if uid not in self._states:
            key = self._tx.run_key(uid)
            if key is None:
                self._states[uid] = None
            else:
                columns = ", ".join(_RUN)
                self._states[uid] = RunState(self._tx.rows(f"SELECT {columns} FROM run WHERE id = ?", (key,))[0])
        return self._states[uid]

    def _started(self, state: RunState, record: RunStarted, stamp: Stamp) -> None:
        columns = state.columns
        if columns["project_key"] is None or record.started_ns < columns["started_ns"]:
            columns["started_ns"] = record.started_ns
        columns["heard_ns"] = max(record.started_ns, columns["heard_ns"] or 0)
        if record.joined:
            stamp = (stamp[0] + JOINED_NS, *stamp[1:])
        else:
            state.session(record.started_ns, record.elapsed_ns)
        generated = record.name == run_name(record.uid)
        state.change((stamp[0] + JOINED_NS if generated else stamp[0], *stamp[1:]), name=record.name)
        state.change(stamp, forked_uid=record.forked_uid, forked_step=record.forked_step)
        if state.won("start", stamp):
            columns["project_key"] = self._tx.project(record.project)
            columns["run_id"] = record.id
            columns["job_type"] = record.job_type
            columns["parent_uid"] = record.parent_uid
            columns["writer"] = self._writer
            columns["resumed_ns"] = record.started_ns
        state.described(record.metadata, stamp)
        state.merge("config", record.config, stamp)
        tags = orjson.dumps(record.tags).decode() if record.tags else None
        state.change(stamp, tags=tags, notes=record.notes, run_group=record.group)

    def _updated(self, state: RunState, record: RunUpdated, stamp: Stamp) -> None:
        state.heard(record.at_ns)
        state.merge("config", record.config, stamp)
        state.merge("summary", record.summary, stamp)
        state.drop(record.summary_dropped, stamp)
        state.described(record.metadata, stamp)
        tags = orjson.dumps(record.tags).decode() if record.tags is not None else None
        state.change(stamp, name=record.name, tags=tags, notes=record.notes, run_group=record.group)

    def _finished(self, state: RunState, record: RunFinished, stamp: Stamp) -> None:
        state.heard(record.ended_ns)
        if record.joined:
            stamp = (stamp[0] + JOINED_NS, *stamp[1:])
        if state.won("finish", stamp):
            state.columns["ended_ns"] = record.ended_ns
            state.columns["ended_state"] = record.state
            state.columns["exit_code"] = record.exit_code
            state.columns["error"] = text(record.error)


def _object(data: bytes | None) -> dict[str, Any]:
    found = loads(data)
    return found if isinstance(found, dict) else {}


def end_runs(transaction: Transaction, writer: bytes) -> int:
    """Runs of a dead writer that never said how they ended are crashed."""
    return transaction.run("UPDATE run SET state = 'crashed' WHERE writer = ? AND state = 'running'", (writer,))


def remove_run(transaction: Transaction, uid: bytes) -> None:
    """Delete a run with its metrics and what it logged; traces and artifacts stay, without the run."""
    found = transaction.rows("SELECT id FROM run WHERE uid = ?", (uid,))
    transaction.forget_run(uid)
    if not found:
        return
    key = found[0][0]
    remove_metrics(transaction, key)
    for statement in (
        "DELETE FROM run_file WHERE run_key = ?",
        "DELETE FROM alert WHERE run_key = ?",
        "DELETE FROM console_line WHERE run_key = ?",
        "DELETE FROM score WHERE run_key = ? AND target IN ('run', 'row')",
        "UPDATE score SET run_key = NULL WHERE run_key = ?",
        "DELETE FROM artifact_link WHERE run_key = ?",
        "DELETE FROM run WHERE id = ?",
        "UPDATE span SET run_key = NULL WHERE run_key = ?",
        "UPDATE trace SET run_key = NULL WHERE run_key = ?",
    ):
        transaction.run(statement, (key,))
