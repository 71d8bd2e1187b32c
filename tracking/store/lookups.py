"""What the readers share: names behind keys, money. One statement a question, never one a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, func, select

from weft.tracking.store import schema

_PICO = Decimal(10) ** -12


def usd(pico: int | None) -> Decimal | None:
    """Pico-USD to USD."""
    return None if pico is None else (Decimal(pico) * _PICO).normalize() + 0


def hexed(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).hex()


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


def among(connection: Connection, key: ColumnElement[Any], wanted: Sequence[int]) -> ColumnElement[bool]:
    """Any number of keys as one parameter."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(orjson.dumps(wanted).decode()).table_valued("value")
        return key.in_(select(each.c.value))
    return key == func.any(list(wanted))
