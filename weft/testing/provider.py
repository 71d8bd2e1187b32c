"""An OpenAI-compatible server on loopback, for tests and the demo: real HTTP, real SSE, real errors, no network.

`with LoopbackProvider(responder) as provider:` and point any OpenAI client at `provider.base_url`.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from weft.testing import anthropicwire, mediawire, wire
from weft.testing.wire import ChatReply, ChatRequest, ToolCall

Responder = Callable[[ChatRequest], ChatReply | ToolCall | str]
"""Answers a chat request. What it raises becomes an HTTP 500 with the message, as does an answer that is no reply."""

MAX_BODY_BYTES = 64 << 20
_OTHERS = frozenset(
    "/v1/" + path
    for path in (
        "completions",
        "moderations",
        "images/generations",
        "images/edits",
        "audio/speech",
        "audio/transcriptions",
        "audio/translations",
    )
)
"""Paths of OpenAI's beside chat, responses and embeddings."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """The JSON, or None where there was none."""


class Refused(Exception):  # noqa: N818  (an answer, not a fault of ours)
    """An answer that is an error: its HTTP status and envelope."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body["error"]["message"])
        self.status, self.body, self.headers = status, body, dict(headers or {})


def echo(request: ChatRequest) -> ChatReply:
    """The default responder: the last user message, word for word."""
    return ChatReply(content=request.last_user_text)


def scripted(*replies: ChatReply | ToolCall | str) -> Responder:
    """A responder that gives these replies in turn, and fails once they are used up."""
    waiting = deque(replies)

    def respond(request: ChatRequest) -> ChatReply | ToolCall | str:
        if not waiting:
            raise RuntimeError(f"the script of {len(replies)} replies is used up")
        return waiting.popleft()

    return respond


class LoopbackProvider:
    """A threaded server on 127.0.0.1 that speaks OpenAI's HTTP protocol.

    ```python
    with LoopbackProvider(lambda request: f"You asked: {request.last_user_text}") as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="any")
    ```

    Paths: `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`, `/v1/responses`, `/v1/completions`,
    `/v1/moderations`, `/v1/images/...`, `/v1/audio/...`; streaming where OpenAI streams. Anthropic's `/v1/messages`
    as well: its client takes `anthropic_url`. A missing key, or the key `bad`, gets 401. The model `status-<code>`
    gets that status, always.
    """

    def __init__(
        self, responder: Responder | None = None, *, models: Sequence[str] = ("gpt-4o-mini",), port: int = 0
    ) -> None:
        """
        Args:
            responder: answers chat and Responses requests; called in the server's threads, several at once.
            models: what `/v1/models` lists; any name is served.
            port: 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        self.responder: Responder = responder or echo
        self.models = tuple(models)
        self._lock = threading.Lock()  # guards the three below
        self._received: list[Received] = []
        self._failures: deque[tuple[int, float | None]] = deque()
        self._cuts: deque[int] = deque()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.provider = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.name = "weft-loopback-provider"
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        """What an Anthropic client takes as `base_url`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Received]:
        """Every request so far, in order of arrival; a client's retries count."""
        with self._lock:
            return list(self._received)

    def fail_next(self, status: int = 500, times: int = 1, *, retry_after_s: float | None = None) -> None:
        """Let the next requests fail with this status, before anything else is looked at.

        Args:
            retry_after_s: the Retry-After header; a 429 that names none says 0.
        """
        with self._lock:
            self._failures.extend([(status, retry_after_s)] * times)

    def cut_next_stream(self, after_chunks: int = 2) -> None:
        """Let the next streamed answer's connection break after so many chunks, as a dying server's does."""
        with self._lock:
            self._cuts.append(after_chunks)

    def close(self) -> None:
        """Stop serving, break what is open, and wait for the threads. Harmless when repeated."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note(self, received: Received) -> tuple[int, float | None] | None:
        """Keep the request; the failure that was ordered for it, if any."""
        with self._lock:
            self._received.append(received)
            return self._failures.popleft() if self._failures else None

    def _cut(self) -> int | None:
        with self._lock:
            return self._cuts.popleft() if self._cuts else None


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that closing it leaves neither a thread nor a socket behind."""

    daemon_threads = True
    request_queue_size = 128
    provider: LoopbackProvider

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()  # guards _open
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for this machine's name, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        thread.name = "weft-loopback-connection"
        with self._open_lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._open_lock:
            self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; nothing else can get here, since answers are guarded."""

    def close_connections(self) -> None:
        with self._open_lock:
            waiting = dict(self._open)
        for connection in waiting:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the client was quicker
        for thread in waiting.values():
            thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "weft-loopback"
    # Headers and body are two writes: with Nagle's algorithm each answer would wait 40 ms for the client's ACK.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The server prints nothing; `LoopbackProvider.requests` is its log."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.streaming = False
        try:
            self._answer(self._read())
        except Refused as refusal:
            self._json(refusal.status, self._worded(refusal), refusal.headers)
        except ConnectionError:
            self.close_connection = True
        except Exception as problem:
            if self.streaming:  # the headers are gone: break the connection, as a dying server does
                self.close_connection = True
                return
            fault = Refused(500, wire.error(f"{type(problem).__name__}: {problem}", "server_error"))
            self._json(500, self._worded(fault))

    def _worded(self, refusal: Refused) -> dict[str, Any]:
        """An error in the words of the protocol that was spoken."""
        spoken = self.path.startswith("/v1/messages")
        return anthropicwire.error(refusal.status, str(refusal)) if spoken else refusal.body

    def _read(self) -> Received:
        size = int(self.headers.get("content-length") or 0)
        if size > MAX_BODY_BYTES:
            self.close_connection = True
            raise Refused(413, wire.error(f"The body of {size} bytes is too large.", "invalid_request_error"))
        raw = self.rfile.read(size)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        body, broken = None, False
        if headers.get("content-type", "").startswith("multipart/form-data"):
            body = mediawire.form_of(raw)
        elif raw:
            try:
                body = json.loads(raw)
            except ValueError:
                broken = True
        received = Received(self.command, path, headers, body)
        ordered = self.server.provider._note(received)
        if ordered is not None:
            raise _failure(*ordered)
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key or key == "bad":
            found = "Incorrect API key provided: bad." if key else "You didn't provide an API key."
            code = "invalid_api_key" if key else None
            raise Refused(401, wire.error(found, "invalid_request_error", code))
        if broken:
            raise _invalid("We could not parse the JSON body of your request.")
        return received

    def _answer(self, received: Received) -> None:
        route = (received.method, received.path)
        if route == ("POST", "/v1/chat/completions"):
            self._chat(_chat_request(received.body))
        elif route == ("POST", "/v1/responses"):
            self._responses(_body(received.body))
        elif route == ("POST", "/v1/embeddings"):
            self._json(200, wire.embeddings(_body(received.body, "input")))
        elif route == ("GET", "/v1/models"):
            self._json(200, {"object": "list", "data": [_model(name) for name in self.server.provider.models]})
        elif received.method == "GET" and received.path.startswith("/v1/models/"):
            self._json(200, _model(received.path.removeprefix("/v1/models/")))
        elif route == ("POST", "/v1/messages"):
            self._messages(_chat_request(received.body))
        elif received.method == "POST" and received.path in _OTHERS:
            self._other(received.path, _body(received.body))
        else:
            unknown = f"Unknown request URL: {received.method} {received.path}."
            raise Refused(404, wire.error(unknown, "invalid_request_error", "unknown_url"))

    def _chat(self, request: ChatRequest) -> None:
        reply = self._respond(request)
        if not request.stream:
            self._json(200, wire.completion(reply, choices=request.body.get("n") or 1))
            return
        options = request.body.get("stream_options") or {}
        parts = wire.chunks(reply, include_usage=bool(options.get("include_usage")))
        self._events(f"data: {json.dumps(part)}\n\n" for part in parts)

    def _responses(self, body: Mapping[str, Any]) -> None:
        request = ChatRequest(body["model"], wire.messages_of(body), body)
        whole = wire.response(self._respond(request), body)
        if not body.get("stream"):
            self._json(200, whole)
            return
        self._events(
            (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in wire.response_events(whole)),
            done=False,
        )

    def _messages(self, request: ChatRequest) -> None:
        """Anthropic's."""
        asked = ChatRequest(request.model, anthropicwire.messages_of(request.body), request.body)
        whole = anthropicwire.message(self._respond(asked))
        if not request.stream:
            self._json(200, whole)
            return
        parts = anthropicwire.events(whole)
        self._events((f"event: {part['type']}\ndata: {json.dumps(part)}\n\n" for part in parts), done=False)

    def _other(self, path: str, body: Mapping[str, Any]) -> None:
        """What is neither chat nor vectors."""
        streamed = bool(body.get("stream"))
        if path == "/v1/completions":
            request = ChatRequest(body["model"], [{"role": "user", "content": body.get("prompt")}], body)
            reply = self._respond(request)
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            whole, parts = mediawire.text_completion(reply), mediawire.text_chunks(reply, include_usage=usage)
        elif path.startswith("/v1/images/"):
            whole = mediawire.image(body)
            parts = mediawire.image_events(whole)
        elif path == "/v1/audio/speech":
            self._send(200, mediawire.speech(), "audio/wav")
            return
        elif path.startswith("/v1/audio/"):
            whole = mediawire.transcript(body)
            parts = mediawire.transcript_events(whole)
        else:
            whole, parts = mediawire.moderation(body), iter(())
        if streamed:
            self._events(f"data: {json.dumps(part)}\n\n" for part in parts)
        else:
            self._json(200, whole)

    def _respond(self, request: ChatRequest) -> ChatReply:
        return wire.reply_of(self.server.provider.responder(request)).counted(request)

    def _json(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", headers)

    def _send(self, status: int, data: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-request-id", f"req_{len(self.server.provider.requests):08d}")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _events(self, events: Iterator[str], *, done: bool = True) -> None:
        """Send server-sent events, chunked, each at once."""
        cut = self.server.provider._cut()
        self.streaming = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if number == cut:
                self.close_connection = True
                return
            self._chunk(event.encode())
        if done:
            self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))


def _failure(status: int, retry_after_s: float | None) -> Refused:
    """The error that OpenAI sends with a status."""
    kinds = {
        400: ("invalid_request_error", "The request was invalid.", None),
        401: ("invalid_request_error", "Incorrect API key provided.", "invalid_api_key"),
        404: ("invalid_request_error", "The model does not exist or you do not have access to it.", "model_not_found"),
        429: ("requests", "Rate limit reached for requests.", "rate_limit_exceeded"),
        503: ("server_error", "The engine is currently overloaded, please try again later.", None),
    }
    kind, message, code = kinds.get(status, ("server_error", "The server had an error processing your request.", None))
    headers = {}
    if status == 429 or retry_after_s is not None:
        headers["Retry-After"] = f"{retry_after_s or 0:g}"
    return Refused(status, wire.error(message, kind, code), headers)


def _invalid(message: str, param: str | None = None) -> Refused:
    return Refused(400, wire.error(message, "invalid_request_error", param=param))


def _body(body: Any, *required: str) -> Mapping[str, Any]:
    """The JSON object of a request with its required fields.

    Raises:
        Refused: 400 as OpenAI words it, or the status that the model's name asks for.
    """
    if not isinstance(body, dict):
        raise _invalid("The body of your request must be a JSON object.")
    for name in ("model", *required):
        if not body.get(name):
            raise _invalid(f"Missing required parameter: '{name}'.", name)
    ordered = re.fullmatch(r"status-(\d{3})", str(body["model"]))
    if ordered:
        raise _failure(int(ordered[1]), None)
    return body


def _chat_request(raw: Any) -> ChatRequest:
    body = _body(raw, "messages")
    messages = body["messages"]
    if not isinstance(messages, list):
        raise _invalid("Invalid type for 'messages': expected an array of objects.", "messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise _invalid(f"Missing required parameter: 'messages[{index}].role'.", f"messages[{index}].role")
    return ChatRequest(body["model"], messages, body)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "weft"}
