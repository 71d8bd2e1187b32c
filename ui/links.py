"""The app's addresses: what each screen is called in a URL. Pure; the components lead there without a reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode


def to(path: str, params: Mapping[str, str | None] | None = None) -> str:
    """`/trace?id=…`; parameters that are None or empty are left out."""
    chosen = {name: value for name, value in (params or {}).items() if value}
    return f"/{path}?{urlencode(chosen)}" if chosen else f"/{path}"


def trace(trace_id: str, project: str | None = None) -> str:
    """One trace; the project is the one that the lists show, so that the way back leads there."""
    return to("trace", {"id": trace_id, "project": project})


def run(project: str, run_id: str) -> str:
    """One run."""
    return to("run", {"project": project, "id": run_id})


def compare(runs: Sequence[tuple[str, str]]) -> str:
    """Runs beside each other, by project and id."""
    return f"/compare?{urlencode([('runs', f'{project}/{ident}') for project, ident in runs])}"


def evaluation(project: str, run_id: str) -> str:
    """One evaluation (a run of its own)."""
    return to("evaluation", {"project": project, "id": run_id})


def session(project: str, thread_id: str) -> str:
    """One conversation."""
    return to("session", {"project": project, "id": thread_id})


def collection(path: str) -> str:
    """One collection of the registry."""
    return to("collection", {"path": path})


def artifact(project: str, name: str, version: int, file: str | None = None) -> str:
    """One version of an artifact, perhaps with one of its files."""
    return to("artifact", {"project": project, "name": name, "version": f"v{version}", "file": file})
