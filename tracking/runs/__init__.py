"""Runs: how they start and end, what they log, and how they are read back."""
