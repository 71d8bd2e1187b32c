"""Serves the app on this machine alone: one process, one line with its address. Called by `weft ui` and `weft demo`.

Binds 127.0.0.1 itself, so that a taken port is known before anything starts; refuses foreign `Host` and `Origin`
headers (a page elsewhere must not reach it by rebinding a name), and tells the browser to fetch from nowhere else.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from weft.tracking import runtime
from weft.tracking.errors import MissingExtraError
from weft.tracking.home import Home
from weft.tracking.settings import Settings
from weft.ui import links
from weft.ui.statics import Statics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDRESS = "127.0.0.1"
HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names by which a browser on this machine, or one at the end of a forwarded port, may call the app."""
RESTART_SECONDS = 2.0
"""Before a watcher that died is followed by another."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""The browser fetches from this server only, whatever a recorded payload holds."""


def serve(port: int, home: Path | None = None, open_browser: bool = False) -> int:
    """Serve the app until it is interrupted.

    Args:
        port: on 127.0.0.1; 0 takes a free one.
        home: the home to show; None is this process's (`WEFT_HOME`, else `~/.weft`).
        open_browser: open the address in the default browser.

    Returns:
        An exit code: 0 after an interrupt, 1 where the port could not be had.

    Raises:
        MissingExtraError: Streamlit is not installed.
    """
    try:
        bound = _bind(port)
    except OSError as error:
        print(_refused(port, error), file=sys.stderr)
        return 1
    with bound:
        if home is not None:
            runtime.configure(Settings.resolve(home=home))
        port = bound.getsockname()[1]
        server = _server(port, open_browser)
        with watcher(runtime.active().settings), _ending():
            try:
                server.run(sockets=[bound])
            except KeyboardInterrupt:
                pass  # uvicorn has shut down in order; a second traceback would tell nobody anything
        return 0 if server.started else 1


def _bind(port: int) -> socket.socket:
    # TCP by name: asyncio looks for it before it turns Nagle's algorithm off, with which every answer that takes two
    # writes (all of them: head, body) waits 40 ms for the browser's delayed acknowledgement.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # there it would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((ADDRESS, port))
        bound.listen(128)
    except BaseException:
        bound.close()
        raise
    return bound


def _refused(port: int, error: OSError) -> str:
    found = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return f"weft ui could not listen on {ADDRESS}:{port}: {found}. Choose another: weft ui --port {port + 1}"


def _server(port: int, open_browser: bool) -> Any:
    try:
        import streamlit as st  # the extra `ui`; half a second that only a server should pay
        import uvicorn
        from starlette.middleware import Middleware
        from streamlit import file_util
        from streamlit.web import bootstrap
    except ImportError as error:
        raise MissingExtraError("The app", "ui") from error
    bootstrap.load_config_options(options(port))
    from weft.ui import frame  # after the options, which Streamlit reads at import; so the first visitor waits for none

    frame.warm()
    url = f"http://{ADDRESS}:{port}"

    @asynccontextmanager
    async def ready(_app: object) -> AsyncIterator[None]:
        print(f"weft is at {url}  (home {runtime.active().home.path}; stop with Ctrl+C)", flush=True)
        if open_browser:
            webbrowser.open(url)
        yield

    app = st.App(
        Path(__file__).with_name("app.py"),
        routes=_routes(frame.PATHS),
        lifespan=ready,
        middleware=[
            Middleware(Guard),
            Middleware(Statics, static=Path(file_util.get_static_dir())),
            Middleware(Elsewhere, paths=frame.PATHS, missing=frame.MISSING),
        ],
        on_script_error=frame.failed,
    )
    return uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, ws_ping_interval=30, timeout_graceful_shutdown=2)
    )


def _routes(paths: Sequence[str]) -> list[Any]:
    """Our page in place of Streamlit's, at every screen's path; and recorded media."""
    from starlette.responses import HTMLResponse
    from starlette.routing import Route
    from streamlit import file_util

    from weft.ui import media
    from weft.ui.shell import shell

    page = shell(Path(file_util.get_static_dir()))

    async def answer(_request: object) -> HTMLResponse:
        return HTMLResponse(page, headers={"cache-control": "no-cache"})

    return [Route(media.PATH, media.answer), *(Route(f"/{path}", answer) for path in paths)]


def options(port: int) -> dict[str, Any]:
    """Streamlit's options, by dotted name; they win over any `config.toml` and environment."""
    from weft.ui import theme

    return {
        "browser.gatherUsageStats": False,
        "browser.serverAddress": ADDRESS,
        "browser.serverPort": port,
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.toolbarMode": "minimal",
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "runner.magicEnabled": False,
        "server.address": ADDRESS,
        "server.port": port,
        "server.allowedHosts": sorted(HOSTS),
        "server.enableStaticServing": False,
        "server.fileWatcherType": "none",
        "server.headless": True,
        "server.showEmailPrompt": False,
        **theme.options(),
    }


class Guard:
    """ASGI middleware: answers only requests addressed to this machine, from pages of this app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if not allowed(host, origin):
            await self._refuse(scope, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await self._app(scope, receive, guarded)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        body = f"weft answers on {ADDRESS} and localhost only, to its own pages.\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


MAIN = "/overview"
"""The main screen, which Streamlit knows as / alone."""


class Elsewhere:
    """ASGI middleware: the address of no screen leads to one that says so, not to Streamlit's page without style."""

    def __init__(self, app: ASGIApp, paths: Sequence[str], missing: str) -> None:
        self._app = app
        self._known = {f"/{path}" for path in paths} - {MAIN}
        self._missing = missing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._lost(scope):
            await self._app(scope, receive, send)
            return
        if scope["path"] == MAIN:
            to = b"/" + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        else:
            to = links.to(self._missing, {"path": scope["path"][:200]}).encode()
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", to)]})
        await send({"type": "http.response.body", "body": b""})

    def _lost(self, scope: Scope) -> bool:
        """Whether a browser wants a page that nobody has; what has a suffix or a folder of its own is a file."""
        path = scope["path"]
        if path in self._known or path.startswith(("/_stcore", "/blob/", "/media/", "/component/", "/static/")):
            return False
        wants = dict(scope["headers"]).get(b"accept", b"")
        return scope["method"] == "GET" and b"text/html" in wants and "." not in path.rpartition("/")[2]


def allowed(host: str, origin: str | None) -> bool:
    """Whether a request's `Host` names this machine, and its `Origin`, if any, is that same address."""
    try:
        named = urlsplit(f"//{host}")
        _ = named.port  # raises where it is no number
    except ValueError:
        return False
    if named.hostname not in HOSTS or named.username is not None or named.path:
        return False
    if origin is None:
        return True
    try:
        came = urlsplit(origin)
    except ValueError:
        return False
    return came.scheme == "http" and came.netloc == host


@contextmanager
def _ending() -> Iterator[None]:
    """While the block runs, SIGTERM ends it as Ctrl+C does: uvicorn raises it again, and the watcher must end too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def watcher(settings: Settings) -> Iterator[None]:
    """While the block runs, `weft ingest --watch` feeds the store: niced by itself, and yielding to one that runs.

    In a home that cannot be written there is nothing for it to do, which is said.
    """
    if Home(settings.home).read_only:
        print(
            f"nothing new is taken in; what the store holds is shown. The home {settings.home} cannot be written here.",
            file=sys.stderr,
        )
        yield
        return
    env = {**os.environ, "WEFT_HOME": str(settings.home)}
    if settings.store_url:
        env["WEFT_STORE"] = settings.store_url
    command = [sys.executable, "-m", "weft.cli", "ingest", "--watch", "--parent", str(os.getpid())]
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(command, env, over), name="weft-watcher", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join(10)


def _keep(command: Sequence[str], env: dict[str, str], over: threading.Event) -> None:
    """Run the watcher until it is over; one that died (killed for memory, say) is started again."""
    while not over.is_set():
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
        while process.poll() is None and not over.wait(0.2):
            pass
        if over.is_set():
            break
        print(f"the watcher ended ({process.returncode}); another is started", file=sys.stderr)
        over.wait(RESTART_SECONDS)
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
