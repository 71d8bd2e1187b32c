"""What the readers share: names behind keys, one page of a query, money. One statement a question, never one a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, select

from weft.tracking.errors import UsageError
from weft.tracking.store import schema
from weft.tracking.store.filters import Field, HexId, text_of, through, through_one

_PICO = Decimal(10) ** -12
_MOST = (1 << 63) - 1


def usd(pico: int | None) -> Decimal | None:
    """Pico-USD to USD."""
    return None if pico is None else (Decimal(pico) * _PICO).normalize() + 0


def hexed(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).hex()


def project_field(key: ColumnElement[Any]) -> Field:
    """Filter by the project's name."""
    found = select(schema.project.c.id)
    return Field(schema.project.c.name, text_of, via=through_one(key, found))


def run_field(key: ColumnElement[Any]) -> Field:
    """Filter by the run's id."""
    return Field(schema.run.c.run_id, text_of, via=through(key, select(schema.run.c.id)))


def run_uid_field(key: ColumnElement[Any]) -> Field:
    """Filter by the run's uid."""
    found = through_one(key, select(schema.run.c.id))
    return Field(schema.run.c.uid, HexId(32), via=found)


def tally(connection: Connection, table: Any, condition: ColumnElement[bool]) -> int:
    """How many rows match."""
    return int(connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one())


def paged(query: Select[Any], limit: int | None, offset: int) -> Select[Any]:
    """One page.

    Raises:
        UsageError: a negative limit or offset.
    """
    for name, value in (("limit", limit), ("offset", offset)):
        if value is not None and (not isinstance(value, int) or value < 0):
            raise UsageError(f"{name} is {value!r}; it must be a whole number of at least 0")
    if limit is not None:
        query = query.limit(min(limit, _MOST))
    return query.offset(min(offset, _MOST)) if offset else query


def projects(connection: Connection) -> dict[int, str]:
    """Every project's name by key: there are few."""
    found = connection.execute(select(schema.project.c.id, schema.project.c.name)).all()
    return {row[0]: row[1] for row in found}


class RunName(NamedTuple):
    uid: bytes
    id: str


def run_names(connection: Connection, keys: Iterable[int | None]) -> Mapping[int, RunName]:
    """Uid and id of these runs by key."""
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    run = schema.run.c
    return {
        key: RunName(bytes(uid), run_id)
        for part in parts(sorted(wanted))
        for key, uid, run_id in connection.execute(select(run.id, run.uid, run.run_id).where(run.id.in_(part)))
    }


def parts(values: Sequence[Any], size: int = 900) -> Iterable[Sequence[Any]]:
    """In pieces that fit an IN list."""
    return (values[at : at + size] for at in range(0, len(values), size))
