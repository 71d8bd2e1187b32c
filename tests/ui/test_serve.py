"""Who may call the app, and what it says when it cannot start."""

from __future__ import annotations

import asyncio
import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from weft.ui import serve


@pytest.mark.parametrize(
    ("host", "origin", "answer"),
    [
        ("127.0.0.1:8501", None, True),
        ("localhost:8501", None, True),
        ("[::1]:8501", None, True),
        ("localhost:9000", "http://localhost:9000", True),
        ("evil.example:8501", None, False),
        ("127.0.0.1.evil.example", None, False),
        ("localhost:8501@evil.example", None, False),
        ("localhost:8501", "http://evil.example", False),
        ("localhost:8501", "https://localhost:8501", False),
        ("localhost:8501", "http://localhost:3000", False),
        ("localhost:8501", "null", False),
        ("localhost:port", None, False),
        ("", None, False),
    ],
)
def test_only_this_machine_and_this_app(host: str, origin: str | None, answer: bool) -> None:
    """Foreign names, other ports' pages and opaque origins are refused."""
    assert serve.allowed(host, origin) is answer


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Said with the port and the way out; exit code 1; nothing was started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.serve(port, tmp_path / "home") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"127.0.0.1:{port}" in said
    assert f"--port {port + 1}" in said


def test_small_answers_do_not_wait_for_acknowledgements() -> None:
    """asyncio turns Nagle's algorithm off on what our listening socket accepts."""
    found: list[int] = []

    async def answered() -> None:
        def met(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.write(b"!")
            writer.close()

        with serve._bind(0) as bound:
            async with await asyncio.start_server(met, sock=bound):
                reader, writer = await asyncio.open_connection(*bound.getsockname())
                assert await reader.read() == b"!"
                writer.close()

    asyncio.run(answered())
    assert found == [1]


def test_a_served_app_guards_itself_and_ends_in_order(tmp_path: Path) -> None:
    """One line with the URL; foreign hosts get 403; the policy is on every answer; SIGTERM ends all."""
    script = (
        "import sys; from pathlib import Path; from weft.ui.serve import serve; sys.exit(serve(0, Path(sys.argv[1])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
    answers = {}
    for name, headers in {
        "own": {},
        "foreign": {"Host": "evil.example"},
        "other page": {"Origin": "http://evil.example"},
    }.items():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/_stcore/health", headers=headers)
        answer = connection.getresponse()
        answers[name] = (answer.status, answer.getheader("content-security-policy"))
        answer.read()
        connection.close()
    leads = {}
    for path in ("/overview?project=p", "/nothere", "/runs"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path, headers={"Accept": "text/html"})
        leads[path] = connection.getresponse().getheader("location")
        connection.close()
    assert leads == {"/overview?project=p": "/?project=p", "/nothere": "/missing?path=%2Fnothere", "/runs": None}
    server = psutil.Process(process.pid)
    first = server.children()
    first[0].kill()
    psutil.wait_procs(first, timeout=10)
    deadline = time.monotonic() + 20
    while not (watchers := [child for child in server.children() if child not in first]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    assert len(watchers) == 1
    assert not any(watcher.is_running() for watcher in watchers)
    assert answers["own"] == (200, serve.POLICY)
    assert answers["foreign"][0] == answers["other page"][0] == 403
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0
