"""What surrounds every screen: navigation, the project switch, and the way a failure is told. Called by `app`."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from weft.tracking.errors import Error
from weft.ui import page
from weft.ui.data import data
from weft.ui.screens import (
    artifact,
    artifacts,
    compare,
    evaluation,
    evaluations,
    missing,
    overview,
    registry,
    runs,
    sessions,
    trace,
    traces,
)
from weft.ui.screens import run as run_screen

log = logging.getLogger("weft.ui")
ALL = "All projects"
MISSING = "missing"
"""Where the app leads that has no screen at an address."""
PATHS = (
    *("", "overview", "traces", "trace", "sessions", "session", "evaluations", "evaluation", "runs", "run", "compare"),
    *("artifacts", "artifact", "registry", "collection", MISSING),
)
"""Where screens are."""

_FOLDER = Path(__file__).parent
LOGO, ICON = _FOLDER / "logo.svg", _FOLDER / "icon.svg"


def warm() -> None:
    """Open the store before the first visitor comes; one that cannot be opened is told to the visitor."""
    try:
        data().projects()
    except Error as error:
        log.warning("%s", error)


def run() -> None:
    """Draw the frame, then the screen that the URL names."""
    st.set_page_config(page_title="weft", page_icon=str(ICON), layout="wide", initial_sidebar_state="expanded")
    st.logo(str(LOGO), size="medium")
    screens = _screens()
    chosen = st.navigation(screens, expanded=True)
    try:
        projects = data().projects()
    except Error as error:
        page.broken("The store cannot be read", error)
        return
    project = _project(list(projects))
    st.session_state["weft.project"] = project
    _waiting()
    chosen.run()


@st.fragment(run_every=5)
def _waiting() -> None:
    """What is shown is not all, where the watcher cannot feed the store."""
    if trouble := data().trouble():
        page.broken(
            "Nothing new is taken in: what was recorded waits in the journal, and is tried again", Error(trouble)
        )


def failed(error: Exception) -> bool:
    """Streamlit's hook for what a screen did not catch: said in place, in words; the log has the stack trace."""
    if isinstance(error, Error):
        page.broken("This could not be read", error)
    else:
        log.error("a screen failed", exc_info=error)
        page.broken("This screen failed", error)
    return True


def _project(projects: list[str]) -> str | None:
    """The project that lists show; None is all of them. It travels in the URL."""
    wanted = st.query_params.get("project")
    if wanted and wanted not in projects:
        projects = [*projects, wanted]  # a link to one that is empty, or whose records still wait
    with st.sidebar:
        shown = st.selectbox(
            "Project", [ALL, *projects], label_visibility="collapsed", key="project", bind="query-params"
        )
    return None if shown in (None, ALL) else str(shown)


def _screens() -> dict[str, list[st.Page]]:
    return {
        "": [
            st.Page(
                overview.show, title="Overview", icon=":material/space_dashboard:", url_path="overview", default=True
            ),
            st.Page(missing.show, title="Not found", url_path=MISSING, visibility="hidden"),
        ],
        "LLM": [
            st.Page(traces.show, title="Traces", icon=":material/account_tree:", url_path="traces"),
            st.Page(trace.show, title="Trace", url_path="trace", visibility="hidden"),
            st.Page(sessions.show, title="Sessions", icon=":material/forum:", url_path="sessions"),
            st.Page(sessions.show_one, title="Session", url_path="session", visibility="hidden"),
            st.Page(evaluations.show, title="Evaluations", icon=":material/fact_check:", url_path="evaluations"),
            st.Page(evaluation.show, title="Evaluation", url_path="evaluation", visibility="hidden"),
        ],
        "Training": [
            st.Page(runs.show, title="Runs", icon=":material/show_chart:", url_path="runs"),
            st.Page(run_screen.show, title="Run", url_path="run", visibility="hidden"),
            st.Page(compare.show, title="Compare", url_path="compare", visibility="hidden"),
        ],
        "Assets": [
            st.Page(artifacts.show, title="Artifacts", icon=":material/inventory_2:", url_path="artifacts"),
            st.Page(artifact.show, title="Artifact", url_path="artifact", visibility="hidden"),
            st.Page(registry.show, title="Registry", icon=":material/verified:", url_path="registry"),
            st.Page(registry.show_one, title="Collection", url_path="collection", visibility="hidden"),
        ],
    }
