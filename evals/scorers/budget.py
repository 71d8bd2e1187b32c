"""Scorers of what an answer took: seconds and dollars, as numbers or against a limit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from weft.evals.scorer import Score
from weft.evals.scorers.making import made, maker


@maker
def latency(below_s: float | None = None, *, name: str = "latency") -> Callable[..., Any]:
    """Seconds that the model's call took; with `below_s`, whether they were fewer."""

    def score(latency_s: float) -> Score:
        if below_s is None:
            return Score(latency_s)
        return Score(latency_s < below_s, reason=f"{latency_s:.3g} s")

    return made(score, name, {"below_s": below_s})


@maker
def cost(below_usd: float | None = None, *, name: str = "cost") -> Callable[..., Any]:
    """US dollars that the model's call cost; with `below_usd`, whether fewer. Unscored where no price is known."""

    def score(cost_usd: Decimal | None) -> Score:
        if cost_usd is None:
            return Score(reason="the cost is not known: no model call in this case has usage and a price")
        if below_usd is None:
            return Score(float(cost_usd))
        return Score(cost_usd < Decimal(str(below_usd)), reason=f"${cost_usd}")

    return made(score, name, {"below_usd": below_usd})
