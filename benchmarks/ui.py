"""How long until the first page of traces is readable, against a blank Streamlit page in the same browser and run.

    python benchmarks/ingest.py --keep /tmp/big.db
    python benchmarks/ui.py --store sqlite:////tmp/big.db

Both are served by processes of their own; visits alternate, each in a fresh browser context (nothing cached), and the
medians are compared. Readable: fifty rows are on the page and the first one has its text. Blank: the one line of text
of an app that does nothing else. The store's page cache is warm after the first visit, which is not counted.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, sync_playwright

LIMIT_SECONDS = 0.6
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The system's browser; None: the one that `playwright install` brought."""
BLANK = 'import streamlit as st\nst.text("blank page")\n'
ROWS = """[...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].some(
    (host) => host.shadowRoot && host.shadowRoot.querySelectorAll('.body').length >= %d)"""


@contextmanager
def weft_app(home: Path, store: str | None) -> Iterator[str]:
    """The app on a free port."""
    script = "import sys; from pathlib import Path; from weft.ui.serve import serve; serve(0, Path(sys.argv[1]))"
    env = {**os.environ, "WEFT_HOME": str(home), **({"WEFT_STORE": store} if store else {})}
    process = subprocess.Popen([sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if not found:
            raise SystemExit("weft ui did not start")
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def blank_app(folder: Path) -> Iterator[str]:
    """`streamlit run` of a page with one line of text, on a free port."""
    script = folder / "blank.py"
    script.write_text(BLANK)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urlopen(f"{url}/_stcore/health", timeout=1):
                    break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def visit(browser: Browser, url: str, ready: str) -> float:
    """Seconds from the start of the navigation to `ready` being true, in a browser that has cached nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        started = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_function(ready, polling=10, timeout=60_000)
        return time.perf_counter() - started
    finally:
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shown = parser.add_mutually_exclusive_group(required=True)
    shown.add_argument("--store", help="store URL to show (benchmarks/ingest.py --keep)")
    shown.add_argument("--home", type=Path, help="home to show, with its own store")
    parser.add_argument("--path", default="/traces", help="screen to open")
    parser.add_argument("--rows", type=int, default=50, help="rows that make it readable")
    parser.add_argument("--visits", type=int, default=9)
    options = parser.parse_args()
    text = "document.body && document.body.innerText.includes('blank page')"
    with tempfile.TemporaryDirectory(prefix="weft-ui-") as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        with weft_app(options.home or folder / "home", options.store) as app, blank_app(folder) as blank:
            visit(browser, blank, text)
            print(f"first visit, cold: {visit(browser, app + options.path, ROWS % options.rows):.2f} s")
            blanks, ours = [], []
            for _ in range(options.visits):
                blanks.append(visit(browser, blank, text))
                ours.append(visit(browser, app + options.path, ROWS % options.rows))
        browser.close()
    empty, full = statistics.median(blanks), statistics.median(ours)
    print(f"blank Streamlit page: {empty:.2f} s (median of {len(blanks)}, {min(blanks):.2f} to {max(blanks):.2f})")
    print(f"{options.path} readable: {full:.2f} s ({min(ours):.2f} to {max(ours):.2f})")
    print(f"difference: {full - empty:.2f} s (limit {LIMIT_SECONDS} s)")
    raise SystemExit(0 if full - empty <= LIMIT_SECONDS else 1)


if __name__ == "__main__":
    main()
