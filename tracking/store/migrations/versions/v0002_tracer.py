"""What the complete tracer adds: who said what about a call, and what a cost is made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("span", sa.Column("cost_parts", sa.Text()))
    op.add_column("score", sa.Column("kind", sa.Text()))
    op.add_column("score", sa.Column("author", sa.Text()))
