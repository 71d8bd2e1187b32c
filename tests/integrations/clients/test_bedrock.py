"""Bedrock by boto3 and OpenInference, against a server that speaks its JSON and its binary event stream."""

from __future__ import annotations

import binascii
import json
import struct
from decimal import Decimal

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

import weft

pytestmark = pytest.mark.integrations

MODEL = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
TOKENS = {"inputTokens": 60, "outputTokens": 20, "cacheReadInputTokens": 40, "cacheWriteInputTokens": 8}
USAGE = {**TOKENS, "totalTokens": sum(TOKENS.values())}
COUNTED = {"input_tokens": 108, "output_tokens": 20, "cache_read_tokens": 40, "cache_write_tokens": 8}
USD = Decimal(60 * 3 + 20 * 15) / 10**6 + Decimal("0.3") * 40 / 10**6 + Decimal("3.75") * 8 / 10**6
ASK = {
    "modelId": MODEL,
    "system": [{"text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"text": "hi"}]}],
}
LOOK = {"name": "look", "inputSchema": {"json": {"type": "object", "properties": {"q": {"type": "integer"}}}}}
TOOLS = {"tools": [{"toolSpec": LOOK}]}
CALL = {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"q": 1}}}
ASKED = [("system", "Be brief."), ("user", "hi")]
CALLED = ("assistant", "ok", ("look", {"q": 1}))


def framed(headers: dict[str, str], data: object) -> bytes:
    """A message of an event stream: lengths, their checksum, headers of text, payload, checksum of it all."""
    named = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    payload = json.dumps(data).encode()
    lengths = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    whole = lengths + struct.pack(">I", binascii.crc32(lengths)) + named + payload
    return whole + struct.pack(">I", binascii.crc32(whole))


def event(kind: str, data: object) -> bytes:
    return framed({":message-type": "event", ":event-type": kind, ":content-type": "application/json"}, data)


def delta(index: int, data: object) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": data})


def answered(request):
    """Of `converse`: the tool's call where it is offered."""
    called = "toolConfig" in request
    content = [{"text": "ok"}, CALL] if called else [{"text": "done"}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if called else "end_turn",
        "usage": USAGE,
        "metrics": {"latencyMs": 3},
    }


def streamed(request):
    parts = [event("messageStart", {"role": "assistant"}), delta(0, {"text": "o"}), delta(0, {"text": "k"})]
    parts.append(event("contentBlockStop", {"contentBlockIndex": 0}))
    if "toolConfig" in request:
        named = {"toolUse": {"toolUseId": "t1", "name": "look"}}
        parts.append(event("contentBlockStart", {"contentBlockIndex": 1, "start": named}))
        parts += [delta(1, {"toolUse": {"input": part}}) for part in ('{"q": ', "1}")]
        parts.append(event("contentBlockStop", {"contentBlockIndex": 1}))
    parts.append(event("messageStop", {"stopReason": "end_turn"}))
    parts.append(event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 3}}))
    return b"".join(parts)


def broken(request):
    """A stream that ends with the server's exception."""
    fault = {
        ":message-type": "exception",
        ":exception-type": "throttlingException",
        ":content-type": "application/json",
    }
    return event("messageStart", {"role": "assistant"}) + delta(0, {"text": "o"}) + framed(fault, {"message": "slow"})


def invoked(request):
    counts = {"input_tokens": 60, "output_tokens": 20, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 8}
    said = {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
    return {**said, "content": [{"type": "text", "text": "done"}], "stop_reason": "end_turn", "usage": counts}


@pytest.fixture
def bedrock(serve):
    name = MODEL.replace(":", "%3A")
    url = serve(
        {
            f"/model/{name}/converse": answered,
            f"/model/{name}/converse-stream": streamed,
            f"/model/{name}/invoke": invoked,
            "/model/refused/converse": 429,
            "/model/refused/converse-stream": 429,
            "/model/broken/converse-stream": broken,
        }
    )
    once = Config(retries={"max_attempts": 0})
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    return boto3.client("bedrock-runtime", endpoint_url=url, config=once, **keys)


def calls_of(spans):
    """The calls under the one op, all of kind llm and all ended."""
    (root,) = [span for span in spans if span.parent_id is None]
    found = spans.children(root)
    assert len(spans) == 1 + len(found)
    assert {span.kind for span in found} == {"llm"}
    assert {span.provider for span in found} == {"aws.bedrock"}
    return found


def test_converse_and_its_streams(traced, bedrock, billed, chat):
    with weft.span("work"):
        first = bedrock.converse(**ASK, toolConfig=TOOLS)["output"]["message"]
        result = {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}}]}
        bedrock.converse(**ASK | {"messages": [*ASK["messages"], first, result]})
        assert len(list(bedrock.converse_stream(**ASK)["stream"])) == 6
        assert len(list(bedrock.converse_stream(**ASK, toolConfig=TOOLS)["stream"])) == 10
    calls = calls_of(traced)
    assert [(span.name, span.status, span.model) for span in calls] == [
        (name, "ok", MODEL) for name in ("bedrock.converse",) * 2 + ("bedrock.converse_stream",) * 2
    ]
    assert [chat(span) for span in calls] == [
        [*ASKED, CALLED],
        [*ASKED, CALLED, ("tool", "seen"), ("assistant", "done")],
        [*ASKED, ("assistant", "ok")],
        [*ASKED, CALLED],
    ]
    assert [span.usage for span in calls] == [COUNTED] * 4
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (4 * 108, 4 * 20)
    assert trace.cost == 4 * USD


def test_what_the_server_refuses_or_breaks_off_ends_with_its_error(traced, bedrock, chat):
    with weft.span("work") as work:
        with pytest.raises(ClientError, match="429"):
            bedrock.converse(**ASK | {"modelId": "refused"})
        with pytest.raises(ClientError, match="429"):
            bedrock.converse_stream(**ASK | {"modelId": "refused"})
        with pytest.raises(EventStreamError, match="slow"):
            list(bedrock.converse_stream(**ASK | {"modelId": "broken"})["stream"])
        assert weft.current_span() is work
    calls = calls_of(traced)
    assert [(span.model, span.status) for span in calls] == [("refused", "error")] * 2 + [("broken", "error")]
    assert "slow" in calls[2].error["message"]
    assert [chat(span)[:2] for span in calls] == [ASKED] * 3


def test_a_stream_that_is_left_keeps_what_was_read(traced, bedrock, chat):
    with weft.span("work"):
        stream = bedrock.converse_stream(**ASK)["stream"]
        for part in stream:
            if "contentBlockDelta" in part:
                break
        stream.close()
    (call,) = calls_of(traced)
    assert (call.status, call.usage) == ("ok", None)
    assert chat(call) == [*ASKED, ("assistant", "o")]


def test_invoke_model_in_anthropics_words(traced, bedrock, billed, chat):
    said = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "system": "Be brief."}
    body = json.dumps(said | {"messages": [{"role": "user", "content": "hi"}]})
    with weft.span("work"):
        answer = json.loads(bedrock.invoke_model(modelId=MODEL, body=body)["body"].read())
    assert answer["content"][0]["text"] == "done"
    (call,) = calls_of(traced)
    assert call.usage == COUNTED
    assert chat(call) == [*ASKED, ("assistant", "done")]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (108, 20)
