"""Filters and orders of runs in wandb's words, as this store's: `displayName`, `summary_metrics.loss`, `+created_at`.

Pure. `weft.Api().runs(filters=, order=)` and `weft runs ls --sort` ask by it; names that are not wandb's go on as they
are, so that the store's own filters (docs/querying.md) can be mixed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from weft.tracking.errors import UsageError

_NAMES = {
    "displayName": "name",
    "display_name": "name",
    "jobType": "job_type",
    "createdAt": "started_ns",
    "created_at": "started_ns",
    "heartbeatAt": "heard_ns",
    "heartbeat_at": "heard_ns",
    "historyLineCount": "step",
    "started": "started_ns",
    "ended": "ended_ns",
}
_DOCUMENTS = {"summary_metrics": "summary", "summaryMetrics": "summary"}
_MADE = {"_step": "step", "_timestamp": "heard_ns"}
"""What wandb keeps in every summary, by where it stands here."""
_TIMES = ("started_ns", "heard_ns", "ended_ns")
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
"""What a number of a time counts, by its size: below the first of a pair, so many ns (s, ms, us). Larger: ns."""
_LOGIC = ("$and", "$or", "$nor")
_ABSENT = ("user", "username", "entity", "sweep", "sweepName")


def filter_of(filters: Any) -> dict[str, Any]:
    """wandb's filter as the store's. Times may be ISO 8601 text, datetimes, or numbers: Unix s, ms, us or ns.

    `name` is what wandb calls a run's id: it finds runs by id or by name.

    Raises:
        UsageError: it is no filter, a time is none, or it asks for what a local store does not know.
    """
    if filters is None:
        return {}
    if not isinstance(filters, Mapping):
        raise UsageError(f'filters= takes a dict like {{"config.lr": {{"$gt": 0.01}}}}, not {filters!r:.80}')
    parts: list[dict[str, Any]] = []
    for name, asked in filters.items():
        if name in _LOGIC and isinstance(asked, (list, tuple)):
            parts.append({name: [filter_of(one) for one in asked]})
        elif name == "$not":
            parts.append({"$not": filter_of(asked)})
        elif name == "name":
            parts.append(_by_id_or_name(asked))
        elif name in _ABSENT and asked in (None, {"$eq": None}, {"$exists": False}):
            continue  # as with no run here
        else:
            field = field_of(name)
            parts.append({field: _timed(asked, wandbs=field != name) if field in _TIMES else asked})
    if len({name for part in parts for name in part}) == sum(map(len, parts)):
        return {name: asked for part in parts for name, asked in part.items()}
    return {"$and": parts}


def order_of(order: Any) -> str:
    """`+created_at`, `-summary_metrics.loss`, `config.lr.value` as the store's order.

    Raises:
        UsageError: it is no text.
    """
    if not isinstance(order, str) or not order:
        raise UsageError(f'order= takes a text like "-summary_metrics.loss", not {order!r:.80}')
    down = order.startswith("-")
    return f"{'-' if down else ''}{field_of(order.removeprefix('-') if down else order.removeprefix('+'))}"


def field_of(name: Any) -> Any:
    """wandb's name of a field as the store's; others unchanged.

    Raises:
        UsageError: it is one of those that a local store does not have.
    """
    if not isinstance(name, str):
        return name
    if name in _ABSENT:
        raise UsageError(f"runs cannot be asked by {name!r}: a local store does not know it")
    head, dot, rest = name.partition(".")
    if head == "config" and dot:
        first, value, more = rest.partition(".value")  # wandb keeps each key as {"value": ...}
        if value and (not more or more[0] == ".") and "." not in first:
            return f"config.{first}{more}"
    if dot and head in (*_DOCUMENTS, "summary"):
        if rest == "_runtime":
            raise UsageError(
                f"runs cannot be asked by {name!r}, which no column holds: ask without it, and look at run.runtime_s"
            )
        return _MADE.get(rest, f"summary.{rest}")
    return _NAMES.get(name, name)


def _by_id_or_name(asked: Any) -> dict[str, Any]:
    against = isinstance(asked, Mapping) and any(operator in ("$ne", "$nin", "$not") for operator in asked)
    return {"$and" if against else "$or": [{"id": asked}, {"name": asked}]}


def _timed(asked: Any, *, wandbs: bool) -> Any:
    """
    Args:
        wandbs: whether wandb's name was used: a number is then Unix seconds, unless it is as large as only ns are.
    """
    if isinstance(asked, Mapping):
        return {
            operator: operand if operator == "$exists" else _timed(operand, wandbs=wandbs)
            for operator, operand in asked.items()
        }
    if isinstance(asked, (list, tuple)):
        return [_timed(one, wandbs=wandbs) for one in asked]
    if isinstance(asked, (int, float)) and not isinstance(asked, bool):
        unit = next((unit for below, unit in _UNITS if abs(asked) < below), 1) if wandbs else 1
        return asked if unit == 1 else round(asked * unit)
    if isinstance(asked, date) and not isinstance(asked, datetime):
        asked = datetime(asked.year, asked.month, asked.day)
    if isinstance(asked, str):
        try:
            asked = datetime.fromisoformat(asked)
        except ValueError:
            raise UsageError(f"{asked!r:.80} is no time: write it as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    if isinstance(asked, datetime):
        known = asked if asked.tzinfo is not None else asked.replace(tzinfo=UTC)
        return int(known.timestamp() * 1_000_000) * 1_000
    return asked
