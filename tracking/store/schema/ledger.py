"""What is of the store itself: its version, its projects, how far each segment was applied, what was removed."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from weft.tracking.store.schema.base import Int, key, metadata

meta = Table(
    "meta",
    metadata,
    key(),
    Column("version", Int, nullable=False),
    Column("traces", Int, nullable=False),
    Column("spans", Int, nullable=False),
)
"""One row. `version` grows with every commit of a sink: what has been read is stale once it differs.

`traces` and `spans` are how many there are, so that nobody has to count.
"""

project = Table(
    "project",
    metadata,
    key(),
    Column("name", Text, nullable=False),
    Index("ix_project_name", "name", unique=True),
)

segment = Table(
    "segment",
    metadata,
    key(),
    Column("home", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("position", Int, nullable=False),
    Column("writer", LargeBinary, nullable=False),
    Column("opened", Text),
    Column("closed", Text),
    Index("ix_segment_home_name", "home", "name", unique=True),
)
"""How far each journal segment has been applied (`position`), and what its first and last records said (JSON)."""

writer = Table(
    "writer",
    metadata,
    Column("writer", LargeBinary, primary_key=True),
)
"""Writers that are dead: what they began and never ended is interrupted, whenever its records arrive."""

tombstone = Table(
    "tombstone",
    metadata,
    Column("target", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("project", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    PrimaryKeyConstraint("target", "key", "project"),
)
"""What was removed and stays so. `project` matters for artifacts only: the other keys are unique everywhere."""
