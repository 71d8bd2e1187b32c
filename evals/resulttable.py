"""The result table: one line a case, the artifact that an evaluation leaves behind. Written by the runner, read by all.

Columns: row_id, trial, inputs, expected, output (JSON text in the stored form), error, latency_s, trace_id, cost_usd,
and for each scorer (or key of one) score.<name>, label.<name> where there are labels, reason.<name>, error.<name>.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.evals.results import CaseResult, EvaluationResult
from weft.evals.scorer import Score
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.names import artifact_name
from weft.tracking.payloads import encoding
from weft.tracking.payloads.redaction import clean_name, redact
from weft.tracking.tables import Table

ARTIFACT_TYPE = "evaluation-results"
FILE = "results.parquet"

_FIXED = ("row_id", "trial", "inputs", "expected", "output", "error", "latency_s", "trace_id", "cost_usd")


def results_name(evaluation: str) -> str:
    """The artifact's name: `<evaluation>-results`."""
    return f"{artifact_name(evaluation)[:120]}-results"


def to_table(rows: Sequence[CaseResult], names: Sequence[str]) -> Table:
    """The table of these cases.

    Args:
        names: of scores, in the order in which their columns stand.
    """
    labelled = {name for row in rows for name, score in row.scores.items() if score.label is not None}
    parts = {name: ("score", *(("label",) if name in labelled else ()), "reason", "error") for name in names}
    table = Table(columns=[*_FIXED, *(f"{part}.{name}" for name in names for part in parts[name])])
    rules = runtime.active().settings.redact
    for row in rows:
        cells: list[Any] = [
            clean_name(row.row_id, rules),
            row.trial,
            _json(row.inputs),
            None if row.expected is None else _json(row.expected),
            None if row.error is not None else _json(row.output),
            None if row.error is None else str(row.error),
            row.latency_s,
            row.trace_id,
            None if row.cost is None else float(row.cost),
        ]
        for name in names:
            score = row.scores.get(name) or Score()
            values = {
                "score": None if score.value is None else float(score.value),
                "label": score.label,
                "reason": score.reason,
                "error": score.error,
            }
            cells += [values[part] for part in parts[name]]
        table.rows.append(cells)
    return table


def to_artifact(result: EvaluationResult) -> Artifact:
    """The table as an artifact, not yet logged.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    made = Artifact(results_name(result.name), ARTIFACT_TYPE, metadata={"run": result.run.id, "rows": len(result.rows)})
    made.add(to_table(result.rows, list(result.summary)), FILE)
    return made


@dataclass(frozen=True, slots=True)
class StoredCase:
    """One line of a result table that was read back."""

    row_id: str
    trial: int
    inputs: Any
    expected: Any
    output: Any
    error: str | None
    latency_s: float | None
    trace_id: str | None
    cost_usd: float | None
    scores: Mapping[str, Score] = field(default_factory=dict)
    """By name; booleans have become 0.0 and 1.0."""


def from_table(table: Table) -> list[StoredCase]:
    """The cases of a result table; a column that an older or newer weft did not write is None."""
    names = [column.removeprefix("score.") for column in table.columns if column.startswith("score.")]
    found = []
    for row in table.rows:
        cells = dict(zip(table.columns, row, strict=True))
        found.append(
            StoredCase(
                row_id=str(cells.get("row_id")),
                trial=int(cells.get("trial") or 0),
                inputs=_value(cells.get("inputs")),
                expected=_value(cells.get("expected")),
                output=_value(cells.get("output")),
                error=cells.get("error"),
                latency_s=cells.get("latency_s"),
                trace_id=cells.get("trace_id"),
                cost_usd=cells.get("cost_usd"),
                scores={
                    name: Score(
                        cells.get(f"score.{name}"),
                        label=cells.get(f"label.{name}"),
                        reason=cells.get(f"reason.{name}"),
                        error=cells.get(f"error.{name}"),
                    )
                    for name in names
                },
            )
        )
    return found


def _json(value: object) -> str:
    """The stored form, secrets out like everywhere else."""
    active = runtime.active()
    data = encoding.encode(value)
    return redact(data, active.faults, active.settings.redact).decode()


def _value(text: str | None) -> Any:
    return None if text is None else encoding.decode(text)
