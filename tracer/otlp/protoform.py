"""OTLP as protobuf, through `opentelemetry-proto`. Data that is cut or partly unsound gives what of it is whole.

Imported late: the extra `otlp` brings protobuf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from weft.tracer.otel.emission import as_json
from weft.tracer.otlp.spans import KINDS, MAX_DEPTH, STATUSES, NotOtlpError, OtlpSpan, Refused, make
from weft.tracking.payloads.encoding import Tagged

_INT64: Final = 1 << 63
_LEN: Final = 2
"""The wire type of messages, texts and bytes."""


class CutOff(Exception):  # noqa: N818 - not a fault of ours: what came before it is sound
    """The data ends in the middle, or goes on as something that is no protobuf."""


def spans(data: bytes) -> Iterator[OtlpSpan | Refused]:
    """The spans of an `ExportTraceServiceRequest` (or `TracesData`, which is the same on the wire), in their order.

    Raises:
        NotOtlpError: it is something else.
        CutOff: after what is whole of it.
    """
    try:
        request = ExportTraceServiceRequest.FromString(data)
    except DecodeError:
        yield from _piecemeal(data)
        return
    if data and not request.resource_spans:
        raise NotOtlpError("protobuf, but no request with traces")
    if (what := _other_signal(request, data)) is not None:
        raise NotOtlpError(f"OTLP {what}, not traces: weft imports traces only")
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for held in group.scope_spans:
            for span in held.spans:
                yield _span(span, resource, held.scope)


def request(found: Iterable[OtlpSpan]) -> bytes:
    """A serialized request with these spans."""
    made = ExportTraceServiceRequest()
    groups: dict[tuple[str, str, str], Any] = {}
    for span in found:
        key = (repr(span.resource), span.scope_name, span.scope_version)
        if key not in groups:
            group = made.resource_spans.add()
            group.resource.attributes.extend(_key_values(span.resource))
            groups[key] = group.scope_spans.add()
            groups[key].scope.name, groups[key].scope.version = _sound(span.scope_name), _sound(span.scope_version)
        _write(span, groups[key].spans.add())
    data: bytes = made.SerializeToString()
    return data


# ---- reading ----


def _span(span: Span, resource: Mapping[str, Any], scope: InstrumentationScope) -> OtlpSpan | Refused:
    return make(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        name=span.name,
        kind=KINDS[span.kind] if 0 <= span.kind < len(KINDS) else KINDS[0],
        status=STATUSES[span.status.code] if 0 <= span.status.code < len(STATUSES) else STATUSES[0],
        message=span.status.message,
        attributes=_attributes(span.attributes),
        events=[
            {
                "name": event.name,
                "at_ns": event.time_unix_nano if event.time_unix_nano < _INT64 else 0,
                "attributes": _attributes(event.attributes),
            }
            for event in span.events
        ],
        links=[
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": _attributes(link.attributes),
            }
            for link in span.links
        ],
        dropped={
            what: count
            for what in ("attributes", "events", "links")
            if (count := getattr(span, f"dropped_{what}_count")) > 0
        },
        resource=resource,
        scope_name=scope.name,
        scope_version=scope.version,
    )


def _attributes(listed: Iterable[KeyValue]) -> dict[str, Any]:
    return {item.key: _value(item.value, 0) for item in listed}


def _value(value: AnyValue, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return Tagged("truncated", {"of": "levels", "kept": depth, "total": None, "value": None})
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        return [_value(item, depth + 1) for item in value.array_value.values]
    if which == "kvlist_value":
        return {item.key: _value(item.value, depth + 1) for item in value.kvlist_value.values}
    return getattr(value, which)


def _other_signal(request: ExportTraceServiceRequest, data: bytes) -> str | None:
    """Logs and metrics have the same outer fields; their records, read as spans, have no sound ids."""
    held = [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
    if not held or any(len(span.trace_id) == 16 or len(span.span_id) == 8 for span in held):
        return None
    for kind, group, scope, what in (
        (ExportLogsServiceRequest, "resource_logs", "scope_logs", "logs"),
        (MetricsData, "resource_metrics", "scope_metrics", "metrics"),
    ):
        try:
            other: Any = kind.FromString(data)
        except DecodeError:
            continue
        records = [one for held in getattr(other, group) for held in getattr(held, scope) for one in held.ListFields()]
        items = [one for field, listed in records if field.name in ("log_records", "metrics") for one in listed]
        if items and all(_told(item) for item in items):
            return what
    return None


def _told(item: Message) -> bool:
    """Whether a record has what only its own kind has."""
    names = {field.name for field, _ in item.ListFields()}
    if item.DESCRIPTOR.name == "LogRecord":
        return bool(names & {"time_unix_nano", "observed_time_unix_nano", "body", "severity_number", "event_name"})
    return "name" in names and bool(names & {"gauge", "sum", "histogram", "exponential_histogram", "summary"})


# ---- what is whole of unsound data ----


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, bool]]:
    """Field number, content and wholeness of the length-delimited fields of a message; others are passed over.

    Raises:
        CutOff: it is no protobuf from here on, or ends within a field's head.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, at = _varint(data, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == _LEN and number:
            size, at = _varint(data, at)
            yield number, data[at : at + size], at + size <= len(data)
            at += size
        else:
            raise CutOff
    if at > len(data):
        raise CutOff


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise CutOff
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise CutOff


def _piecemeal(data: bytes) -> Iterator[OtlpSpan | Refused]:
    """Span by span: one that is unsound is refused, and what is cut ends it."""
    count = 0
    for number, group, whole_group in _fields(memoryview(data)):
        if number != 1:
            continue
        resource: Mapping[str, Any] = {}
        for part, held, whole_part in _fields(group):
            if part == 1 and whole_part:
                found = _try(Resource, held)
                resource = {} if found is None else _attributes(found.attributes)
            elif part == 2:
                scope = InstrumentationScope()
                for item, raw, whole in _fields(held):
                    if item == 1 and whole:
                        scope = _try(InstrumentationScope, raw) or scope
                    elif item == 2 and whole:
                        count += 1
                        span = _try(Span, raw)
                        unsound = Refused("it is no sound protobuf (nested too deep, or text that is no UTF-8)")
                        yield unsound if span is None else _span(span, resource, scope)
        if not whole_group:
            raise CutOff
    if not count:
        raise NotOtlpError("neither JSON nor OTLP protobuf")


def _try(kind: Any, raw: memoryview) -> Any:
    try:
        return kind.FromString(bytes(raw))
    except DecodeError:
        return None


# ---- writing ----


def _write(span: OtlpSpan, made: Any) -> None:
    made.trace_id, made.span_id, made.name = span.trace_id, span.span_id, _sound(span.name)
    made.parent_span_id = span.parent_id or b""
    made.kind, made.status.code = KINDS.index(span.kind), STATUSES.index(span.status)
    made.status.message = _sound(span.message)
    made.start_time_unix_nano, made.end_time_unix_nano = span.start_ns, span.end_ns
    made.attributes.extend(_key_values(span.attributes))
    for event in span.events:
        held = made.events.add(time_unix_nano=event["at_ns"], name=_sound(event["name"]))
        held.attributes.extend(_key_values(event["attributes"]))
    for link in span.links:
        ids = {"trace_id": bytes.fromhex(link["trace_id"]), "span_id": bytes.fromhex(link["span_id"])}
        made.links.add(**ids).attributes.extend(_key_values(link["attributes"]))
    for what, count in span.dropped.items():
        setattr(made, f"dropped_{what}_count", min(count, (1 << 32) - 1))


def _key_values(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=_sound(str(key)), value=any_value(value)) for key, value in values.items()]


def any_value(value: Any) -> AnyValue:
    """A plain value as an AnyValue; what the type does not know as the JSON of `docs/format.md`."""
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=_sound(value))
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, (bytes, bytearray)):
        return AnyValue(bytes_value=bytes(value))
    made = AnyValue()
    if isinstance(value, (list, tuple)):
        made.array_value.values.extend(any_value(item) for item in value)
        made.array_value.SetInParent()
    elif isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        made.kvlist_value.values.extend(_key_values(value))
        made.kvlist_value.SetInParent()
    else:
        made.string_value = as_json(value)
    return made


def _sound(text: str) -> str:
    """Without lone surrogates, which protobuf refuses."""
    return text.encode("utf-8", "backslashreplace").decode()
