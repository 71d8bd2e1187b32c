"""The app's addresses: what each screen is called in a URL, and how a click on one is followed without a reload."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st

pages: dict[str, st.Page] = {}
"""By URL path, filled by `app` on each run with the same pages."""


def to(path: str, params: Mapping[str, str | None] | None = None) -> str:
    """`/trace?id=…`; parameters that are None or empty are left out."""
    chosen = {name: value for name, value in (params or {}).items() if value}
    return f"/{path}?{urlencode(chosen)}" if chosen else f"/{path}"


def trace(trace_id: str, span_id: str | None = None) -> str:
    """One trace, perhaps with a span under the cursor."""
    return to("trace", {"id": trace_id, "span": span_id})


def run(project: str, run_id: str) -> str:
    """One run."""
    return to("run", {"project": project, "id": run_id})


def evaluation(project: str, run_id: str) -> str:
    """One evaluation (a run of its own)."""
    return to("evaluation", {"project": project, "id": run_id})


def follow(href: str) -> None:
    """Go there in this session. Only our own pages: anything else is ignored."""
    parts = urlsplit(href)
    page = pages.get(parts.path.strip("/"))
    if page is not None and not parts.netloc:
        st.switch_page(page, query_params=dict(parse_qsl(parts.query)))
