"""An evaluation: a dataset, the scorers, and how to run them. `evaluate` and `run` hand it to the runner."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from weft.evals.dataset import Dataset
from weft.evals.model import ModelPlan
from weft.evals.scorer import OFFERED, ScorerPlan
from weft.tracking.errors import UsageError

if TYPE_CHECKING:
    from weft.evals.results import CaseResult, EvaluationResult
    from weft.evals.runner import Runner
    from weft.tracking.artifacts.artifact import Artifact
    from weft.tracking.artifacts.versions import ArtifactVersion

OnCase: TypeAlias = "Callable[[CaseResult], None]"
Uses: TypeAlias = "str | Artifact | ArtifactVersion | Sequence[str | Artifact | ArtifactVersion]"
CONCURRENCY = 16
"""Cases at once, where nothing is said: enough to hide a provider's latency, few enough for its rate limits."""


class Evaluation:
    """Scores a model on every row of a dataset.

    ```python
    evaluation = weft.Evaluation([{"question": "1+1?", "expected": "2"}], [exact_match()])
    result = await evaluation.evaluate(model)      # in async code
    result = evaluation.run(model)                 # elsewhere
    result.summary["exact_match"].mean
    ```
    """

    def __init__(
        self,
        dataset: Dataset | str | os.PathLike[str] | Iterable[Mapping[str, Any]] | Any,
        scorers: Sequence[object] | object,
        *,
        name: str | None = None,
        model: object = None,
        trials: int = 1,
        concurrency: int = CONCURRENCY,
        timeout_s: float | None = None,
        limit: int | None = None,
        project: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        description: str | None = None,
        uses: Uses = (),
    ) -> None:
        """Check everything that can be checked before a model is there.

        Args:
            dataset: a Dataset, or what one is made of.
            scorers: functions, `Scorer` objects, or one of them.
            name: of results; `<dataset>-evaluation` where none is given.
            model: evaluated where `evaluate`, `run` and `weft eval run` are given none.
            trials: how often each row is run.
            concurrency: most cases at once.
            timeout_s: seconds that a model's call may take, and each scorer's; None: as long as they like.
            limit: only the first rows.
            project: of the run; the process's project where none is given.
            metadata: kept in the run's config.
            uses: versions of artifacts that `model` is made of, objects or names (`cnn:v3`): what `weft.promote` asks
                about. Those among a model object's settings are found without.

        Raises:
            UsageError: a bad dataset, scorer, number or name.
        """
        self.dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
        self.name = name or f"{self.dataset.name}-evaluation"
        self.model = model
        self.trials = _count("trials", trials)
        self.concurrency = _count("concurrency", concurrency)
        self.timeout_s = _timeout(timeout_s)
        self.limit = None if limit is None else _count("limit", limit)
        self.project = project
        self.metadata = dict(metadata or {})
        self.description = description
        self.uses = _uses(uses)
        given = list(scorers) if isinstance(scorers, (list, tuple)) else [scorers]
        self.scorers: Sequence[ScorerPlan] = tuple(ScorerPlan.of(item) for item in given)
        self._check_scorers()

    async def evaluate(
        self, model: object = None, *, on_case: OnCase | None = None, uses: Uses = ()
    ) -> EvaluationResult:
        """Run every case and return what was found. Failures of model and scorers are values in it.

        Args:
            model: a function, an op, a coroutine function or an object with `predict`.
            on_case: called with each case as it ends, in the order of their ends.
            uses: versions of artifacts that this model is made of, as for `Evaluation`.

        Raises:
            UsageError: the model is none, or needs what the dataset does not have; nothing has run then.
        """
        return await self.runner(model, on_case=on_case, uses=uses).run()

    def run(self, model: object = None, *, on_case: OnCase | None = None, uses: Uses = ()) -> EvaluationResult:
        """`evaluate`, for code that is not async.

        Raises:
            UsageError: as `evaluate`; also inside a running event loop.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.runner(model, on_case=on_case, uses=uses).run())
        raise UsageError("run() was called inside a running event loop; there, write: await evaluation.evaluate(model)")

    def with_options(
        self,
        *,
        trials: int | None = None,
        concurrency: int | None = None,
        timeout_s: float | None = None,
        limit: int | None = None,
        project: str | None = None,
    ) -> Evaluation:
        """The same evaluation, run otherwise; what is None stays as it is."""
        changed = copy.copy(self)
        if trials is not None:
            changed.trials = _count("trials", trials)
        if concurrency is not None:
            changed.concurrency = _count("concurrency", concurrency)
        if timeout_s is not None:
            changed.timeout_s = _timeout(timeout_s)
        if limit is not None:
            changed.limit = _count("limit", limit)
        if project is not None:
            changed.project = project
        return changed

    def runner(self, model: object = None, *, on_case: OnCase | None = None, uses: Uses = ()) -> Runner:
        """One run of this evaluation, checked and not yet started.

        Raises:
            UsageError: as `evaluate`.
        """
        from weft.evals.runner import Runner  # it brings the journal and the tracer; a definition needs neither

        chosen = self.model if model is None else model
        if chosen is None:
            raise UsageError(f"evaluation {self.name!r} has no model: give it one with model=, or run(model)")
        plan = ModelPlan.of(chosen)
        plan.parameters.check(f"model {plan.name!r}", self.dataset.rows)
        # They belong to the model that they were given with; given without one, to whichever is run.
        of_mine = self.uses if model is None or self.model is None else ()
        return Runner(self, plan, on_case=on_case, uses=(*of_mine, *_uses(uses)))

    def _check_scorers(self) -> None:
        if not self.scorers:
            raise UsageError(f"evaluation {self.name!r} has no scorers; give it at least one")
        names = [plan.name for plan in self.scorers]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"two scorers are called {name!r}; give one of them another name: @scorer(name=...)")
            if any(name.startswith(f"{other}.") for other in names):
                raise UsageError(f"scorer {name!r} has a name that belongs to the keys of another; rename it")
        for plan in self.scorers:
            plan.parameters.check(f"scorer {plan.name!r}", self.dataset.rows, OFFERED, plan.columns)
            plan.parameters.check_shadowed(f"scorer {plan.name!r}", self.dataset.rows, OFFERED, plan.columns)

    def __repr__(self) -> str:
        names = ", ".join(plan.name for plan in self.scorers)
        return f"Evaluation({self.name!r}, {len(self.dataset)} rows, scorers: {names})"


def evaluate(
    model: object,
    data: Dataset | str | os.PathLike[str] | Iterable[Mapping[str, Any]] | Any,
    scorers: Sequence[object] | object,
    **options: Any,
) -> EvaluationResult:
    """Score a model on data, in one line; `options` as for `Evaluation`.

    ```python
    weft.evaluate(answer, "questions.jsonl", [exact_match()], trials=3)
    ```

    Raises:
        UsageError: as `Evaluation` and `Evaluation.run`.
    """
    uses = options.pop("uses", ())  # of this model
    return Evaluation(data, scorers, **options).run(model, uses=uses)


def _uses(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _count(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{what} is {value!r}; it must be a whole number of at least 1")
    return value


def _timeout(value: float | None) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
        raise UsageError(f"timeout_s is {value!r}; it must be a number of seconds above 0, or None")
    return value
