"""LightGBM: `lightgbm.train(..., callbacks=[WeftCallback()])`, then `log_summary(booster)`."""

from __future__ import annotations

from typing import Any

from weft.integrations import recording
from weft.tracking.errors import MissingLibraryError, UsageError
from weft.tracking.media import plot
from weft.tracking.runs.run import Run
from weft.tracking.tables import Table

try:
    import lightgbm
except ImportError as error:
    raise MissingLibraryError("weft.integrations.lightgbm", "lightgbm") from error

MOST_FEATURES = 50
"""Bars of the importance chart: the most important ones."""


class WeftCallback:
    """Records each round's metrics in the active run, as `<data>_<metric>` beside `iteration`, and the parameters.

    Args:
        log_params: put the parameters of the training into the run's config.
        define_metric: whether the summary says the best value of a metric beside the last.

    Raises:
        UsageError: no run is active when the training begins.

    Example:
        >>> run = weft.init(project="digits")
        >>> booster = lightgbm.train(params, train, valid_sets=[test], callbacks=[WeftCallback()])
        >>> log_summary(booster, save_model_checkpoint=True)
    """

    order = 29
    """LightGBM calls them by it: before early stopping (30), which ends the round it stops at."""
    before_iteration = False

    def __init__(self, log_params: bool = True, define_metric: bool = True) -> None:
        self.log_params = log_params
        self.define_metric = define_metric

    def __call__(self, env: Any) -> None:
        run = recording.running("integrations.lightgbm")
        results = [tuple(result) for result in env.evaluation_result_list or ()]
        if env.iteration == env.begin_iteration:
            self._begin(run, env.params, results)
        values: dict[str, Any] = {"iteration": env.iteration}
        for data, metric, value, _, *deviation in results:
            values[f"{data}_{metric}"] = value
            if deviation and deviation[0] is not None:  # of lightgbm.cv, over the folds
                values[f"{data}_{metric}-stdv"] = deviation[0]
        run.log(values)

    def _begin(self, run: Run, params: dict[str, Any], results: list[tuple[Any, ...]]) -> None:
        if self.log_params:
            run.config.update(recording.plain(params), allow_val_change=True)
        if self.define_metric:
            for data, metric, _, grows, *_ in results:
                run.define_metric(f"{data}_{metric}", summary="best,last", goal="maximize" if grows else "minimize")


def log_summary(model: Any, feature_importance: bool = True, save_model_checkpoint: bool = False) -> None:
    """Record what a trained booster came to: best iteration and score, feature importance, the model itself.

    Args:
        model: a Booster, or an estimator of LightGBM's scikit-learn interface that was fitted.
        feature_importance: log a bar chart of the `MOST_FEATURES` features with the greatest gain.
        save_model_checkpoint: keep it as a version of the artifact `model-<run id>`.

    Raises:
        UsageError: it is no booster, or no run is active.
    """
    booster = getattr(model, "booster_", model)
    if not isinstance(booster, lightgbm.Booster):
        raise UsageError(f"log_summary() takes a lightgbm.Booster or a fitted estimator, not {type(model).__name__}")
    run = recording.running("integrations.lightgbm")
    if booster.best_iteration > 0:  # -1 or 0: nothing looked for the best
        run.summary["best_iteration"] = booster.best_iteration
    scores = {data: dict(found) for data, found in booster.best_score.items()}
    if scores:
        run.summary["best_score"] = scores
    if feature_importance:
        gains = zip(booster.feature_name(), booster.feature_importance("gain").tolist(), strict=True)
        rows = sorted(([name, gain] for name, gain in gains if gain), key=lambda row: (-row[1], row[0]))
        table = Table(columns=["feature", "importance"], data=rows[:MOST_FEATURES])
        run.log({"feature_importance": plot.bar(table, "feature", "importance", "Feature importance (gain)")})
    if save_model_checkpoint:
        recording.keep_model(run, f"model-{run.id}", lambda at: booster.save_model(at / "model.txt"))
