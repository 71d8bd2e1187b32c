"""Libraries that import wandb themselves record with weft after `weft.as_wandb()`: their own classes, unchanged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import weft

BEGIN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import weft
weft.as_wandb()
"""
LIGHTNING = """
import lightning, numpy, torch
from lightning.pytorch.loggers import WandbLogger
from test_lightning import Line
logger = WandbLogger(project="theirs", id="one", log_model=True, save_dir="files", config={"seed": 3})
trainer = lightning.Trainer(max_epochs=2, logger=logger, accelerator="cpu", log_every_n_steps=1,
    enable_progress_bar=False, enable_model_summary=False)
model = Line()
logger.watch(model, log_freq=1)
trainer.fit(model)
logger.log_image("pictures", [numpy.eye(4)], caption=["one"])
logger.log_table("told", columns=["a"], data=[[1]])
"""
TRAINER = """
import os
os.environ["WANDB_LOG_MODEL"] = "checkpoint"
from transformers import Trainer, TrainingArguments
from test_transformers import ROWS, tiny
args = TrainingArguments("out", report_to=["wandb"], run_name="first", max_steps=4, logging_steps=2, save_steps=4,
    per_device_train_batch_size=4, use_cpu=True, disable_tqdm=True)
Trainer(tiny(), args, train_dataset=ROWS).train()
"""
ACCELERATE = """
from accelerate import Accelerator
accelerator = Accelerator(log_with="wandb", cpu=True)
accelerator.init_trackers("theirs", config={"lr": 0.1})
for step in range(3):
    accelerator.log({"loss": 1 / (step + 1)}, step=step)
accelerator.end_training()
"""


def _recorded(code: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = weft.Api().runs()
    assert run.state == "finished"
    return run


@pytest.mark.timeout(180)
def test_lightnings_wandb_logger(tmp_path) -> None:
    run = _recorded(LIGHTNING, tmp_path)
    assert (run.project, run.id, run.config["seed"], run.config["lr"]) == ("theirs", "one", 3, 0.1)
    rows = list(run.scan_history(["train/loss", "trainer/global_step"]))
    assert [row["trainer/global_step"] for row in rows] == list(range(8))
    assert list(run.scan_history(["gradients/layer.weight"]))
    assert run.summary["told"]["n_rows"] == 1
    assert weft.Api().artifact("theirs/model-one:best").logged_by().id == "one"


@pytest.mark.timeout(180)
def test_the_trainers_report_to_wandb(tmp_path) -> None:
    run = _recorded(TRAINER, tmp_path)
    assert (run.project, run.name, run.config["num_hidden_layers"]) == ("huggingface", "first", 2)
    assert [row["train/global_step"] for row in run.scan_history(["train/loss", "train/global_step"])] == [2, 4]
    assert {alias for each in run.logged_artifacts() for alias in each.aliases} >= {"latest", "final_model"}


@pytest.mark.timeout(180)
def test_accelerates_log_with_wandb(tmp_path) -> None:
    run = _recorded(ACCELERATE, tmp_path)
    assert (run.project, run.config["lr"]) == ("theirs", 0.1)
    assert [row["_step"] for row in run.scan_history(["loss"])] == [0, 1, 2]


def test_kerass_classes_by_wandbs_names(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    run = _recorded(
        """
import keras, numpy
import weft as wandb
from weft.integration.keras import WandbMetricsLogger, WandbModelCheckpoint
from wandb.integration.keras import WandbMetricsLogger as Theirs
assert Theirs is WandbMetricsLogger
try:
    from weft.integration.keras import WandbCallback
except ImportError as error:
    assert "WandbMetricsLogger() and WandbModelCheckpoint" in str(error)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile(loss="mse")
x = numpy.ones((8, 1))
with wandb.init(project="keras"):
    model.fit(x, x, epochs=2, verbose=0, callbacks=[WandbMetricsLogger(), WandbModelCheckpoint("models")])
""",
        tmp_path,
    )
    assert [row["epoch/epoch"] for row in run.scan_history(["epoch/epoch", "epoch/loss"])] == [0, 1]


def test_a_library_whose_backend_is_missing_says_so_itself(tmp_path) -> None:
    code = "import os; os.environ['KERAS_BACKEND'] = 'tensorflow'\nimport weft.integrations.keras"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "pip install keras" not in done.stderr
    assert "No module named 'tensorflow'" in done.stderr
