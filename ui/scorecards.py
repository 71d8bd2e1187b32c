"""An evaluation's stored summary and rows, as the screens show them. Pure but for reading the result table's file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from weft.tracking import units
from weft.tracking.blobs import Blobs
from weft.tracking.store.readmodels import ArtifactRecord, ScoreRecord, TraceRecord

RESULTS = "results.parquet"
EVALUATION = "evaluation"
"""The job type of a run that is an evaluation."""
TELLING = ("answer", "output", "text", "content", "question", "query")
"""Of a mapping with several keys, the one that a narrow cell shows; the trace has all of it."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One scorer over all cases."""

    name: str
    mean: float | None
    half: float | None
    """Half the width of the 95% interval."""
    n: int | None
    n_errors: int | None
    n_unscored: int | None
    binary: bool
    """The mean is a share of cases."""
    labels: Mapping[str, int]

    @property
    def text(self) -> str:
        """`93.1% ± 1.4`, `0.912 ± 0.031`, or the labels where there is no mean."""
        if self.mean is None and self.labels:
            return ", ".join(f"{label} {count}" for label, count in list(self.labels.items())[:4])
        if self.binary:
            return units.percent(self.mean, self.half)
        return units.plus_minus(self.mean, self.half)

    def bounded(self, cases: Sequence[Case]) -> bool:
        """Whether it can be drawn on the line from 0 to 1: so far, all its values lie there."""
        if self.mean is None:
            return False
        values = [value for case in cases if (value := case.scores.get(self.name)) is not None]
        return self.binary or (bool(values) and all(0 <= value <= 1 for value in values))


def scorecards(summary: Mapping[str, Any]) -> list[Scorecard]:
    """Every scorer in a run's summary."""
    return [
        Scorecard(
            name,
            _number(found.get("mean")),
            _half(found),
            found.get("n"),
            found.get("n_errors"),
            found.get("n_unscored"),
            bool(found.get("binary")),
            found.get("labels") or {},
        )
        for name, found in summary.items()
        if isinstance(found, Mapping) and "mean" in found and "n_errors" in found
    ]


def _half(found: Mapping[str, Any]) -> float | None:
    interval = found.get("ci")
    if isinstance(interval, Sequence) and len(interval) == 2 and all(_number(end) is not None for end in interval):
        return float((interval[1] - interval[0]) / 2)
    return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Case:
    """One (row, trial) of an evaluation."""

    row_id: str
    trial: int
    inputs: str
    expected: str
    output: str
    error: str | None
    latency_s: float | None
    cost_usd: float | None
    trace_id: str | None
    scores: Mapping[str, float | None]
    problems: Mapping[str, str] = field(default_factory=dict)
    """Scorers that failed, and why."""
    reasons: Mapping[str, str] = field(default_factory=dict)

    def failing(self, binary: Collection[str]) -> bool:
        """Its model or a scorer failed, or one of the scorers that say yes or no said no."""
        return bool(self.error or self.problems) or any(self.scores.get(name) == 0 for name in binary)


def from_table(blobs: Blobs, artifact: ArtifactRecord) -> list[Case]:
    """The cases of a finished evaluation, from its result table.

    Raises:
        NotFoundError: the file is not in this home.
    """
    import pyarrow.parquet as parquet  # the extra `tables`, which `ui` brings; half a second on first use

    entry = artifact.manifest[RESULTS]
    with blobs.open(str(entry["digest"])) as file:
        return [_case(row) for row in parquet.read_table(file).to_pylist()]


def _case(row: Mapping[str, Any]) -> Case:
    def starting(prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}

    return Case(
        row_id=str(row.get("row_id", "")),
        trial=int(row.get("trial") or 0),
        inputs=_text(row.get("inputs")),
        expected=_text(row.get("expected")),
        output=_text(row.get("output")),
        error=row.get("error") or None,
        latency_s=row.get("latency_s"),
        cost_usd=row.get("cost_usd"),
        trace_id=row.get("trace_id"),
        scores={name: _share(value) for name, value in starting("score.").items()},
        problems={name: str(value) for name, value in starting("error.").items() if value},
        reasons={name: str(value) for name, value in starting("reason.").items() if value},
    )


def _share(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(data: Any) -> str:
    """JSON text as one reads it: a lone string, a lone argument's, or the telling one's, without quotes."""
    if data is None:
        return ""
    try:
        value = orjson.loads(data) if isinstance(data, str) else data
    except orjson.JSONDecodeError:
        return str(data)
    while isinstance(value, dict) and value:
        telling = [name for name in TELLING if isinstance(value.get(name), str)]
        if not telling and len(value) > 1:
            break
        value = value[telling[0]] if telling else next(iter(value.values()))
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


def from_traces(traces: Sequence[TraceRecord], scores: Sequence[ScoreRecord]) -> list[Case]:
    """The cases so far of an evaluation that still runs, or whose result table never came."""
    by_trace: dict[str | None, list[ScoreRecord]] = {}
    for score in scores:
        by_trace.setdefault(score.trace_id, []).append(score)
    return [_so_far(trace, by_trace.get(trace.trace_id, [])) for trace in traces]


def _so_far(trace: TraceRecord, scores: Sequence[ScoreRecord]) -> Case:
    failed = trace.status == "error"
    return Case(
        row_id=next((score.row_id for score in scores if score.row_id), trace.trace_id[:8]),
        trial=0,
        inputs=trace.input_preview,
        expected="",
        output="" if failed else trace.output_preview,
        error=trace.output_preview if failed else None,
        latency_s=None if trace.duration_ns is None else trace.duration_ns / 1e9,
        cost_usd=None if trace.cost is None else float(trace.cost),
        trace_id=trace.trace_id,
        scores={score.name: score.value for score in scores},
        problems={score.name: score.error for score in scores if score.error},
        reasons={score.name: score.reason for score in scores if score.reason},
    )
