"""Spans from files into the journal, the one write path: idempotent, in any order, each judged by itself.

Called by `weft traces import`. A span that cannot be stored is refused by its number and the reason; nothing that a
file holds raises. Secrets are redacted as in every recording.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from weft.tracer import foreign, semconv
from weft.tracer.capture import capture
from weft.tracer.files import spanrows
from weft.tracer.otel import dialects
from weft.tracer.otel.dialects import MISSING, Judgement
from weft.tracer.otlp.files import Item, Line, Trouble
from weft.tracer.otlp.spans import MAX_TIME_NS, OtlpSpan, Refused
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, Record, ScoreLogged, SpanClosed, SpanOpened, SpanPriced, SpanUpdated
from weft.tracking.names import check_project
from weft.tracking.payloads.encoding import decode
from weft.tracking.runtime import Runtime

RECORD: Final = "weft.record"
"""Of a span that weft wrote to OTLP: what OTLP has no field for, as a row without its payloads."""
PROJECT_OF_RESOURCE: Final = ("weft.project", "openinference.project.name")
INCOMPLETE: Final = "weft.incomplete"
BACKWARDS: Final = "weft.clock_backwards_ns"
_TOLD: Final = 20
"""Refusals that are kept word by word."""
_PICO: Final = 10**12
_STATUSES: Final = ("ok", "error", "cancelled", "running", "interrupted")


class _Wrong(Exception):  # noqa: N818 - the reason for a refusal, on its way
    """A row's field is not as it must be."""


@dataclass(slots=True)
class Imported:
    """What came of it."""

    read: int = 0
    stored: int = 0
    refused: int = 0
    refusals: list[str] = field(default_factory=list)
    """`span 2: spanId has 7 bytes, 8 are needed`: the first ones."""
    troubles: list[str] = field(default_factory=list)
    """What of a file could not be read."""
    incomplete: int = 0
    """Spans without an end."""
    projects: set[str] = field(default_factory=set)


class Importer:
    """Takes what files hold, one item after another."""

    def __init__(self, rt: Runtime, project: str | None = None) -> None:
        """
        Args:
            project: where all of it goes; None: where each span says, else this process's project.

        Raises:
            UsageError: mode is disabled, which writes nothing.
        """
        if not rt.recording:
            raise UsageError("nothing can be imported in mode disabled, which writes nothing: unset WEFT_MODE")
        self._rt = rt
        self._project = project
        self.done = Imported()

    def take(self, items: Iterable[Item], where: str = "") -> None:
        """Store what can be.

        Args:
            where: the file, for messages; empty where there is one only.
        """
        done, prefix = self.done, f"{where}: " if where else ""
        number = 0
        for item in items:
            if isinstance(item, Trouble):
                done.troubles.append(prefix + item.reason)
                continue
            number += 1
            done.read += 1
            reason = item.reason if isinstance(item, Refused) else self._store(item)
            if reason is None:
                done.stored += 1
                continue
            done.refused += 1
            if len(done.refusals) < _TOLD:
                done.refusals.append(f"{prefix}span {number}: {reason}")

    def _store(self, item: OtlpSpan | Line) -> str | None:
        """Write one span; why it cannot be, else None."""
        try:
            records = self._of_otlp(item) if isinstance(item, OtlpSpan) else self._of_row(item.row)
        except _Wrong as wrong:
            return str(wrong)
        rules = self._rt.settings.redact
        written = [self._rt.journal.append(foreign.clean(record, rules)) for record in records]
        return None if all(written) else "the journal could not be written; `weft doctor` says more"

    def _whose(self, *said: object) -> str:
        for project in (self._project, *said):
            if isinstance(project, str) and project:
                try:
                    self.done.projects.add(check_project(project))
                except Exception as error:
                    raise _Wrong(f"project {project!r:.60}: {error}") from None
                return project
        self.done.projects.add(self._rt.settings.project)
        return self._rt.settings.project

    # ---- somebody's OTLP ----

    def _of_otlp(self, span: OtlpSpan) -> list[Record]:
        kept = span.attributes.get(RECORD)
        if isinstance(kept, str) and (row := _row_of(span, kept)) is not None:
            return self._of_row(row)
        rt = self._rt
        told = dialects.translate(span.attributes, span.events, span.start_ns)
        project = self._whose(*(span.resource.get(name) for name in PROJECT_OF_RESOURCE))
        attributes = {**span.attributes, **_origin(span)}
        neutral = {
            "cost_usd": None if told.cost_usd is None else str(told.cost_usd),  # these two the ingester bills by
            "service_tier": told.service_tier,
            semconv.TIME_TO_FIRST_CHUNK: told.time_to_first_chunk_s,
        }
        attributes |= {name: value for name, value in neutral.items() if value is not None and name not in attributes}
        ended = span.end_ns != 0
        if not ended:
            attributes[INCOMPLETE] = "no end was reported"
            self.done.incomplete += 1
        elif span.end_ns < span.start_ns:
            attributes[BACKWARDS] = span.start_ns - span.end_ns
        ids = (span.trace_id, span.span_id)
        opened = SpanOpened(
            SCHEMA,
            *ids,
            span.parent_id,
            told.name or span.name or "(no name)",
            told.kind or "op",
            span.start_ns,
            project,
            inputs=None if told.inputs is MISSING else capture(rt, told.inputs),
            attributes=None if ended or not attributes else capture(rt, attributes),
            thread_id=told.thread_id,
            user_id=told.user_id,
            links=capture(rt, list(span.links)) if span.links else None,
        )
        made: list[Record] = [opened]
        if told.tags or (span.events and not ended):
            made.append(
                SpanUpdated(
                    SCHEMA,
                    *ids,
                    span.start_ns,
                    events=capture(rt, list(span.events)) if span.events and not ended else None,
                    tags=capture(rt, list(told.tags)) if told.tags else None,
                )
            )
        if ended:
            made.append(self._end(span, told, attributes))
        made += [self._judged(score, span, project, index) for index, score in enumerate(told.scores)]
        return made

    def _end(self, span: OtlpSpan, told: dialects.Translated, attributes: Mapping[str, Any]) -> SpanClosed:
        rt = self._rt
        status, error = _ending(span, told)
        end_ns = max(span.end_ns, span.start_ns)
        return SpanClosed(
            SCHEMA,
            span.trace_id,
            span.span_id,
            end_ns,
            end_ns - span.start_ns,
            status,
            None if told.output is MISSING else capture(rt, told.output),
            None if error is None else capture(rt, error),
            told.model,
            told.provider,
            dict(told.usage) if told.usage and not told.aggregated else None,
            capture(rt, attributes) if attributes else None,
            capture(rt, list(span.events)) if span.events else None,
        )

    def _judged(self, score: Judgement, span: OtlpSpan, project: str, index: int) -> ScoreLogged:
        of_trace = score.target == "trace"
        said = repr((span.trace_id, b"" if of_trace else span.span_id, index, score.name)).encode()
        return ScoreLogged(
            SCHEMA,
            hashlib.sha256(said).digest()[:16],  # the same file again is the same score
            "trace" if of_trace else "span",
            max(span.end_ns, span.start_ns),
            score.name,
            project,
            score.value,
            score.label,
            score.reason,
            span.trace_id,
            None if of_trace else span.span_id,
            error=score.error,
        )

    # ---- weft's own rows ----

    def _of_row(self, row: Mapping[str, Any]) -> list[Record]:
        if row.get("weft", spanrows.VERSION) != spanrows.VERSION:
            raise _Wrong(f"its row is of version {row['weft']!r:.20}, of a newer weft: upgrade weft to read it")
        ids = (_identity(row, "trace_id", 16), _identity(row, "span_id", 8))
        parent = None if row.get("parent_id") is None else _identity(row, "parent_id", 8)
        project, status = self._whose(_text(row, "project")), _text(row, "status") or "ok"
        start_ns, end_ns = _time(row, "start_ns"), _time(row, "end_ns", needed=False)
        if start_ns is None:
            raise _Wrong("start_ns is missing")
        ended = end_ns is not None and status not in ("running", "interrupted")
        attributes = self._payload(row, "attributes", dict)
        made: list[Record] = [
            SpanOpened(
                SCHEMA,
                *ids,
                parent,
                _text(row, "name") or "(no name)",
                _text(row, "kind") or "op",
                start_ns,
                project,
                None if row.get("run_uid") is None else _identity(row, "run_uid", 16),
                self._payload(row, "inputs"),
                None if ended else attributes,
                _text(row, "thread_id"),
                _text(row, "turn_id"),
                _text(row, "user_id"),
                _text(row, "version"),
                self._payload(row, "links", list),
            )
        ]
        tags, events = self._payload(row, "tags", list), self._payload(row, "events", list)
        if tags is not None or (events is not None and not ended):
            made.append(SpanUpdated(SCHEMA, *ids, start_ns, events=None if ended else events, tags=tags))
        if ended and end_ns is not None:
            made += self._row_end(row, ids, start_ns, end_ns, status, attributes, events)
        else:
            self.done.incomplete += 1
        for name, target in (("scores", "span"), ("trace_scores", "trace")):
            made += self._row_scores(row.get(name), ids, project, target)
        return made

    def _row_end(
        self,
        row: Mapping[str, Any],
        ids: tuple[bytes, bytes],
        start_ns: int,
        end_ns: int,
        status: str,
        attributes: bytes | None,
        events: bytes | None,
    ) -> list[Record]:
        if status not in _STATUSES:
            raise _Wrong(f"status is {status!r:.40}; it is one of {', '.join(_STATUSES)}")
        flags = [str(flag)[:1_000] for flag in row.get("usage_flags") or () if isinstance(row.get("usage_flags"), list)]
        usage, estimated = _usage(row), bool(flags) and flags[0].startswith("estimated")
        duration_ns = _time(row, "duration_ns", needed=False)
        closed = SpanClosed(
            SCHEMA,
            *ids,
            end_ns,
            max(0, end_ns - start_ns) if duration_ns is None else duration_ns,
            status,
            self._payload(row, "output") if "output" in row else None,
            self._payload(row, "error"),
            _text(row, "model"),
            _text(row, "provider"),
            None if estimated else usage,
            attributes,
            events,
        )
        cost, source = spanrows.amount(row.get("cost")), _text(row, "price_source")
        if cost is None and source is None and not flags:
            return [closed]
        held = row.get("cost_parts")
        told = held.items() if isinstance(held, Mapping) else ()
        parts = {str(name): int(usd * _PICO) for name, part in told if (usd := spanrows.amount(part)) is not None}
        priced = SpanPriced(
            SCHEMA,
            *ids,
            end_ns + 1,  # said on purpose: it counts more than what this machine's prices say of the same end
            -1 if cost is None or not 0 <= cost < 1_000_000 else int(cost * _PICO),
            source or "",
            orjson.dumps(parts) if parts else None,
            flags,
            usage if estimated else None,
        )
        return [closed, priced]

    def _row_scores(self, held: Any, ids: tuple[bytes, bytes], project: str, target: str) -> list[Record]:
        made: list[Record] = []
        for score in held if isinstance(held, list) else ():
            if not isinstance(score, Mapping):
                continue
            value = score.get("value")
            number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
            source = score.get("source")
            made.append(
                ScoreLogged(
                    SCHEMA,
                    _identity(score, "uid", 16),
                    target,
                    _time(score, "at_ns") or 0,
                    _text(score, "name") or "(no name)",
                    project,
                    None if number is None or not math.isfinite(number) else number,
                    _text(score, "label"),
                    _text(score, "reason"),
                    ids[0],
                    ids[1] if target == "span" else None,
                    row_id=_text(score, "row_id"),
                    source=capture(self._rt, source) if isinstance(source, Mapping) else None,
                    error=_text(score, "error"),
                    kind=_text(score, "kind") or "score",
                    author=_text(score, "author"),
                )
            )
        return made

    def _payload(self, row: Mapping[str, Any], name: str, kind: type | None = None) -> bytes | None:
        """A payload as its record holds it; None where the row has none."""
        held = row.get(name)
        if held is None and not (name == "output" and name in row):
            return None
        if kind is not None and not isinstance(held, kind):
            raise _Wrong(f"{name} is a JSON {type(held).__name__}, where a {kind.__name__} is needed")
        return capture(self._rt, decode(orjson.dumps(held)))


def _row_of(span: OtlpSpan, kept: str) -> dict[str, Any] | None:
    """The row that weft wrote beside OTLP's own fields; None: it is not whole, so the span is read as anybody's."""
    try:
        row = orjson.loads(kept)
        if not isinstance(row, dict):
            return None
        for name, key in (("inputs", "weft.inputs"), ("output", "weft.output")):
            if isinstance(held := span.attributes.get(key), str):
                row[name] = orjson.loads(held)
    except orjson.JSONDecodeError:
        return None
    row |= {"trace_id": span.trace_id.hex(), "span_id": span.span_id.hex(), "name": span.name}
    return row | {"parent_id": None if span.parent_id is None else span.parent_id.hex(), "start_ns": span.start_ns}


def _origin(span: OtlpSpan) -> dict[str, Any]:
    """Who made it, as the span processor says it; and what its limits threw away."""
    found: dict[str, Any] = {
        semconv.SCOPE_NAME: span.scope_name,
        semconv.SCOPE_VERSION: span.scope_version,
        semconv.SERVICE_NAME: span.resource.get(semconv.SERVICE_NAME),
        semconv.SPAN_KIND: "" if span.kind in ("internal", "unspecified") else span.kind,
    }
    found |= {semconv.DROPPED.format(what): count for what, count in span.dropped.items()}
    rest = {name: value for name, value in span.resource.items() if name != semconv.SERVICE_NAME}
    return {name: value for name, value in found.items() if value} | ({semconv.RESOURCE: rest} if rest else {})


def _ending(span: OtlpSpan, told: dialects.Translated) -> tuple[str, dict[str, str] | None]:
    """The status, and {type, message, stacktrace} of what went wrong: the last exception, else the status's words."""
    if span.status != "error":
        return "ok", None
    error = dict(told.error or {"type": "", "message": "", "stacktrace": ""})
    error["message"] = error["message"] or span.message
    return ("cancelled" if error["type"].rpartition(".")[2] == "CancelledError" else "error"), error


def _identity(row: Mapping[str, Any], name: str, size: int) -> bytes:
    value = row.get(name)
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        found = b""
    if len(found) != size or not any(found):
        raise _Wrong(f"{name} is {value!r:.60}, not an id of {2 * size} hex digits")
    return found


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise _Wrong(f"{name} is {value!r:.40}, where text is needed")
    return value


def _time(row: Mapping[str, Any], name: str, *, needed: bool = True) -> int | None:
    value = row.get(name)
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TIME_NS:
        raise _Wrong(f"{name} is {value!r:.40}, not a whole number of nanoseconds")
    return value


def _usage(row: Mapping[str, Any]) -> dict[str, int] | None:
    held = row.get("usage")
    if held is None:
        return None
    if not isinstance(held, Mapping):
        raise _Wrong(f"usage is {held!r:.40}, where an object of counts is needed")
    whole = {name: count for name, count in held.items() if isinstance(count, int) and not isinstance(count, bool)}
    if len(whole) != len(held) or any(abs(count) >= 1 << 63 for count in whole.values()):
        raise _Wrong("usage holds what is no whole number")
    return whole


__all__: Sequence[str] = ("Imported", "Importer")
