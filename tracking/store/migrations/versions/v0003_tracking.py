"""What complete tracking adds: what runs record by themselves, what metrics mean, chunks of points, the registry."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing yet."""
