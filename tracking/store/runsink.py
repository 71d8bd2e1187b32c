"""Applies the records of runs: fields by last writer, metric points, rich values. For `Sink.apply`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import orjson

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import MetricsLogged, RunFinished, RunStarted, RunUpdated
from weft.tracking.names import run_name
from weft.tracking.store import schema
from weft.tracking.store.jsontext import loads, text
from weft.tracking.store.transaction import Row, Stamp, Transaction

_RUN = [column.name for column in schema.run.columns]
_METRIC = [column.name for column in schema.metric_key.columns]


JOINED_NS = -(1 << 62)
"""What is taken from the time of a record of somebody who only joined the run: whoever leads it wins, in any order."""


class RunState:
    """A `run` row on its way in, with the stamps of whoever wrote each field last."""

    def __init__(self, stored: Any) -> None:
        self.before: Row = tuple(stored)
        self.columns: dict[str, Any] = dict(zip(_RUN, stored, strict=True))
        self.config: dict[str, Any] = loads(stored.config) or {}
        self.summary: dict[str, Any] = loads(stored.summary) or {}
        self._stamps: dict[str, Any] = loads(stored.stamps) or {}

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
        if not isinstance(found, dict):
            return
        target = self.config if field == "config" else self.summary
        for key, value in found.items():
            if self.won(f"{field}.{key}", stamp):
                target.pop(key, None)  # to the end, so that keys of one record keep its order
                target[key] = value

    def heard(self, at_ns: int) -> None:
        """A record of the run's own. Until its start arrives, the earliest of these stands for it."""
        self.columns["heard_ns"] = max(at_ns, self.columns["heard_ns"] or at_ns)
        if self.columns["project_key"] is None:
            started = self.columns["started_ns"]
            self.columns["started_ns"] = at_ns if started is None else min(started, at_ns)

    def session(self, started_ns: int, elapsed_ns: int) -> None:
        """A session of the run: when it started, and how long the run had gone on before."""
        known = loads(self.columns["sessions"]) or {}
        self.columns["sessions"] = orjson.dumps(
            known | {str(started_ns): elapsed_ns}, option=orjson.OPT_SORT_KEYS
        ).decode()

    def row(self, tx: Transaction) -> Row:
        columns = self.columns
        columns["config"] = self._ordered("config", self.config)
        columns["summary"] = self._ordered("summary", self.summary)
        columns["stamps"] = orjson.dumps(self._stamps).decode()
        columns["state"] = self._state(tx)
        return tuple(columns.values())

    def _ordered(self, field: str, values: dict[str, Any]) -> str | None:
        """Keys in the order in which they were last written, as a dict has them; not in order of arrival."""
        found = sorted(values.items(), key=lambda item: tuple(self._stamps[f"{field}.{item[0]}"]))
        return orjson.dumps(dict(found)).decode() if found else None

    def _state(self, tx: Transaction) -> str:
        columns = self.columns
        if columns["ended_ns"] is not None and columns["ended_ns"] >= (columns["resumed_ns"] or 0):
            led = self._stamps.get("start", (JOINED_NS,))[0] > JOINED_NS
            if not led or self._stamps["finish"][0] > JOINED_NS:  # who only joined a run ends none that another leads
                return str(columns["ended_state"])
        writer = columns["writer"]
        return "crashed" if writer is not None and tx.ended(bytes(writer)) else "running"


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
        points: dict[tuple[int, str], list[Row]] = {}
        rich: list[Row] = []
        for frame in frames:
            record = frame.record
            uid = record.run_uid if type(record) is MetricsLogged else record.uid  # type: ignore[union-attr]
            state = self._state(uid)
            if state is None:
                continue
            if type(record) is MetricsLogged:
                self._metrics(state, frame.offset, record, points, rich)
            elif type(record) is RunStarted:
                self._started(state, record, (record.started_ns, self._segment, frame.offset))
            elif type(record) is RunUpdated:
                self._updated(state, record, (record.at_ns, self._segment, frame.offset))
            elif type(record) is RunFinished:
                self._finished(state, record, (record.ended_ns, self._segment, frame.offset))
        self._tx.add_missing(schema.rich_point, rich)
        self._points(points, again)
        states = [state for state in self._states.values() if state is not None]
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
            columns["metadata"] = text(record.metadata)
            columns["writer"] = self._writer
            columns["resumed_ns"] = record.started_ns
        state.merge("config", record.config, stamp)
        tags = orjson.dumps(record.tags).decode() if record.tags else None
        state.change(stamp, tags=tags, notes=record.notes, run_group=record.group)

    def _updated(self, state: RunState, record: RunUpdated, stamp: Stamp) -> None:
        state.heard(record.at_ns)
        state.merge("config", record.config, stamp)
        state.merge("summary", record.summary, stamp)
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

    def _metrics(
        self,
        state: RunState,
        offset: int,
        record: MetricsLogged,
        points: dict[tuple[int, str], list[Row]],
        rich: list[Row],
    ) -> None:
        state.heard(record.at_ns)
        columns = state.columns
        if columns["last_step"] is None or record.step > columns["last_step"]:
            columns["last_step"] = record.step
        run_key = columns["id"]
        for key, value in record.values.items():
            kept = None if math.isnan(value) else value
            point = (self._segment_key, offset, record.step, record.at_ns, kept, record.late)
            points.setdefault((run_key, key), []).append(point)
        found = loads(record.rich)
        if isinstance(found, dict):
            for key, value in found.items():
                rich.append(
                    (run_key, key, self._segment_key, offset, record.step, record.at_ns, orjson.dumps(value).decode())
                )

    def _points(self, points: dict[tuple[int, str], list[Row]], again: bool) -> None:
        if not points:
            return
        metrics = self._metric_rows(points)
        rows: list[Row] = []
        for name, found in points.items():
            metric = metrics[name]
            known = self._known(metric["id"], found) if again else set()
            for point in found:
                _, seq, step, at_ns, value, late = point
                if seq in known:
                    continue
                known.add(seq)
                rows.append((metric["id"], *point))
                metric["n"] += 1
                metric["late"] += late
                order = (step, at_ns, self._segment, seq)
                if order > (metric["last_step"], metric["last_at_ns"], metric["last_segment"], metric["last_seq"]):
                    metric["last"] = value
                    metric["last_step"], metric["last_at_ns"], metric["last_segment"], metric["last_seq"] = order
        # The index wants its rows in key order; the file system thanks for it.
        self._tx.insert(schema.metric_point, sorted(rows, key=lambda row: row[:3]))
        self._tx.upsert(schema.metric_key, [tuple(metrics[name].values()) for name in points])

    def _metric_rows(self, points: dict[tuple[int, str], list[Row]]) -> dict[tuple[int, str], dict[str, Any]]:
        wanted: dict[int, list[str]] = {}
        for run_key, key in points:
            wanted.setdefault(run_key, []).append(key)
        found: dict[tuple[int, str], dict[str, Any]] = {}
        columns = ", ".join(_METRIC)
        for run_key, keys in wanted.items():
            statement = f"SELECT {columns} FROM metric_key WHERE run_key = ? AND key IN ({{marks}})"
            for row in self._tx.rows_in(statement, keys, (run_key,)):
                found[row[1], row[2]] = dict(zip(_METRIC, row, strict=True))
        for name in points:
            if name not in found:
                empty = (self._tx.key(schema.metric_key), *name, 0, 0, None, -(1 << 63), 0, "", -1)
                found[name] = dict(zip(_METRIC, empty, strict=True))
        return found

    def _known(self, metric_key: int, points: list[Row]) -> set[int]:
        seqs = [point[1] for point in points]
        return {
            row[0]
            for row in self._tx.rows(
                "SELECT seq FROM metric_point WHERE metric_key = ? AND segment_key = ? AND seq BETWEEN ? AND ?",
                (metric_key, self._segment_key, min(seqs), max(seqs)),
            )
        }


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
    transaction.run(
        "DELETE FROM metric_point WHERE metric_key IN (SELECT id FROM metric_key WHERE run_key = ?)", (key,)
    )
    for statement in (
        "DELETE FROM metric_key WHERE run_key = ?",
        "DELETE FROM rich_point WHERE run_key = ?",
        "DELETE FROM run_file WHERE run_key = ?",
        "DELETE FROM alert WHERE run_key = ?",
        "DELETE FROM score WHERE run_key = ? AND target IN ('run', 'row')",
        "UPDATE score SET run_key = NULL WHERE run_key = ?",
        "DELETE FROM artifact_link WHERE run_key = ?",
        "DELETE FROM run WHERE id = ?",
        "UPDATE span SET run_key = NULL WHERE run_key = ?",
        "UPDATE trace SET run_key = NULL WHERE run_key = ?",
    ):
        transaction.run(statement, (key,))
