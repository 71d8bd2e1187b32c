"""One version of an artifact: what is said of it, its files with previews, its lineage, and how others differ."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.artifacts.differences import Difference, difference
from weft.tracking.blobs import Blobs
from weft.tracking.payloads import mediatypes
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.tables import Table
from weft.ui import cells, links, lists, media, page
from weft.ui.components.graph import graph
from weft.ui.components.json import tree
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable, visible

TEXT_BYTES = 64 << 10
"""Of a text so much is shown."""
ROWS = 100
FILES = 2_000
VERSIONS = 200
RUNS = 10
DIRECTIONS = {"Both ways": "both", "What it came of": "up", "What came of it": "down"}


def show() -> None:
    """Draw the screen."""
    name, asked = st.query_params.get("name", ""), st.query_params.get("version", "")
    project = st.query_params.get("project") or page.project()
    where = {"name": name} | ({"project": project} if project else {})
    versions = data().versions(where, "-version", VERSIONS, 0).rows
    chosen = next(
        (one for one in versions if f"v{one.version}" == asked), versions[0] if not asked and versions else None
    )
    record = None if chosen is None else data().version_of(chosen.project, chosen.name, chosen.version)
    if record is None:
        page.head("Artifact")
        page.notice("No such version", page.gone("version", f"{name}:{asked}"), links.to("artifacts"), "All artifacts")
        lists.awaited(data().version())
        return
    _head(record)
    left, right = st.columns([2.2, 1], gap="medium")
    with left:
        with page.part("The files"):
            _files(record)
        with page.part("The lineage"):
            _lineage(record)
    with right:
        with page.part("The metadata"):
            _about(record)
        with page.part("The registry"):
            _registry(record)
        with page.part("The versions"):
            _versions(record, versions)
        with page.part("The difference"):
            _difference(record, versions)


def _head(record: ArtifactRecord) -> None:
    up = ("Artifacts", links.to("artifacts", page.scope()))
    title = f"{record.name}:v{record.version}"
    aliases = [f"@{alias}" for alias in record.aliases]
    held = f"{units.counted(record.file_count, 'file')}, {units.size(record.size_bytes)}"
    page.head(title, record.type, *aliases, held, units.age(record.created_ns, time.time_ns()), up=up)
    if record.description:
        page.notes(record.description)


def _files(record: ArtifactRecord) -> None:
    page.label("Files", units.count(record.file_count))
    paths = list(record.manifest)[:FILES]
    table(
        [
            Column("Path", "minmax(180px, 1fr)", look="mono", link=True),
            Column("Size", "90px", look="num"),
            Column("sha256", "minmax(110px, 200px)", look="mono soft"),
        ],
        [_file_row(record, path) for path in paths],
        key="files",
        label="Files",
        height="300px",
        none="It holds no files.",
    )
    if record.file_count > len(paths):
        page.label("", f"{units.count(record.file_count - len(paths))} more: weft artifacts show {record.name} --json")
    chosen = st.query_params.get("file", paths[0] if len(paths) == 1 else "")
    if chosen in record.manifest:
        page.label(chosen, "preview")
        with page.part("The preview"):
            _preview(record.manifest[chosen], chosen)


def _file_row(record: ArtifactRecord, path: str) -> Row:
    entry = record.manifest[path]
    href = links.artifact(record.project, record.name, record.version, file=path)
    digest = str(entry.get("digest", ""))
    told = (
        {"text": str(entry["ref"]), "title": encodable(digest)}
        if "ref" in entry
        else {"text": digest[:16], "title": digest}
    )
    return Row(path, href, [cells.text(path), units.size(entry.get("size_bytes")), told])


def _preview(entry: Any, path: str) -> None:
    if "ref" in entry:
        page.note(f"It lies at {entry['ref']}, and is not fetched to be looked at.")
        return
    blobs, digest = data().blobs(), str(entry["digest"])
    if path.endswith(".parquet"):
        _table(blobs, digest)
        return
    with blobs.open(digest) as file:
        head = file.read(TEXT_BYTES)
    kind = mediatypes.guessed(head, None)
    if kind in media.PICTURES and entry["size_bytes"] <= media.SHOWN_BYTES:
        st.image(io.BytesIO(blobs.read(digest)), width="content")
        return
    text = _text(head)
    if text is None:
        page.note(f"{kind}, {units.size(entry['size_bytes'])}: nothing to show. weft artifacts get downloads it.")
        return
    st.code(visible(text), language=None, height=min(420, 60 + 21 * text.count("\n")))
    if entry["size_bytes"] > len(head):
        page.label("", f"The first {units.size(len(head))} of {units.size(entry['size_bytes'])}")


def _text(head: bytes) -> str | None:
    """It, if it is one: UTF-8, perhaps cut off within a character, without zeros."""
    if b"\0" in head:
        return None
    for cut in range(4):
        try:
            return head[: len(head) - cut].decode()
        except UnicodeDecodeError as error:
            if error.start < len(head) - 4:
                return None
    return None


def _table(blobs: Blobs, digest: str) -> None:
    with blobs.open(digest) as file:
        found = Table.from_parquet(file)
    table(
        [Column(encodable(str(column)), "minmax(90px, 1fr)") for column in found.columns],
        [Row(str(at), None, [_cell(cell) for cell in row]) for at, row in enumerate(found.data[:ROWS])],
        key="preview",
        label="Rows",
        height="360px",
    )
    page.label("", f"{units.count(min(ROWS, len(found)))} of {units.counted(len(found), 'row')}")


def _cell(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"text": units.number(value), "title": repr(value)}
    return cells.text(None if value is None else str(value))


def _lineage(record: ArtifactRecord) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        page.label("Lineage", "runs and versions; a click leads there")
        way = st.selectbox(
            "Direction", list(DIRECTIONS), key="way", bind="query-params", label_visibility="collapsed", width=170
        )
    found = data().lineage(record.project, record.name, record.version, DIRECTIONS.get(way or "", "both"))
    if len(found.nodes) == 1:
        page.label("", "No run made or used it")
        return
    left_out = graph(found, key="lineage")
    if left_out or not found.whole:
        more = units.count(left_out) if found.whole else f"{units.count(left_out)} and more"
        page.label("", f"{more} further away are not drawn: weft artifacts lineage lists them")


def _about(record: ArtifactRecord) -> None:
    page.label("About")
    kept = "for ever" if record.ttl_s is None else units.duration(record.ttl_s * 1_000_000_000) + " after it was logged"
    facts = [
        ("tags", ", ".join(record.tags)),
        ("made by", _runs(record.maker_paths)),
        ("used by", _runs(record.user_paths)),
        ("kept", kept),
        ("digest", record.digest[:16]),
    ]
    page.facts([(name, value) for name, value in facts if value])
    code = f'run.use_artifact("{record.project}/{record.name}:v{record.version}").download()'
    st.code(code, language="python", wrap_lines=True)
    page.label("Metadata")
    if record.metadata:
        tree(dict(record.metadata), key="metadata", height="260px")
    else:
        page.label("", "None was given")


def _runs(paths: Sequence[str]) -> page.Links | None:
    """The first ones, each a link to its screen."""
    if not paths:
        return None
    split = [path.partition("/") for path in paths[:RUNS]]
    shown = [(f"{project}/{ident}", links.run(project, ident)) for project, _, ident in split]
    return page.Links(shown, len(paths) - len(shown))


def _registry(record: ArtifactRecord) -> None:
    held = data().links(record.project, record.name, record.digest)
    if held:
        page.label("Registry", "where it is linked")
        table(
            [Column("Collection", "minmax(120px, 1.4fr)", look="strong", link=True), Column("Aliases")],
            [
                Row(
                    f"{link.path}:{link.number}",
                    links.collection(link.path),
                    [cells.text(f"{link.path}:v{link.number}"), cells.text(", ".join(link.aliases))],
                )
                for link in held
            ],
            key="registry",
            label="Registry",
            height="180px",
        )


def _versions(record: ArtifactRecord, versions: Sequence[ArtifactRecord]) -> None:
    page.label("Versions", units.count(len(versions)))
    now = time.time_ns()
    table(
        [
            Column("Version", "62px", look="strong", link=True),
            Column("Aliases", "minmax(56px, 1fr)"),
            Column("Size", "76px", look="num"),
            Column("Created", "86px", look="soft num"),
        ],
        [
            Row(
                str(one.version),
                links.artifact(one.project, one.name, one.version),
                [
                    f"v{one.version}",
                    cells.text(", ".join(one.aliases)),
                    units.size(one.size_bytes),
                    cells.age(one.created_ns, now),
                ],
            )
            for one in versions
            if one.project == record.project
        ],
        key="versions",
        label="Versions",
        height="240px",
    )


def _difference(record: ArtifactRecord, versions: Sequence[ArtifactRecord]) -> None:
    others = {f"v{one.version}": one.version for one in versions if one.version != record.version}
    if not others:
        return
    page.label("Compare with")
    chosen = st.selectbox(
        "Compare with",
        list(others),
        index=None,
        placeholder="another version",
        key="with",
        bind="query-params",
        label_visibility="collapsed",
    )
    if chosen not in others:
        return
    other = data().version_of(record.project, record.name, others[chosen])
    if other is not None:
        _told(difference(other.manifest, record.manifest, (other.metadata, record.metadata)), chosen)


def _told(found: Difference, other: str) -> None:
    rows = [
        *((f"+ {path}", "added") for path in found.added),
        *((f"− {path}", "removed") for path in found.removed),
        *((f"~ {path}", "changed") for path in found.changed),
        *((f"metadata {key}", f"{before} → {after}") for key, (before, after) in found.metadata.items()),
    ]
    counts = ((len(found.added), "added"), (len(found.removed), "removed"), (len(found.changed), "changed"))
    said = ", ".join(f"{count} {what}" for count, what in (*counts, (found.unchanged, "the same")))
    page.label("", f"Since {other}: {said}")
    if rows:
        table(
            [Column("What", "minmax(120px, 1fr)", look="mono"), Column("How", "minmax(90px, 1fr)")],
            [Row(str(at), None, [cells.text(what), cells.text(how)]) for at, (what, how) in enumerate(rows[:500])],
            key="difference",
            label="Difference",
            height="240px",
        )
