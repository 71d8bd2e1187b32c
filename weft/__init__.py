"""weft: one thread through an LLM app, its evaluations and its training runs."""

__version__ = "0.1.0"
