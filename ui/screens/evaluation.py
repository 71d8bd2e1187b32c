"""One evaluation: each scorer with its interval, then every case (or the failing ones), each a click from its trace."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import Page, RunRecord
from weft.ui import cells, links, page
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.scorecards import RESULTS, Case, Scorecard, from_table, from_traces, scorecards
from weft.ui.screens.run import config_part
from weft.ui.values import encodable

PAGE = 50
LIVE_SECONDS = 2.0
SHOWN = ("All", "Failing", "Errors")


def show() -> None:
    """Draw the screen."""
    ident = st.query_params.get("id", "")
    run = data().run(page.project() or st.query_params.get("project"), ident)
    if run is None:
        page.head("Evaluation")
        page.notice("No such evaluation", page.gone("evaluation", ident), links.to("evaluations"), "All evaluations")
        return
    live = run.state == "running"
    st.fragment(_body, run_every=LIVE_SECONDS if live else None)(run.project, ident)


def _body(project: str, ident: str) -> None:
    run = data().run(project, ident)
    if run is None:
        st.rerun()
        return
    _head(run)
    found = scorecards(run.summary)
    cases: Sequence[Case] = ()
    summary = st.container()
    with page.part("The cases"):
        cases = data().computed("cases", [run.uid], lambda: _cases(run))
        _listing(cases, found)
    with summary, page.part("The summary"):
        _summary(found, cases, run)
    with page.part("The configuration"), st.expander("Configuration"):
        config_part(run)


def _head(run: RunRecord) -> None:
    summary = run.summary
    tokens = summary.get("tokens")
    total = sum(tokens.get(name, 0) for name in ("input_tokens", "output_tokens")) if isinstance(tokens, dict) else None
    latency = summary.get("latency_s") or {}
    page.run_head(
        str(run.config.get("evaluation") or run.name),
        run.state,
        [
            ("", encodable(run.id)),
            ("cases", units.count(summary.get("rows", run.trace_count))),
            ("errors", units.count(summary.get("errors"))),
            ("latency p50", _seconds(latency.get("p50"))),
            ("p95", _seconds(latency.get("p95"))),
            ("tokens", units.compact(total)),
            ("cost", units.usd(summary.get("cost_usd"))),
            ("took", page.took(run)),
            ("", units.age(run.started_ns, time.time_ns())),
        ],
        ("All its traces", links.to("traces", {"project": run.project, "run": run.id})),
        ("Evaluations", links.to("evaluations", {"project": page.project()})),
    )


def _seconds(value: Any) -> str:
    return units.duration(None if value is None else int(value * 1e9))


def _summary(found: Sequence[Scorecard], cases: Sequence[Case], run: RunRecord) -> None:
    if not found:
        page.label("Scorers", "still running" if run.state == "running" else "nothing was scored")
        return
    columns = [
        Column("Scorer", "minmax(160px, 1fr)", look="strong"),
        Column("Mean ± 95% half-width", "minmax(260px, 320px)", "mean", look="num"),
        Column("Scored", "90px", look="num"),
        Column("Errors", "90px", look="num", help="Cases whose model or whose scorer failed"),
        Column("Unscored", "90px", look="num", help="Cases about which the scorer had nothing to say"),
    ]
    rows = [
        Row(
            card.name,
            None,
            [
                cells.text(card.name),
                {"text": card.text, "value": card.mean, "half": card.half, "unit": card.bounded(cases)},
                units.count(card.n),
                {"text": units.count(card.n_errors), "tone": "error" if card.n_errors else "soft"},
                {"text": units.count(card.n_unscored), "tone": "soft"},
            ],
        )
        for card in found
    ]
    table(columns, rows, key="scorers", label="Scorers")


def _cases(run: RunRecord) -> list[Case]:
    """From the result table; while there is none, from the traces and their scores."""
    made = (
        data().artifacts({"producer_run": run.id, "project": run.project, "type": "evaluation-results"}, limit=1).rows
    )
    if made and RESULTS in made[0].manifest:
        return from_table(data().blobs(), made[0])
    where = {"run_id": run.id, "project": run.project}
    return from_traces(data().traces(where, order="start_ns", limit=2000).rows, data().scores(where))


def _listing(cases: Sequence[Case], found: Sequence[Scorecard]) -> None:
    binary = {card.name for card in found if card.binary}
    counts = {
        "Failing": sum(case.failing(binary) for case in cases),
        "Errors": sum(bool(case.error) for case in cases),
    }
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        page.label(
            "Cases",
            f"{units.count(len(cases))} · {counts['Failing']} failing · {units.counted(counts['Errors'], 'error')}",
        )
        shown = st.segmented_control(
            "Cases",
            SHOWN,
            default="All",
            required=True,
            key="show",
            bind="query-params",
            on_change=page.first,
            label_visibility="collapsed",
        )
    if shown == "Failing":
        cases = [case for case in cases if case.failing(binary)]
    elif shown == "Errors":
        cases = [case for case in cases if case.error]
    chosen = list(cases)
    listed, number = page.paged(lambda offset: Page(chosen[offset : offset + PAGE], len(chosen), offset), PAGE)
    part = listed.rows
    names = [card.name for card in found] or sorted({name for case in cases for name in case.scores})
    expected = any(case.expected for case in part)
    columns = [
        Column("Row", "minmax(70px, 110px)", look="mono", link=True),
        Column("Input", "minmax(140px, 1.6fr)"),
        *([Column("Expected", "minmax(100px, 1fr)")] if expected else []),
        Column("Output", "minmax(140px, 1.6fr)"),
        *(Column(name, "minmax(84px, 110px)", look="num", help=name) for name in names[:5]),
        Column("Latency", "84px", look="num"),
        Column("Cost", "84px", look="num"),
    ]
    rows = [
        Row(
            f"{case.row_id}/{case.trial}",
            links.trace(case.trace_id, page.project()) if case.trace_id else None,
            _cells(case, names[:5], binary, expected),
        )
        for case in part
    ]
    table(
        columns,
        rows,
        key="cases",
        label="Cases",
        keys=True,
        page=(shown, number),
        none=f"No case is {str(shown).lower()}.",
    )
    page.pages(len(cases), number, PAGE)


def _cells(case: Case, names: Sequence[str], binary: set[str], expected: bool) -> list[Any]:
    output = cells.text(case.error or case.output)
    if case.error and isinstance(output, dict):
        output["tone"] = "error"
    return [
        {"text": encodable(case.row_id) + (f" #{case.trial + 1}" if case.trial else ""), "title": case.row_id},
        cells.text(case.inputs),
        *([cells.text(case.expected)] if expected else []),
        output,
        *(_score(case, name, name in binary) for name in names),
        _seconds(case.latency_s),
        units.usd(case.cost_usd) if case.cost_usd is not None else cells.unknown("Its calls could not be priced"),
    ]


def _score(case: Case, name: str, binary: bool) -> dict[str, Any]:
    if name in case.problems:
        return {"text": "failed", "tone": "error", "title": encodable(case.problems[name])}
    value = case.scores.get(name)
    if value is None:
        return cells.unknown("Not scored")
    reason = encodable(case.reasons.get(name, ""))
    if binary:
        return {
            "text": "✓" if value else "✗",
            "tone": "good" if value else "error",
            "title": reason or str(bool(value)),
        }
    return {"text": units.number(value), "title": reason}
