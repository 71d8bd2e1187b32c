"""No telemetry, ever: nothing that weft does looks up a host or connects beyond loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

GUARD = """
import sys

def guard(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        ours = isinstance(address, (str, bytes)) or address[0].startswith("127.") or address[0] == "::1"
    elif event == "socket.getaddrinfo":
        ours = arguments[0] in (None, "localhost", "127.0.0.1", "::1")
    else:
        return
    if not ours:
        print("LEFT LOOPBACK", event, arguments[-2:], file=sys.stderr)
        sys.stderr.flush()
        import os
        os._exit(86)

sys.addaudithook(guard)
"""


def _guarded(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", GUARD + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env={**os.environ, "WEFT_HOME": str(home), **environment},
    )


def test_the_guard_itself_bites(home: Path) -> None:
    run = _guarded("import socket; socket.getaddrinfo('example.org', 443)", home)

    assert run.returncode == 86
    assert "LEFT LOOPBACK" in run.stderr


def test_the_whole_demo_stays_on_this_machine(home: Path) -> None:
    """An agent, an evaluation, a run, prices, token counts, ingest and reading."""
    run = _guarded("sys.argv = ['weft', 'demo', '--no-serve']\nfrom weft.cli import main\nmain()", home)

    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("command", ["traces ls", "runs ls", "eval ls", "artifacts ls", "ingest", "doctor"])
def test_no_command_calls_home(home: Path, command: str) -> None:
    run = _guarded(f"sys.argv = ['weft', *{command.split()!r}]\nfrom weft.cli import main\nmain()", home)

    assert run.returncode == 0, run.stderr


def test_counting_tokens_without_a_network_degrades_at_once(home: Path, tmp_path: Path) -> None:
    """tiktoken would download its vocabulary; without it the count is an estimate, and says so."""
    run = _guarded(
        "from weft.tracer.money.tokens import count_tokens\n"
        "print(count_tokens('how do decorators work?', 'gpt-4o-mini'))",
        home,
        TIKTOKEN_CACHE_DIR=str(tmp_path / "empty"),
    )

    assert run.returncode == 0, run.stderr
    assert "estimate" in run.stdout
