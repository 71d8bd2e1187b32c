"""Artifacts: versions, aliases, lineage."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

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
    Column("tags", Text),
    Column("ttl_s", Int),
    Column("file_count", Int),
    Column("updated_ns", Int),
    Index("ix_artifact_version_artifact_key_digest", "artifact_key", "digest", unique=True),
    Index("ix_artifact_version_artifact_key_number", "artifact_key", "number", unique=True),
    Index("ix_artifact_version_created_ns", "created_ns"),
    Index("ix_artifact_version_digest", "digest"),
)
"""`number` is given in order of ingest and never again; `logged_*` is the last time that this content was logged.

`manifest` is the JSON object, or of a long one the list of its parts' digests. Description, metadata, tags and ttl are
what `artifact_edit` says. Written by 0.1.0 a row has no file count.
"""

manifest_part = Table(
    "manifest_part",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("digest", Text, nullable=False),
    Column("entries", LargeBinary, nullable=False),
    PrimaryKeyConstraint("artifact_key", "digest"),
)
"""Some of the files of long manifests, compressed JSON: versions of one artifact share what they have in common."""

artifact_edit = Table(
    "artifact_edit",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("digest", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    PrimaryKeyConstraint("artifact_key", "digest", "field"),
)
"""What was last said of a version, by logging it or afterwards, field by field (JSON)."""

artifact_gone = Table(
    "artifact_gone",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("number", Int, nullable=False),
    Column("digest", Text, nullable=False),
    PrimaryKeyConstraint("artifact_key", "number"),
)
"""Numbers of versions that were deleted."""

artifact_drop = Table(
    "artifact_drop",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("alias", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    PrimaryKeyConstraint("artifact_key", "alias", "digest"),
)
"""When an alias was last taken from a version."""

artifact_alias = Table(
    "artifact_alias",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("alias", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    Column("dropped", Int, nullable=False, server_default="0"),
    PrimaryKeyConstraint("artifact_key", "alias"),
)
"""Where an alias points, and who last moved it; `dropped`: it was taken away since, and points at nothing. `latest` is
not kept: it is what was logged last."""

artifact_link = Table(
    "artifact_link",
    metadata,
    Column("artifact_key", Int, nullable=False),
    Column("digest", Text, nullable=False),
    Column("run_key", Int, nullable=False),
    Column("role", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("used_as", Text),
    PrimaryKeyConstraint("artifact_key", "digest", "run_key", "role"),
    Index("ix_artifact_link_run_key", "run_key"),
)
"""Lineage: this run `made` or `used` this content, last at `at_ns`."""

registry_event = Table(
    "registry_event",
    metadata,
    Column("uid", LargeBinary, primary_key=True),
    Column("collection", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    Column("author", Text, nullable=False),
    Column("project", Text),
    Column("name", Text),
    Column("digest", Text),
    Column("aliases", Text, nullable=False),
    Column("details", Text),
    Column("number", Int),
    Column("problem", Text),
    Index("ix_registry_event_collection_at_ns", "collection", "at_ns"),
)
"""All that was ever done in the registry; nothing is taken from it. What the other registry tables hold is made of
these.

`number` and `problem` are what came of an event, worked out with the collection.
"""

registry_collection = Table(
    "registry_collection",
    metadata,
    key(),
    Column("path", Text, nullable=False),
    Column("registry", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("live", Int, nullable=False),
    Column("type", Text, nullable=False),
    Column("description", Text),
    Column("tags", Text, nullable=False),
    Column("protected", Text, nullable=False),
    Column("required", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_ns", Int, nullable=False),
    Column("updated_ns", Int, nullable=False),
    Column("next_number", Int, nullable=False),
    Column("last_ns", Int, nullable=False),
    Index("ix_registry_collection_path", "path", unique=True),
)
"""Collections; `live` is 0 of those that were deleted, `last_ns` the time of the last event."""

registry_link = Table(
    "registry_link",
    metadata,
    Column("collection_key", Int, nullable=False),
    Column("number", Int, nullable=False),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("author", Text, nullable=False),
    PrimaryKeyConstraint("collection_key", "number"),
    Index("ix_registry_link_digest", "digest"),
)
"""Versions that are linked now."""

registry_alias = Table(
    "registry_alias",
    metadata,
    Column("collection_key", Int, nullable=False),
    Column("alias", Text, nullable=False),
    Column("number", Int, nullable=False),
    PrimaryKeyConstraint("collection_key", "alias"),
)
"""Where aliases point, `latest` among them."""
