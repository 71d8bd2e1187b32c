"""wandb's names of these libraries' callbacks, as scripts import them."""

from __future__ import annotations

import xgboost

import weft as wandb
from weft.integration.lightgbm import log_summary, wandb_callback
from weft.integration.xgboost import WandbCallback
from weft.integrations import lightgbm as ours


def test_scripts_find_them_under_wandbs_names(run, stored, two_classes) -> None:
    rows, _, y, _ = two_classes
    data = xgboost.DMatrix(rows, y)
    xgboost.train({"max_depth": 2}, data, 3, evals=[(data, "train")], callbacks=[WandbCallback()], verbose_eval=False)
    assert [row["epoch"] for row in stored().scan_history(["train-rmse", "epoch"])] == [0, 1, 2]
    assert (wandb_callback, log_summary) == (ours.WeftCallback, ours.log_summary)
    assert wandb.integration.xgboost.WandbCallback is WandbCallback
    wandb.sklearn.plot_class_proportions(y, y)
    assert list(stored().scan_history(["class_proportions"]))
