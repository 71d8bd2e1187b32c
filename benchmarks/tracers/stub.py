"""A server on loopback that takes whatever a tracer sends and says yes. Counts bytes and requests.

python benchmarks/tracers/stub.py        # prints its port, runs until its standard input closes
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPLY: dict[str, object] = {
    # weave asks who it is before it records
    "data": {
        "viewer": {"id": "1", "username": "bench", "entity": "bench", "flags": "{}", "teams": {"edges": []}},
        "serverInfo": {"cliVersionInfo": {"max_cli_version": "99.0.0"}},
        "upsertModel": {"inserted": True, "model": {"name": "bench", "entityName": "bench", "id": "1"}},
        "project": {"name": "bench", "id": "1"},
    },
    "min_required_weave_python_version": "0.0.1",
    "digest": "stub",
    "id": "stub",
    "trace_id": "stub",
    "project_id": "bench/bench",
    "project_name": "bench",
    "res": [],
    "content": [],
    "status": "ok",
    "version": "99.0.0",
    "projects": [{"id": "1", "name": "bench"}],
}


class Handler(BaseHTTPRequestHandler):
    """Answers every request with the same few facts."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(REPLY).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
