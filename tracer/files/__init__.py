"""Spans from files and into them: JSON lines, Parquet; OTLP is `weft.tracer.otlp`'s."""
