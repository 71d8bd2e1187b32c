"""A span as one row of a file: every field of `SpanRecord`, its payloads in the tagged JSON of `docs/format.md`.

Pure. `weft traces export` writes them as JSON lines or Parquet columns, `weft traces import` reads them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from weft.tracking.payloads.encoding import encode
from weft.tracking.store.readmodels import ScoreRecord, SpanRecord

VERSION: Final = 1
"""Of the row's fields, as `weft` in each."""
TEXTS: Final[Sequence[str]] = (
    *("trace_id", "span_id", "parent_id", "project", "name", "kind", "status", "model", "provider"),
    *("price_source", "run_uid", "run_id", "thread_id", "turn_id", "user_id", "version", "cost"),
)
NUMBERS: Final = ("start_ns", "end_ns", "duration_ns")
PAYLOADS: Final[Sequence[str]] = (
    *("inputs", "output", "error", "attributes", "events", "links", "tags", "scores", "trace_scores"),
    *("usage", "cost_parts", "usage_flags"),
)
"""JSON in a column of text; the others are typed columns."""
COLUMNS: Final = ("weft", *TEXTS, *NUMBERS, *PAYLOADS)


def row(span: SpanRecord, run_uid: str | None = None, trace_scores: Sequence[ScoreRecord] = ()) -> dict[str, Any]:
    """A span's row; what is not known is left out. Payloads are JSON (`bytes`).

    Args:
        run_uid: its run's identity; `run_id` is its name only.
        trace_scores: those of its trace, where it is the root.
    """
    made: dict[str, Any] = {"weft": VERSION, "run_uid": run_uid}
    made |= {name: getattr(span, name) for name in (*TEXTS, *NUMBERS) if name not in ("run_uid", "cost")}
    made["cost"] = None if span.cost is None else f"{span.cost:f}"
    if span.inputs is not None:
        made["inputs"] = encode(span.inputs)
    # None may be what was returned: then it shows as such.
    if span.output is not None or (span.output_preview == "None" and span.error is None):
        made["output"] = encode(span.output)
    for name in ("error", "usage"):
        if (value := getattr(span, name)) is not None:
            made[name] = encode(value)
    for name in ("attributes", "events", "links", "tags", "usage_flags"):
        if value := getattr(span, name):
            made[name] = encode(value)
    if span.cost_parts is not None:
        made["cost_parts"] = orjson.dumps({name: f"{part:f}" for name, part in span.cost_parts.items()})
    for name, scores in (("scores", span.scores), ("trace_scores", trace_scores)):
        if scores:
            made[name] = encode([_score(score) for score in scores])
    return {name: value for name, value in made.items() if value is not None}


def line(found: Mapping[str, Any]) -> bytes:
    """A row as one line of JSON, its end included."""
    ready = {name: orjson.Fragment(value) if name in PAYLOADS else value for name, value in found.items()}
    return orjson.dumps(ready, option=orjson.OPT_APPEND_NEWLINE)


def _score(score: ScoreRecord) -> dict[str, Any]:
    found = {name: getattr(score, name) for name in _SCORE}
    return {name: value for name, value in found.items() if value is not None}


_SCORE: Final = "uid target name value label reason error at_ns row_id source kind author".split()  # noqa: SIM905


def amount(value: object) -> Decimal | None:
    """USD of a row's text."""
    if not isinstance(value, str) or len(value) > 60:
        return None
    try:
        found = Decimal(value)
    except ArithmeticError:
        return None
    return found if found.is_finite() else None
