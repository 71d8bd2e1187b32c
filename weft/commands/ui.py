"""`weft ui`: the app in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from weft.tracking import runtime
from weft.tracking.errors import MissingExtraError
from weft.tracking.store.access import open_store


def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1.")] = 8501,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser window.")] = False,
) -> None:
    """Show traces, evaluations and runs in the browser."""
    try:
        from weft.ui.serve import serve  # Streamlit is an extra, and takes a quarter of a second to import
    except ImportError as error:
        raise MissingExtraError("weft ui", "ui") from error
    settings = runtime.active().settings
    open_store(settings, drain=False).close()  # what cannot be read is said here, not by an app that shows nothing
    raise SystemExit(serve(port, settings.home, open_browser=open_browser))
