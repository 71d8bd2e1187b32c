"""A browser and a served home for the whole module; skipped only where no Chromium can be had."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from seed import Seeded, Seeder, seed

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The system's browser; None: the one that `playwright install` brought."""
WAIT_MS = 15_000
expect.set_options(timeout=WAIT_MS)


@dataclass(frozen=True, slots=True)
class Served:
    """One running app."""

    url: str
    home: Path
    made: Seeded


class Server:
    """`serve` in a process of its own, on a free port."""

    def __init__(self, home: Path, *, store: str | None = None) -> None:
        script = "import sys; from pathlib import Path; from weft.ui.serve import serve; serve(0, Path(sys.argv[1]))"
        env = {**os.environ, "WEFT_HOME": str(home), **({"WEFT_STORE": store} if store else {})}
        # To a file: a pipe that nobody reads would stop the server once it is full.
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by stop()
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, stderr=self._log, text=True, env=env
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.line)
        assert found, f"the server said {self.line!r} and {self.errors!r}"
        self.url = found[0]

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> int:
        """Its exit code."""
        self.process.terminate()
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return code


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with the module: while Playwright runs, no other test can run an event loop of its own."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The seeded home, served; its writer lives on, so that what is open shows as running."""
    home = tmp_path_factory.mktemp("served") / "home"
    writer = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "seed.py"), str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "WEFT_HOME": str(home)},
    )
    assert writer.stdout is not None
    made = eval(writer.stdout.readline(), {"Seeded": Seeded})
    server = Server(home)
    yield Served(server.url, home, made)
    server.stop()
    writer.terminate()
    writer.wait(10)
    writer.stdout.close()
    assert writer.stdin is not None
    writer.stdin.close()


@pytest.fixture
def serve_home() -> Iterator[Callable[..., Server]]:
    """Serve any home; stopped at the end."""
    servers: list[Server] = []

    def start(home: Path, **more: str) -> Server:
        servers.append(Server(home, **more))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@dataclass(slots=True)
class Watch:
    """What a page asked for and complained about."""

    foreign: list[str]
    errors: list[str]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of which every test asserts: no request left loopback, no script failed."""
    opened = context.new_page()
    watch = watched(opened)
    yield opened
    assert not watch.foreign, f"requests left loopback: {watch.foreign}"
    assert not watch.errors, f"scripts failed: {watch.errors}"


def watched(page: Page) -> Watch:
    """Notes requests to elsewhere and errors of scripts."""
    watch = Watch([], [])

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            watch.foreign.append(request.url)

    page.on("request", asked)
    page.on("pageerror", lambda error: watch.errors.append(str(error)))
    return watch


__all__ = ["Seeder", "seed"]
