"""Alembic's migrations of the store, one file a revision under `versions/`."""
