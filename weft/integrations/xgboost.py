"""XGBoost: `xgboost.train(..., callbacks=[WeftCallback()])`, also of its scikit-learn classes, and of `xgboost.cv`."""

from __future__ import annotations

import json
from typing import Any

from weft.integrations import recording
from weft.tracking.errors import MissingLibraryError
from weft.tracking.media import plot
from weft.tracking.runs.run import Run
from weft.tracking.tables import Table

try:
    import xgboost
    from xgboost.callback import TrainingCallback
except ImportError as error:
    raise MissingLibraryError("weft.integrations.xgboost", "xgboost") from error

_GROWING = ("auc", "aucpr", "pre", "map", "ndcg")
"""Metrics of which more is better; XGBoost writes some as `ndcg@10`, `map-`."""
MOST_FEATURES = 50
"""Bars of the importance chart: the most important ones."""


class WeftCallback(TrainingCallback):
    """Records each round's metrics in the active run, as `<data>-<metric>` beside `epoch`.

    Args:
        log_model: keep the booster as a version of the artifact `run-<id>-model` when the training ends.
        log_feature_importance: log a bar chart of the `MOST_FEATURES` most important features then.
        importance_type: weight, gain, cover, total_gain or total_cover; of linear boosters weight.
        define_metric: whether the summary says the best value of a metric and not the last.

    Raises:
        UsageError: no run is active when the training begins.

    Example:
        >>> run = weft.init(project="digits")
        >>> booster = xgboost.train(params, train, evals=[(test, "val")], callbacks=[WeftCallback(log_model=True)])
    """

    def __init__(
        self,
        log_model: bool = False,
        log_feature_importance: bool = True,
        importance_type: str = "gain",
        define_metric: bool = True,
    ) -> None:
        super().__init__()
        recording.one_of("importance_type=", importance_type, ("weight", "gain", "cover", "total_gain", "total_cover"))
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric
        self._run: Run | None = None
        self._defined: set[str] = set()

    def before_training(self, model: Any) -> Any:
        self._run, self._defined = recording.running("integrations.xgboost"), set()
        if isinstance(model, xgboost.Booster):
            booster = json.loads(model.save_config())["learner"]
            self._run.config.update({"booster": booster}, allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        values: dict[str, Any] = {"epoch": epoch}
        for data, metrics in evals_log.items():
            for metric, history in metrics.items():
                name, last = f"{data}-{metric}", history[-1]
                if isinstance(last, tuple):  # of xgboost.cv: the mean over the folds, and its deviation
                    values[name], values[f"{name}-std"] = last
                else:
                    values[name] = last
                self._define(name, metric)
        self._running().log(values)
        return False

    def after_training(self, model: Any) -> Any:
        run = self._running()
        if isinstance(model, xgboost.Booster):
            for name in ("best_score", "best_iteration"):
                found = model.attr(name)  # set by early stopping alone
                if found is not None:
                    run.summary[name] = json.loads(found)
            if self.log_feature_importance:
                self._log_importance(run, model)
            if self.log_model:
                metadata = {"rounds": model.num_boosted_rounds()}
                recording.keep_model(
                    run, f"run-{run.id}-model", lambda at: model.save_model(at / "model.json"), metadata=metadata
                )
        self._run = None
        return model

    def _define(self, name: str, metric: str) -> None:
        if self.define_metric and name not in self._defined:
            self._defined.add(name)
            grows = metric.partition("@")[0].rstrip("-") in _GROWING
            self._running().define_metric(name, summary="best,last", goal="maximize" if grows else "minimize")

    def _log_importance(self, run: Run, model: Any) -> None:
        kind = "weight" if _is_linear(model) else self.importance_type
        scores = model.get_score(importance_type=kind)
        rows = [
            [name, float(value) if not isinstance(value, list) else sum(map(abs, value))]
            for name, value in scores.items()  # of linear boosters with several classes, a weight a class
        ]
        rows.sort(key=lambda row: (-row[1], row[0]))
        if rows:
            table = Table(columns=["feature", "importance"], data=rows[:MOST_FEATURES])
            title = f"Feature importance ({kind})"
            run.log({"feature_importance": plot.bar(table, "feature", "importance", title)})

    def _running(self) -> Run:
        return self._run if self._run is not None else recording.running("integrations.xgboost")


def _is_linear(model: Any) -> bool:
    booster: str = json.loads(model.save_config())["learner"]["gradient_booster"]["name"]
    return booster == "gblinear"
