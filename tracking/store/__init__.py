"""Rows: the schema and its migrations, the sink that fills it, the readers that answer from it."""
