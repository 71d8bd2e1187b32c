"""PyTorch Lightning's Trainer with WeftLogger: what it logs is there, whatever its processes do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

import weft
from weft.integrations.lightning import WeftLogger


class Line(lightning.LightningModule):
    """Learns y = 3 x."""

    def __init__(self, lr: float = 0.1, fails: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch, at):
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, at):
        self.log("val/loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def on_train_epoch_end(self) -> None:
        if self.hparams.fails and self.current_epoch == 1:
            raise ArithmeticError("not today")

    def test_step(self, batch, at):
        self.log("test/loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

    def train_dataloader(self):
        x = torch.linspace(0, 1, 32)[:, None]
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 3 * x), batch_size=8)

    val_dataloader = test_dataloader = train_dataloader


@pytest.fixture
def trainer(tmp_path):
    def make(logger, **options):
        torch.manual_seed(0)
        given = {
            "max_epochs": 3,
            "accelerator": "cpu",
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": tmp_path,
        }
        return lightning.Trainer(logger=logger, **given | options)

    return make


def test_metrics_and_hyperparameters_are_there(home, trainer, tmp_path) -> None:
    logger = WeftLogger(name="line", save_dir=tmp_path, project="lines", tags=["first"])
    fitted = trainer(logger)
    fitted.fit(Line(lr=0.2))
    fitted.test(Line(lr=0.2), verbose=False)
    assert logger.experiment.state == "running"
    weft.finish()
    (run,) = weft.Api().runs()
    assert (run.project, run.name, run.state, list(run.tags)) == ("lines", "line", "finished", ["first"])
    assert run.config == {"lr": 0.2, "fails": False}
    steps = [row["trainer/global_step"] for row in run.scan_history(["train/loss", "trainer/global_step"])]
    assert steps == list(range(12))
    assert len(list(run.scan_history(["val/loss"]))) == 3
    assert run.summary["test/loss"] > 0
    assert (logger.name, logger.version) == ("lines", run.id)
    assert (tmp_path / "lines" / run.id / "checkpoints").is_dir()


@pytest.mark.parametrize("log_model", [True, "all"])
def test_checkpoints_are_versions_and_the_best_is_called_so(home, trainer, tmp_path, log_model) -> None:
    keep = ModelCheckpoint(tmp_path / "kept", monitor="val/loss", save_top_k=2, save_last=True)
    logger = WeftLogger(save_dir=tmp_path, project="lines", log_model=log_model)
    trainer(logger, callbacks=[keep]).fit(Line())
    best = weft.Api().artifact(f"model-{logger.version}:best")
    assert best.metadata["score"] == pytest.approx(float(keep.best_model_score))
    # last.ckpt of the best epoch has the same content, and so is the same version
    assert best.metadata["original_filename"] in (Path(keep.best_model_path).name, "last.ckpt")
    assert best.metadata["ModelCheckpoint"]["monitor"] == "val/loss"
    assert best.logged_by().id == logger.version
    again = Line.load_from_checkpoint(best.file(tmp_path / "down"), weights_only=False)
    kept = torch.load(keep.best_model_path, weights_only=False)["state_dict"]["layer.weight"]
    assert torch.equal(again.layer.weight, kept)
    assert len(weft.Api().artifacts()) >= (2 if log_model is True else 3)


def test_a_training_that_fails_leaves_its_checkpoints(home, trainer, tmp_path) -> None:
    logger = WeftLogger(save_dir=tmp_path, project="lines", log_model=True)
    with pytest.raises(ArithmeticError):
        trainer(logger).fit(Line(fails=True))
    assert weft.Api().artifact(f"model-{logger.version}").type == "model"


def test_gradients_are_watched(home, trainer, tmp_path) -> None:
    logger = WeftLogger(save_dir=tmp_path, project="lines")
    model = Line()
    logger.watch(model, log="all", log_freq=4)
    trainer(logger).fit(model)
    rows = list(weft.Api().run(f"lines/{logger.version}").scan_history(["gradients/layer.weight"]))
    assert len(rows) == 3


def test_the_active_run_is_used(home, trainer, tmp_path) -> None:
    with weft.init("mine", config={"lr": 5}) as run:
        trainer(WeftLogger(save_dir=tmp_path, project="other")).fit(Line())
        assert run.config["lr"] == 0.1  # what Lightning says of it; no ConfigError
    (found,) = weft.Api().runs()
    assert (found.project, found.id) == ("mine", run.id)
    assert "train/loss" in found.summary


def test_an_id_goes_on_with_its_run(home, trainer, tmp_path) -> None:
    for _ in range(2):
        trainer(WeftLogger(save_dir=tmp_path, project="lines", version="again"), max_epochs=1).fit(Line())
        weft.finish()
    (run,) = weft.Api().runs()
    assert run.id == "again"
    assert len(list(run.scan_history(["train/loss"]))) == 8


def test_media_tables_and_prefixes(home, tmp_path) -> None:
    logger = WeftLogger(save_dir=tmp_path, project="lines", prefix="big")
    pixels = np.zeros((8, 8))
    logger.log_image("samples", [pixels, pixels + 1], step=3, caption=["dark", "light"])
    logger.log_text("words", columns=["said"], data=[["hello"]])
    logger.log_audio("tone", [np.zeros(100)], sample_rate=[8000])
    logger.log_metrics({"loss": 1.0}, step=4)
    api = weft.Api()
    assert [found.medium.caption for found in api.media(f"lines/{logger.version}", "big-samples")] == ["dark", "light"]
    run = api.run(f"lines/{logger.version}")
    assert list(run.table("big-words").rows) == [["hello"]]
    assert run.summary["big-loss"] == 1.0
    assert run.summary["trainer/global_step"] == 4
    with pytest.raises(ValueError, match="2 images and 1 values of caption"):
        logger.log_image("samples", [pixels, pixels], caption=["one"])
    with pytest.raises(TypeError, match="must be a list"):
        logger.log_image("samples", pixels)


def test_artifacts_go_in_and_out(home, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.txt").write_text("1")
    with weft.init("lines") as run:
        run.log_artifact(tmp_path / "data.txt", name="data", type="dataset").wait()
    logger = WeftLogger(project="lines")
    assert (Path(logger.use_artifact("data:latest").download()) / "data.txt").read_text() == "1"
    assert (Path(WeftLogger.download_artifact("data:v0", tmp_path / "down")) / "data.txt").read_text() == "1"
    assert {used.id for used in weft.Api().artifact("lines/data").used_by()} == {logger.version}


def test_a_disabled_run_records_nothing_and_harms_nothing(home, trainer, tmp_path) -> None:
    logger = WeftLogger(save_dir=tmp_path, log_model="all", mode="disabled")
    logger.watch(Line())
    trainer(logger).fit(Line())
    assert not list(home.glob("journal/*.wj"))


def test_mistakes_are_said_at_once(home) -> None:
    with pytest.raises(weft.Error, match="log_model"):
        WeftLogger(log_model="best")


SCRIPT = """
import sys, lightning, torch
sys.path.insert(0, {folder!r})
from test_lightning import Line
from weft.integrations.lightning import WeftLogger
if __name__ == "__main__":
    logger = WeftLogger(save_dir={place!r}, project="ranks", log_model="all")
    trainer = lightning.Trainer(
        logger=logger, max_epochs=1, accelerator="cpu", devices=2, strategy={strategy!r}, log_every_n_steps=1,
        enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(Line())
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn"])
def test_two_ranks_are_one_run(tmp_path, strategy) -> None:
    script = tmp_path / "ranks.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent), place=str(tmp_path), strategy=strategy))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = weft.Api().runs()
    assert (run.state, run.project) == ("finished", "ranks")
    assert [row["trainer/global_step"] for row in run.scan_history(["train/loss", "trainer/global_step"])] == [0, 1]
    assert weft.Api().artifact(f"model-{run.id}").type == "model"


def test_the_package_by_its_older_name_serves_as_well(tmp_path) -> None:
    code = (
        "import pytorch_lightning as pl\n"
        "from weft.integrations.lightning import WeftLogger\n"
        "from pytorch_lightning.loggers import Logger\n"
        "assert issubclass(WeftLogger, Logger)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
