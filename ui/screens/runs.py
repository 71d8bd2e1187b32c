"""The list of runs: state, the metrics and settings that tell them apart, and when."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

import streamlit as st

from weft.tracking import units
from weft.tracking.runs.runvalues import flat, took_ns
from weft.tracking.store.readmodels import AlertRecord, RunRecord
from weft.ui import cells, links, lists, page
from weft.ui.components.filters import Choice, filters
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.scorecards import EVALUATION
from weft.ui.values import encodable, one_line

RECENT = 500
"""Runs whose tags, groups and jobs a filter offers."""
WIDTHS = (120, 210)
"""Pixels of a column that a name of somebody's heads, at the narrowest and the widest; it keeps its end."""
NUMBER = 94
"""Pixels that the longest number takes."""
METRICS, SETTINGS = 3, 3
"""Columns for them; more would leave none of them room."""
STATES = ("running", "finished", "failed", "killed", "crashed")
NOT_EVALUATION: dict[str, Any] = {"job_type": {"$ne": EVALUATION}}
EMPTY = lists.Empty(
    "No runs yet",
    "Log a training or any other script; its metrics show here as they come.",
    """import weft

with weft.init(project="demo", config={"lr": 1e-3}) as run:
    run.log({"loss": 0.25})""",
)


def show() -> None:
    """Draw the screen."""
    page.head("Runs")
    where = NOT_EVALUATION | page.scope()
    asked = _filters(where)
    st.fragment(_body, run_every=lists.LIVE_SECONDS)(where | asked, bool(asked))


def _filters(where: dict[str, Any]) -> dict[str, Any]:
    tags, groups, jobs = data().computed("run-choices", where, lambda: _choices(where))
    state = Choice("state", "State", STATES)
    kinds = [Choice("tag", "Tag", tags), Choice("group", "Group", groups), Choice("job", "Job", jobs)]
    with lists.bar("Search names, ids, notes, config") as text:
        filters([state, *(one for one in kinds if one.options or one.chosen)], key="filters")
    fields = zip(("state", "tags", "group", "job_type"), (state, *kinds), strict=True)
    asked: dict[str, Any] = {field: {"$in": one.chosen} for field, one in fields if one.chosen}
    if asked.get("job_type"):
        asked["job_type"]["$ne"] = EVALUATION
    if text:
        asked["text"] = {"$contains": text}
    return asked


def _choices(where: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Tags, groups and jobs of the newest runs."""
    found = data().runs(where, limit=RECENT).rows
    tags = {tag for run in found for tag in run.tags}
    return (
        sorted(tags),
        sorted({run.group for run in found if run.group}),
        sorted({run.job_type for run in found if run.job_type}),
    )


def _body(where: dict[str, Any], filtered: bool) -> None:
    lists.listed(
        "runs",
        lambda order, offset: data().runs(where, order=order, limit=lists.PAGE, offset=offset),
        lambda found, order, _: listing(found.rows, key="runs", order=order, height=lists.HEIGHT, keys=True),
        order="-started_ns",
        empty=None if filtered else EMPTY,
    )


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
    summaries = [dict(flat(run.summary)) for run in runs]
    configs = [dict(flat(run.config)) for run in runs]
    metrics = _telling(summaries)[: 2 if brief else METRICS]
    settings = [] if brief else _differing(configs)[:SETTINGS]
    alerts = {} if brief else _alerts({run.id for run in runs})
    several = not brief and len({run.project for run in runs}) > 1
    extra = _Extra(
        project=several,
        tags=not brief and any(run.tags for run in runs),
        group=not brief and any(run.group for run in runs),
        alerts=any((run.project, run.id) in alerts for run in runs),
        traces=not brief and any(run.trace_count for run in runs),
    )
    columns = [
        Column("State", "90px", "status", sort="state" if order else None),
        Column("Run", "minmax(118px, 1.6fr)", look="strong", link=True, sort="name" if order else None),
        *([Column("Alerts", "54px", look="num")] if extra.alerts else []),
        *([Column("Project", "minmax(60px, 120px)", look="soft")] if extra.project else []),
        *(
            Column(
                encodable(name), _wide(name), look="num", help=encodable(f"Summary: {name}"),
                sort=f"summary.{name}" if order else None,
            )
            for name in metrics
        ),
        *(
            Column(encodable(name), _wide(name), look="num soft", help=encodable(f"Config: {name}"))
            for name in settings
        ),
        *([Column("Group", "minmax(78px, 120px)", look="soft")] if extra.group else []),
        *([Column("Tags", "minmax(100px, 190px)", type="chips")] if extra.tags else []),
        Column("Step", "66px", look="num", help="The last one", sort="step" if order else None),
        *([Column("Traces", "62px", look="num")] if extra.traces else []),
        Column("Took", "72px", look="num"),
        Column("Started", "88px", look="soft num", sort="started_ns" if order else None),
    ]  # fmt: skip
    now = time.time_ns()
    rows = [
        Row(
            run.uid,
            links.run(run.project, run.id),
            _cells(
                run,
                [cells.text(setting(config.get(name))) for name in settings],
                [_metric(summary.get(name)) for name in metrics],
                alerts.get((run.project, run.id), []),
                extra,
                now,
            ),
            f"{run.project}/{run.id}",
        )
        for run, summary, config in zip(runs, summaries, configs, strict=True)
    ]
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
        compare=None if brief else "/compare?runs=",
    )


class _Extra(NamedTuple):
    """Columns that are there only where they say something."""

    project: bool
    tags: bool
    group: bool
    alerts: bool
    traces: bool


def _wide(name: str) -> str:
    """As the name needs, or the longest number (-1.234e-05), which cut short would be another one: never by what stands
    below it, which changes while a run goes on."""
    wanted = 26 + 7 * len(name)
    least, most = WIDTHS
    return f"minmax({max(NUMBER, min(least, wanted))}px, {max(NUMBER, min(most, wanted))}px)"


def _alerts(idents: Set[str]) -> dict[tuple[str, str], list[AlertRecord]]:
    """By project and id of the run, newest first."""
    found: dict[tuple[str, str], list[AlertRecord]] = {}
    for alert in data().recent_alerts():
        if alert.run_id in idents:
            found.setdefault((alert.project, alert.run_id), []).append(alert)
    return found


def _metric(value: Any) -> Any:
    return cells.unknown("Not logged") if value is None else {"text": units.number(value), "title": repr(value)}


def _cells(
    run: RunRecord,
    settings: Sequence[Any],
    metrics: Sequence[Any],
    alerts: Sequence[AlertRecord],
    extra: _Extra,
    now: int,
) -> list[Any]:
    name = encodable(run.name)
    told = "\n".join(f"{alert.level.lower()}: {alert.title}" for alert in alerts[:20])
    worst = "error" if any(alert.level == "ERROR" for alert in alerts) else "warn"
    alarm = {"text": f"▲ {len(alerts)}", "title": encodable(told), "tone": worst} if alerts else ""
    tags = [encodable(tag) for tag in run.tags]
    chips = [{"text": one_line(tag, 24)} for tag in tags[:3]] + (
        [{"text": f"+{len(tags) - 3}"}] if len(tags) > 3 else []
    )
    notes = f"\n{run.notes}" if run.notes else ""
    error = f"\n{run.error.get('type', 'Error')}: {run.error.get('message', '')}" if run.error else ""
    return [
        cells.state(run.state),
        {"text": name, "title": encodable(one_line(f"{name} · id {run.id}", 400) + f"{notes}{error}"[:1000])},
        *([alarm] if extra.alerts else []),
        *([cells.text(run.project)] if extra.project else []),
        *metrics,
        *settings,
        *([cells.text(run.group or "")] if extra.group else []),
        *([{"chips": chips, "title": ", ".join(tags)}] if extra.tags else []),
        units.count(run.step),
        *([units.count(run.trace_count)] if extra.traces else []),
        cells.duration(None, took_ns(run, now)) if run.state == "running" else cells.duration(page.took_ns(run)),
        cells.age(run.started_ns, now),
    ]


def setting(value: Any) -> str:
    """A config value in a cell."""
    if value is None:
        return ""
    return units.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _telling(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Metrics by how many runs have them, those that judge first; names with an underscore ahead are bookkeeping."""
    counted = Counter(
        name
        for summary in summaries
        for name, value in summary.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not name.startswith("_")
    )
    return sorted(counted, key=lambda name: (-counted[name], not _JUDGES.search(name.lower()), name))


_JUDGES = re.compile(
    r"acc|loss|error|score|auc|f1|bleu|rouge|perplexity|reward|precision|recall|(^|[/_.])(val|test|eval)"
)
"""Names by which runs are compared; of metrics that as many runs have, these have a column first."""


def _differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Plain settings that are not the same in all runs that have them, those that most have first; else any."""
    values: dict[str, list[Any]] = {}
    for config in configs:
        for name, value in config.items():
            values.setdefault(name, []).append(value)
    plain = [name for name, found in values.items() if all(isinstance(one, (str, int, float)) for one in found)]
    plain.sort(key=lambda name: -len(values[name]))
    differing = [name for name in plain if len(set(values[name])) > 1]
    return differing or [name for name in plain if len(values[name]) > len(configs) / 2]
