"""Keras 3 on PyTorch: epochs, batches and files of `fit`."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when keras is imported

import keras
import numpy as np
import pytest

import weft
from weft.integrations.keras import WeftMetricsLogger, WeftModelCheckpoint

X = np.linspace(0, 1, 32, dtype="float32")[:, None]
DATA = {"x": X, "y": 3 * X, "batch_size": 8, "verbose": 0, "shuffle": False}


@pytest.fixture
def run(home):
    with weft.init("keras") as running:
        yield running


@pytest.fixture
def stored(run):
    return lambda: weft.Api().run(run.path)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    made.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return made


def test_every_epoch_is_a_row_with_the_numbers_that_keras_has(run, stored, model) -> None:
    fitted = model.fit(**DATA, epochs=3, validation_split=0.25, callbacks=[WeftMetricsLogger()])
    rows = list(stored().scan_history())
    assert [row["epoch/epoch"] for row in rows] == [0, 1, 2]
    for name in ("loss", "mae", "val_loss", "val_mae"):
        assert [row[f"epoch/{name}"] for row in rows] == pytest.approx(fitted.history[name])
    assert rows[0]["epoch/learning_rate"] == pytest.approx(0.1)
    assert not any(key.startswith("batch/") for row in rows for key in row)


@pytest.mark.parametrize(("log_freq", "steps"), [("batch", [0, 1, 2, 3, 4, 5, 6, 7]), (2, [0, 2, 4, 6])])
def test_batches_are_logged_as_often_as_asked(run, stored, model, log_freq, steps) -> None:
    model.fit(**DATA, epochs=2, callbacks=[WeftMetricsLogger(log_freq)])
    rows = list(stored().scan_history(["batch/loss", "batch/batch_step", "batch/learning_rate"]))
    assert [row["batch/batch_step"] for row in rows] == steps
    assert len(list(stored().scan_history(["epoch/loss"]))) == 2


def test_batches_go_on_from_an_earlier_fit(run, stored, model) -> None:
    model.fit(**DATA, epochs=1, callbacks=[WeftMetricsLogger("batch", initial_global_step=100)])
    rows = stored().scan_history(["batch/batch_step"])
    assert [row["batch/batch_step"] for row in rows] == [100, 101, 102, 103]


def test_a_schedule_of_the_learning_rate_is_seen(run, stored, model) -> None:
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / 2**epoch)
    model.fit(**DATA, epochs=3, callbacks=[halve, WeftMetricsLogger()])
    rows = stored().scan_history(["epoch/learning_rate"])
    assert [row["epoch/learning_rate"] for row in rows] == pytest.approx([0.1, 0.05, 0.025])


def test_each_epochs_file_is_a_version(run, model, tmp_path) -> None:
    model.fit(**DATA, epochs=3, callbacks=[WeftModelCheckpoint(tmp_path / "model")])
    api = weft.Api()
    versions = [api.artifact(f"run_{run.id}_model:epoch_{epoch}") for epoch in range(3)]
    assert [version.metadata["epoch"] for version in versions] == [0, 1, 2]
    again = keras.models.load_model(versions[-1].file(tmp_path / "down"))
    assert np.array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_only_the_best_are_kept_where_asked(run, model, tmp_path) -> None:
    rates = keras.callbacks.LearningRateScheduler(lambda epoch, rate: [0.1, 0.1, 5.0, 0.0][epoch])  # the third is worse
    keep = WeftModelCheckpoint(tmp_path / "{epoch}", monitor="loss", save_best_only=True)
    fitted = model.fit(**DATA, epochs=4, callbacks=[rates, keep])
    api = weft.Api()
    best = api.artifact(f"run_{run.id}_model:best")
    assert best.metadata["loss"] == pytest.approx(min(fitted.history["loss"]))
    assert f"epoch_{int(np.argmin(fitted.history['loss']))}" in best.aliases
    assert not api.artifact_exists(f"run_{run.id}_model:epoch_2")


def test_weights_alone_by_batches(run, model, tmp_path) -> None:
    keep = WeftModelCheckpoint(tmp_path / "at-{epoch}-{batch}", save_weights_only=True, save_freq=3)
    model.fit(**DATA, epochs=2, callbacks=[keep])
    files = list(tmp_path.glob("at-*.weights.h5"))
    versions = [weft.Api().artifact(f"run_{run.id}_model:v{at}") for at in range(len(files))]
    assert len(files) >= 2
    assert {name for version in versions for name in version.manifest.entries} == {path.name for path in files}


def test_training_is_the_same_with_and_without(run, model, tmp_path) -> None:
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    model.fit(**DATA, epochs=2, callbacks=[WeftMetricsLogger("batch"), WeftModelCheckpoint(tmp_path / "m")])
    twin.fit(**DATA, epochs=2)
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), twin.get_weights(), strict=True))


def test_a_disabled_run_records_nothing_and_harms_nothing(home, model, tmp_path) -> None:
    with weft.init(mode="disabled"):
        model.fit(**DATA, epochs=1, callbacks=[WeftMetricsLogger("batch"), WeftModelCheckpoint(tmp_path / "m")])
    assert not list(home.glob("journal/*.wj"))
    assert (tmp_path / "m.keras").exists()


def test_mistakes_are_said_at_once(home, model, tmp_path) -> None:
    for wrong in ("step", 0, True, 1.5):
        with pytest.raises(weft.Error, match="log_freq"):
            WeftMetricsLogger(wrong)
    for callback in (WeftMetricsLogger(), WeftModelCheckpoint(tmp_path / "m")):
        with pytest.raises(weft.Error, match=r"weft\.init"):
            model.fit(**DATA, epochs=1, callbacks=[callback])
