"""Hugging Face's Trainer with WeftCallback, on a BERT of two layers with random weights."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import weft
from weft.integrations.transformers import WeftCallback

ROWS = [{"input_ids": torch.tensor([at % 7, at % 5, at % 3, 9]), "labels": torch.tensor(at % 2)} for at in range(32)]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("LOG_MODEL", "WATCH", "PROJECT"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
        monkeypatch.delenv(f"WEFT_{name}", raising=False)


def tiny() -> BertForSequenceClassification:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=16,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=2,
        max_position_embeddings=8,
    )
    return BertForSequenceClassification(config)


@pytest.fixture
def trainer(tmp_path):
    def make(callback, **options) -> Trainer:
        given = {
            "output_dir": str(tmp_path / "out"),
            "report_to": "none",
            "max_steps": 8,
            "per_device_train_batch_size": 4,
            "logging_steps": 2,
            "eval_strategy": "steps",
            "eval_steps": 4,
            "save_strategy": "steps",
            "save_steps": 4,
            "use_cpu": True,
            "disable_tqdm": True,
            "seed": 0,
        }
        args = TrainingArguments(**given | options)
        return Trainer(tiny(), args, train_dataset=ROWS, eval_dataset=ROWS[:8], callbacks=[callback])

    return make


def test_metrics_config_and_summary_are_there(home, trainer) -> None:
    training = trainer(WeftCallback(project="berts", tags=["tiny"]), run_name="first")
    done = training.train()
    scores = training.evaluate()
    predicted = training.predict(ROWS[:4])
    weft.finish()
    (run,) = weft.Api().runs()
    assert (run.project, run.name, run.state, list(run.tags)) == ("berts", "first", "finished", ["tiny"])
    logged = [(entry["step"], entry["loss"]) for entry in training.state.log_history if "loss" in entry]
    rows = run.scan_history(["train/global_step", "train/loss"])
    assert [(row["train/global_step"], row["train/loss"]) for row in rows] == logged
    assert [row["train/global_step"] for row in run.scan_history(["eval/loss", "train/global_step"])] == [4, 8, 8]
    assert run.summary["eval/loss"] == scores["eval_loss"]
    assert run.summary["test/loss"] == predicted.metrics["test_loss"]
    assert run.summary["train_loss"] == done.training_loss
    assert "train_loss" not in next(iter(run.scan_history()))
    assert run.config["num_hidden_layers"] == 2
    assert run.config["logging_steps"] == 2
    assert run.config["model/num_parameters"] == tiny().num_parameters()


@pytest.mark.parametrize("by", ["argument", "weft", "wandb"])
def test_checkpoints_are_versions_and_the_best_is_called_so(home, trainer, tmp_path, monkeypatch, by) -> None:
    if by != "argument":
        monkeypatch.setenv(f"{by.upper()}_LOG_MODEL", "checkpoint")
    callback = WeftCallback(log_model="checkpoint" if by == "argument" else None)
    training = trainer(callback, load_best_model_at_end=True, metric_for_best_model="loss")
    training.train()
    api = weft.Api()
    (run,) = api.runs()
    assert run.project == "huggingface"
    name = f"model-{run.id}"
    best = api.artifact(f"{name}:best")
    step = training.state.best_model_checkpoint.rpartition("-")[2]
    assert f"checkpoint_global_step_{step}" in best.aliases
    assert best.metadata["global_step"] == int(step)
    assert api.artifact(f"{name}:checkpoint_global_step_4").version == "v0"
    again = BertForSequenceClassification.from_pretrained(best.download(tmp_path / "down"))
    assert torch.equal(again.classifier.weight, training.model.classifier.weight)


def test_the_last_model_is_kept_at_the_end(home, trainer, tmp_path) -> None:
    training = trainer(WeftCallback(log_model="end"))
    training.train()
    api = weft.Api()
    (run,) = api.runs()
    found = api.artifact(f"model-{run.id}:final_model")
    again = BertForSequenceClassification.from_pretrained(found.download(tmp_path / "down"))
    assert torch.equal(again.classifier.weight, training.model.classifier.weight)
    assert found.metadata["global_step"] == 8
    assert len(api.artifacts()) == 1


def test_gradients_are_watched(home, trainer, monkeypatch) -> None:
    monkeypatch.setenv("WEFT_WATCH", "gradients")
    trainer(WeftCallback(), max_steps=101, save_strategy="no", eval_strategy="no").train()
    (run,) = weft.Api().runs()
    assert len(list(run.scan_history(["gradients/classifier.weight"]))) == 1


def test_the_active_run_is_used_and_its_config_may_change(home, trainer) -> None:
    with weft.init("mine", config={"logging_steps": 500}) as run:
        trainer(WeftCallback()).train()
        assert run.config["logging_steps"] == 2
    (found,) = weft.Api().runs()
    assert (found.id, found.project) == (run.id, "mine")
    assert "train/loss" in found.summary


def test_training_is_the_same_with_and_without(home, trainer) -> None:
    with_it = trainer(WeftCallback(log_model="end", watch="all"))
    with_it.train()
    without = Trainer(tiny(), with_it.args, train_dataset=ROWS, eval_dataset=ROWS[:8])
    without.train()
    pairs = zip(with_it.model.parameters(), without.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_disabled_run_records_nothing_and_harms_nothing(home, trainer) -> None:
    trainer(WeftCallback(log_model="checkpoint", watch="all", mode="disabled")).train()
    assert not list(home.glob("journal/*.wj"))


def test_a_model_that_cannot_be_written_is_counted_and_the_training_ends_well(home, trainer, monkeypatch) -> None:
    training = trainer(WeftCallback(log_model="end"), save_strategy="no")
    run = weft.init("mine")
    run.runtime.faults.strict = False

    def full(*given, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BertForSequenceClassification, "save_pretrained", full)
    training.train()
    assert run.runtime.faults.counts["keep a model"] == 1


def test_mistakes_are_said_at_once(home, monkeypatch) -> None:
    with pytest.raises(weft.Error, match="log_model"):
        WeftCallback(log_model="best")
    monkeypatch.setenv("WEFT_WATCH", "weights")
    with pytest.raises(weft.Error, match="WEFT_WATCH"):
        WeftCallback()
