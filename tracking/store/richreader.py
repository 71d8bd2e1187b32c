"""Values that runs logged and that are no numbers: texts, media, tables. For `Reader` and the rows of a history."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, select

from weft.tracking.store import schema
from weft.tracking.store.jsontext import decoded
from weft.tracking.store.lookups import parts
from weft.tracking.store.metriclines import FOREVER, Part, lineage_of

_x = schema.rich_point.c
_SEGMENT = schema.segment.c


def rich(connection: Connection, run_uid: str, key: str | None) -> list[dict[str, Any]]:
    said = points_of(connection, lineage_of(connection, run_uid), None if key is None else [key], -FOREVER - 1, FOREVER)
    return [{"key": one.key, "step": one.step, "at_ns": one.at_ns, "value": decoded(one.value)} for one in said]


def points_of(
    connection: Connection, lineage: Sequence[Part], keys: Sequence[str] | None, first: int, last: int
) -> list[Any]:
    """Those of a name in order of step, time, segment and seq."""
    found: list[Any] = []
    for part in lineage:
        query = (
            select(_x.key, _x.step, _x.at_ns, _x.value, _SEGMENT.name.label("segment"), _x.seq)
            .join(schema.segment, _SEGMENT.id == _x.segment_key)
            .where(_x.run_key == part.run_key, _x.step >= first, _x.step <= min(last, part.until))
            .order_by(_x.step, _x.at_ns, _SEGMENT.name, _x.seq, _x.key)
        )
        asked = [query] if keys is None else [query.where(_x.key.in_(some)) for some in parts(sorted(set(keys)))]
        for row in chain.from_iterable(map(connection.execute, asked)):
            stamp = (row.at_ns, row.segment, row.seq)
            if not any(stamp < at and row.step > step for at, step in part.rewinds):
                found.append(row)
    return found
