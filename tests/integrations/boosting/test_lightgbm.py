"""LightGBM's rounds and what a booster came to."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

import weft
from weft.integrations.lightgbm import WeftCallback, log_summary

PARAMS = {"objective": "binary", "metric": ["auc", "binary_logloss"], "num_threads": 1, "verbosity": -1, "seed": 0}


@pytest.fixture
def sets(two_classes):
    train, test, right, held_out = two_classes
    fitted = lightgbm.Dataset(train, right)
    return fitted, lightgbm.Dataset(test, held_out, reference=fitted)


def test_every_round_is_a_row_with_the_numbers_that_lightgbm_has(run, stored, sets) -> None:
    kept: dict = {}
    lightgbm.train(
        PARAMS, sets[0], 5, valid_sets=[sets[1]], valid_names=["val"],
        callbacks=[WeftCallback(), lightgbm.record_evaluation(kept)],
    )  # fmt: skip
    rows = list(stored().scan_history(["iteration", "val_auc"]))
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["val_auc"] for row in rows] == kept["val"]["auc"]
    found = stored()
    assert found.summary["val_auc"]["best"] == max(kept["val"]["auc"])
    assert found.summary["val_binary_logloss"]["best"] == min(kept["val"]["binary_logloss"])
    assert found.config["objective"] == "binary"
    assert found.config["metric"] == ["auc", "binary_logloss"]


def test_the_round_of_early_stopping_is_recorded_too(run, stored, sets) -> None:
    kept: dict = {}
    stop = lightgbm.early_stopping(3, verbose=False)
    callbacks = [stop, lightgbm.record_evaluation(kept), WeftCallback()]
    params = PARAMS | {"learning_rate": 1.0, "metric": "binary_logloss"}
    booster = lightgbm.train(params, sets[0], 80, valid_sets=[sets[1]], callbacks=callbacks)
    log_summary(booster)
    assert len(list(stored().scan_history(["iteration"]))) == len(kept["valid_0"]["binary_logloss"]) < 80
    assert stored().summary["best_iteration"] == booster.best_iteration
    assert (
        stored().summary["best_score"]["valid_0"]["binary_logloss"] == booster.best_score["valid_0"]["binary_logloss"]
    )


def test_importances_and_the_model_are_kept(run, chart, sets, two_classes, tmp_path) -> None:
    booster = lightgbm.train(PARAMS, sets[0], 4)
    log_summary(booster, save_model_checkpoint=True)
    gains = dict(zip(booster.feature_name(), booster.feature_importance("gain"), strict=True))
    assert dict(chart("feature_importance").rows) == {name: gain for name, gain in gains.items() if gain}
    version = weft.Api().artifact(f"model-{run.id}:latest")
    again = lightgbm.Booster(model_file=str(version.file(tmp_path)))
    assert np.array_equal(again.predict(two_classes[1]), booster.predict(two_classes[1]))


def test_cross_validation_gives_means_and_deviations(run, stored, sets) -> None:
    found = lightgbm.cv(PARAMS, sets[0], 3, nfold=3, callbacks=[WeftCallback()])
    rows = list(stored().scan_history(["valid_auc", "valid_auc-stdv"]))
    assert [row["valid_auc"] for row in rows] == pytest.approx(found["valid auc-mean"])
    assert [row["valid_auc-stdv"] for row in rows] == pytest.approx(found["valid auc-stdv"])


def test_its_scikit_learn_classes_take_it(run, stored, two_classes) -> None:
    train, test, right, held_out = two_classes
    model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    model.fit(train, right, eval_set=[(test, held_out)], callbacks=[WeftCallback(log_params=False)])
    log_summary(model)
    rows = list(stored().scan_history(["valid_0_binary_logloss"]))
    assert [row["valid_0_binary_logloss"] for row in rows] == model.evals_result_["valid_0"]["binary_logloss"]
    assert "objective" not in stored().config


def test_a_disabled_run_records_nothing_and_harms_nothing(home, sets) -> None:
    with weft.init(mode="disabled"):
        booster = lightgbm.train(PARAMS, sets[0], 2, valid_sets=[sets[1]], callbacks=[WeftCallback()])
        log_summary(booster, save_model_checkpoint=True)
    assert booster.current_iteration() == 2
    assert not list(home.glob("journal/*.wj"))


def test_mistakes_are_said_at_once(home, sets) -> None:
    with pytest.raises(weft.Error, match=r"weft\.init"):
        lightgbm.train(PARAMS, sets[0], 2, callbacks=[WeftCallback()])
    with pytest.raises(weft.Error, match="not dict"):
        log_summary({})
