"""Tokens and money: usage, dated prices, bills, estimates, pricing again. `weft.tracer.prices` is their face."""
