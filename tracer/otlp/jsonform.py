"""OTLP as JSON: ids in hexadecimal, 64-bit integers as text, names in camelCase; other senders' habits are read, too.

Read: numbers for texts and texts for numbers, snake_case, enums by number or name, NaN and infinities as text. Nothing
a sender writes raises anything but `NotOtlpError`; a span that cannot be stored is `Refused`, its neighbours are not.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from weft.tracer.otel.emission import as_json
from weft.tracer.otlp.spans import KINDS, MAX_DEPTH, STATUSES, NotOtlpError, OtlpSpan, Refused, make
from weft.tracking.payloads.encoding import Tagged

_OTHERS: Final[Mapping[str, str]] = {
    "resourceLogs": "logs",
    "resourceMetrics": "metrics",
    "resourceProfiles": "profiles",
}
_INT64: Final = 1 << 63


def spans(document: Any) -> Iterator[OtlpSpan | Refused]:
    """The spans of an `ExportTraceServiceRequest` (or `TracesData`), in their order.

    Raises:
        NotOtlpError: it is something else.
    """
    if not isinstance(document, Mapping):
        raise NotOtlpError(f"a JSON {_kind_of(document)}, where an object with resourceSpans is needed")
    resources = _get(document, "resourceSpans")
    if resources is None:
        for key, what in _OTHERS.items():
            if _get(document, key) is not None:
                raise NotOtlpError(f"OTLP {what}, not traces: weft imports traces only")
        if document.keys() - {"resourceSpans", "resource_spans"}:
            raise NotOtlpError(f"a JSON object without resourceSpans (it has {', '.join(map(str, document))[:80]})")
        return
    if not isinstance(resources, list):
        raise NotOtlpError(f"a JSON {_kind_of(resources)} as resourceSpans, where a list is needed")
    for group in _objects(resources):
        resource = _attributes(_get(_object(_get(group, "resource")), "attributes"))
        scopes = _get(group, "scopeSpans")
        for held in _objects(_get(group, "instrumentationLibrarySpans") if scopes is None else scopes):
            scope = _object(_get(held, "scope") or _get(held, "instrumentationLibrary"))
            whose = {"resource": resource, "scope_name": _text(_get(scope, "name"))}
            whose["scope_version"] = _text(_get(scope, "version"))
            listed = _get(held, "spans")
            for span in listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ():
                yield _span(span, whose)


def request(found: Iterable[OtlpSpan]) -> dict[str, Any]:
    """The JSON object of a request with these spans."""
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for span in found:
        key = (repr(span.resource), span.scope_name, span.scope_version)
        if key not in groups:
            scope = {"name": span.scope_name, "version": span.scope_version}
            resource = {"attributes": _key_values(span.resource)}
            groups[key] = {"resource": resource, "scopeSpans": [{"scope": scope, "spans": []}]}
        groups[key]["scopeSpans"][0]["spans"].append(_written(span))
    return {"resourceSpans": list(groups.values())}


# ---- reading ----


def _span(raw: Any, whose: Mapping[str, Any]) -> OtlpSpan | Refused:
    if not isinstance(raw, Mapping):
        return Refused(f"it is a JSON {_kind_of(raw)}, not an object")
    times = []
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        value = _get(raw, name)
        number = 0 if value is None or value == "" else _int(value)
        if number is None:
            return Refused(f"{name} is {value!r:.60}, not a whole number of nanoseconds")
        times.append(number)
    status = _object(_get(raw, "status"))
    return make(
        trace_id=_get(raw, "traceId"),
        span_id=_get(raw, "spanId"),
        parent_id=_get(raw, "parentSpanId"),
        start_ns=times[0],
        end_ns=times[1],
        name=_text(_get(raw, "name")),
        kind=_enum(_get(raw, "kind"), "SPAN_KIND_", KINDS),
        status=_enum(_get(status, "code"), "STATUS_CODE_", STATUSES),
        message=_text(_get(status, "message")),
        attributes=_attributes(_get(raw, "attributes")),
        events=[_event(event) for event in _objects(_get(raw, "events"))],
        links=[link for each in _objects(_get(raw, "links")) if (link := _link(each)) is not None],
        dropped={
            what: count
            for what in ("attributes", "events", "links")
            if (count := _int(_get(raw, f"dropped{what.title()}Count")) or 0) > 0
        },
        **whose,
    )


def _event(raw: Mapping[str, Any]) -> dict[str, Any]:
    at_ns = _int(_get(raw, "timeUnixNano")) or 0
    return {"name": _text(_get(raw, "name")), "at_ns": at_ns, "attributes": _attributes(_get(raw, "attributes"))}


def _link(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    trace_id, span_id = _get(raw, "traceId"), _get(raw, "spanId")
    if not isinstance(trace_id, str) or not isinstance(span_id, str):
        return None
    return {
        "trace_id": trace_id.lower(),
        "span_id": span_id.lower(),
        "attributes": _attributes(_get(raw, "attributes")),
    }


def _get(held: Mapping[str, Any], name: str) -> Any:
    """By its camelCase name, else in snake_case."""
    found = held.get(name)
    if found is None:
        found = held.get("".join(f"_{char.lower()}" if char.isupper() else char for char in name))
    return found


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; whatever else stands there is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:1_000]


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str):
        try:
            return int(value[:40])
        except ValueError:
            return None
    return value if isinstance(value, int) else None


def _enum(value: Any, prefix: str, words: Sequence[str]) -> str:
    if isinstance(value, str) and not value.isdigit():
        word = value.removeprefix(prefix).lower()
        return word if word in words else words[0]
    number = _int(value)
    return words[number] if number is not None and 0 <= number < len(words) else words[0]


def _attributes(listed: Any) -> dict[str, Any]:
    if isinstance(listed, Mapping):  # some write a plain object
        return {str(key): value for key, value in listed.items()}
    return {key: _value(_get(item, "value"), 0) for item in _objects(listed) if isinstance(key := item.get("key"), str)}


def _value(raw: Any, depth: int) -> Any:
    """An AnyValue; what is no such thing is kept as it stands."""
    if not isinstance(raw, Mapping):
        return raw
    if depth >= MAX_DEPTH:
        return Tagged("truncated", {"of": "levels", "kept": depth, "total": None, "value": None})
    for name, read in _VALUES.items():
        held = _get(raw, name)
        if held is not None:
            return read(held, depth)
    return None


def _int_value(held: Any, depth: int) -> Any:
    number = _int(held)
    return held if number is None else number


def _double_value(held: Any, depth: int) -> Any:
    if isinstance(held, str):
        try:
            return float(held[:60])
        except ValueError:
            return held
    return float(held) if isinstance(held, int) and not isinstance(held, bool) and abs(held) < 1 << 1000 else held


def _bytes_value(held: Any, depth: int) -> Any:
    try:
        return base64.b64decode(held + "=" * (-len(held) % 4), altchars=b"-_" if {"-", "_"} & set(held) else None)
    except (TypeError, ValueError, binascii.Error):
        return held


def _list_value(held: Any, depth: int) -> Any:
    values = _get(_object(held), "values")
    return [_value(item, depth + 1) for item in values] if isinstance(values, list) else []


def _map_value(held: Any, depth: int) -> Any:
    items = _objects(_get(_object(held), "values"))
    return {key: _value(_get(item, "value"), depth + 1) for item in items if isinstance(key := item.get("key"), str)}


_VALUES: Final = {
    "stringValue": lambda held, depth: held,
    "boolValue": lambda held, depth: held == "true" if isinstance(held, str) else held,
    "intValue": _int_value,
    "doubleValue": _double_value,
    "arrayValue": _list_value,
    "kvlistValue": _map_value,
    "bytesValue": _bytes_value,
}


def _kind_of(value: Any) -> str:
    kinds = {list: "list", str: "text", bool: "true or false", type(None): "null", dict: "object"}
    return kinds.get(type(value), "number")


# ---- writing ----


def _written(span: OtlpSpan) -> dict[str, Any]:
    made: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": KINDS.index(span.kind),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _key_values(span.attributes),
        "events": [
            {"timeUnixNano": str(event["at_ns"]), "name": event["name"], "attributes": _key_values(event["attributes"])}
            for event in span.events
        ],
        "links": [
            {"traceId": link["trace_id"], "spanId": link["span_id"], "attributes": _key_values(link["attributes"])}
            for link in span.links
        ],
        "status": {"code": STATUSES.index(span.status)} | ({"message": span.message} if span.message else {}),
    }
    if span.parent_id is not None:
        made["parentSpanId"] = span.parent_id.hex()
    return made | {f"dropped{what.title()}Count": count for what, count in span.dropped.items()}


def _key_values(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": str(key), "value": any_value(value)} for key, value in values.items()]


def any_value(value: Any) -> dict[str, Any]:
    """A plain value as an AnyValue of OTLP's JSON; what the type does not know as the JSON of `docs/format.md`."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else _spelled(value)}
    if isinstance(value, (bytes, bytearray)):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"kvlistValue": {"values": _key_values(value)}}
    return {"stringValue": as_json(value)}


def _spelled(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
