"""Artifacts: versions, aliases, lineage."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from weft.tracking.store.schema.base import Int, key, metadata

artifact = Table(
    "artifact",
    metadata,
    key(),
    Column("project_key", Int, nullable=False),
    Column("name", Text, nullable=False),
    Column("next_number", Int, nullable=False),
    Index("ix_artifact_project_key_name", "project_key", "name", unique=True),
)

artifact_version = Table(
    "artifact_version",
    metadata,
    key(),
    Column("artifact_key", Int, nullable=False),
    Column("digest", Text, nullable=False),
    Column("number", Int, nullable=False),
    Column("type", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("size_bytes", Int, nullable=False),
    Column("created_ns", Int, nullable=False),
    Column("logged_ns", Int, nullable=False),
    Column("logged_segment", Text, nullable=False),
    Column("logged_seq", Int, nullable=False),
    Column("description", Text),
    Column("metadata", Text),
    Index("ix_artifact_version_artifact_key_digest", "artifact_key", "digest", unique=True),
    Index("ix_artifact_version_artifact_key_number", "artifact_key", "number", unique=True),
    Index("ix_artifact_version_created_ns", "created_ns"),
    Index("ix_artifact_version_digest", "digest"),
)
"""`number` is given in order of ingest and never again; `logged_*` is the last time that this content was logged."""

artifact_alias = Table(
    "artifact_alias",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("alias", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    PrimaryKeyConstraint("artifact_key", "alias"),
)
"""Where an alias points, and who last moved it. `latest` is not kept: it is what was logged last."""

artifact_link = Table(
    "artifact_link",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("digest", Text, nullable=False),
    Column("run_key", Int, nullable=False),
    Column("role", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    PrimaryKeyConstraint("artifact_key", "digest", "run_key", "role"),
    Index("ix_artifact_link_run_key", "run_key"),
)
"""Lineage: this run `made` or `used` this content, first at `at_ns`."""
