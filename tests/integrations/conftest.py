"""What the proofs with libraries of other people share: a model that says what it served, and what weft made of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.testing import CapturedSpans, ChatReply, ChatRequest, LoopbackProvider, ToolCall
from weft.tracking import runtime
from weft.tracking.store.readmodels import SpanRecord, TraceRecord
from weft.ui.messages import conversation

USD_A_MILLION = {"gpt-4o-mini": ("0.15", "0.075", "0.60"), "claude-sonnet-4-5": ("3", "0.30", "15")}
"""Input, cached input, output: the list prices."""


class Served:
    """A model that first asks for the tool `look`, where it is offered, and keeps what it told of tokens."""

    def __init__(self) -> None:
        self.replies: list[ChatReply] = []

    def __call__(self, request: ChatRequest) -> ChatReply:
        roles = {message.get("role") or message.get("type") for message in request.messages}
        blocks = [message["content"] for message in request.messages if isinstance(message.get("content"), list)]
        answered = roles & {"tool", "function_call_output"} or '"tool_result"' in str(blocks).replace("'", '"')
        if request.body.get("tools") and not answered:
            call = ToolCall("look", '{"q": 1}')
            reply = ChatReply(
                "ok", [call], prompt_tokens=100, completion_tokens=20, cached_tokens=40, reasoning_tokens=5
            )
        elif answered:
            reply = ChatReply("done", prompt_tokens=200, completion_tokens=30, cached_tokens=80, reasoning_tokens=6)
        else:
            reply = ChatReply("hello", prompt_tokens=50, completion_tokens=7, cached_tokens=10, reasoning_tokens=2)
        self.replies.append(reply)
        return reply

    @property
    def tokens(self) -> tuple[int, int]:
        """Of all replies, in and out."""
        told = [(reply.prompt_tokens or 0, reply.completion_tokens or 0) for reply in self.replies]
        return sum(counts[0] for counts in told), sum(counts[1] for counts in told)

    def cost(self, model: str) -> Decimal:
        """What they cost by the price list, in USD."""
        fresh, cached, out = map(Decimal, USD_A_MILLION[model])
        hits = sum(reply.cached_tokens for reply in self.replies)
        return ((self.tokens[0] - hits) * fresh + hits * cached + self.tokens[1] * out) / 1_000_000


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def provider(served: Served) -> Iterator[LoopbackProvider]:
    with LoopbackProvider(served) as running:
        yield running


@pytest.fixture
def spans(home: Path) -> CapturedSpans:
    """What was recorded, in the order of the calls."""
    return CapturedSpans(runtime.active().home.journal)


@pytest.fixture
def traced(spans: CapturedSpans) -> Iterator[CapturedSpans]:
    """All that a user writes: `weft.instrument()`."""
    weft.instrument()
    yield spans
    weft.uninstrument()


@pytest.fixture
def billed(home: Path) -> Callable[[], TraceRecord]:
    """The one trace as the store has it, with its sums."""

    def read() -> TraceRecord:
        weft.flush()
        (trace,) = weft.Api().traces()
        return trace

    return read


def told(span: SpanRecord) -> list[tuple[Any, ...]]:
    """The chat of a call as the app shows it: (role, text or (tool, arguments), ...)."""
    return [
        (
            message["role"],
            *(
                (part["name"], part["arguments"]) if part["type"] == "call" else part["text"]
                for part in message["parts"]
            ),
        )
        for message in conversation(span.inputs, span.output)
    ]


@pytest.fixture
def chat() -> Callable[[SpanRecord], list[tuple[Any, ...]]]:
    return told


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """`serve({path: body})` starts a server that answers a path always alike, for protocols that the loopback provider
    does not speak, and says its URL. A body that is a list is a stream, a number an error, bytes are an
    event stream of AWS's.
    """
    running = []

    def start(answers: dict[str, Any], *, prefix: str = "", end: str = "\n") -> str:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent."""

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                found = answers.get(self.path.partition("?")[0], 404)
                answer = found(json.loads(raw)) if callable(found) else found
                streamed = isinstance(answer, list)
                kind = "text/event-stream" if prefix and streamed else "application/json"
                if isinstance(answer, bytes):
                    data, kind = answer, "application/vnd.amazon.eventstream"
                elif streamed:
                    data = "".join(f"{prefix}{json.dumps(part)}{end}" for part in answer).encode()
                else:
                    refusal = {"error": {"message": "no", "code": answer}}
                    data = json.dumps(refusal if isinstance(answer, int) else answer).encode()
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
