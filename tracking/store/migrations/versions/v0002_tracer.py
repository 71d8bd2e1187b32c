"""What the complete tracer adds: who said what about a call, and what a cost is made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("span", sa.Column("cost_parts", sa.Text()))
    op.add_column("span", sa.Column("usage_flags", sa.Text()))
    op.add_column("score", sa.Column("kind", sa.Text()))
    op.add_column("score", sa.Column("author", sa.Text()))
    op.create_table(
        "text_state",
        sa.Column("id", _Key, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_text_state"),
    )
    op.create_table(
        "text_queue",
        sa.Column("id", _Key, nullable=False, autoincrement=False),
        sa.Column("words", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_text_queue"),
    )
    op.create_index("ix_span_start_ns", "span", ["start_ns"])
    known = sa.text("thread_id IS NOT NULL")
    op.create_index("ix_span_thread_id", "span", ["thread_id"], sqlite_where=known, postgresql_where=known)
