"""`wandb.integration.xgboost`."""

from weft.integrations.xgboost import WeftCallback as WandbCallback

__all__ = ["WandbCallback", "wandb_callback"]

wandb_callback = WandbCallback
