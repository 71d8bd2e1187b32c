"""A server that answers a path always alike: for protocols that the loopback provider does not speak."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import weft
from weft.testing import CapturedSpans

Serve = Callable[..., str]


@pytest.fixture
def traced(spans: CapturedSpans) -> CapturedSpans:
    """Instrumented once and for all: what OpenLLMetry's instrumentors take away again they leave half in place."""
    weft.instrument()
    return spans


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve({path: body})` starts one and says its URL. A body that is a list is a stream, a number an error, bytes
    are an event stream of AWS's.
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
