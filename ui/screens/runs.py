"""The list of runs: state, the metrics and settings that tell them apart, and when."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import RunRecord
from weft.ui import cells, links, page
from weft.ui.components.filters import Choice, filters
from weft.ui.components.table import Column, Row, reorder, table
from weft.ui.data import data
from weft.ui.scorecards import EVALUATION
from weft.ui.values import encodable

PAGE = 50
LIVE_SECONDS = 3.0
STATES = ("running", "finished", "failed", "killed", "crashed")
NOT_EVALUATION = {"job_type": {"$ne": EVALUATION}}
CODE = """import weft

with weft.init(project="demo", config={"lr": 1e-3}) as run:
    run.log({"loss": 0.25})"""


def show() -> None:
    """Draw the screen."""
    page.head("Runs")
    where: dict[str, Any] = dict(NOT_EVALUATION)
    if project := page.project():
        where["project"] = project
    asked = _filters()
    st.fragment(_body, run_every=LIVE_SECONDS)(where | asked, bool(asked))


def _filters() -> dict[str, Any]:
    chosen = Choice("state", "State", STATES)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        text = st.text_input(
            "Search",
            key="q",
            bind="query-params",
            on_change=page.first,
            placeholder="Search names",
            icon=":material/search:",
            label_visibility="collapsed",
            width=300,
        )
        filters([chosen], key="filters")
    where: dict[str, Any] = {}
    if text and text.strip():
        where["name"] = {"$contains": text.strip()}
    if chosen.chosen:
        where["state"] = {"$in": chosen.chosen}
    return where


def _body(where: dict[str, Any], filtered: bool) -> None:
    with page.part("The runs"):
        order = st.query_params.get("sort", "-started_ns")
        found, number = page.paged(lambda offset: data().runs(where, order=order, limit=PAGE, offset=offset), PAGE)
        if not found.total and not filtered:
            page.empty("No runs yet", "Log a training or any other script; its metrics show here as they come.", CODE)
            return
        asked = listing(found.rows, key="runs", order=order, height="calc(100vh - 170px)", keys=True)
        page.pages(found.total, number, PAGE)
        reorder(asked)


def listing(
    runs: Sequence[RunRecord],
    *,
    key: str,
    order: str | None = None,
    height: str | None = None,
    keys: bool = False,
    brief: bool = False,
) -> str | None:
    """The list, with columns for the settings that differ and the metrics that most of them have."""
    metrics = _common([run.summary for run in runs])[: 2 if brief else 4]
    settings = [] if brief else _differing([run.config for run in runs])[:3]
    columns = [
        Column("State", "96px", "status", sort="state" if order else None),
        Column("Run", "minmax(130px, 1.6fr)", look="strong", link=True, sort="name" if order else None),
        *(Column(name, "minmax(76px, 130px)", look="num soft", help=f"config: {name}") for name in settings),
        *(Column(name, "minmax(90px, 140px)", look="num", help=f"last value of {name}") for name in metrics),
        Column("Steps", "64px", look="num"),
        *([] if brief else [Column("Traces", "62px", look="num")]),
        Column("Took", "88px", look="num"),
        Column("Started", "96px", look="soft num", sort="started_ns" if order else None),
    ]
    now = time.time_ns()
    rows = [Row(run.uid, links.run(run.project, run.id), _cells(run, settings, metrics, now, brief)) for run in runs]
    return table(
        columns,
        rows,
        key=key,
        label="Runs",
        order=order,
        height=height,
        live=True,
        keys=keys,
        none="No run matches these filters.",
    )


def _cells(run: RunRecord, settings: Sequence[str], metrics: Sequence[str], now: int, brief: bool) -> list[Any]:
    took = None if run.ended_ns is None else run.ended_ns - run.started_ns
    name = encodable(run.name)
    return [
        cells.state(run.state),
        {"text": name, "title": f"{name}\nid {run.id}" + (f"\ntags {', '.join(run.tags)}" if run.tags else "")},
        *(cells.text(setting(run.config.get(key))) for key in settings),
        *(
            units.number(value) if (value := run.summary.get(key)) is not None else cells.unknown("Not logged")
            for key in metrics
        ),
        units.count(run.step),
        *([] if brief else [units.count(run.trace_count)]),
        cells.duration(took, now - run.started_ns if run.state == "running" else None),
        cells.age(run.started_ns, now),
    ]


def setting(value: Any) -> str:
    """A config value in a cell."""
    if value is None:
        return ""
    return units.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _common(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Metrics by how many runs have them; wandb-like underscore names are bookkeeping."""
    counted: dict[str, int] = {}
    for summary in summaries:
        for name, value in summary.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not name.startswith("_"):
                counted[name] = counted.get(name, 0) + 1
    return sorted(counted, key=lambda name: -counted[name])


def _differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that are plain values and not the same everywhere; with one run, its first."""
    names = list(dict.fromkeys(name for config in configs for name in config))
    plain = [
        name for name in names if all(isinstance(config.get(name), (str, int, float, type(None))) for config in configs)
    ]
    differing = [name for name in plain if len({config.get(name) for config in configs}) > 1]
    return differing or plain
