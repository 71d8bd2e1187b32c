"""Tracers side by side: the same workloads, each tracer in an environment of its own. For `benchmarks/tracing.py`."""
