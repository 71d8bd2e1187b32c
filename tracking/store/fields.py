"""What traces (by their roots), spans and scores are filtered and ordered by. For the readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, or_, select

from weft.tracking.store import schema, spanpayload
from weft.tracking.store.columns import Condition, Field, HexId, number_of, text_of, through, through_one, usd_of
from weft.tracking.store.filters import Document, Fields, Related
from weft.tracking.store.jsontext import decoded, loads
from weft.tracking.store.lookups import hexed, usd
from weft.tracking.store.textindex import Search

_p = schema.span_payload.c
_c = schema.score.c


def project_field(key: ColumnElement[Any]) -> Field:
    """Filter by the project's name."""
    return Field(schema.project.c.name, text_of, via=through_one(key, select(schema.project.c.id)))


def run_field(key: ColumnElement[Any]) -> Field:
    """Filter by the run's id."""
    return Field(schema.run.c.run_id, text_of, via=through(key, select(schema.run.c.id)))


def run_uid_field(key: ColumnElement[Any]) -> Field:
    """Filter by the run's uid."""
    return Field(schema.run.c.uid, HexId(32), via=through_one(key, select(schema.run.c.id)))


SCORE = {
    "uid": Field(_c.uid, HexId(32), load=hexed),
    "target": Field(_c.target, text_of),
    "name": Field(_c.name, text_of),
    "value": Field(_c.value, number_of),
    "label": Field(_c.label, text_of),
    "reason": Field(_c.reason, text_of),
    "error": Field(_c.error, text_of),
    "at_ns": Field(_c.at_ns, number_of),
    "project": project_field(_c.project_key),
    "trace_id": Field(_c.trace_id, HexId(32), load=hexed),
    "span_id": Field(_c.span_id, HexId(16), load=hexed),
    "run_id": run_field(_c.run_key),
    "run_uid": run_uid_field(_c.run_key),
    "row_id": Field(_c.row_id, text_of),
    "kind": Field(_c.kind, text_of),
    "author": Field(_c.author, text_of),
}


def _call(table: Table) -> Mapping[str, Field]:
    c = table.c
    return {
        "project": project_field(c.project_key),
        "name": Field(c.name, text_of),
        "kind": Field(c.kind, text_of),
        "status": Field(c.status, text_of),
        "start_ns": Field(c.start_ns, number_of),
        "end_ns": Field(c.end_ns, number_of),
        "duration_ns": Field(c.duration_ns, number_of),
        "input_tokens": Field(c.input_tokens, number_of),
        "output_tokens": Field(c.output_tokens, number_of),
        "cost": Field(c.cost_pico_usd, usd_of, load=usd),
        "run_id": run_field(c.run_key),
        "run_uid": run_uid_field(c.run_key),
        "thread_id": Field(c.thread_id, text_of),
        "user_id": Field(c.user_id, text_of),
    }


def _documents(end_ns: ColumnElement[Any]) -> Mapping[str, Document]:
    """Of the joined payload, as they are shown."""
    return {
        "inputs": Document((_p.inputs, _p.more), spanpayload.inputs, needle=(_p.inputs, _p.more)),
        "output": Document((_p.output,), decoded, needle=(_p.output,)),
        "attributes": Document(
            (_p.attributes, _p.closed_attributes, _p.more, end_ns),
            spanpayload.attributes,
            needle=(_p.attributes, _p.closed_attributes, _p.more),
        ),
        "error": Document((_p.error,), spanpayload.error, needle=(_p.error,)),
    }


def _related(via: Any) -> Mapping[str, Related]:
    return {"scores": Related(SCORE, via, by="name"), "feedback": Related(SCORE, via, by="kind")}


_s = schema.span.c
_t = schema.trace.c
_span = schema.span.alias("scored_span")
_trace = schema.trace.alias("scored_trace")


def _scored_spans(condition: Condition) -> Condition:
    scored = (
        select(_span.c.id)
        .select_from(schema.score)
        .join(_trace, _trace.c.trace_id == _c.trace_id)
        .join(_span, (_span.c.trace_key == _trace.c.id) & (_span.c.span_id == _c.span_id))
    )
    return _s.id.in_(scored.where(condition))


def _scored_traces(condition: Condition) -> Condition:
    """What was said of the trace, or of its root: what `TraceRecord.scores` shows."""
    own = or_(_c.target != "span", _c.span_id == _trace.c.root_span_id)
    scored = select(_trace.c.id).select_from(schema.score).join(_trace, _trace.c.trace_id == _c.trace_id)
    return _t.id.in_(scored.where(own, condition))


def _searched_traces(search: Search) -> Condition:
    """Traces with a span in which all of it is found."""
    if search.common:
        return select(_span.c.id).where(_span.c.trace_key == _t.id, search.of(_span.c.id)).exists()
    return _t.id.in_(select(_span.c.trace_key).where(search.of(_span.c.id)))


def _tags(more: str | None) -> list[str] | None:
    return list(spanpayload.current_tags(more)) or None


SPAN: Fields = {
    "trace_id": Field(_t.trace_id, HexId(32), via=through_one(_s.trace_key, select(_t.id))),
    "span_id": Field(_s.span_id, HexId(16), load=hexed),
    "parent_id": Field(_s.parent_id, HexId(16), load=hexed),
    **_call(schema.span),
    "model": Field(_s.model, text_of),
    "provider": Field(_s.provider, text_of),
    "turn_id": Field(_s.turn_id, text_of),
    "version": Field(_s.version, text_of),
    "text": Field(
        _s.name,
        text_of,
        texts=(_s.name, _p.inputs, _p.output, _p.error),
        search=lambda search: search.of(_s.id),
    ),
    **_documents(_s.end_ns),
    "usage": Document((_s.usage,), loads),
    "tags": Document((_p.more,), _tags, needle=(_p.more,), items=True),
    **_related(_scored_spans),
}
TRACE: Fields = {
    "trace_id": Field(_t.trace_id, HexId(32), load=hexed),
    **_call(schema.trace),
    "span_count": Field(_t.span_count, number_of),
    "error_count": Field(_t.error_count, number_of),
    "tags": Field(_t.tags, text_of, items=True, load=loads),
    "text": Field(_t.name, text_of, texts=(_t.name, _t.input_preview, _t.output_preview), search=_searched_traces),
    **_documents(_t.end_ns),
    **_related(_scored_traces),
}
"""Documents of a trace are its root's."""


def orders(fields: Fields) -> Mapping[str, ColumnElement[Any]]:
    """The columns of these fields that order a list: those of this table that hold one number or text."""
    return {
        name: field.column
        for name, field in fields.items()
        if isinstance(field, Field)
        and field.via is None
        and not field.texts
        and not field.items
        and not isinstance(field.convert, HexId)
    }
