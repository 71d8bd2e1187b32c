"""The Tables of a run, on its screen: paged, sorted and searched by DuckDB in the files themselves, however long."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.errors import NotFoundError
from weft.tracking.media import Image, Media, revived
from weft.tracking.payloads.encoding import decode
from weft.tracking.sql.columntypes import json_text
from weft.tracking.store.readmodels import RunRecord
from weft.tracking.tables import Table
from weft.tracking.tables.arrow import KIND
from weft.tracking.tables.parts import FILE, source
from weft.tracking.tables.query import ask
from weft.tracking.tables.stored import is_table
from weft.ui import cells, media, page, runmedia
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable

PAGE = 50
SHOWN_TABLES = 20
SHOWN_COLUMNS = 60
Logged = Sequence[tuple[int, Mapping[str, Any]]]
"""Steps and what stands for the table there."""


KEPT = 128
"""Pages kept in memory, for all visitors."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of a table, as it is shown."""

    columns: Sequence[str]
    numbers: Sequence[bool]
    """Which of them hold numbers."""
    rows: Sequence[Sequence[Any]]
    total: int
    pictures: bool


_pages: OrderedDict[Hashable, Shown] = OrderedDict()
_lock = threading.Lock()  # guards _pages


def tables_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Logged]:
    """The tables among logged values, by key, in order of step."""
    found: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for row in rows:
        value = row.get("value")
        if isinstance(value, Mapping) and is_table(value):
            found.setdefault(str(row["key"]), []).append((int(row.get("step") or 0), value))
    return dict(found)


def said(value: object) -> str | None:
    """What stands for a table among plain values, in words; None for anything else."""
    if not isinstance(value, Mapping) or not is_table(value):
        return None
    return f"table, {units.counted(int(value.get('n_rows') or 0), 'row')}"


def show(run: RunRecord) -> None:
    """Draw them."""
    found = tables_of(data().rich(run.uid))
    for key in sorted(found)[:SHOWN_TABLES]:
        with page.part(f"The table {key}"):
            _table(run, key, found[key], "calc(100vh - 260px)" if len(found) == 1 else "420px")
    if len(found) > SHOWN_TABLES:
        page.label("", f"{units.count(len(found))} tables were logged; {SHOWN_TABLES} are shown, weft sql asks all")


def _table(run: RunRecord, key: str, logged: Logged, height: str) -> None:
    name = f"table.{key}"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        head = st.container()
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            search = _search(name, key)
            value = _version(name, key, logged)
    order = st.session_state.get(f"{name}.sort")
    number = int(st.session_state.get(f"{name}.page") or 1)
    shown = _kept(run, value, search, order, number)
    with head:
        page.label(key, _counted(value, shown, search))
    _body(name, key, shown, order, height, (search, order, number, value.get("digest")))
    count = -(-shown.total // PAGE)
    if count > 1:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            first = (number - 1) * PAGE + 1
            last = min(shown.total, number * PAGE)
            page.label("", f"{units.count(first)} – {units.count(last)} of {units.count(shown.total)}")
            st.pagination(count, key=f"{name}.page", width=160 + 36 * min(count, 7))


def _search(name: str, key: str) -> str:
    def first() -> None:
        st.session_state[f"{name}.page"] = 1

    found = st.text_input(
        f"Search {page.plain(key)}",
        key=f"{name}.q",
        on_change=first,
        placeholder="Search the rows",
        icon=":material/search:",
        label_visibility="collapsed",
        width=200,
    )
    return (found or "").strip()


def _version(name: str, key: str, logged: Logged) -> Mapping[str, Any]:
    """What was logged at the step that is chosen: the last one, unless somebody chose."""
    if len(logged) == 1:
        return logged[0][1]
    at = st.selectbox(
        f"Step of {page.plain(key)}",
        range(len(logged) - 1, -1, -1),
        format_func=lambda at: f"Step {units.count(logged[at][0])}",
        key=f"{name}.step",
        label_visibility="collapsed",
        width=130,
    )
    return logged[len(logged) - 1 if at is None or at >= len(logged) else at][1]


def _counted(value: Mapping[str, Any], shown: Shown, search: str) -> str:
    whole = units.counted(int(value.get("n_rows") or 0), "row")
    found = f"{units.count(shown.total)} of {whole}" if search else whole
    columns = len(shown.columns)
    more = f", {SHOWN_COLUMNS} of {units.count(columns)} columns" if columns > SHOWN_COLUMNS else ""
    return f"{found}{more}"


def _body(name: str, key: str, shown: Shown, order: str | None, height: str, what: object) -> None:
    heads = [
        Column(
            encodable(column),
            "minmax(96px, max-content)" if shown.numbers[at] else "minmax(120px, 1fr)",
            look="num" if shown.numbers[at] else "",
            sort=str(at),
        )
        for at, column in enumerate(shown.columns[:SHOWN_COLUMNS])
    ]
    asked = table(
        heads,
        [Row(str(at), None, row[:SHOWN_COLUMNS]) for at, row in enumerate(shown.rows)],
        key=name,
        label=encodable(key),
        height=height,
        order=order,
        page=what,
        none="No row matches.",
        tall=shown.pictures,
    )
    if asked and asked != order:
        st.session_state[f"{name}.sort"] = asked
        st.session_state[f"{name}.page"] = 1
        st.rerun()


def _kept(run: RunRecord, value: Mapping[str, Any], search: str, order: str | None, number: int) -> Shown:
    """The page. A version never changes, so what was asked of one is kept, whatever else the store takes in."""
    if "digest" not in value:
        return _asked(run, value, search, order, number)
    question = (run.project, value.get("artifact"), value["digest"], search, order, number)
    with _lock:
        if question in _pages:
            _pages.move_to_end(question)
            return _pages[question]
    shown = _asked(run, value, search, order, number)
    with _lock:
        _pages[question] = shown
        while len(_pages) > KEPT:
            _pages.popitem(last=False)
    return shown


def _asked(run: RunRecord, value: Mapping[str, Any], search: str, order: str | None, number: int) -> Shown:
    """The page, from the version's files.

    Raises:
        NotFoundError, UsageError, MissingExtraError: they cannot be read.
    """
    content = _content(run, value)
    columns = list(content.schema.names)
    where, params = "", []
    if search:
        texts = ", ".join(f"{_quoted(column)}::varchar" for column in columns)
        where, params = f" where contains(lower(concat_ws(chr(10), {texts})), lower(?))", [search]
    total = ask(f"select count(*) from t{where}", {"t": content}, params).rows[0][0]
    by = ""
    if order is not None and order.lstrip("-").isdigit() and int(order.lstrip("-")) < len(columns):
        way = "desc" if order.startswith("-") else "asc"
        by = f" order by {_quoted(columns[int(order.lstrip('-'))])} {way} nulls last"
    found = ask(f"select * from t{where}{by} limit {PAGE} offset {(number - 1) * PAGE}", {"t": content}, params)
    coded = [(field.metadata or {}).get(KIND) == b"json" for field in content.schema]
    shown = [[_cell(one, json) for one, json in zip(row, coded, strict=True)] for row in found.rows]
    import pyarrow.types as types  # the extra `tables`, which `ui` brings

    numbers = [types.is_integer(field.type) or types.is_floating(field.type) for field in content.schema]
    pictures = any(isinstance(cell, Mapping) and "picture" in cell for row in shown for cell in row)
    return Shown(columns, numbers, shown, total, pictures)


def _content(run: RunRecord, value: Mapping[str, Any]) -> Any:
    if "rows" in value:  # where it was logged there was no pyarrow
        return Table(columns=value["columns"], data=value["rows"], allow_mixed_types=True).to_arrow()
    where = {"project": run.project, "name": value.get("artifact"), "digest": value.get("digest")}
    versions = data().artifacts(where, limit=1).rows
    if not versions:
        raise NotFoundError(
            f"there is no version of {value.get('artifact')} with this content here: it waits to be ingested "
            "(weft doctor says so), or has been removed"
        )
    return source(versions[0].manifest, str(value.get("path") or FILE), data().blobs())


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _cell(value: Any, coded: bool) -> Any:
    if value is None:
        return cells.unknown("None")
    if coded and isinstance(value, str):
        return _decoded(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return {"text": units.number(value) if isinstance(value, float) else f"{value:,}", "title": repr(value)}
    if isinstance(value, bytes):
        return {"text": f"{units.size(len(value))} of bytes", "title": value[:200].hex(" "), "tone": "soft"}
    return cells.text(value if isinstance(value, str) else str(value))


def _decoded(text: str) -> Any:
    value = revived(decode(text), data().blobs()) if '"_type"' in text else decode(text)
    if isinstance(value, Media):
        words = runmedia.said(value.record()) or type(value).__name__.lower()
        if isinstance(value, Image) and value.media_type in media.PICTURES and value.size_bytes <= media.SHOWN_BYTES:
            told = words if value.caption is None else f"{encodable(value.caption)} ({words})"
            return {"picture": media.PATH.format(digest=value.digest), "text": "", "title": told}
        return {"text": words, "title": words, "tone": "soft"}
    return cells.text(value if isinstance(value, str) else json_text(text))
