"""OTLP files: both forms say the same, what is whole is read, and everything else is one line."""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("google.protobuf")

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from weft.tracer.otlp import files, jsonform, protoform
from weft.tracer.otlp.files import Item, Trouble, read
from weft.tracer.otlp.spans import NotOtlpError, OtlpSpan, Refused

GOLDEN = Path(__file__).parent / "golden"
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def items(data: bytes, form: str = "auto") -> list[Item]:
    return list(read(io.BytesIO(data), form))


def spans(data: bytes, form: str = "auto") -> list[OtlpSpan]:
    found = items(data, form)
    assert all(isinstance(item, OtlpSpan) for item in found), found
    return [item for item in found if isinstance(item, OtlpSpan)]


def request(*held: Any, **more: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(held)}]}], **more}).encode()


def span(**fields: Any) -> dict[str, Any]:
    return {"traceId": TRACE, "spanId": SPAN, "name": "a", "startTimeUnixNano": "5", "endTimeUnixNano": "9", **fields}


def test_the_golden_request_is_read_alike_in_both_forms() -> None:
    """An example with every type of value. The protobuf file was written from the JSON one by Google's own library."""
    from_json = spans((GOLDEN / "request.json").read_bytes())
    from_proto = spans((GOLDEN / "request.pb").read_bytes())

    assert repr(from_json) == repr(from_proto)  # NaN is unlike itself
    (first, child) = from_json
    assert first.attributes["big"] == 3_000_000_000
    assert first.attributes["nan"] != first.attributes["nan"]
    assert first.attributes["low"] == float("-inf")
    assert first.attributes["bytes"] == b"\x00\x01\x02"
    assert first.attributes["map"] == {"empty": "", "no": False, "list": [0, None]}
    assert (first.start_ns, first.kind, first.status) == (1_544_712_660_000_000_000, "server", "unset")
    assert (child.parent_id, child.status, child.message) == (first.span_id, "error", "bad")
    assert child.dropped == {"attributes": 71}
    assert first.resource == {"service.name": "shop"}
    assert (first.scope_name, first.scope_version) == ("lib", "1.0")


def test_other_senders_habits_are_read_the_same() -> None:
    (usual,) = spans(request(span(kind=2, parentSpanId="", attributes=[{"key": "n", "value": {"intValue": "7"}}])))
    snake = {
        "resource_spans": [
            {
                "instrumentation_library_spans": [
                    {
                        "spans": [
                            {
                                "trace_id": TRACE.upper(),
                                "span_id": SPAN,
                                "name": "a",
                                "start_time_unix_nano": 5,
                                "end_time_unix_nano": 9,
                                "kind": "SPAN_KIND_SERVER",
                                "attributes": [{"key": "n", "value": {"int_value": 7}}],
                            }
                        ]
                    }
                ]
            }
        ]
    }

    assert spans(json.dumps(snake, indent=2).encode()) == [usual]


def test_each_container_gives_the_same_spans() -> None:
    line = request(span())
    (expected,) = spans(line)
    message = protoform.request([expected])

    for data in (
        b"\xef\xbb\xbf" + line,
        gzip.compress(line),
        gzip.compress(line[:40]) + gzip.compress(line[40:]),
        json.dumps([json.loads(line)]).encode(),
        json.dumps(json.loads(line), indent=1).encode(),
        message,
        gzip.compress(message),
        struct.pack(">I", len(message)) + message,
        bytes([len(message)]) + message,
    ):
        assert spans(data) == [expected]
    for several in (
        line + b"\n\n" + line,
        struct.pack(">I", len(message)) + message + struct.pack(">I", len(message)) + message,
    ):
        assert spans(several) == [expected, expected]


def test_an_empty_request_is_a_sound_one() -> None:
    for data in (b"{}", b'{"resourceSpans": []}', b"[]" and b"{}\n{}\n"):
        assert items(data) == []


@pytest.mark.parametrize("data", [b"", b" \n\n", gzip.compress(b"")])
def test_a_file_with_nothing_in_it_is_called_empty(data: bytes) -> None:
    assert items(data) == [Trouble("there is nothing in it: the file is empty")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"spanId": "eee19b7ec3c1b1"}, "spanId has 7 bytes, 8 are needed"),
        ({"traceId": ""}, "traceId is missing"),
        ({"traceId": "0" * 32}, "traceId is all zeros, which OpenTelemetry keeps for invalid ones"),
        ({"spanId": "xyz"}, "spanId is 'xyz', not an id of 16 hex digits"),
        ({"spanId": 7}, "spanId is 7, not an id of 16 hex digits"),
        ({"parentSpanId": "ab"}, "parentSpanId has 1 bytes, 8 are needed"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano is 'soon', not a whole number of nanoseconds"),
        ({"endTimeUnixNano": 1 << 63}, f"endTimeUnixNano is {1 << 63}: not a time between 1970 and 2262"),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano is -1: not a time between 1970 and 2262"),
    ],
)
def test_a_span_that_cannot_be_stored_is_refused_and_its_neighbours_are_not(fields: Any, reason: str) -> None:
    found = items(request(span(), span(**fields), "no span", span(name="last")))

    assert found[1] == Refused(reason)
    assert found[2] == Refused("it is a JSON text, not an object")
    assert [item.name for item in found if isinstance(item, OtlpSpan)] == ["a", "last"]


def test_protobuf_refuses_the_same() -> None:
    made = ExportTraceServiceRequest()
    held = made.resource_spans.add().scope_spans.add().spans
    held.add(trace_id=bytes.fromhex(TRACE), span_id=bytes(7), start_time_unix_nano=5)
    held.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), start_time_unix_nano=5)

    refused, kept = items(made.SerializeToString())

    assert refused == Refused("spanId has 7 bytes, 8 are needed")
    assert isinstance(kept, OtlpSpan)


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_a_file_that_is_cut_anywhere_gives_what_is_whole(form: str) -> None:
    whole = [span(name=f"span {index}", spanId=f"{index + 1:016x}", attributes=[]) for index in range(4)]
    for held in whole:
        held["attributes"] = [{"key": "text", "value": {"stringValue": '} ] "quoted" \\'}}]
    data = request(*whole)
    if form == "protobuf":
        data = protoform.request(spans(data))
    expected = spans(data)
    seen = set()

    for end in range(2, len(data)):
        found = items(data[:end])
        kept = [item for item in found if isinstance(item, OtlpSpan)]
        # Only what follows the last span may be missing without a word.
        assert any(isinstance(item, Trouble) for item in found) or kept == expected, (end, data[:end])
        assert [item.name for item in kept] == [item.name for item in expected[: len(kept)]]
        assert [item.attributes for item in kept] == [item.attributes for item in expected[: len(kept)]]
        seen.add(len(kept))

    assert {0, 1, 2, 3} <= seen


def test_a_line_that_is_damaged_costs_only_itself() -> None:
    line = request(span())

    for data in (line + b"\n{broken\n" + line, b"{broken\n" + line + b"\n" + line):
        found = items(data)
        assert [type(item) for item in found].count(OtlpSpan) == 2
        assert [item.reason for item in found if isinstance(item, Trouble)] == [
            f"line {1 if data.startswith(b'{b') else 2} is no JSON; nothing of it could be read"
        ]


def test_a_cut_gzip_stream_gives_what_was_in_it() -> None:
    lines = b"".join(
        request(span(name=f"{index}", spanId=f"{index * 7919 + 1:016x}")) + b"\n" for index in range(2_000)
    )
    found = items(gzip.compress(lines)[:-5_000])

    assert sum(isinstance(item, OtlpSpan) for item in found) > 500
    assert found[-1] == Trouble("the gzip stream ends in the middle")


@pytest.mark.parametrize("content", [b" ", b"\n", b'{"a":"'])
def test_a_gzip_bomb_is_refused_before_it_is_unpacked(content: bytes) -> None:
    piece = content * (1 << 16)
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as file:
        for _ in range((100 << 20) // len(piece)):
            file.write(piece)

    (refusal,) = items(bomb.getvalue())

    assert "refused as a gzip bomb" in str(refusal)


def test_zeros_without_end_are_no_messages() -> None:
    assert items(bytes(1 << 20)) == [Trouble("neither JSON nor OTLP protobuf")]


def test_logs_and_metrics_are_named_as_such() -> None:
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=5, severity_text="INFO")
    metrics = MetricsData()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="tokens")
    metric.sum.data_points.add(as_int=1)

    for data, what in (
        (b'{"resourceLogs": []}', "logs"),
        (b'{"resource_metrics": [{}]}', "metrics"),
        (logs.SerializeToString(), "logs"),
        (metrics.SerializeToString(), "metrics"),
    ):
        (trouble,) = items(data)
        assert isinstance(trouble, Trouble)
        assert f"OTLP {what}, not traces" in trouble.reason


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, b"hello", b"[1, 2]", b"7", b'{"a": 1}', b"\x00\x00\x00\x05"]
)
def test_what_is_no_file_of_spans_is_said_in_one_line(data: bytes) -> None:
    (trouble,) = items(data)

    assert isinstance(trouble, Trouble)
    assert "\n" not in trouble.reason


def test_a_value_nested_too_deep_costs_only_itself() -> None:
    deep: dict[str, Any] = {"stringValue": "x"}
    for _ in range(200):
        deep = {"arrayValue": {"values": [deep]}}

    (kept,) = spans(request(span(attributes=[{"key": "deep", "value": deep}, {"key": "b", "value": {"intValue": 1}}])))

    assert kept.attributes["b"] == 1
    assert "truncated" in repr(kept.attributes["deep"])


def test_protobuf_nested_too_deep_refuses_that_span_only() -> None:
    made = ExportTraceServiceRequest()
    held = made.resource_spans.add().scope_spans.add().spans
    for index in range(3):
        held.add(
            trace_id=bytes.fromhex(TRACE), span_id=bytes([index + 1] * 8), name="abc"[index], start_time_unix_nano=5
        )
    value = held[1].attributes.add(key="deep").value
    for _ in range(200):
        value = value.array_value.values.add()
    value.bool_value = True

    found = items(made.SerializeToString())

    assert [getattr(item, "name", item) for item in found] == [
        "a",
        Refused("it is no sound protobuf (nested too deep, or text that is no UTF-8)"),
        "c",
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["key", "value", "values", "stringValue", "intValue", "arrayValue", "kvlistValue", "bytesValue"]
            )
            | st.sampled_from(
                ["doubleValue", "boolValue", "traceId", "spanId", "name", "attributes", "code", "timeUnixNano"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
fields = st.sampled_from(
    ["name", "kind", "status", "attributes", "events", "links", "parentSpanId", "droppedEventsCount", "endTimeUnixNano"]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(fields, anything, max_size=5), anything)
def test_wrong_types_anywhere_never_raise(more: dict[str, Any], resource: Any) -> None:
    document = {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": resource, "spans": [{**span(), **more}]}]}]
    }

    for found in jsonform.spans(document):
        assert isinstance(found, (OtlpSpan, Refused))
    if isinstance(resource, list | None):
        list(jsonform.spans({"resourceSpans": resource}))
    else:
        with pytest.raises(NotOtlpError):
            list(jsonform.spans({"resourceSpans": resource}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for form in files.FORMATS[:4]:
        assert all(isinstance(item, (OtlpSpan, Refused, Trouble)) or item for item in items(data, form))


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), plain, max_size=4))
def test_what_is_written_reads_back_in_both_forms(attributes: dict[str, Any]) -> None:
    more: dict[str, Any] = {"attributes": attributes, "events": [], "links": [], "resource": {"a": 1}}
    made = OtlpSpan(bytes.fromhex(TRACE), bytes.fromhex(SPAN), None, "n", 1, 2, **more)

    (from_json,) = jsonform.spans(json.loads(json.dumps(jsonform.request([made]))))
    (from_proto,) = protoform.spans(protoform.request([made]))

    assert repr(from_json) == repr(from_proto) == repr(made)  # NaN is unlike itself


def _named(name: str, span_id: str, value: str = '{"stringValue":"x"}') -> str:
    return (
        f'{{"traceId":"{TRACE}","spanId":"{span_id}","name":"{name}","startTimeUnixNano":"1","endTimeUnixNano":"2",'
        f'"attributes":[{{"key":"k","value":{value}}}]}}'
    )


def _requested(*held: str) -> bytes:
    return ('{"resourceSpans":[{"scopeSpans":[{"spans":[' + ",".join(held) + "]}]}]}").encode()


def test_half_an_emoji_loses_neither_its_span_nor_the_neighbours() -> None:
    names = [r"cut \ud83d", r"\udc00\ud83d\ude00", r"\\ud83d"]
    found = spans(_requested(*(_named(name, f"{at:016x}") for at, name in enumerate(names, 1))))

    assert [span.name for span in found] == ["cut \ufffd", "\ufffd\U0001f600", "\\ud83d"]


@pytest.mark.parametrize("depth", [1_017, 1_018, 1_019, 1_023, 1_024, 1_025, 10_000])
def test_a_span_too_deep_is_told_by_its_depth_and_the_spans_around_it_are_stored(depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    found = items(_requested(_named("a", "1" * 16), deep, _named("b", "3" * 16)))

    assert [item.name for item in found if isinstance(item, OtlpSpan)] == ["a", "b"]
    told = [item.reason for item in found if isinstance(item, Trouble)]
    deepest = depth + 6  # the request's own six
    wanted = f"the file: 1 of its spans cannot be read: nested {deepest:,} levels deep, and 1,024 are read"
    assert told == ([wanted] if deepest > 1_024 else [])


@pytest.mark.parametrize("before", [0, 1])
def test_a_document_too_deep_is_told_by_its_depth_and_the_lines_around_it_are_stored(before: int) -> None:
    line = _requested(_named("a", "1" * 16))
    lines = [*[line] * before, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, line]
    found = items(b"\n".join(lines))
    number = before + 1

    assert len([item for item in found if isinstance(item, OtlpSpan)]) == number
    assert (
        Trouble(f"line {number} is nested 10,000 levels deep, and 1,024 are read; nothing of it could be read") in found
    )


@pytest.mark.parametrize("depth", [2_000, 10_000])
def test_a_span_nested_too_deep_to_be_read_is_told_and_its_neighbours_are_kept(depth: int) -> None:
    deep = '{"kvlistValue":{"values":[{"key":"k","value":' * depth + '{"stringValue":"x"}' + "}]}}" * depth
    found = items(_requested(_named("a", "1" * 16), _named("deep", "2" * 16, deep), _named("b", "3" * 16)))

    assert [item.name for item in found if isinstance(item, OtlpSpan)] == ["a", "b"]
    assert [item for item in found if not isinstance(item, OtlpSpan)], "the deep one is told"
