"""The charts of `weft.integrations.sklearn`: of models and predictions in, charts and numbers out. Records nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from weft.tracking.errors import MissingLibraryError, UsageError
from weft.tracking.media import plot
from weft.tracking.media.chart import Chart
from weft.tracking.tables import Table

try:
    import numpy as np
    import sklearn.base
    import sklearn.calibration
    import sklearn.exceptions
    import sklearn.metrics
    import sklearn.model_selection
    import sklearn.pipeline
    import sklearn.utils.validation
except ImportError as error:
    raise MissingLibraryError("weft.integrations.sklearn", "scikit-learn") from error

MOST_FEATURES = 50
"""Bars of the importance chart: the most important ones."""
MOST_POINTS = 2_000
"""Marks of a scatter chart: evenly chosen."""
_TRAIN_SIZES = (0.1, 0.325, 0.55, 0.775, 1.0)
_KINDS = {
    "a classifier": sklearn.base.is_classifier,
    "a regressor": sklearn.base.is_regressor,
    "a clusterer": sklearn.base.is_clusterer,
}


def check(model: Any, what: str) -> None:
    """That it is `what`, one of `_KINDS`, and fitted.

    Raises:
        UsageError: it is not.
    """
    if isinstance(model, type) or not hasattr(model, "get_params") or not _KINDS[what](model):
        raise UsageError(f"{what} of scikit-learn is asked for, not {model!r:.80}")
    try:
        sklearn.utils.validation.check_is_fitted(model)
    except sklearn.exceptions.NotFittedError as error:
        raise UsageError(f"this {type(model).__name__} is not fitted; call fit() first") from error


def is_regressor(model: Any) -> bool:
    """Whether it says numbers, not classes."""
    return bool(sklearn.base.is_regressor(model))


def classification_metrics(y_true: Any, y_pred: Any) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 weighted by how often each class occurs."""
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        y_true, y_pred, average="weighted", zero_division=0
    )
    accuracy = sklearn.metrics.accuracy_score(y_true, y_pred)
    return {"accuracy": float(accuracy), "precision": float(precision), "recall": float(recall), "f1": float(f1)}


def regression_metrics(y_true: Any, y_pred: Any) -> dict[str, float]:
    """Mean absolute error, mean squared error, R²."""
    return {
        "mae": float(sklearn.metrics.mean_absolute_error(y_true, y_pred)),
        "mse": float(sklearn.metrics.mean_squared_error(y_true, y_pred)),
        "r2": float(sklearn.metrics.r2_score(y_true, y_pred)),
    }


def confusion_matrix(y_true: Any, y_pred: Any, labels: Sequence[str] | None = None, title: str = "") -> Chart:
    """How often each class was taken for each."""
    classes = np.unique(np.concatenate([np.asarray(y_true), np.asarray(y_pred)]))
    if labels is None or len(labels) < len(classes):
        return plot.confusion_matrix(y_true=y_true, preds=y_pred, title=title)
    if len(labels) == len(classes):
        y_true, y_pred = codes(y_true, classes), codes(y_pred, classes)
    return plot.confusion_matrix(y_true=y_true, preds=y_pred, class_names=list(labels), title=title)


def class_proportions(y_train: Any, y_test: Any, labels: Sequence[str] | None = None) -> Chart:
    """A bar for each class and part."""
    classes = np.unique(np.concatenate([np.asarray(y_train), np.asarray(y_test)]))
    names = list(labels) if labels is not None and len(labels) == len(classes) else texts(classes)
    rows = [
        [f"{name} ({part})", int((np.asarray(given) == each).sum())]
        for each, name in zip(classes, names, strict=True)
        for part, given in (("train", y_train), ("test", y_test))
    ]
    return plot.bar(Table(columns=["class", "examples"], data=rows), "class", "examples", "Class proportions")


def calibration_curve(
    y_true: Any, y_probas: Any, classes: Any, labels: Sequence[str] | None, title: str = "Calibration"
) -> Chart:
    """Of ten equal slices of probability, how often the class was there; of two classes the second's."""
    right, probas = np.asarray(y_true), np.asarray(y_probas)
    names = list(labels) if labels is not None and len(labels) == len(classes) else texts(classes)
    xs, ys, keys = [[0.0, 1.0]], [[0.0, 1.0]], ["perfect"]
    chosen = range(1, 2) if len(classes) == 2 else range(len(classes))
    for at in chosen:
        scores = probas if probas.ndim == 1 else probas[:, at]
        there, said = sklearn.calibration.calibration_curve(right == classes[at], scores.clip(0, 1), n_bins=10)
        xs.append(said.tolist())
        ys.append(there.tolist())
        keys.append(names[at])
    return plot.line_series(xs, ys, keys, title, "mean predicted probability")


def learning_curve(model: Any, X: Any, y: Any, train_sizes: Sequence[float] | None = None, **options: Any) -> Chart:  # noqa: N803
    """Mean scores over the folds."""
    if options.get("random_state") is not None:
        options["shuffle"] = True
    with _own_randomness():
        sizes, train, test = sklearn.model_selection.learning_curve(
            model, X, y, train_sizes=list(train_sizes or _TRAIN_SIZES), **options
        )[:3]
    scores = [train.mean(axis=1).tolist(), test.mean(axis=1).tolist()]
    return plot.line_series(sizes.tolist(), scores, ["train", "held out"], "Learning curve", "examples")


def residuals(model: Any, X: Any, y: Any, X_test: Any = None, y_test: Any = None) -> Chart:  # noqa: N803
    """A mark an example."""
    rows = []
    for part, features, right in (("train", X, y), ("test", X_test, y_test)):
        if features is not None:
            told = np.asarray(model.predict(features)).ravel()
            rows += [
                [part, said, off]
                for said, off in zip(told.tolist(), (np.asarray(right).ravel() - told).tolist(), strict=True)
            ]
    table = Table(columns=["part", "predicted", "residual"], data=_evenly(rows))
    return plot.scatter(table, "predicted", "residual", "Residuals")


def silhouette(X: Any, cluster_labels: Any, labels: Sequence[str] | None = None) -> dict[str, Any]:  # noqa: N803
    """Each cluster's mean, and that of all examples."""
    given = np.asarray(cluster_labels)
    clusters = np.unique(given)
    if not 2 <= len(clusters) < len(given):
        here = f"here are {len(clusters)} of {len(given)} examples"
        raise UsageError(f"a silhouette compares clusters, 2 at least and fewer than examples; {here}")
    values = sklearn.metrics.silhouette_samples(X, given)
    names = list(labels) if labels is not None and len(labels) == len(clusters) else texts(clusters)
    rows = [[name, float(values[given == each].mean())] for each, name in zip(clusters, names, strict=True)]
    chart = plot.bar(Table(columns=["cluster", "silhouette"], data=rows), "cluster", "silhouette", "Silhouette")
    return {"silhouette": chart, "silhouette_score": float(values.mean())}


def elbow_curve(clusterer: Any, X: Any, cluster_ranges: Sequence[int] | None = None) -> Chart:  # noqa: N803
    """By number of clusters; default 1, 3, 5, ... 9.

    Raises:
        UsageError: the clusterer has no score.
    """
    if not hasattr(clusterer, "score"):
        raise UsageError(f"{type(clusterer).__name__} has no score(), so its clusterings cannot be compared by it")
    counts = [count for count in (cluster_ranges or range(1, 10, 2)) if count <= len(X)]
    found = []
    with _own_randomness():
        for count in counts:
            made = sklearn.base.clone(clusterer).set_params(n_clusters=count)
            found.append(-float(made.fit(X).score(X)))
    return plot.line_series(counts, [found], ["error"], "Elbow", "clusters")


def importances(model: Any, feature_names: Sequence[str] | None, title: str = "") -> dict[str, Chart]:
    """A chart by its name, or nothing where the model says nothing of it."""
    final = model[-1] if isinstance(model, sklearn.pipeline.Pipeline) else model
    weights = getattr(final, "feature_importances_", None)
    if weights is None and getattr(final, "coef_", None) is not None:
        weights = np.abs(np.atleast_2d(_dense(final.coef_))).mean(axis=0)
    if weights is None:
        return {}
    known = feature_names if feature_names is not None else getattr(final, "feature_names_in_", None)
    names = (
        texts(known) if known is not None and len(known) == len(weights) else [f"f{at}" for at in range(len(weights))]
    )
    pairs = zip(names, map(float, weights), strict=True)
    rows = sorted(pairs, key=lambda row: (-row[1], row[0]))
    table = Table(columns=["feature", "importance"], data=rows[:MOST_FEATURES])
    return {"feature_importances": plot.bar(table, "feature", "importance", title or "Feature importances")}


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else values


def texts(values: Any) -> list[str]:
    return [str(value) for value in values]


def codes(values: Any, classes: Any) -> list[int]:
    """Classes as their places.

    Raises:
        UsageError: one of them is none of the model's.
    """
    places = {each: at for at, each in enumerate(np.asarray(classes).tolist())}
    found = np.asarray(values).tolist()
    strange = [value for value in found if value not in places]
    if strange:
        raise UsageError(f"class {strange[0]!r:.60} is none of those that the model knows: {list(places)!r:.150}")
    return [places[value] for value in found]


def _evenly(rows: list[Any]) -> list[Any]:
    if len(rows) <= MOST_POINTS:
        return rows
    return [rows[at * (len(rows) - 1) // (MOST_POINTS - 1)] for at in range(MOST_POINTS)]


@contextmanager
def _own_randomness() -> Iterator[None]:
    """What is fitted inside may draw from NumPy's global generator; the program never notices."""
    before = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(before)
