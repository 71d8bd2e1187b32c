"""One run: its charts, last values and settings, its media, tables, logs, system, environment and artifacts."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson
import streamlit as st

from weft.tracking import units
from weft.tracking.runs.runvalues import flat
from weft.tracking.store.readmodels import AlertRecord, ArtifactRecord, RunRecord
from weft.ui import cells, links, lists, page, runcharts, runlogs, runmedia, runplace, runsystem, runtables
from weft.ui.components.json import tree
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable, showable, visible

LIVE_SECONDS = 2.0
SHOWN_ALERTS = 3
ARTIFACTS = [
    Column("Version", "minmax(160px, 1.5fr)", look="strong", link=True),
    Column("Type", "minmax(90px, 160px)", look="soft"),
    Column("Aliases", "minmax(100px, 1fr)", type="chips"),
    Column("Files", "80px", look="num"),
    Column("Size", "100px", look="num"),
    Column("Logged", "110px", look="soft num"),
]
CODE = """run.log({"loss": 0.25})"""


def show() -> None:
    """Draw the screen."""
    ident = st.query_params.get("id", "")
    run = data().run(page.project() or st.query_params.get("project"), ident)
    if run is None:
        page.head("Run")
        page.notice("No such run", page.gone("run", ident), links.to("runs"), "All runs")
        lists.awaited(data().version())
        return
    live_s = LIVE_SECONDS if run.state == "running" else None
    views = _views(run)
    st.fragment(_head, run_every=live_s)(run.project, ident, run.state, views)
    view = st.segmented_control(
        "View", views, default=views[0], required=True, key="view", bind="query-params", label_visibility="collapsed"
    )
    if view == "Logs":
        runlogs.show(run, live_s)
    elif view == "System":
        runsystem.show(run, live_s)
    elif view == "Environment":
        runplace.show(run)
    elif view == "Artifacts":
        with page.part("The artifacts"):
            _artifacts(run)
    elif view == "Media":
        st.fragment(_media, run_every=live_s)(run.uid)
    elif view == "Tables":
        st.fragment(_tables, run_every=live_s)(run)
    else:
        _metrics(run, live_s)


def _views(run: RunRecord) -> list[str]:
    """What there is to see: those that every run may have, and those of what it logged."""
    media = bool(runmedia.found_in(run.uid))
    tables = bool(runtables.tables_of(data().rich(run.uid)))
    artifacts = any(_versions(run))
    shown = {"Charts": True, "Media": media, "Tables": tables, "Logs": True, "System": True}
    return [name for name, there in (shown | {"Environment": True, "Artifacts": artifacts}).items() if there]


def _head(project: str, ident: str, state: str, views: list[str]) -> None:
    run = data().run(project, ident)
    if run is None or run.state != state or _views(run) != views:
        st.rerun()
        return
    link = ("All its traces", links.to("traces", {"project": run.project, "run": run.id})) if run.trace_count else None
    page.run_head(
        run.name,
        run.state,
        [
            ("id", encodable(run.id)),
            ("took", page.took(run)),
            *([("step", units.count(run.step))] if run.step is not None else []),
            *([("traces", units.count(run.trace_count))] if run.trace_count else []),
            *([("sessions", units.count(len(run.sessions)))] if len(run.sessions) > 1 else []),
            *([("job", encodable(run.job_type))] if run.job_type else []),
            *([("group", encodable(run.group))] if run.group else []),
            *([("tags", encodable(", ".join(run.tags)))] if run.tags else []),
            ("", units.age(run.started_ns, time.time_ns())),
        ],
        link,
        ("Runs", links.to("runs", {"project": page.project()})),
    )
    if run.notes:
        page.notes(run.notes)
    if run.error:
        error = run.error
        page.failure(f"{error.get('type', 'Error')}: {error.get('message', '')}", str(error.get("stacktrace") or ""))
    with page.part("The alerts"):
        _alerts(data().alerts(run.uid))


def _alerts(told: Sequence[AlertRecord]) -> None:
    """The newest; the others are folded away."""
    if not told:
        return
    now = time.time_ns()
    st.html("".join(_alert(alert, now) for alert in told[:SHOWN_ALERTS]))
    if more := told[SHOWN_ALERTS:]:
        with st.expander(units.counted(len(more), "earlier alert"), type="compact"):
            st.html("".join(_alert(alert, now) for alert in more))


def _alert(alert: AlertRecord, now: int) -> str:
    title, text = (html.escape(visible(words), quote=True) for words in (alert.title, alert.text))
    level = {"WARN": "weft-interrupted", "ERROR": "weft-error"}.get(alert.level, "weft-running")
    return (
        f"<div class='weft-alert'><em class='{level}'>{html.escape(visible(alert.level.lower()))}</em>"
        f"<b title='{title}'>{title}</b><span title='{text}'>{text}</span>"
        f"<time title='{html.escape(units.moment(alert.at_ns), quote=True)}'>{units.age(alert.at_ns, now)}</time></div>"
    )


def _metrics(run: RunRecord, live_s: float | None) -> None:
    left, right = st.columns([2.6, 1], gap="medium")
    with left:
        controlled = runcharts.has(run.uid)
        if controlled:
            runcharts.controls()
        st.fragment(_charts, run_every=live_s)(run.uid, controlled)
    with right:
        st.fragment(_values, run_every=live_s)(run.project, run.id)


def _charts(uid: str, controlled: bool) -> None:
    if runcharts.has(uid) and not controlled:
        st.rerun()  # the first metric has come
    with page.part("The charts"):
        if controlled:
            runcharts.show(uid)
        else:
            page.empty("Nothing logged by step", "Numbers that the run logs are drawn here.", CODE)
    with page.part("What else was logged"):
        logged = data().rich(uid)
        _rich(logged, {*runmedia.found_in(uid), *runtables.tables_of(logged)})


def _media(uid: str) -> None:
    with page.part("The media"):
        runmedia.show(uid)


def _tables(run: RunRecord) -> None:
    with page.part("The tables"):
        runtables.show(run)


def _values(project: str, ident: str) -> None:
    run = data().run(project, ident)
    if run is None:
        return
    with page.part("The summary"):
        _summary(run)
    with page.part("The configuration"):
        page.label("Config", units.count(len(run.config)) if run.config else "")
        config_part(run)


def _summary(run: RunRecord) -> None:
    page.label("Summary")
    rows = [(name, value) for name, value in flat(run.summary) if not name.startswith("_")]
    rows.sort(key=lambda row: not isinstance(row[1], (int, float)))  # media and tables have views of their own
    if not rows:
        page.label("", "Nothing yet")
        return
    table(
        [
            Column("Metric", "minmax(90px, 1.7fr)", type="name", look="mono soft"),
            Column("Value", "minmax(84px, 1fr)", look="num"),
        ],
        [Row(name, None, [cells.text(name, 1000), _value(value)]) for name, value in rows],
        key="summary",
        label="Summary",
        height="320px",
    )


def _value(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"text": units.number(value), "title": repr(value)}
    if isinstance(value, (dict, list)) and (words := runtables.said(value) or runmedia.said(value)) is not None:
        return cells.text(words)
    return cells.text(value if isinstance(value, str) else orjson.dumps(showable(value)).decode())


def config_part(run: RunRecord) -> None:
    """A run's settings, as a tree."""
    if not run.config:
        page.label("", "None was given")
        return
    tree(dict(run.config), key="config", height="420px")


def _versions(run: RunRecord) -> tuple[list[ArtifactRecord], list[ArtifactRecord]]:
    """What it made and what it used; by `project/id`, since another project may have a run of that id."""
    path = f"{run.project}/{run.id}"
    made = data().versions({"producer_run": run.id}, "-logged_ns", 1000, 0).rows
    used = data().versions({"consumer_runs": run.id}, "-logged_ns", 1000, 0).rows
    return [one for one in made if path in one.maker_paths], [one for one in used if path in one.user_paths]


def _artifacts(run: RunRecord) -> None:
    now = time.time_ns()
    for title, found in zip(("Made", "Used"), _versions(run), strict=True):
        if found:
            page.label(title, units.count(len(found)))
            table(
                ARTIFACTS, [_version(one, now) for one in found], key=f"artifacts-{title}", label=f"{title} by the run"
            )


def _version(one: ArtifactRecord, now: int) -> Row:
    return Row(
        f"{one.project}/{one.name}:v{one.version}",
        links.artifact(one.project, one.name, one.version),
        [
            cells.text(f"{one.name}:v{one.version}"),
            cells.text(one.type),
            {"chips": [{"text": encodable(alias)} for alias in one.aliases]},
            units.count(one.file_count),
            units.size(one.size_bytes),
            cells.age(one.logged_ns, now),
        ],
    )


def _rich(rows: Sequence[Mapping[str, Any]], shown: Set[str]) -> None:
    """What is no number and not shown by itself."""
    logged = [row for row in rows if row["key"] not in shown]
    if not logged:
        return
    page.label("Also logged", units.count(len(logged)))
    table(
        [
            Column("Key", "minmax(90px, 160px)", look="mono"),
            Column("Step", "80px", look="num"),
            Column("Value", "minmax(200px, 1fr)"),
        ],
        [
            Row(
                str(at),
                None,
                [
                    cells.text(str(row["key"])),
                    units.count(row.get("step")),
                    _value(row.get("value")),
                ],
            )
            for at, row in enumerate(logged[-200:])
        ],
        key="rich",
        label="Also logged",
        height="300px",
    )
