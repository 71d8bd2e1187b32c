"""The list of artifacts: what each is, its latest version, how large, who made it and when."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import ArtifactRecord
from weft.ui import cells, links, page
from weft.ui.components.filters import Choice, filters
from weft.ui.components.table import Column, Row, reorder, table
from weft.ui.data import data
from weft.ui.values import encodable

PAGE = 50
LIVE_SECONDS = 3.0
OWN = ("op",)
"""Types that are shown only when asked for: the code of every op."""
LATEST = {"aliases": "latest"}
COLUMNS = [
    Column("Artifact", "minmax(150px, 1.6fr)", look="strong", link=True, sort="name"),
    Column("Type", "minmax(80px, 140px)", look="soft", sort="type"),
    Column("Latest", "64px", look="num", sort="version", help="What was logged last"),
    Column("Aliases", "minmax(90px, 1fr)"),
    Column("Tags", "minmax(80px, 0.8fr)", look="soft"),
    Column("Files", "76px", look="num", sort="file_count"),
    Column("Size", "88px", look="num", sort="size_bytes"),
    Column("Made by", "minmax(90px, 150px)", look="mono soft"),
    Column("Logged", "100px", look="soft num", sort="logged_ns"),
]
CODE = """import weft

with weft.init(project="demo") as run:
    artifact = weft.Artifact("questions", type="dataset")
    artifact.add_file("questions.jsonl")
    run.log_artifact(artifact)"""


def show() -> None:
    """Draw the screen."""
    page.head("Artifacts")
    where: dict[str, Any] = dict(LATEST)
    if project := page.project():
        where["project"] = project
    asked = _filters(where)
    st.fragment(_body, run_every=LIVE_SECONDS)(where | asked, set(asked) != {"type"} or "$in" in asked["type"])


def _filters(where: dict[str, Any]) -> dict[str, Any]:
    types = data().computed("artifact-types", where, lambda: sorted({row.type for row in data().latest(where)}))
    chosen = Choice("type", "Type", types)
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
    asked: dict[str, Any] = {"type": {"$in": chosen.chosen} if chosen.chosen else {"$nin": list(OWN)}}
    if text and text.strip():
        asked["name"] = {"$contains": text.strip()}
    return asked


def _body(where: dict[str, Any], filtered: bool) -> None:
    with page.part("The artifacts"):
        order = st.query_params.get("sort", "-logged_ns")
        found, number = page.paged(lambda offset: data().versions(where, order, PAGE, offset), PAGE)
        if not found.total and not filtered:
            page.empty(
                "No artifacts yet", "Log files as a version; the next log of the name is the next version.", CODE
            )
            return
        now = time.time_ns()
        asked = table(
            COLUMNS,
            [_row(record, now) for record in found.rows],
            key="artifacts",
            label="Artifacts",
            order=order,
            height="calc(100vh - 170px)",
            live=True,
            keys=True,
            none="No artifact matches these filters.",
        )
        page.pages(found.total, number, PAGE)
        reorder(asked)


def _row(record: ArtifactRecord, now: int) -> Row:
    name = encodable(record.name)
    made = record.producer_run
    return Row(
        f"{record.project}/{record.name}",
        links.artifact(record.project, record.name, record.version),
        [
            {"text": name, "title": f"{encodable(record.project)}/{name}"},
            cells.text(record.type),
            f"v{record.version}",
            cells.text(", ".join(alias for alias in record.aliases if alias != "latest")),
            cells.text(", ".join(record.tags)),
            units.count(record.file_count),
            units.size(record.size_bytes),
            cells.text(made) if made else cells.unknown("No run made it"),
            cells.age(record.logged_ns, now),
        ],
    )
