"""Evaluations read back: the cases of a run, from its result table, else from its traces and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.evals.resulttable import ARTIFACT_TYPE, FILE, StoredCase, from_table
from weft.evals.scorer import Score
from weft.tracking.blobs import Blobs
from weft.tracking.tables import Table

if TYPE_CHECKING:
    from weft.tracking.home import Home
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import RunRecord, SpanRecord


def cases_of(reader: Reader, run: RunRecord, home: Home) -> list[StoredCase]:
    """Every case of an evaluation, in the dataset's order.

    A run that is still going, or was killed hard, has no table yet: its cases are then read from the traces, in the
    order of their starts.
    """
    found = reader.artifacts({"project": run.project, "type": ARTIFACT_TYPE, "producer_run": run.id}, limit=1).rows
    blobs = Blobs(home)
    if found and FILE in found[0].manifest and blobs.has(found[0].manifest[FILE]["digest"]):
        with blobs.open(found[0].manifest[FILE]["digest"]) as file:
            return from_table(Table.from_parquet(file))
    return _from_traces(reader, run)


def _error(span: SpanRecord) -> str | None:
    if span.error is not None:
        return f"{span.error.get('type')}: {span.error.get('message')}"
    return None if span.status == "ok" else span.status  # running, interrupted, cancelled


def _from_traces(reader: Reader, run: RunRecord) -> list[StoredCase]:
    mine = {"project": run.project, "run_id": run.id}
    scores: dict[str, dict[str, Score]] = {}
    for score in reader.scores({"run_id": run.id}).rows:
        if score.trace_id is not None:
            scores.setdefault(score.trace_id, {})[score.name] = Score(
                score.value, label=score.label, reason=score.reason, error=score.error
            )
    cases = []
    for span in reader.spans({**mine, "parent_id": None}, payloads=True, order="start_ns").rows:
        attributes = span.attributes
        cases.append(
            StoredCase(
                row_id=str(attributes.get("weft.eval.row_id", "")),
                trial=int(attributes.get("weft.eval.trial", 0)),
                inputs=span.inputs,
                expected=attributes.get("weft.eval.expected"),
                output=span.output,
                error=_error(span),
                latency_s=attributes.get("weft.eval.latency_s"),
                trace_id=span.trace_id,
                cost_usd=None if span.cost is None else float(span.cost),
                scores=scores.get(span.trace_id, {}),
            )
        )
    return cases
