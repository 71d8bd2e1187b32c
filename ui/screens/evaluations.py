"""The list of evaluations: each scorer's mean with its interval, errors, cost, and when."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.runs.runvalues import took_ns
from weft.tracking.store.readmodels import RunRecord
from weft.ui import cells, links, lists, page
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.scorecards import EVALUATION, Scorecard, scorecards

EMPTY = lists.Empty(
    "No evaluations yet",
    "Score a model on a dataset; every case is kept with its trace.",
    """import weft

ev = weft.Evaluation([{"question": "2 + 2?", "expected": "4"}], scorers=[weft.scorer("exact_match")])
ev.run(answer)""",
)


def show() -> None:
    """Draw the screen."""
    page.head("Evaluations")
    st.fragment(_body, run_every=lists.LIVE_SECONDS)()


def _body() -> None:
    where = {"job_type": EVALUATION} | page.scope()
    lists.listed(
        "evaluations",
        lambda order, offset: data().runs(where, order=order, limit=lists.PAGE, offset=offset),
        lambda found, order, _: listing(
            found.rows, key="evaluations", order=order, height="calc(100vh - 130px)", keys=True
        ),
        order="-started_ns",
        empty=EMPTY,
    )


def listing(
    runs: Any, *, key: str, order: str | None = None, height: str | None = None, keys: bool = False, brief: bool = False
) -> str | None:
    """The list, with a column for each of the scorers that most of them share."""
    cards = {run.uid: {card.name: card for card in scorecards(run.summary)} for run in runs}
    counted: dict[str, int] = {}
    for found in cards.values():
        for name in found:
            counted[name] = counted.get(name, 0) + 1
    names = sorted(counted, key=lambda name: -counted[name])[: 2 if brief else 4]
    columns = [
        Column("Status", "96px", "status", sort="state" if order else None),
        Column("Evaluation", "minmax(110px, 1.3fr)", look="strong", link=True, sort="name" if order else None),
        Column("Dataset", "minmax(96px, 1fr)"),
        Column("Model", "minmax(80px, 0.8fr)"),
        *(
            Column(name, "minmax(104px, 150px)", look="num", help=f"{name}: mean ± half of its 95% interval")
            for name in names
        ),
        Column("Cases", "60px", look="num"),
        Column("Errors", "60px", look="num"),
        *([] if brief else [Column("Cost", "76px", look="num"), Column("Took", "76px", look="num")]),
        Column("Started", "92px", look="soft num", sort="started_ns" if order else None),
    ]
    now = time.time_ns()
    rows = [
        Row(run.uid, links.evaluation(run.project, run.id), _cells(run, cards[run.uid], names, now, brief))
        for run in runs
    ]
    return table(columns, rows, key=key, label="Evaluations", order=order, height=height, live=True, keys=keys)


def _cells(run: RunRecord, found: dict[str, Scorecard], names: list[str], now: int, brief: bool) -> list[Any]:
    summary, config = run.summary, run.config
    dataset, model = config.get("dataset") or {}, config.get("model")
    errors = (summary.get("errors") or 0) + (summary.get("scorer_errors") or 0)
    described = [cells.text(_name(dataset)), cells.text(_name(model))]
    cost = summary.get("cost_usd")
    spent = [
        units.usd(cost) if cost is not None else cells.unknown("No call in it could be priced"),
        cells.duration(None, took_ns(run, now)) if run.state == "running" else cells.duration(page.took_ns(run)),
    ]
    return [
        cells.state(run.state),
        cells.text(str(config.get("evaluation") or run.name)),
        *described,
        *(
            {"text": found[name].text, "title": f"n = {units.count(found[name].n)}"}
            if name in found
            else cells.unknown("Not scored")
            for name in names
        ),
        units.count(summary.get("rows", run.trace_count)),
        {"text": units.count(errors), "tone": "error" if errors else "soft"},
        *([] if brief else spent),
        cells.age(run.started_ns, now),
    ]


def _name(described: Any) -> str:
    """`{"name": …}` or plain text; a version where it is one to read (v3), not a digest."""
    if isinstance(described, dict):
        version = str(described.get("version") or "")
        return f"{described.get('name', '')} {version if len(version) < 8 else ''}".strip()
    return str(described or "")
