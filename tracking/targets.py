"""What a later word is about: a trace, a span, a run or a score, told from whatever a program has in hand."""

from __future__ import annotations

import re
from typing import NamedTuple

from weft.tracking.errors import UsageError
from weft.tracking.store.readmodels import RunRecord, ScoreRecord, SpanRecord, TraceRecord

_IDS = re.compile(r"([0-9a-f]{32})(?:/([0-9a-f]{16}))?")


class Target(NamedTuple):
    """One of them, by its ids."""

    kind: str
    """trace, span, run or score."""
    project: str | None = None
    trace_id: bytes | None = None
    span_id: bytes | None = None
    run_uid: bytes | None = None
    score_uid: bytes | None = None


def target_of(value: object) -> Target:
    """Of a record that was read, or the text `trace_id` or `trace_id/span_id`.

    Raises:
        UsageError: it is none of them.
    """
    if isinstance(value, TraceRecord):
        return Target("trace", value.project, bytes.fromhex(value.trace_id))
    if isinstance(value, SpanRecord):
        return Target("span", value.project, bytes.fromhex(value.trace_id), bytes.fromhex(value.span_id))
    if isinstance(value, RunRecord):
        return Target("run", value.project, run_uid=bytes.fromhex(value.uid))
    if isinstance(value, ScoreRecord):
        return Target("score", score_uid=bytes.fromhex(value.uid))
    found = _IDS.fullmatch(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise UsageError(
            "this takes a trace, span or run that weft.Api() answered, or the text of a trace's id (32 hex digits) "
            f"or of trace_id/span_id; not {value!r:.80}"
        )
    trace_id, span_id = found.groups()
    if span_id is None:
        return Target("trace", None, bytes.fromhex(trace_id))
    return Target("span", None, bytes.fromhex(trace_id), bytes.fromhex(span_id))
