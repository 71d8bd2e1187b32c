"""Spans for assertions: record into a home of its own and look at what was recorded. For tests only."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from weft.tracking import runtime
from weft.tracking.ids import Ids
from weft.tracking.journal import frames
from weft.tracking.journal.records import Record, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.payloads.encoding import decode
from weft.tracking.payloads.previews import preview
from weft.tracking.settings import Settings
from weft.tracking.store.readmodels import SpanRecord

START_NS = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z: where `FixedIds`' clock begins."""


class FixedIds(Ids):
    """Ids and a clock that say the same in every run: ids count from 1, each look at the clock is one step later."""

    __slots__ = ("_spans", "_step_ns", "_ticks", "_traces")

    def __init__(self, *, step_ns: int = 1_000_000) -> None:
        self._step_ns = step_ns
        self._traces, self._spans, self._ticks = itertools.count(1), itertools.count(1), itertools.count(1)

    def trace_id(self) -> int:
        return (START_NS // 1_000_000) << 80 | next(self._traces)

    def span_id(self) -> int:
        return next(self._spans)

    def wall_ns(self) -> int:
        return START_NS + next(self._ticks) * self._step_ns

    def mono_ns(self) -> int:
        return next(self._ticks) * self._step_ns


class CapturedSpans(Sequence[SpanRecord]):
    """What was recorded, in the order in which the calls began. Read from the journal at each look."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._final: list[SpanRecord] | None = None

    @overload
    def __getitem__(self, index: int) -> SpanRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SpanRecord]: ...
    def __getitem__(self, index: int | slice) -> SpanRecord | Sequence[SpanRecord]:
        return self._now()[index]

    def __len__(self) -> int:
        return len(self._now())

    def named(self, name: str) -> SpanRecord:
        """The one span of this name.

        Raises:
            LookupError: there is none, or more than one.
        """
        found = [span for span in self if span.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} spans are named {name!r}; there are {[span.name for span in self]}")
        return found[0]

    def children(self, span: SpanRecord) -> list[SpanRecord]:
        """The spans right under this one."""
        return [child for child in self if (child.trace_id, child.parent_id) == (span.trace_id, span.span_id)]

    def tree(self) -> list[Any]:
        """Names as nested lists `[name, child, child, ...]`, one a root: good in an assertion."""
        spans = self._now()
        known = {span.span_id for span in spans}
        below: dict[str | None, list[SpanRecord]] = {}
        for span in spans:
            below.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
        made: list[Any] = []
        seen: set[str] = set()
        for first in (*below.get(None, ()), *spans):  # spans behind the roots: those whose parents go round in a ring
            waiting = [(made, first)]
            while waiting:
                above, span = waiting.pop()
                if span.span_id not in seen:
                    seen.add(span.span_id)
                    above.append([span.name])
                    waiting += [(above[-1], child) for child in reversed(below.get(span.span_id, []))]
        return made

    def freeze(self) -> None:
        """Keep what there is: the home is about to go."""
        self._final = self._now()

    def _now(self) -> list[SpanRecord]:
        return self._final if self._final is not None else read_spans(self._journal)


@contextmanager
def captured_spans(*, project: str | None = None, ids: Ids | None = None) -> Iterator[CapturedSpans]:
    """Record every call into a temporary home, strictly; the spans stay readable after the block.

    Whatever records inside is seen: other threads, tasks, and child processes that get their work by `wrap_context`.
    Blocks may be nested; the inner one takes what happens in it.

    Args:
        ids: `FixedIds()` for ids and times that are the same in every run.

    ```python
    with captured_spans() as spans:
        my_op("hello")
    assert spans.tree() == [["my_op"]]
    ```
    """
    former = runtime.active()
    with tempfile.TemporaryDirectory(prefix="weft-captured-") as folder:
        mine = runtime.configure(
            Settings.resolve(home=folder, project=project, mode="online", strict=True, sample_rate=1), ids
        )
        spans = CapturedSpans(mine.home.journal)
        try:
            yield spans
        finally:
            mine.journal.close()
            spans.freeze()
            # What a thread records too late goes nowhere: it must not make the folder again.
            mine.journal.append = lambda record: False  # type: ignore[method-assign]
            runtime.configure(former.settings, former.ids, origin=former.origin).run = former.run


def read_spans(journal: Path) -> list[SpanRecord]:
    """The spans in a folder of segments, whole or still open, in the order in which they began."""
    found: list[Record] = []
    for segment in sorted(journal.glob("*.wj")):
        data = segment.read_bytes()
        found += [frame.record for frame in frames.scan(data[len(frames.HEADER) :], len(frames.HEADER)).frames]
    spans: dict[bytes, SpanRecord] = {}
    for record in found:
        if isinstance(record, SpanOpened):
            spans[record.span_id] = _opened(record)
    for record in found:
        if isinstance(record, SpanUpdated) and record.span_id in spans:
            spans[record.span_id] = _updated(spans[record.span_id], record)
    for record in found:
        if isinstance(record, SpanClosed) and record.span_id in spans:
            spans[record.span_id] = _closed(spans[record.span_id], record)
    return sorted(spans.values(), key=lambda span: span.start_ns)  # segments of several processes lie side by side


def _opened(record: SpanOpened) -> SpanRecord:
    return SpanRecord(
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        parent_id=record.parent_id.hex() if record.parent_id else None,
        project=record.project,
        name=record.name,
        kind=record.kind,
        status="running",
        start_ns=record.start_ns,
        end_ns=None,
        duration_ns=None,
        model=None,
        provider=None,
        usage=None,
        cost=None,
        price_source=None,
        run_id=record.run_uid.hex() if record.run_uid else None,
        thread_id=record.thread_id,
        turn_id=record.turn_id,
        user_id=record.user_id,
        version=record.version,
        input_preview=preview(record.inputs) if record.inputs else "",
        output_preview="",
        inputs=decode(record.inputs) if record.inputs else None,
        attributes=decode(record.attributes) if record.attributes else {},
        links=decode(record.links) if record.links else (),
    )


def _updated(span: SpanRecord, record: SpanUpdated) -> SpanRecord:
    return replace(
        span,
        name=record.name or span.name,
        inputs=decode(record.inputs) if record.inputs else span.inputs,
        attributes={**span.attributes, **(decode(record.attributes) if record.attributes else {})},
        events=[*span.events, *(decode(record.events) if record.events else ())],
        thread_id=record.thread_id or span.thread_id,
        turn_id=record.turn_id or span.turn_id,
        user_id=record.user_id or span.user_id,
        tags=decode(record.tags) if record.tags else span.tags,
        links=[*span.links, *decode(record.links)] if record.links else span.links,
    )


def _closed(span: SpanRecord, record: SpanClosed) -> SpanRecord:
    return replace(
        span,
        name=record.name or span.name,
        kind=record.kind or span.kind,
        status=record.status,
        end_ns=record.end_ns,
        duration_ns=record.duration_ns,
        output=decode(record.output) if record.output else None,
        output_preview=preview(record.output) if record.output else "",
        error=decode(record.error) if record.error else None,
        model=record.model,
        provider=record.provider,
        usage=record.usage,
        attributes={**span.attributes, **(decode(record.attributes) if record.attributes else {})},
        events=[*span.events, *(decode(record.events) if record.events else ())],
        links=[*span.links, *decode(record.links)] if record.links else span.links,
    )
