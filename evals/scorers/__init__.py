"""Scorers that come with weft: each function makes one. They are quick, pure and need nothing installed."""

from weft.evals.scorers.budget import cost, latency
from weft.evals.scorers.numbers import close_to
from weft.evals.scorers.text import contains, exact_match, json_valid, regex

__all__ = ["close_to", "contains", "cost", "exact_match", "json_valid", "latency", "regex"]
