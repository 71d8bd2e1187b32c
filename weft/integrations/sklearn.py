"""scikit-learn: how good a fitted model is and where it is wrong, as charts of the active run.

Each function logs one row of the history. Models that have to be fitted again (learning curves, elbows) are clones, and
NumPy's global random generator is left as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from weft.integrations import recording
from weft.integrations import sklearncharts as charts
from weft.tracking.errors import UsageError
from weft.tracking.media import plot

log = logging.getLogger("weft.sklearn")


def plot_classifier(
    model: Any,
    X_train: Any,  # noqa: N803 - scikit-learn's names, here and below
    X_test: Any,  # noqa: N803
    y_train: Any,
    y_test: Any,
    y_pred: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    is_binary: bool = False,
    model_name: str = "Classifier",
    feature_names: Sequence[str] | None = None,
    log_learning_curve: bool = False,
    prefix: str = "",
) -> None:
    """Log what there is to say of a fitted classifier, and put its parameters into the config under `model_name`.

    Accuracy, precision, recall and F1 (weighted), feature importances, the proportions of the classes, the confusion
    matrix, and where it gives probabilities ROC, precision over recall and calibration.

    Args:
        y_pred, y_probas: of X_test; default what the model says.
        labels: names of the classes, in the order of `model.classes_`.
        is_binary: for scripts written for wandb; it is found out.
        feature_names: default those it was fitted with.
        log_learning_curve: also that, which fits clones of it 15 times.
        prefix: before the names of what is logged (`forest/`), to tell several models of one run apart.

    Raises:
        UsageError: it is no classifier or not fitted, or no run is active.
    """
    charts.check(model, "a classifier")
    pred = model.predict(X_test) if y_pred is None else y_pred
    probas = model.predict_proba(X_test) if y_probas is None and hasattr(model, "predict_proba") else y_probas
    logged: dict[str, Any] = {
        **charts.classification_metrics(y_test, pred),
        **charts.importances(model, feature_names),
        "class_proportions": charts.class_proportions(y_train, y_test, labels),
        "confusion_matrix": charts.confusion_matrix(y_test, pred, labels),
    }
    if probas is not None:
        right, names = charts.codes(y_test, model.classes_), labels or charts.texts(model.classes_)
        logged["roc"] = plot.roc_curve(right, probas, names)
        logged["precision_recall"] = plot.pr_curve(right, probas, names)
        logged["calibration_curve"] = charts.calibration_curve(y_test, probas, model.classes_, labels)
    if log_learning_curve:
        logged["learning_curve"] = charts.learning_curve(model, X_train, y_train)
    _configure(model, model_name)
    _log(logged, prefix)


def plot_regressor(
    model: Any,
    X_train: Any,  # noqa: N803
    X_test: Any,  # noqa: N803
    y_train: Any,
    y_test: Any,
    model_name: str = "Regressor",
    feature_names: Sequence[str] | None = None,
    log_learning_curve: bool = False,
    prefix: str = "",
) -> None:
    """Log what there is to say of a fitted regressor, and put its parameters into the config under `model_name`.

    Mean absolute and squared error, R², feature importances, residuals, and which training examples pull at it.

    Args:
        feature_names, log_learning_curve, prefix: as for `plot_classifier`.

    Raises:
        UsageError: it is no regressor or not fitted, or no run is active.
    """
    charts.check(model, "a regressor")
    logged: dict[str, Any] = {
        **charts.regression_metrics(y_test, model.predict(X_test)),
        **charts.importances(model, feature_names),
        "residuals": charts.residuals(model, X_train, y_train, X_test, y_test),
    }
    if log_learning_curve:
        logged["learning_curve"] = charts.learning_curve(model, X_train, y_train)
    _configure(model, model_name)
    _log(logged, prefix)


def plot_clusterer(
    model: Any,
    X_train: Any,  # noqa: N803
    cluster_labels: Any,
    labels: Sequence[str] | None = None,
    model_name: str = "Clusterer",
    prefix: str = "",
) -> None:
    """Log the silhouette of a clustering and its elbow, and put its parameters into the config under `model_name`.

    A clustering that has no silhouette (one cluster, or each example one) is said in the log; one that has no score or
    number of clusters has no elbow.

    Raises:
        UsageError: it is no clusterer, or no run is active.
    """
    charts.check(model, "a clusterer")
    logged: dict[str, Any] = {}
    try:
        logged |= charts.silhouette(X_train, cluster_labels, labels)
    except UsageError as error:  # what the data came to is no mistake of the program's
        log.warning("plot_clusterer() leaves the silhouette out: %s", error)
    if "n_clusters" in model.get_params() and hasattr(model, "score"):
        logged["elbow_curve"] = charts.elbow_curve(model, X_train)
    _configure(model, model_name)
    _log(logged, prefix)


def plot_summary_metrics(
    model: Any,
    X: Any,  # noqa: N803
    y: Any,
    X_test: Any,  # noqa: N803
    y_test: Any,
    prefix: str = "",
) -> None:
    """Log the metrics of a fitted classifier or regressor on test data."""
    pred = model.predict(X_test)
    regression = charts.is_regressor(model)
    _log(charts.regression_metrics(y_test, pred) if regression else charts.classification_metrics(y_test, pred), prefix)


def plot_confusion_matrix(
    y_true: Any, y_pred: Any, labels: Sequence[str] | None = None, title: str = "", prefix: str = ""
) -> None:
    """Log how often each class was taken for each."""
    _log({"confusion_matrix": charts.confusion_matrix(y_true, y_pred, labels, title)}, prefix)


def plot_roc(
    y_true: Any, y_probas: Any, labels: Sequence[str] | None = None, classes_to_plot: Any = None, prefix: str = ""
) -> None:
    """Log the receiver operating characteristic, a line a class."""
    _log({"roc": plot.roc_curve(y_true, y_probas, labels, classes_to_plot)}, prefix)


def plot_precision_recall(
    y_true: Any, y_probas: Any, labels: Sequence[str] | None = None, classes_to_plot: Any = None, prefix: str = ""
) -> None:
    """Log precision over recall, a line a class."""
    _log({"precision_recall": plot.pr_curve(y_true, y_probas, labels, classes_to_plot)}, prefix)


def plot_feature_importances(
    model: Any, feature_names: Sequence[str] | None = None, title: str = "", prefix: str = ""
) -> None:
    """Log the `MOST_FEATURES` features that count most, as the model itself says (`feature_importances_`, `coef_`).

    Raises:
        UsageError: it says nothing of that.
    """
    found = charts.importances(model, feature_names, title)
    if not found:
        raise UsageError(
            f"{type(model).__name__} has neither feature_importances_ nor coef_; fit it first, or log what "
            "sklearn.inspection.permutation_importance says"
        )
    _log(found, prefix)


def plot_class_proportions(y_train: Any, y_test: Any, labels: Sequence[str] | None = None, prefix: str = "") -> None:
    """Log how many examples of each class there are to train and to test."""
    _log({"class_proportions": charts.class_proportions(y_train, y_test, labels)}, prefix)


def plot_calibration_curve(
    clf: Any,
    X: Any,  # noqa: N803
    y: Any,
    clf_name: str = "Classifier",
    prefix: str = "",
) -> None:
    """Log how often what a fitted classifier calls probable is so."""
    chart = charts.calibration_curve(y, clf.predict_proba(X), clf.classes_, None, title=f"Calibration of {clf_name}")
    _log({"calibration_curve": chart}, prefix)


def plot_learning_curve(
    model: Any,
    X: Any,  # noqa: N803
    y: Any,
    cv: Any = None,
    shuffle: bool = False,
    random_state: int | None = None,
    train_sizes: Sequence[float] | None = None,
    n_jobs: int = 1,
    scoring: Any = None,
    prefix: str = "",
) -> None:
    """Log the score on training and on held-out data over the number of examples; clones of the model are fitted."""
    options = {"shuffle": shuffle, "random_state": random_state, "n_jobs": n_jobs, "scoring": scoring}
    _log({"learning_curve": charts.learning_curve(model, X, y, cv=cv, train_sizes=train_sizes, **options)}, prefix)


def plot_residuals(
    regressor: Any,
    X: Any,  # noqa: N803
    y: Any,
    prefix: str = "",
) -> None:
    """Log what a fitted regressor is off by, over what it says."""
    _log({"residuals": charts.residuals(regressor, X, y)}, prefix)


def plot_silhouette(
    clusterer: Any,
    X: Any,  # noqa: N803
    cluster_labels: Any,
    labels: Sequence[str] | None = None,
    prefix: str = "",
) -> None:
    """Log how much better each example fits its cluster than the next one."""
    _log(charts.silhouette(X, cluster_labels, labels), prefix)


def plot_elbow_curve(
    clusterer: Any,
    X: Any,  # noqa: N803
    cluster_ranges: Sequence[int] | None = None,
    prefix: str = "",
) -> None:
    """Log how well clones with other numbers of clusters do (the negated score: of KMeans the sum of squares)."""
    _log({"elbow_curve": charts.elbow_curve(clusterer, X, cluster_ranges)}, prefix)


def _log(values: dict[str, Any], prefix: str) -> None:
    run = recording.running("integrations.sklearn")
    if values:
        run.log({prefix + name: value for name, value in values.items()})


def _configure(model: Any, model_name: str) -> None:
    params = recording.plain({"class": type(model).__name__, **model.get_params()})
    recording.running("integrations.sklearn").config.update({model_name: params}, allow_val_change=True)
