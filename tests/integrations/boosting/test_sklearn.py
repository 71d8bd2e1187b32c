"""scikit-learn's models: what the charts hold is what scikit-learn says."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import weft
from weft.integrations import sklearn as plots


def test_a_classifier_is_told_whole(run, stored, chart, two_classes) -> None:
    train, test, right, held_out = two_classes
    model = RandomForestClassifier(10, random_state=0).fit(train, right)
    plots.plot_classifier(
        model, train, test, right, held_out, model.predict(test), model.predict_proba(test), ["no", "yes"],
        model_name="forest", feature_names=list("abcdef"),
    )  # fmt: skip
    (row,) = stored().scan_history()
    charts = {
        "feature_importances", "class_proportions", "confusion_matrix", "roc", "precision_recall", "calibration_curve",
    }  # fmt: skip
    assert charts | {"accuracy", "precision", "recall", "f1"} <= set(row)
    assert row["accuracy"] == sklearn.metrics.accuracy_score(held_out, model.predict(test))
    assert row["f1"] == sklearn.metrics.f1_score(held_out, model.predict(test), average="weighted")
    matrix = sklearn.metrics.confusion_matrix(held_out, model.predict(test))
    assert {(actual, told): count for actual, told, count in chart("confusion_matrix").rows} == {
        (actual, told): matrix[i, j] for i, actual in enumerate(["no", "yes"]) for j, told in enumerate(["no", "yes"])
    }
    assert dict(chart("feature_importances").rows) == pytest.approx(
        dict(zip("abcdef", model.feature_importances_, strict=True))
    )
    assert dict(chart("class_proportions").rows)["yes (train)"] == int(right.sum())
    assert (
        f"{sklearn.metrics.roc_auc_score(held_out, model.predict_proba(test)[:, 1]):.3f}"
        in (chart("roc").strings["areas"])
    )
    assert stored().config["forest"]["class"] == "RandomForestClassifier"
    assert stored().config["forest"]["n_estimators"] == 10


def test_what_is_not_given_the_model_is_asked_for(run, stored, two_classes) -> None:
    train, test, right, held_out = two_classes
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train, right)
    plots.plot_classifier(model, train, test, right, held_out, prefix="logistic/")
    (row,) = stored().scan_history()
    assert row["logistic/accuracy"] == model.score(test, held_out)
    assert {"logistic/roc", "logistic/feature_importances"} <= set(row)


def test_classes_may_be_text_and_labels_may_rename_them(run, chart, two_classes) -> None:
    train, test, right, held_out = two_classes
    names = np.array(["cat", "dog"])
    model = LogisticRegression().fit(train, names[right])
    plots.plot_classifier(model, train, test, names[right], names[held_out], labels=["Cats", "Dogs"])
    assert {row[0] for row in chart("confusion_matrix").rows} == {"Cats", "Dogs"}
    assert {row[0] for row in chart("roc").rows} == {"Cats", "Dogs"}


def test_a_regressor_is_told_whole(run, stored, chart, line) -> None:
    train, test, right, held_out = line
    model = RandomForestRegressor(5, random_state=0).fit(train, right)
    plots.plot_regressor(model, train, test, right, held_out, model_name="forest")
    (row,) = stored().scan_history()
    assert row["r2"] == model.score(test, held_out)
    assert row["mse"] == sklearn.metrics.mean_squared_error(held_out, model.predict(test))
    off = [residual for part, _, residual in chart("residuals").rows if part == "test"]
    assert off == pytest.approx(list(held_out - model.predict(test)))
    assert chart("feature_importances").rows[0][0] == "f0"


def test_a_clusterer_is_told_whole(run, stored, chart, two_classes) -> None:
    model = KMeans(3, random_state=0, n_init=1).fit(two_classes[0])
    plots.plot_clusterer(model, two_classes[0], model.labels_)
    (row,) = stored().scan_history()
    assert row["silhouette_score"] == pytest.approx(sklearn.metrics.silhouette_score(two_classes[0], model.labels_))
    elbow = chart("elbow_curve").rows
    assert [each[0] for each in elbow] == [1, 3, 5, 7, 9]
    assert elbow[1][2] == pytest.approx(model.inertia_)


@pytest.mark.parametrize("model", [DBSCAN(eps=1e-6), DBSCAN(eps=1e-6, min_samples=1), AgglomerativeClustering(3)])
def test_a_clustering_without_silhouette_or_score_is_told_as_far_as_it_goes(run, stored, two_classes, model) -> None:
    labels = model.fit(two_classes[0]).labels_
    plots.plot_clusterer(model, two_classes[0], labels)
    assert stored().config["Clusterer"]["class"] == type(model).__name__
    assert ("silhouette" in stored().summary) is (len(set(labels)) == 3)
    assert "elbow_curve" not in stored().summary


@pytest.mark.parametrize("name", ["residuals", "summary_metrics", "feature_importances"])
def test_single_plots_of_regressors(run, stored, line, name) -> None:
    train, test, right, held_out = line
    model = LinearRegression().fit(train, right)
    given = {"residuals": (model, test, held_out), "summary_metrics": (model, train, right, test, held_out)}
    getattr(plots, f"plot_{name}")(*given.get(name, (model,)))
    (row,) = stored().scan_history()
    assert name in row or row["r2"] == pytest.approx(1)


@pytest.mark.parametrize(
    "name", ["confusion_matrix", "roc", "precision_recall", "class_proportions", "calibration_curve"]
)
def test_single_plots_of_classifiers(run, stored, two_classes, name) -> None:
    train, test, right, held_out = two_classes
    model = LogisticRegression().fit(train, right)
    given = {
        "confusion_matrix": (held_out, model.predict(test)),
        "class_proportions": (right, held_out),
        "calibration_curve": (model, test, held_out),
    }
    getattr(plots, f"plot_{name}")(*given.get(name, (held_out, model.predict_proba(test))))
    (row,) = stored().scan_history()
    assert name in row


def test_a_learning_curve_has_the_scores_of_scikit_learn(run, chart, two_classes) -> None:
    train, _, right, _ = two_classes
    model = LogisticRegression()
    plots.plot_learning_curve(model, train, right, cv=3, train_sizes=[0.5, 1.0])
    sizes, fitted, held = sklearn.model_selection.learning_curve(model, train, right, cv=3, train_sizes=[0.5, 1.0])
    expected = [[int(size), "train", score] for size, score in zip(sizes, fitted.mean(axis=1), strict=True)]
    expected += [[int(size), "held out", score] for size, score in zip(sizes, held.mean(axis=1), strict=True)]
    assert chart("learning_curve").rows == expected
    assert not hasattr(model, "coef_")


def test_the_global_random_generator_is_left_as_it_was(run, two_classes) -> None:
    """Models without a random_state draw from it, here as in fit()."""
    train, _, right, _ = two_classes
    model = KMeans(3, n_init=1).fit(train)
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    plots.plot_clusterer(model, train, model.labels_)
    plots.plot_learning_curve(RandomForestClassifier(3), train, right, cv=2, train_sizes=[1.0])
    assert np.random.random() == expected


def test_mistakes_are_said_at_once(run, two_classes) -> None:
    train, test, right, held_out = two_classes
    with pytest.raises(weft.Error, match="not fitted"):
        plots.plot_classifier(LogisticRegression(), train, test, right, held_out)
    with pytest.raises(weft.Error, match="a classifier"):
        plots.plot_classifier(LinearRegression().fit(train, right), train, test, right, held_out)
    with pytest.raises(weft.Error, match="a regressor"):
        plots.plot_regressor(LogisticRegression, train, test, right, held_out)
    with pytest.raises(weft.Error, match=f"here are 1 of {len(train)}"):
        plots.plot_silhouette(None, train, np.zeros(len(train)))
    with pytest.raises(weft.Error, match=r"has no score\(\)"):
        plots.plot_elbow_curve(AgglomerativeClustering(2), train)
    with pytest.raises(weft.Error, match="none of those"):
        plots.plot_classifier(LogisticRegression().fit(train, right), train, test, right, held_out + 1)
    with pytest.raises(weft.Error, match="feature_importances_"):
        plots.plot_feature_importances(KMeans())


def test_without_a_run_it_says_so(home, two_classes) -> None:
    with pytest.raises(weft.Error, match=r"weft\.init"):
        plots.plot_confusion_matrix(two_classes[3], two_classes[3])
