"""Records that no database column takes as they are, made to fit. `Sink` calls this where a batch was refused."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from weft.tracking.journal.records import (
    MetricsLogged,
    Record,
    ScoreLogged,
    SpanClosed,
    SpanOpened,
    SpanPriced,
    SpanUpdated,
)

MIN_INT, MAX_INT = -(1 << 63), (1 << 63) - 1


def fitted(record: Record) -> Record:
    """The record with integers held within 64 signed bits and without NUL characters, which PostgreSQL refuses.

    Such a time or step is damage; its nearest neighbour keeps the rest of the record readable. Token counts and money
    are left to the sink, which never bends them.
    """
    changed: dict[str, Any] = {}
    for name, value in structs.asdict(record).items():
        if isinstance(record, (SpanClosed, SpanPriced)) and name in ("usage", "cost_pico_usd"):
            continue
        found = _fit(value)
        if found is not value:
            changed[name] = found
    if isinstance(record, MetricsLogged) and any("\0" in key for key in record.values):
        changed["values"] = {_fit(key): value for key, value in record.values.items()}
    return structs.replace(record, **changed) if changed else record


def holds_nul(record: Record) -> bool:
    """Whether a span or a score has a NUL in what it is found by: SQLite would keep it, and filters could not ask for
    it, which say `␀` on every database."""
    if isinstance(record, (SpanOpened, SpanUpdated)):
        found: tuple[str | None, ...] = (record.name, record.thread_id, record.user_id)
    elif isinstance(record, SpanClosed):
        found = (record.name, record.model)
    elif isinstance(record, ScoreLogged):
        found = (record.name, record.label, record.author)
    else:
        return False
    return any(text is not None and "\0" in text for text in found)


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "␀") if "\0" in value else value
    if isinstance(value, int) and not MIN_INT <= value <= MAX_INT:
        return max(MIN_INT, min(value, MAX_INT))
    if isinstance(value, list) and any(isinstance(item, str) and "\0" in item for item in value):
        return [_fit(item) for item in value]
    return value
