"""What an evaluation found, pure: rows, and their summary by scorer. The runner makes it; terminal and table show it.

The rule for failures: a case whose model failed has no scores; it counts in every scorer's `n_errors`, is left out of
its mean, and for a scorer of booleans `floor` says what the mean is if all that failed had been wrong. Unscored cases
(the scorer had nothing to say) are counted in `n_unscored` and are no errors. Where a scorer gave values to some cases
and bare labels to others, its statistics, `n` included, are of the values; the labels are counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from weft.evals import stats
from weft.evals.scorer import Score
from weft.tracking import units

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run


@dataclass(frozen=True, slots=True)
class CaseError:
    """Why a case has no output."""

    type: str
    """Name of the exception."""
    message: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One (row, trial)."""

    row_id: str
    trial: int
    """0, 1, ..."""
    inputs: Mapping[str, Any]
    """The arguments the model was given."""
    output: Any
    """The stored form of what it returned: what was scored. None where it failed."""
    expected: Any
    """The row's column `expected`, if it has one."""
    scores: Mapping[str, Score]
    """By name; a scorer that returned a dict has one for each key, `scorer.key`. Empty where the model failed."""
    error: CaseError | None
    trace_id: str | None
    """Hex; None where nothing is recorded (mode disabled)."""
    latency_s: float | None
    """Of the model's call alone, by a clock that never runs backwards; also when it failed."""
    usage: Mapping[str, int] | None = None
    """Tokens of the model's call, without those of scorers; None: none were reported."""
    cost: Decimal | None = None
    """USD of those; None: not known."""


@dataclass(frozen=True, slots=True)
class ScorerSummary:
    """One scorer over all cases."""

    mean: float | None
    """Over the cases with a value; None where there is none (a scorer of labels)."""
    stderr: float | None
    """Clustered by row where there are several trials."""
    ci: stats.Interval | None
    """95%."""
    n: int
    """Cases that `mean`, `stderr` and `ci` are of: those with a value; where none has one, those with a label."""
    n_errors: int
    """Cases whose model failed, and those where the scorer did."""
    n_unscored: int
    floor: float | None = None
    """For booleans with errors: the mean if every errored case had been False."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Cases by label, the commonest first, beside a value or alone."""
    binary: bool = False
    """All values are booleans: the mean is a share."""

    def to_dict(self) -> dict[str, Any]:
        """As in the run's summary."""
        found: dict[str, Any] = {
            "mean": self.mean,
            "stderr": self.stderr,
            "ci": None if self.ci is None else list(self.ci),
            "n": self.n,
            "n_errors": self.n_errors,
            "n_unscored": self.n_unscored,
        }
        if self.binary:
            found["binary"] = True
        if self.floor is not None:
            found["floor"] = self.floor
        if self.labels:
            found["labels"] = dict(self.labels)
        return found


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of the model's calls that returned."""

    mean: float | None
    stderr: float | None
    p50: float | None
    p95: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        """As in the run's summary."""
        return {"mean": self.mean, "stderr": self.stderr, "p50": self.p50, "p95": self.p95, "n": self.n}


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What `Evaluation.evaluate` returns."""

    name: str
    run: Run
    rows: Sequence[CaseResult]
    """In the dataset's order, the trials of a row together; those that ended, where it was stopped."""
    summary: Mapping[str, ScorerSummary]
    """By scorer, or `scorer.key`."""
    latency: Latency
    errors: int
    """Cases whose model failed."""
    scorer_errors: int
    """Scorings that failed."""
    cost: Decimal | None
    """USD of the models' calls; None: none is known."""
    tokens: Mapping[str, int]
    """Of the models' calls, by name."""
    planned: int
    """Cases there were to run: rows times trials."""

    @property
    def complete(self) -> bool:
        """Every case ran, and no model and no scorer failed."""
        return len(self.rows) == self.planned and not self.errors and not self.scorer_errors

    def to_dict(self) -> dict[str, Any]:
        """As in the run's summary."""
        found: dict[str, Any] = {name: summary.to_dict() for name, summary in self.summary.items()}
        return found | {
            "latency_s": self.latency.to_dict(),
            "rows": len(self.rows),
            "errors": self.errors,
            "scorer_errors": self.scorer_errors,
            "planned": self.planned,
            "cost_usd": None if self.cost is None else float(self.cost),
            "tokens": dict(self.tokens),
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {len(self.rows)} of {self.planned} cases, {self.errors} failed"]
        width = max(map(len, self.summary), default=0)
        for name, found in self.summary.items():
            half = None if found.ci is None else found.ci.half_width
            shown = units.percent(found.mean, half) if found.binary else units.plus_minus(found.mean, half)
            labels = ", ".join(f"{label} {count}" for label, count in found.labels.items())
            counts = f"n {found.n}, errors {found.n_errors}, unscored {found.n_unscored}"
            counts += f"; labels: {labels}" if found.mean is not None and labels else ""
            lines.append(f"  {name:<{width}}  {labels if found.mean is None and labels else shown}  ({counts})")
        if self.latency.p50 is not None:
            lines.append(f"  latency p50 {units.duration(round(self.latency.p50 * 1e9))}, cost {units.usd(self.cost)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name} {summary.mean:.3g}" if summary.mean is not None else f"{name} –"
            for name, summary in self.summary.items()
        )
        return (
            f"EvaluationResult({self.name!r}: {parts}; {len(self.rows)} of {self.planned} cases, {self.errors} failed)"
        )


def summarize(
    name: str, run: Run, rows: Sequence[CaseResult], scorers: Sequence[str], *, planned: int
) -> EvaluationResult:
    """The result of these rows.

    Args:
        scorers: every scorer that was asked, so that one that never succeeded shows too.
    """
    tokens: Counter[str] = Counter()
    for row in rows:
        tokens.update(row.usage or {})
    costs = [row.cost for row in rows if row.cost is not None]
    return EvaluationResult(
        name=name,
        run=run,
        rows=rows,
        summary={key: _summary(key, scorer, rows) for scorer in scorers for key in _keys(scorer, rows)},
        latency=_latency(rows),
        errors=sum(row.error is not None for row in rows),
        scorer_errors=sum(score.error is not None for row in rows for score in row.scores.values()),
        cost=sum(costs, Decimal(0)) if costs else None,
        tokens=dict(tokens),
        planned=planned,
    )


def _keys(scorer: str, rows: Sequence[CaseResult]) -> list[str]:
    """The names under which a scorer's scores go: its own, or `scorer.key` where it returned dicts."""
    prefix = f"{scorer}."
    found = dict.fromkeys(key for row in rows for key in row.scores if key.startswith(prefix))
    plain = any(row.scores[scorer].scored for row in rows if scorer in row.scores)
    return [scorer, *found] if plain or not found else list(found)


def _summary(key: str, scorer: str, rows: Sequence[CaseResult]) -> ScorerSummary:
    values: list[bool | float] = []
    clusters: list[str] = []
    labels: Counter[str] = Counter()
    errors = unscored = 0
    for row in rows:
        score = row.scores.get(key)
        if score is None and key != scorer:
            score = row.scores.get(scorer)  # where its dict would be, the scorer failed or said nothing
            score = Score(error=score.error) if score is not None else None
        if row.error is not None or (score is not None and score.error is not None):
            errors += 1
        elif score is None or not score.scored:
            unscored += 1
        else:
            if score.value is not None:
                values.append(score.value)
                clusters.append(row.row_id)
            if score.label is not None:
                labels[score.label] += 1
    binary = bool(values) and all(isinstance(value, bool) for value in values)
    found = stats.estimate(values, clusters if len(set(clusters)) < len(clusters) else None, binary=binary)
    return ScorerSummary(
        mean=found.mean,
        stderr=found.stderr,
        ci=found.ci,
        n=found.n or labels.total(),
        n_errors=errors,
        n_unscored=unscored,
        floor=sum(values) / (len(values) + errors) if binary and errors else None,
        labels=dict(labels.most_common()),
        binary=binary,
    )


def _latency(rows: Iterable[CaseResult]) -> Latency:
    found = [row for row in rows if row.latency_s is not None and row.error is None]
    seconds = [row.latency_s for row in found if row.latency_s is not None]
    if not seconds:
        return Latency(None, None, None, None, 0)
    clusters = [row.row_id for row in found]
    estimate = stats.estimate(seconds, clusters if len(set(clusters)) < len(clusters) else None, binary=False)
    p50, p95 = stats.quantile(seconds, 0.5), stats.quantile(seconds, 0.95)
    return Latency(estimate.mean, estimate.stderr, p50, p95, estimate.n)
