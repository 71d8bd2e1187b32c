"""The full-text index over names, inputs, outputs and errors of spans: a consumer of the store with its own position.

SQLite keeps it in FTS5 (contentless: the words, not the texts again), PostgreSQL in a tsvector under GIN. It is made
and brought up to date by `advance`, in transactions of its own, never by the sink, which only says in `text_queue`
which indexed spans have changed or gone. The words are cut by `textwords`, so both databases find the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    cast,
    column,
    false,
    func,
    literal_column,
    not_,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from weft.tracking.errors import StoreError
from weft.tracking.store import schema
from weft.tracking.store.jsontext import loads
from weft.tracking.store.spanpayload import current_inputs
from weft.tracking.store.textwords import Term, terms, texts, words_of
from weft.tracking.store.transaction import Row, Transaction

if TYPE_CHECKING:
    from weft.tracking.store.store import Store

FORMAT = 1
"""How words are cut and kept; an index of another format is made again."""
BATCH = 400
"""Spans of one transaction: the store's other writers wait for it."""
COMMON = 20_000
"""With more spans than this, a list in order of time is walked and asked, not the spans looked up one by one."""
_TEXT = "s.id, s.name, p.inputs, p.output, p.error, p.more"
_FROM = "FROM span s LEFT JOIN span_payload p ON p.id = s.id"
_MAKE = {
    "sqlite": (
        "CREATE VIRTUAL TABLE IF NOT EXISTS span_text USING fts5"
        "(words, content='', columnsize=0, tokenize='unicode61 remove_diacritics 0')",
    ),
    "postgresql": (
        "CREATE TABLE IF NOT EXISTS span_text (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
        "CREATE INDEX IF NOT EXISTS ix_span_text_words ON span_text USING gin (words)",
    ),
}


class TextIndex:
    """The index of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def advance(self, seconds: float | None = None) -> int:
        """Take in what is new or has changed, for that long (None: until nothing is left); how many spans it was.

        Raises:
            StoreError: the database failed, cannot be written, or has no full-text search.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        done = 0
        with self._store.reading() as connection:
            if lag(connection) == 0:
                return 0
        while deadline is None or time.monotonic() < deadline:
            with self._store.writing() as tx:
                count = _step(tx)
            if not count:
                break
            done += count
        return done


def lag(connection: Connection) -> int:
    """How many spans the index has not taken in yet, as they are now."""
    state = connection.execute(select(schema.text_state)).one_or_none()
    position = state.position if state is not None and state.format == FORMAT else 0
    last = connection.execute(select(func.max(schema.span.c.id))).scalar() or 0
    waiting = connection.execute(select(func.count()).select_from(schema.text_queue)).scalar_one()
    return max(0, last - position) + int(waiting)


def _made(connection: Connection) -> bool:
    return connection.execute(select(schema.text_state.c.format)).scalar() == FORMAT


def _step(tx: Transaction) -> int:
    """One batch; how many spans it was."""
    position = _ready(tx)
    queued = tx.rows(f"SELECT id, words FROM text_queue ORDER BY id LIMIT {BATCH}")
    _drop(tx, queued)
    again = [row[0] for row in queued if row[0] <= position]
    rows = list(tx.rows_in(f"SELECT {_TEXT} {_FROM} WHERE s.id IN ({{marks}})", again))
    if len(queued) < BATCH:  # the queue is empty then: a key that is given anew has lost its old words
        rows += tx.rows(f"SELECT {_TEXT} {_FROM} WHERE s.id > ? ORDER BY s.id LIMIT {BATCH - len(queued)}", (position,))
    _add(tx, rows)
    last = max((row[0] for row in rows), default=position)
    if last > position:
        tx.run("UPDATE text_state SET position = ? WHERE id = 1", (last,))
    if queued or rows:
        tx.changed()
    return len({row[0] for row in (*queued, *rows)})


def _ready(tx: Transaction) -> int:
    """Make the index where there is none of this format; its position."""
    found = tx.rows("SELECT position, format FROM text_state WHERE id = 1")
    if found and found[0][1] == FORMAT:
        return int(found[0][0])
    dialect = "postgresql" if tx.postgresql else "sqlite"
    for statement in ("DROP TABLE IF EXISTS span_text", *_MAKE[dialect]):
        try:
            tx.run(statement)
        except Exception as error:
            if "no such module: fts5" in str(error):
                raise StoreError("this Python's SQLite was built without FTS5, which full-text search needs") from error
            raise
    tx.run("DELETE FROM text_queue")
    tx.upsert(schema.text_state, [(1, 0, FORMAT)])
    return 0


def _drop(tx: Transaction, queued: Sequence[Row]) -> None:
    """Take spans out by the words they went in with: a contentless index knows them by nothing else."""
    if tx.postgresql:
        tx.run_in("DELETE FROM span_text WHERE id IN ({marks})", [row[0] for row in queued])
    else:
        for key, said in queued:
            tx.run("INSERT INTO span_text (span_text, rowid, words) VALUES ('delete', ?, ?)", (key, said))
    tx.run_in("DELETE FROM text_queue WHERE id IN ({marks})", [row[0] for row in queued])


def _add(tx: Transaction, rows: Iterable[Row]) -> None:
    if tx.postgresql:
        tx.run_many("INSERT INTO span_text (id, words) VALUES (?, CAST(? AS tsvector))", _vectors(rows))
    else:
        tx.run_many("INSERT INTO span_text (rowid, words) VALUES (?, ?)", [(row[0], said(*row[1:])) for row in rows])


def _vectors(rows: Iterable[Row]) -> list[Row]:
    return [(row[0], _vector(said(*row[1:]))) for row in rows]


def _vector(joined: str) -> str:
    """Words as PostgreSQL reads a tsvector: each with its places. It keeps 256 places of a word."""
    places: dict[str, list[str]] = {}
    for at, word in enumerate(joined.split(), 1):
        places.setdefault(word, []).append(str(at))
    return " ".join(f"'{word}':{','.join(found[:255])}" for word, found in places.items())


def said(name: str | None, inputs: str | None, output: str | None, error: str | None, more: str | None) -> str:
    """The words of a stored span, joined by spaces: what the index keeps of it."""
    failed = loads(error)
    if isinstance(failed, dict):
        failed.pop("stacktrace", None)
    parts = (name, loads(current_inputs(inputs, more)), loads(output), failed)
    return " ".join(words_of(text for part in parts for text in texts(part)))


def forget(tx: Transaction, key: int, texts_as_stored: Sequence[str | None]) -> None:
    """Say that this span is about to change: (name, inputs, output, error, more) as stored.

    Called by the sink before it writes, within its transaction; what the index does not hold yet costs nothing.
    """
    if key <= tx.text_position:
        tx.add_missing(schema.text_queue, [(key, None if tx.postgresql else said(*texts_as_stored))])


def forget_keys(tx: Transaction, keys: Iterable[int]) -> None:
    """Say that these spans are about to go."""
    held = [key for key in keys if key <= tx.text_position]
    for row in tx.rows_in(f"SELECT {_TEXT} {_FROM} WHERE s.id IN ({{marks}})", held):
        forget(tx, row[0], row[1:])


def retreat(tx: Transaction) -> None:
    """After spans went: keys behind the last one will be given anew, to spans that the index does not hold."""
    last = tx.rows("SELECT max(id) FROM span")[0][0] or 0
    if tx.text_position > last:
        tx.run("UPDATE text_state SET position = ? WHERE id = 1", (last,))
        tx.forget_text_position()


class Search:
    """A search as a condition on span keys."""

    def __init__(self, connection: Connection, query: str) -> None:
        # Nothing is found where the index has not been made yet; `lag` says so.
        asked = terms(query) if _made(connection) else []
        self._sqlite = connection.dialect.name == "sqlite"
        self._text = table("span_text", column("id"), column("words"))
        self._wanted = [term for term in asked if term.wanted]
        self._unwanted = [term for term in asked if not term.wanted]
        self.common = bool(asked) and self._is_common(connection)
        """It holds of so many spans that it is better asked of each than listed."""

    def of(self, key: ColumnElement[int]) -> ColumnElement[bool]:
        """The condition. What asks for nothing finds nothing."""
        if not self._wanted and not self._unwanted:
            return false()
        if self.common and self._sqlite:
            key = key.op("+")(literal_column("0"))  # SQLite: no look-ups by key, then
        found = key.in_(self._keys(self._wanted)) if self._wanted else true()
        return and_(found, *(not_(key.in_(self._keys([term]))) for term in self._unwanted))

    def _is_common(self, connection: Connection) -> bool:
        if not self._wanted:
            return True
        first = self._keys(self._wanted).limit(COMMON + 1).subquery()
        return int(connection.execute(select(func.count()).select_from(first)).scalar_one()) > COMMON

    def _keys(self, asked: Sequence[Term]) -> Any:
        if self._sqlite:
            match = literal_column("span_text").op("MATCH")(" AND ".join(_fts5(term) for term in asked))
            return select(literal_column("rowid")).select_from(self._text).where(match)
        query = cast(" & ".join(_tsquery(term) for term in asked), TSQUERY)
        return select(self._text.c.id).where(self._text.c.words.op("@@")(query))


def _fts5(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + ("*" if term.prefix else "")


def _tsquery(term: Term) -> str:
    quoted = [f"'{word}'" for word in term.words]
    return f"({' <-> '.join(quoted)}{':*' if term.prefix else ''})"
