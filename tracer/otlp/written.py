"""A recorded span as OTLP: current `gen_ai.*` attributes for everybody, and for weft what these cannot say exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from weft.tracer.files import spanrows
from weft.tracer.otel.emission import MISSING, attributes_of
from weft.tracer.otlp import jsonform
from weft.tracer.otlp.spans import OtlpSpan
from weft.tracking.store.readmodels import ScoreRecord, SpanRecord

RECORD: Final = "weft.record"
"""The span's row (`spanrows`) without inputs and output, which are `weft.inputs` and `weft.output`."""
SCOPE: Final = "weft"


def otlp_span(span: SpanRecord, run_uid: str | None = None, trace_scores: Sequence[ScoreRecord] = ()) -> OtlpSpan:
    """The span.

    Args:
        run_uid: its run's identity.
        trace_scores: those of its trace, where it is the root.
    """
    row = spanrows.row(span, run_uid, trace_scores)
    recorded = "output" in row
    attributes: dict[str, Any] = dict(
        attributes_of(
            kind=span.kind,
            name=span.name,
            model=span.model,
            provider=span.provider,
            usage=span.usage,
            inputs=span.inputs,
            output=span.output if recorded else MISSING,
            attributes=span.attributes,
            thread_id=span.thread_id,
            user_id=span.user_id,
            tags=span.tags,
            error=span.error,
        )
    )
    if span.cost is not None:
        attributes.setdefault("gen_ai.usage.cost", float(span.cost))
    kept = {name: value for name, value in row.items() if name not in ("inputs", "output", "trace_id", "span_id")}
    attributes[RECORD] = spanrows.line(kept).decode().rstrip("\n")
    # What came in under weft's names is theirs to say again only where it is so.
    for name, payload in (("weft.inputs", "inputs"), ("weft.output", "output")):
        if payload in row:
            attributes[name] = row[payload].decode()
        else:
            attributes.pop(name, None)
    status = "error" if span.status in ("error", "cancelled") else "ok" if span.status == "ok" else "unset"
    return OtlpSpan(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_id=None if span.parent_id is None else bytes.fromhex(span.parent_id),
        name=span.name,
        start_ns=span.start_ns,
        end_ns=span.end_ns or 0,
        kind="client" if span.kind in ("llm", "embedding") else "internal",
        status=status,
        message=str((span.error or {}).get("message", "")) if status == "error" else "",
        attributes=attributes,
        events=_events(span, trace_scores),
        links=[link for each in span.links if (link := _link(each)) is not None],
        resource={"service.name": span.project, "weft.project": span.project},
        scope_name=SCOPE,
    )


def _events(span: SpanRecord, trace_scores: Sequence[ScoreRecord]) -> list[dict[str, Any]]:
    """Its own, its error as an exception, its scores as evaluation results."""
    made = [event for each in span.events if (event := _event(each)) is not None]
    if span.error is not None and not any(event["name"] == "exception" for event in made):
        raised = {f"exception.{name}": str(span.error.get(name) or "") for name in ("type", "message", "stacktrace")}
        made.append({"name": "exception", "at_ns": span.end_ns or span.start_ns, "attributes": raised})
    for score in (*span.scores, *trace_scores):
        told = {"name": score.name, "score.value": score.value, "score.label": score.label}
        told["explanation"] = score.reason
        said = {f"gen_ai.evaluation.{name}": value for name, value in told.items() if value is not None}
        made.append({"name": "gen_ai.evaluation.result", "at_ns": score.at_ns, "attributes": said})
    return made


def _event(event: Any) -> dict[str, Any] | None:
    if not isinstance(event, Mapping):
        return None
    at_ns = event.get("at_ns")
    sound = isinstance(at_ns, int) and 0 <= at_ns < 1 << 63
    name, attributes = str(event.get("name") or ""), _named(event.get("attributes"))
    return {"name": name, "at_ns": at_ns if sound else 0, "attributes": attributes}


def _link(link: Any) -> dict[str, Any] | None:
    try:
        ids = {name: bytes.fromhex(link[name]).hex() for name in ("trace_id", "span_id")}
    except (KeyError, TypeError, ValueError):
        return None
    return {**ids, "attributes": _named(link.get("attributes"))}


def _named(attributes: Any) -> dict[str, Any]:
    return {str(name): value for name, value in attributes.items()} if isinstance(attributes, Mapping) else {}


def json_line(spans: Sequence[OtlpSpan]) -> bytes:
    """A request with these spans as one line of OTLP JSON, its end included."""
    return orjson.dumps(jsonform.request(spans), option=orjson.OPT_APPEND_NEWLINE)
