"""`wandb.integration.keras`."""

from __future__ import annotations

from typing import NoReturn

from weft.integrations.keras import WeftMetricsLogger as WandbMetricsLogger
from weft.integrations.keras import WeftModelCheckpoint as WandbModelCheckpoint

__all__ = ["WandbMetricsLogger", "WandbModelCheckpoint"]

_INSTEAD = {
    "WandbCallback": "WandbMetricsLogger() and WandbModelCheckpoint(path)",
    "WandbEvalCallback": "a callback of your own that logs a Table",
}


def __getattr__(name: str) -> NoReturn:
    if name in _INSTEAD:
        raise ImportError(f"weft has no {name} for Keras. Use {_INSTEAD[name]} instead")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
