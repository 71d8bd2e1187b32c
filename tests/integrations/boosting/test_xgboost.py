"""XGBoost's rounds, by its native and its scikit-learn interface."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

import weft
from weft.integrations.xgboost import WeftCallback

PARAMS = {"objective": "binary:logistic", "max_depth": 3, "eval_metric": ["logloss", "auc"], "nthread": 1, "seed": 0}


@pytest.fixture
def matrices(two_classes):
    train, test, right, held_out = two_classes
    return xgboost.DMatrix(train, right), xgboost.DMatrix(test, held_out)


def test_every_round_is_a_row_with_the_numbers_that_xgboost_has(run, stored, matrices) -> None:
    train, test = matrices
    kept: dict = {}
    xgboost.train(
        PARAMS, train, 5, evals=[(train, "train"), (test, "val")], evals_result=kept, verbose_eval=False,
        callbacks=[WeftCallback()],
    )  # fmt: skip
    rows = list(stored().scan_history(["epoch", "val-auc", "train-logloss"]))
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["val-auc"] for row in rows] == kept["val"]["auc"]
    assert [row["train-logloss"] for row in rows] == kept["train"]["logloss"]


def test_the_summary_has_the_best_and_the_config_the_booster(run, stored, matrices) -> None:
    train, test = matrices
    kept: dict = {}
    booster = xgboost.train(
        PARAMS | {"eta": 1.0}, train, 60, evals=[(test, "val")], evals_result=kept, verbose_eval=False,
        early_stopping_rounds=5, callbacks=[WeftCallback()],
    )  # fmt: skip
    found = stored()
    assert found.summary["best_iteration"] == booster.best_iteration < len(kept["val"]["auc"]) - 1
    assert found.summary["best_score"] == pytest.approx(booster.best_score)
    assert found.summary["val-auc"]["best"] == max(kept["val"]["auc"])
    assert found.summary["val-logloss"]["best"] == min(kept["val"]["logloss"])
    assert found.config["booster"]["gradient_booster"]["name"] == "gbtree"


def test_the_model_that_is_kept_answers_as_the_one_that_was_trained(run, matrices, tmp_path) -> None:
    train, test = matrices
    booster = xgboost.train(PARAMS, train, 4, callbacks=[WeftCallback(log_model=True)])
    version = weft.Api().artifact(f"run-{run.id}-model:latest", type="model")
    again = xgboost.Booster(model_file=version.file(tmp_path))
    assert np.array_equal(again.predict(test), booster.predict(test))
    assert version.metadata == {"rounds": 4}
    assert [made.id for made in [version.logged_by()]] == [run.id]


def test_features_by_gain_stand_in_a_chart(run, chart, matrices) -> None:
    booster = xgboost.train(PARAMS, matrices[0], 4, callbacks=[WeftCallback()])
    rows = chart("feature_importance").rows
    assert rows == sorted(rows, key=lambda row: -row[1])
    assert dict(rows) == pytest.approx(booster.get_score(importance_type="gain"))


def test_a_linear_booster_of_three_classes_has_importances_too(run, chart) -> None:
    features = np.random.default_rng(0).normal(size=(60, 2))
    train = xgboost.DMatrix(features, np.arange(60) % 3)
    params = {"booster": "gblinear", "objective": "multi:softprob", "num_class": 3}
    xgboost.train(params, train, 3, callbacks=[WeftCallback()])
    assert {name for name, _ in chart("feature_importance").rows} == {"f0", "f1"}


def test_cross_validation_gives_means_and_deviations(run, stored, matrices) -> None:
    found = xgboost.cv(PARAMS, matrices[0], 3, nfold=3, seed=0, callbacks=[WeftCallback()])
    rows = list(stored().scan_history(["test-auc"]))
    assert [row["test-auc"] for row in rows] == pytest.approx(list(found["test-auc-mean"]))
    assert stored().summary["test-auc-std"] == pytest.approx(found["test-auc-std"].iloc[-1])


def test_its_scikit_learn_classes_take_it(run, stored, two_classes) -> None:
    train, test, right, held_out = two_classes
    model = xgboost.XGBClassifier(n_estimators=3, callbacks=[WeftCallback()], n_jobs=1)
    model.fit(train, right, eval_set=[(test, held_out)], verbose=False)
    assert [row["validation_0-logloss"] for row in stored().scan_history(["validation_0-logloss"])] == (
        model.evals_result()["validation_0"]["logloss"]
    )


def test_training_is_the_same_with_and_without(run, matrices) -> None:
    train, test = matrices
    with_it = xgboost.train(PARAMS, train, 5, evals=[(test, "val")], verbose_eval=False, callbacks=[WeftCallback()])
    without = xgboost.train(PARAMS, train, 5, evals=[(test, "val")], verbose_eval=False)
    assert np.array_equal(with_it.predict(test), without.predict(test))


def test_a_disabled_run_records_nothing_and_harms_nothing(home, matrices) -> None:
    with weft.init(mode="disabled"):
        booster = xgboost.train(PARAMS, matrices[0], 2, callbacks=[WeftCallback(log_model=True)])
    assert booster.num_boosted_rounds() == 2
    assert not list(home.glob("journal/*.wj"))


def test_a_model_that_cannot_be_written_is_counted_and_the_training_ends_well(run, matrices, monkeypatch) -> None:
    def full(*given):
        raise OSError(28, "No space left on device")

    run.runtime.faults.strict = False
    monkeypatch.setattr(xgboost.Booster, "save_model", full)
    booster = xgboost.train(PARAMS, matrices[0], 2, callbacks=[WeftCallback(log_model=True)])
    assert booster.num_boosted_rounds() == 2
    assert run.runtime.faults.counts["keep a model"] == 1


def test_mistakes_are_said_at_once(home, matrices) -> None:
    with pytest.raises(weft.Error, match="importance_type"):
        WeftCallback(importance_type="loss")
    with pytest.raises(weft.Error, match=r"weft\.init"):
        xgboost.train(PARAMS, matrices[0], 2, callbacks=[WeftCallback()])
