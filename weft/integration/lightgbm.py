"""`wandb.integration.lightgbm`."""

from weft.integrations.lightgbm import WeftCallback as wandb_callback  # noqa: N813 - wandb's is a function
from weft.integrations.lightgbm import log_summary

__all__ = ["log_summary", "wandb_callback"]
