"""Answers about what runs printed. For `Reader`."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from weft.tracking.errors import UsageError
from weft.tracking.store import schema
from weft.tracking.store.columns import text_of
from weft.tracking.store.readmodels import ConsoleLine, Page
from weft.tracking.store.runreader import run_key

_c = schema.console_line.c


def console(
    connection: Connection, run_uid: str, search: str | None, stream: str | None, last: int | None, before: int
) -> Page[ConsoleLine]:
    if last is not None and (not isinstance(last, int) or isinstance(last, bool) or last < 0):
        raise UsageError(f"last is {last!r:.80}; it must be a whole number of lines")
    if stream not in (None, "stdout", "stderr"):
        raise UsageError(f"stream is {stream!r:.80}; it must be stdout or stderr")
    query = select(_c.at_ns, _c.stream, _c.number, _c.text, _c.styled, _c.writer)
    query = query.where(_c.run_key == run_key(connection, run_uid))
    if stream is not None:
        query = query.where(_c.stream == stream)
    if search:
        wanted = text_of("search", search).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query = query.where(_c.text.ilike(f"%{wanted}%", escape="\\"))
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    newest = query.order_by(_c.began_ns.desc(), _c.writer.desc(), _c.stream.desc(), _c.number.desc())
    rows = connection.execute(newest.limit(last).offset(before) if last is not None else newest.offset(before))
    lines = [ConsoleLine(row[0], row[1], row[2], row[3], row[4] or row[3], row[5].hex()) for row in rows]
    return Page(lines[::-1], total, before)
