"""One write transaction of the store: generated statements, integer keys, and who goes by which name. For the sinks.

There is one writer at a time in a store (BEGIN IMMEDIATE, or an advisory lock on PostgreSQL), so keys are the highest
one plus one, and what has been read stays true until the commit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError

from weft.tracking.store import schema

Row = tuple[Any, ...]
Stamp = tuple[int, str, int]
"""(at_ns, segment, offset): of two writers of one thing, the greater wins."""
IN_LIMIT = 900
"""Most values in one IN list; SQLite builds exist that take 999 parameters."""
NULL = math.nan
"""SQLite stores NaN as null, and Python's sqlite3 binds it four times as fast as None (0.05 us, not 0.2: for None it
looks for an adapter first). Of the 30 values of a span, half are null."""
WRITE_LOCK = 0x77656674
"""PostgreSQL's advisory lock that every writer of a store takes."""


class Transaction:
    """A connection within BEGIN and COMMIT, for one `Sink.apply`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self.postgresql = self._dialect.name == "postgresql"
        self._mark = "%s" if self.postgresql else "?"
        self.null: Any = None if self.postgresql else NULL
        """What inserts bind for null."""
        self.traces = 0
        self.spans = 0
        """How many more there are than before, for `changed`."""
        self._next: dict[str, int] = {}
        self._projects: dict[str, int] = {}
        self._project_names: dict[int, str] = {}
        self._runs: dict[bytes, int | None] = {}
        self._run_uids: dict[int, bytes] = {}
        self._ended: dict[bytes, bool] = {}
        if self.postgresql:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
        self._removals = bool(self.rows("SELECT 1 FROM tombstone LIMIT 1"))
        self._span_removals: bool | None = None
        self._text_position: int | None = None

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Ask with `?` for every parameter, whatever the database."""
        if self._mark != "?":
            statement = statement.replace("?", self._mark)
        return self._connection.exec_driver_sql(statement, tuple(parameters)).fetchall()  # type: ignore[return-value]

    def rows_in(self, statement: str, values: Iterable[Any], first: Sequence[Any] = ()) -> Iterator[Row]:
        """Ask with `IN (...)` in place of `{marks}`, a part of the values at a time."""
        for part in _parts(values, IN_LIMIT):
            yield from self.rows(statement.format(marks=", ".join("?" * len(part))), (*first, *part))

    def rows_of_pairs(self, statement: str, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Row]:
        """Ask with the pairs as a table `wanted (first, second)` to join, a part of them at a time."""
        for part in _parts(pairs, IN_LIMIT // 2):
            wanted = f"WITH wanted (first, second) AS (VALUES {', '.join(['(?, ?)'] * len(part))})"
            yield from self.rows(f"{wanted} {statement}", [value for pair in part for value in pair])

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement; how many rows it changed."""
        if self._mark != "?":
            statement = statement.replace("?", self._mark)
        return self._connection.exec_driver_sql(statement, tuple(parameters)).rowcount

    def run_in(self, statement: str, values: Iterable[Any]) -> None:
        for part in _parts(values, IN_LIMIT):
            self.run(statement.format(marks=", ".join("?" * len(part))), part)

    def run_many(self, statement: str, rows: list[Row]) -> None:
        """Execute one statement for each of the rows."""
        if rows:
            self._connection.exec_driver_sql(statement.replace("?", self._mark), rows)

    def insert(self, table: Table, rows: list[Row]) -> None:
        """Add rows, each a tuple in the table's column order."""
        if rows and self.postgresql:
            self._copy(table, rows)
        elif rows:
            self._connection.exec_driver_sql(_statement(self._dialect, table, ""), rows)

    def _copy(self, table: Table, rows: list[Row]) -> None:
        """PostgreSQL's bulk road: no round trip a row."""
        quote = self._dialect.identifier_preparer.quote
        names = ", ".join(quote(column.name) for column in table.columns)
        statement = f"COPY {quote(table.name)} ({names}) FROM STDIN"
        driver = self._dialect.loaded_dbapi
        try:
            with self._connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
                for row in rows:
                    copy.write_row(row)
        except driver.Error as error:
            raise DBAPIError.instance(statement, None, error, driver.Error, dialect=self._dialect) from error

    def upsert(self, table: Table, rows: list[Row]) -> None:
        """Add or replace rows by primary key."""
        if rows:
            self._connection.exec_driver_sql(_statement(self._dialect, table, "update"), rows)

    def add_missing(self, table: Table, rows: list[Row]) -> None:
        """Add the rows whose primary key is not there yet."""
        if rows:
            self._connection.exec_driver_sql(_statement(self._dialect, table, "nothing"), rows)

    def changed(self) -> None:
        """Count this commit, and what it added or took away."""
        counts = (self.traces, self.spans)
        if not self.run(
            "UPDATE meta SET version = version + 1, traces = traces + ?, spans = spans + ? WHERE id = 1", counts
        ):
            self.insert(schema.meta, [(1, 1, *counts)])

    def key(self, table: Table) -> int:
        """The next free key of a table."""
        name = table.name
        found = self._next.get(name)
        if found is None:
            found = (self.rows(f"SELECT max(id) FROM {name}")[0][0] or 0) + 1
        self._next[name] = found + 1
        return found

    def keys(self, table: Table, count: int) -> range:
        """That many free keys of a table, in one go."""
        first = self.key(table)
        self._next[table.name] = first + count
        return range(first, first + count)

    def project(self, name: str) -> int:
        """The project's key; it is made at its first mention."""
        found = self._projects.get(name)
        if found is None:
            rows = self.rows("SELECT id FROM project WHERE name = ?", (name,))
            if rows:
                found = rows[0][0]
            else:
                found = self.key(schema.project)
                self.insert(schema.project, [(found, name)])
            self._projects[name] = found
            self._project_names[found] = name
        return found

    def project_name(self, key: int) -> str:
        found = self._project_names.get(key)
        if found is None:
            found = self.rows("SELECT name FROM project WHERE id = ?", (key,))[0][0]
            self._project_names[key] = found
            self._projects[found] = key
        return found

    def run_key(self, uid: bytes) -> int | None:
        """The run's key, None when the run was removed; a run not heard of yet gets a row that only names it."""
        if uid in self._runs:
            return self._runs[uid]
        rows = self.rows("SELECT id FROM run WHERE uid = ?", (uid,))
        found: int | None
        if rows:
            found = rows[0][0]
        elif self.removed("run", uid):
            found = None
        else:
            found = self.key(schema.run)
            columns = {"id": found, "uid": uid, "run_id": uid.hex(), "name": "", "state": "running"}
            self.insert(schema.run, [tuple(columns.get(column.name) for column in schema.run.columns)])
        self._runs[uid] = found
        if found is not None:
            self._run_uids[found] = uid
        return found

    def run_uid(self, key: int) -> bytes:
        found = self._run_uids.get(key)
        if found is None:
            found = self._run_uids[key] = bytes(self.rows("SELECT uid FROM run WHERE id = ?", (key,))[0][0])
        return found

    def forget_run(self, uid: bytes) -> None:
        """The run was removed within this transaction."""
        self._removals = True
        self._runs[uid] = None

    def ended(self, writer: bytes | None) -> bool:
        """Whether this writer is known to be dead."""
        if writer is None:
            return False
        found = self._ended.get(writer)
        if found is None:
            found = self._ended[writer] = bool(self.rows("SELECT 1 FROM writer WHERE writer = ?", (writer,)))
        return found

    def removed(self, target: str, key: bytes, project: str = "") -> bool:
        """Whether a tombstone keeps this out."""
        return self._removals and bool(
            self.rows(
                "SELECT 1 FROM tombstone WHERE target = ? AND key = ? AND project = ?",
                (target, key, project if target == "artifact" else ""),
            )
        )

    @property
    def any_removals(self) -> bool:
        """Whether there are tombstones at all."""
        return self._removals

    def bury_artifact(self, key: bytes, project: str, at_ns: int) -> None:
        """Set the tombstone of a version, or move it to this later time: what was said until then is void."""
        self.bury("artifact", key, project, at_ns)
        self.run(
            "UPDATE tombstone SET at_ns = ? WHERE target = 'artifact' AND key = ? AND project = ? AND at_ns < ?",
            (at_ns, key, project, at_ns),
        )

    def removed_traces(self, trace_ids: Iterable[bytes]) -> set[bytes]:
        """Those of these traces that a tombstone keeps out."""
        return self._removed_keys("trace", trace_ids)

    def _removed_keys(self, target: str, keys: Iterable[bytes]) -> set[bytes]:
        if not self._removals:
            return set()
        statement = "SELECT key FROM tombstone WHERE target = ? AND project = '' AND key IN ({marks})"
        return {bytes(row[0]) for row in self.rows_in(statement, keys, (target,))}

    @property
    def text_position(self) -> int:
        """The last span that the full-text index has taken in."""
        if self._text_position is None:
            found = self.rows("SELECT position FROM text_state WHERE id = 1")
            self._text_position = int(found[0][0]) if found else 0
        return self._text_position

    def forget_text_position(self) -> None:
        self._text_position = None

    def removed_scores(self, uids: Iterable[bytes]) -> set[bytes]:
        """Those of these scores that a tombstone keeps out."""
        return self._removed_keys("score", uids)

    def removed_spans(self, trace_ids: Iterable[bytes]) -> dict[bytes, set[bytes]]:
        """Span ids that tombstones keep out, by trace: of those of these traces that have any."""
        found: dict[bytes, set[bytes]] = {}
        if self._span_removals is None:
            self._span_removals = self._removals and bool(
                self.rows("SELECT 1 FROM tombstone WHERE target = 'span' LIMIT 1")
            )
        if self._span_removals:
            for trace_id in trace_ids:
                # Keys that begin with the trace's id: a range of the primary key.
                rows = self.rows(
                    "SELECT key FROM tombstone WHERE target = 'span' AND key >= ? AND key <= ?",
                    (trace_id, trace_id + b"\xff" * 8),
                )
                if rows:
                    found[trace_id] = {bytes(row[0])[len(trace_id) :] for row in rows}
        return found

    def bury(self, target: str, key: bytes, project: str, at_ns: int) -> None:
        """Set the tombstone."""
        self._removals = True
        if target == "span":
            self._span_removals = True
        self.add_missing(schema.tombstone, [(target, key, project if target == "artifact" else "", at_ns)])


def _parts(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


@cache
def _statement(dialect: Dialect, table: Table, conflict: str) -> str:
    quote = dialect.identifier_preparer.quote
    mark = "%s" if dialect.name == "postgresql" else "?"
    names = [quote(column.name) for column in table.columns]
    text = f"INSERT INTO {quote(table.name)} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"
    if not conflict:
        return text
    keys: list[Column[Any]] = list(table.primary_key.columns)
    target = f" ON CONFLICT ({', '.join(quote(column.name) for column in keys)}) DO "
    if conflict == "nothing":
        return f"{text}{target}NOTHING"
    rest = [quote(column.name) for column in table.columns if not column.primary_key]
    return f"{text}{target}UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in rest)}"
