"""Runs an evaluation: the only shell around pure parts. Bounds what runs at once, makes the Run, keeps what was found.

Made by `Evaluation.runner()`. Every case is in the journal when it ends; the summary and the table follow at the end,
also when it was stopped.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weft.evals.caserunner import Case, CaseRunner, Ran
from weft.evals.metering import load_prices
from weft.evals.model import is_version
from weft.evals.results import EvaluationResult, summarize
from weft.evals.workers import Workers
from weft.tracer.context import recording_into
from weft.tracking import exits, runtime
from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.runs import starting

if TYPE_CHECKING:
    from weft.evals.evaluation import Evaluation, OnCase
    from weft.evals.model import ModelPlan
    from weft.tracking.artifacts.artifact import Artifact
    from weft.tracking.runs.run import Run

JOB_TYPE = "evaluation"
WAKE_S = 0.5
log = logging.getLogger("weft.evals")


class Runner:
    """One run of one evaluation on one model; it can run once."""

    def __init__(
        self, evaluation: Evaluation, model: ModelPlan, *, on_case: OnCase | None = None, uses: Sequence[Any] = ()
    ) -> None:
        self.evaluation = evaluation
        self.model = model
        self.on_case = on_case
        """Called with each case as it ends."""
        self.result: EvaluationResult | None = None
        """What was found; also of what had ended when it was stopped."""
        self._rows = evaluation.dataset.rows[: evaluation.limit]
        self._ran: dict[int, Ran] = {}
        given = (*model.artifacts, *uses) if runtime.active().recording else ()
        self._uses = [self._version(item) for item in given]
        if runtime.active().recording and importlib.util.find_spec("pyarrow") is None:
            raise MissingExtraError("An evaluation keeps its results as Parquet, which", "evals")

    @property
    def planned(self) -> int:
        """Cases: rows times trials."""
        return len(self._rows) * self.evaluation.trials

    async def run(self) -> EvaluationResult:
        """Run every case.

        Raises:
            asyncio.CancelledError: it was stopped (Ctrl-C); `result` holds the cases that had ended, and so does the
                run, which ends as killed.
        """
        dataset = self.evaluation.dataset.to_artifact()
        run = starting.start_run(
            project=self.evaluation.project,
            name=self.evaluation.name,
            config=self._config(dataset),
            job_type=JOB_TYPE,
            notes=self.evaluation.description,
        )
        workers = Workers(f"weft-eval-{run.id}")
        try:
            run.use_artifact(dataset)
            for version in self._uses:
                run.use_artifact(version, use_as="model")
            if any(plan.wants_cost for plan in self.evaluation.scorers):
                await workers.run(load_prices)  # before the cases, whose latency would show it
            with recording_into(run):
                await self._run_cases(run, workers)
            if any(ran.meter.used for ran in self._ran.values()):
                await workers.run(self._price)
            # Not on the event loop; and not beside the cases, whose latency would show it.
            await workers.run(_import_arrow)
        except BaseException as error:
            self._stopped(run, error)
            raise
        finally:
            workers.close()
        return self._end(run, exits.ending_of(None))

    async def _run_cases(self, run: Run, workers: Workers) -> None:
        """All cases, at most `concurrency` at once."""
        evaluation = self.evaluation
        single = CaseRunner(evaluation.name, self.model, evaluation.scorers, run, workers, evaluation.timeout_s)
        cases = self._cases()

        async def lane() -> None:
            for case in cases:
                # In a task of its own, so that no variable that a model sets reaches the next case.
                ran = await asyncio.create_task(single.run(case))
                self._ran[case.place] = ran
                if self.on_case is not None:
                    self.on_case(ran.result)

        lanes = [asyncio.create_task(lane()) for _ in range(min(evaluation.concurrency, self.planned))]
        try:
            waiting = set(lanes)
            while waiting:
                # Ctrl-C in the instant before the loop falls asleep is seen only when it wakes: so it sleeps briefly.
                done, waiting = await asyncio.wait(waiting, timeout=WAKE_S, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
        finally:
            for task in lanes:
                task.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    def _cases(self) -> Iterator[Case]:
        """Trial by trial, so that one that is stopped has seen as many rows as could be."""
        trials = self.evaluation.trials
        for trial in range(trials):
            for index, row in enumerate(self._rows):
                yield Case(index * trials + trial, row, trial)

    def _price(self) -> None:
        """Fill in what the cases cost. Loads the price table, so it runs in a thread."""
        for place, ran in self._ran.items():
            if ran.meter.used:
                self._ran[place] = ran._replace(result=replace(ran.result, cost=ran.meter.cost()))

    def _stopped(self, run: Run, error: BaseException) -> None:
        """Keep what there is."""
        stopped = isinstance(error, (asyncio.CancelledError, KeyboardInterrupt))
        self._price()
        self._end(run, exits.Ending("killed", exits.INTERRUPTED, error) if stopped else exits.ending_of(error))
        log.warning(
            "evaluation %s was stopped: %d of %d cases are kept in run %s",
            self.evaluation.name,
            len(self._ran),
            self.planned,
            run.path,
        )

    def _end(self, run: Run, ending: exits.Ending) -> EvaluationResult:
        from weft.evals import resulttable  # it needs the Artifact and Table that a definition does not

        rows = [self._ran[place].result for place in sorted(self._ran)]
        names = [plan.name for plan in self.evaluation.scorers]
        self.result = summarize(self.evaluation.name, run, rows, names, planned=self.planned)
        run.summary.update(self.result.to_dict())
        if rows and runtime.active().recording:
            run.log_artifact(resulttable.to_artifact(self.result))
        run.end(ending)
        return self.result

    def _version(self, given: Any) -> Any:
        """A version of an artifact; one that is named is looked up before anything runs."""
        if is_version(given):
            return given
        if not isinstance(given, str):
            raise UsageError(f'uses= takes versions of artifacts or names like "cnn:v3", not {given!r:.80}')
        from weft.tracking.artifacts.finding import find
        from weft.tracking.blobs import Blobs  # who names none need not load them

        rt = runtime.active()
        return find(given, self.evaluation.project or rt.settings.project, Blobs(rt.home))

    def _config(self, dataset: Artifact) -> dict[str, Any]:
        evaluation = self.evaluation
        return {
            "evaluation": evaluation.name,
            "dataset": {"name": dataset.name, "digest": dataset.digest, "rows": len(evaluation.dataset)},
            "model": {"name": self.model.name, "version": self.model.version, "params": dict(self.model.params)},
            "scorers": [
                {"name": plan.name, "version": plan.version, "params": dict(plan.params)} for plan in evaluation.scorers
            ],
            "trials": evaluation.trials,
            "concurrency": evaluation.concurrency,
            "timeout_s": evaluation.timeout_s,
            "limit": evaluation.limit,
            "cases": self.planned,
            "metadata": evaluation.metadata,
        }


def _import_arrow() -> None:
    if not runtime.active().recording:
        return
    import pyarrow.parquet  # noqa: F401 - heavy: 0.2 s
