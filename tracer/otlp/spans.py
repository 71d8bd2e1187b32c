"""A span as OTLP has it, whichever form it came in; and one that was refused, with the reason. Data, and its checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("unset", "ok", "error")
MAX_TIME_NS: Final = (1 << 63) - 1
"""The year 2262: later ones fit no column, and no clock says them."""
MAX_DEPTH: Final = 64
"""Levels of a nested attribute value that are read; a deeper one is told as cut."""


class NotOtlpError(ValueError):
    """What cannot be read as OTLP traces, in one line that says what it is instead."""


@dataclass(frozen=True, slots=True)
class OtlpSpan:
    """One span. Both forms of one span make equal ones."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    name: str
    start_ns: int
    end_ns: int
    """0: it has not ended."""
    kind: str = "unspecified"
    status: str = "unset"
    message: str = ""
    """Of the status."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()
    """`{name, at_ns, attributes}`."""
    links: Sequence[Mapping[str, Any]] = ()
    """`{trace_id, span_id, attributes}`, ids in hexadecimal."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """How many attributes, events, links the sender's limits threw away."""
    resource: Mapping[str, Any] = field(default_factory=dict)
    scope_name: str = ""
    scope_version: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A span that cannot be stored."""

    reason: str


def make(
    *,
    trace_id: bytes | str,
    span_id: bytes | str,
    parent_id: bytes | str | None,
    start_ns: int,
    end_ns: int,
    **rest: Any,
) -> OtlpSpan | Refused:
    """A span from its fields, ids as bytes or hexadecimal, or why there can be none."""
    trace, span = _identity("traceId", trace_id, 16), _identity("spanId", span_id, 8)
    for found in (trace, span):
        if isinstance(found, str):
            return Refused(found)
    assert isinstance(trace, bytes)
    assert isinstance(span, bytes)
    parent = None if _is_none(parent_id) else _identity("parentSpanId", parent_id, 8)
    if isinstance(parent, str):
        return Refused(parent)
    for name, value in (("startTimeUnixNano", start_ns), ("endTimeUnixNano", end_ns)):
        if not 0 <= value <= MAX_TIME_NS:
            return Refused(f"{name} is {value}: not a time between 1970 and 2262")
    return OtlpSpan(trace_id=trace, span_id=span, parent_id=parent, start_ns=start_ns, end_ns=end_ns, **rest)


def _is_none(parent_id: object) -> bool:
    """A root names no parent, or one that is all zeros."""
    if parent_id is None or not isinstance(parent_id, (bytes, str)):
        return parent_id is None
    return not (parent_id.strip(b"\0") if isinstance(parent_id, bytes) else parent_id.strip("0"))


def _bytes(value: bytes | str) -> bytes | None:
    if isinstance(value, bytes):
        return value
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def _identity(name: str, value: object, size: int) -> bytes | str:
    """The id's bytes, or what is wrong with it."""
    if value is None or value in ("", b""):
        return f"{name} is missing"
    if not isinstance(value, (bytes, str)):
        return f"{name} is {value!r:.40}, not an id of {2 * size} hex digits"
    found = _bytes(value)
    if found is None:
        return f"{name} is {value!r:.60}, not an id of {2 * size} hex digits"
    if len(found) != size:
        return f"{name} has {len(found)} bytes, {size} are needed"
    if not any(found):
        return f"{name} is all zeros, which OpenTelemetry keeps for invalid ones"
    return found
