"""Evaluations: datasets, models, scorers, the runner and its statistics. A Run like any other underneath."""
