"""One case: the model's call and the scorers' judgements, each a span, every failure a value. `Runner` owns it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from weft.evals.calls import Outcome, call, case_error
from weft.evals.dataset import Row
from weft.evals.metering import Meter
from weft.evals.model import ModelPlan, is_op
from weft.evals.results import CaseError, CaseResult
from weft.evals.scorer import Score, ScorerPlan, read_scores
from weft.evals.workers import Workers
from weft.tracer.context import listening
from weft.tracer.span import Span, span
from weft.tracking import runtime
from weft.tracking.journal.records import SCHEMA, ScoreLogged
from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.payloads.redaction import clean_name, redact
from weft.tracking.runs.run import Run

ROW_ID, TRIAL, EXPECTED, LATENCY_S = "weft.eval.row_id", "weft.eval.trial", "weft.eval.expected", "weft.eval.latency_s"
"""Attributes of a case's root span."""
_BULK = frozenset({"output", "inputs", "row"})
"""What a scorer's span does not repeat: the case's span holds it."""


class Case(NamedTuple):
    """What is to be run."""

    place: int
    """In the results."""
    row: Row
    trial: int


class Ran(NamedTuple):
    """A case that was run, and the meter that knows what it cost."""

    result: CaseResult
    meter: Meter


class CaseRunner:
    """Runs single cases of one evaluation into one run."""

    def __init__(
        self,
        name: str,
        model: ModelPlan,
        scorers: Sequence[ScorerPlan],
        run: Run,
        workers: Workers,
        timeout_s: float | None,
    ) -> None:
        self._name = name
        self._model = model
        self._run = run
        self._workers = workers
        self._timeout_s = timeout_s
        self._runtime = runtime.active()
        self._scorers = [_Judge.of(plan, self._clean) for plan in scorers]
        # An op opens a span of its own; anything else gets one here, so that the model's part can be told apart.
        self._opens_span = is_op(model.function)

    async def run(self, case: Case) -> Ran:
        """Run one case to its end. Raises only what ends the whole evaluation (cancellation, Ctrl-C)."""
        row, meter = case.row, Meter()
        picked = self._model.pick(row.columns)
        expected = row.columns.get("expected")
        attributes = {ROW_ID: row.row_id, TRIAL: case.trial}
        if expected is not None:
            attributes[EXPECTED] = expected
        output: Any = None
        scores: list[tuple[_Judge, dict[str, Score]]] = []
        with span(self._name, kind="chain", inputs=picked, attributes=attributes) as root:
            trace_id = root.trace_id if root.is_recording() else None
            with listening(meter.hear):
                outcome = await self._predict(picked)
            root.set_attributes({LATENCY_S: outcome.seconds})
            if outcome.error is None:
                root.set_output(outcome.value)
                output = self._stored(outcome.value)
                offered = {"output": output, "inputs": picked, "latency_s": outcome.seconds, "trace_id": trace_id}
                scores = await self._judge(row, offered, meter)
                self._log(scores, row.row_id, root)
            root.end(error=outcome.error)
        result = CaseResult(
            row_id=row.row_id,
            trial=case.trial,
            inputs=picked,
            output=output,
            expected=expected,
            scores={name: score for _, found in scores for name, score in found.items()},
            error=None if outcome.error is None else self._case_error(outcome.error),
            trace_id=trace_id,
            latency_s=outcome.seconds,
            usage=meter.usage(),
        )
        return Ran(result, meter)

    async def _predict(self, picked: Mapping[str, Any]) -> Outcome:
        model = self._model
        called = functools.partial(
            call,
            model.function,
            model.parameters,
            picked,
            is_async=model.is_async,
            timeout_s=self._timeout_s,
            workers=self._workers,
        )
        if self._opens_span:
            return await called()
        with span(model.name, inputs=picked) as inner:
            outcome = await called()
            if outcome.error is None:
                inner.set_output(outcome.value)
            inner.end(error=outcome.error)
        return outcome

    async def _judge(self, row: Row, offered: dict[str, Any], meter: Meter) -> list[tuple[_Judge, dict[str, Score]]]:
        """What every scorer says; those that wait for something wait side by side."""
        values = {**row.columns, **offered, "row": row.columns, "usage": meter.usage()}
        if any(judge.plan.wants_cost for judge in self._scorers):
            # The price table takes its time to load: not on the event loop.
            values["cost_usd"] = await self._workers.run(meter.cost) if meter.used else None
        waiting = [judge for judge in self._scorers if not judge.plan.inline]
        tasks = {judge.plan.name: asyncio.create_task(self._score(judge, values)) for judge in waiting[1:]}
        try:
            return [
                (judge, await (tasks.get(judge.plan.name) or self._score(judge, values))) for judge in self._scorers
            ]
        finally:
            for task in tasks.values():
                task.cancel()

    async def _score(self, judge: _Judge, values: Mapping[str, Any]) -> dict[str, Score]:
        plan = judge.plan
        picked = plan.parameters.pick(values, plan.columns)
        shown = {name: value for name, value in picked.items() if name not in _BULK}
        with span(plan.name, kind="scorer", inputs=shown) as inner:
            outcome = await call(
                plan.function,
                plan.parameters,
                picked,
                is_async=plan.is_async,
                timeout_s=self._timeout_s,
                workers=None if plan.inline else self._workers,
            )
            if outcome.error is not None:
                found = {"": Score(error=str(self._case_error(outcome.error)))}
            else:
                found = read_scores(outcome.value)
                inner.set_output(outcome.value)
            inner.end(error=outcome.error)
        rules = self._runtime.settings.redact
        names = {key: f"{plan.name}.{clean_name(key, rules)}" if key else plan.name for key in found}
        return {names[key]: self._clean_score(score) for key, score in found.items()}

    def _log(self, scores: Sequence[tuple[_Judge, Mapping[str, Score]]], row_id: str, root: Span) -> None:
        """Each score as a record on the case's trace."""
        if not root.is_recording():
            return
        ids, trace = self._runtime.ids, bytes.fromhex(root.trace_id)
        for judge, found in scores:
            for name, score in found.items():
                self._runtime.journal.append(
                    ScoreLogged(
                        SCHEMA,
                        ids.uid(),
                        "trace",
                        ids.wall_ns(),
                        name,
                        self._run.project,
                        None if score.value is None else float(score.value),
                        score.label,
                        score.reason,
                        trace,
                        None,
                        self._run.uid,
                        clean_name(row_id, self._runtime.settings.redact),
                        judge.source,
                        score.error,
                    )
                )

    def _stored(self, value: Any) -> Any:
        """The value as the store keeps it: what is scored now is what a later rescore will see."""
        return decode(self._clean(encode(value)))

    def _clean(self, data: bytes) -> bytes:
        return redact(data, self._runtime.faults, self._runtime.settings.redact)

    def _case_error(self, error: BaseException) -> CaseError:
        """What is told of a failure from here on: by the result, on a terminal, in the result table."""
        found = case_error(error)
        return CaseError(str(self._clean_text(found.type)), str(self._clean_text(found.message)))

    def _clean_score(self, score: Score) -> Score:
        if score.reason is None and score.label is None and score.error is None:
            return score
        return Score(score.value, *(self._clean_text(text) for text in (score.label, score.reason, score.error)))

    def _clean_text(self, text: str | None) -> str | None:
        return None if text is None else str(self._stored(text))


class _Judge(NamedTuple):
    """A scorer, with what is the same for all its scores."""

    plan: ScorerPlan
    source: bytes
    """As `ScoreLogged.source`."""

    @classmethod
    def of(cls, plan: ScorerPlan, clean: Callable[[bytes], bytes]) -> _Judge:
        source = encode({"scorer": plan.name, "version": plan.version, "params": dict(plan.params)})
        return cls(plan, clean(source))
