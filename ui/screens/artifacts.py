"""The list of artifacts: what each is, its latest version, how large, who made it and when."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import ArtifactRecord, Page
from weft.ui import cells, links, lists, page
from weft.ui.components.filters import Choice, filters
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable

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
EMPTY = lists.Empty(
    "No artifacts yet",
    "Log files as a version; the next log of the name is the next version.",
    """import weft

with weft.init(project="demo") as run:
    artifact = weft.Artifact("questions", type="dataset")
    artifact.add_file("questions.jsonl")
    run.log_artifact(artifact)""",
)


def show() -> None:
    """Draw the screen."""
    page.head("Artifacts")
    where = LATEST | page.scope()
    asked = _filters(where)
    filtered = set(asked) != {"type"} or "$in" in asked["type"]
    st.fragment(_body, run_every=lists.LIVE_SECONDS)(where | asked, filtered)


def _filters(where: dict[str, Any]) -> dict[str, Any]:
    types = data().computed("artifact-types", where, lambda: sorted({row.type for row in data().latest(where)}))
    chosen = Choice("type", "Type", types)
    with lists.bar("Search names") as text:
        filters([chosen], key="filters")
    asked: dict[str, Any] = {"type": {"$in": chosen.chosen} if chosen.chosen else {"$nin": list(OWN)}}
    if text:
        asked["name"] = {"$contains": text}
    return asked


def _body(where: dict[str, Any], filtered: bool) -> None:
    lists.listed(
        "artifacts",
        lambda order, offset: data().versions(where, order, lists.PAGE, offset),
        _draw,
        order="-logged_ns",
        empty=None if filtered else EMPTY,
    )


def _draw(found: Page[ArtifactRecord], order: str, _number: int) -> str | None:
    now = time.time_ns()
    return table(
        COLUMNS,
        [_row(record, now) for record in found.rows],
        key="artifacts",
        label="Artifacts",
        order=order,
        height=lists.HEIGHT,
        live=True,
        keys=True,
        none="No artifact matches these filters.",
    )


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
