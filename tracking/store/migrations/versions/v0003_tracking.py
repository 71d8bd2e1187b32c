"""What complete tracking adds: what runs record by themselves, what metrics mean, chunks of points, the registry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _metrics()
    _artifacts()
    _registry()
    op.add_column("run", sa.Column("heard_ns", sa.BigInteger()))
    op.add_column("run", sa.Column("sessions", sa.Text()))
    op.add_column("run", sa.Column("forked_uid", sa.LargeBinary()))
    op.add_column("run", sa.Column("forked_step", sa.BigInteger()))
    op.create_table(
        "run_file",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_key", "path", name="pk_run_file"),
    )
    op.create_table(
        "console_line",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.LargeBinary(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("began_ns", sa.BigInteger(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("styled", sa.Text()),
        sa.PrimaryKeyConstraint("run_key", "writer", "stream", "number", name="pk_console_line"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_console_line_run_key_began_ns", "console_line", ["run_key", "began_ns"])
    op.create_table(
        "alert",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("segment_key", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_key", "segment_key", "seq", name="pk_alert"),
    )


def _metrics() -> None:
    """Streams, aggregates, definitions, rewinds, chunks, and values of summaries. `store` fills in what is known."""
    op.add_column("metric_key", sa.Column("stream", sa.Text(), nullable=False, server_default=""))
    for name in ("nonfinite", "counted", "finite"):
        op.add_column("metric_key", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("metric_key", sa.Column("stale", sa.Boolean(), nullable=False, server_default=sa.true()))
    for name in ("least", "greatest", "first"):
        op.add_column("metric_key", sa.Column(name, sa.Float(53)))
    op.add_column("metric_key", sa.Column("total", sa.Text()))
    op.add_column("metric_key", sa.Column("rich", sa.Text()))
    op.add_column("metric_key", sa.Column("first_step", sa.BigInteger()))
    op.add_column("metric_key", sa.Column("first_at_ns", sa.BigInteger()))
    op.add_column("metric_key", sa.Column("first_segment", sa.Text()))
    op.add_column("metric_key", sa.Column("first_seq", sa.BigInteger()))
    op.add_column("metric_key", sa.Column("first_on_time", sa.Boolean()))
    op.add_column("metric_key", sa.Column("last_on_time", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("metric_key", sa.Column("newest_ns", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("metric_key", sa.Column("unsealed", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("metric_key", sa.Column("whole", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_metric_key_run_key_key", "metric_key")
    op.create_index("ix_metric_key_run_key_stream_key", "metric_key", ["run_key", "stream", "key"], unique=True)
    op.create_table(
        "metric_chunk",
        sa.Column("id", _Key, nullable=False, autoincrement=False),
        sa.Column("metric_key", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("first_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_metric_chunk"),
    )
    op.create_index("ix_metric_chunk_metric_key", "metric_chunk", ["metric_key"])
    op.create_table(
        "metric_definition",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text()),
        sa.Column("step_metric", sa.Text()),
        sa.Column("step_sync", sa.Boolean(), nullable=False),
        sa.Column("goal", sa.Text()),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_key", "name", name="pk_metric_definition"),
    )
    op.create_table(
        "run_rewind",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_key", "at_ns", "segment", "seq", name="pk_run_rewind"),
    )
    op.create_table(
        "summary_value",
        sa.Column("run_key", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Float(53)),
        sa.Column("text", sa.Text()),
        sa.PrimaryKeyConstraint("run_key", "name", name="pk_summary_value"),
    )
    op.create_index("ix_summary_value_name_number", "summary_value", ["name", "number"])


def _artifacts() -> None:
    """Tags and lifetimes of versions, edits, aliases that were taken away, deleted numbers, manifests in parts."""
    op.add_column("artifact_version", sa.Column("tags", sa.Text()))
    op.add_column("artifact_version", sa.Column("ttl_s", sa.BigInteger()))
    op.add_column("artifact_version", sa.Column("file_count", sa.BigInteger()))
    op.add_column("artifact_version", sa.Column("updated_ns", sa.BigInteger()))
    op.add_column("artifact_alias", sa.Column("dropped", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("artifact_link", sa.Column("used_as", sa.Text()))
    op.create_table(
        "manifest_part",
        sa.Column("artifact_key", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("artifact_key", "digest", name="pk_manifest_part"),
    )
    op.create_table(
        "artifact_edit",
        sa.Column("artifact_key", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("artifact_key", "digest", "field", name="pk_artifact_edit"),
    )
    for field in ("description", "metadata"):
        op.execute(
            "INSERT INTO artifact_edit (artifact_key, digest, field, value, at_ns, segment, seq) "
            f"SELECT artifact_key, digest, '{field}', {field}, logged_ns, logged_segment, logged_seq "
            f"FROM artifact_version WHERE {field} IS NOT NULL"
        )
    op.create_table(
        "artifact_gone",
        sa.Column("artifact_key", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("artifact_key", "number", name="pk_artifact_gone"),
    )
    op.create_table(
        "artifact_drop",
        sa.Column("artifact_key", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("artifact_key", "alias", "digest", name="pk_artifact_drop"),
    )


def _registry() -> None:
    """All that was done in the registry, and what its collections are."""
    op.create_table(
        "registry_event",
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("project", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("digest", sa.Text()),
        sa.Column("aliases", sa.Text(), nullable=False),
        sa.Column("details", sa.Text()),
        sa.Column("number", sa.BigInteger()),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("uid", name="pk_registry_event"),
    )
    op.create_index("ix_registry_event_collection_at_ns", "registry_event", ["collection", "at_ns"])
    op.create_table(
        "registry_collection",
        sa.Column("id", _Key, nullable=False, autoincrement=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("live", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("protected", sa.Text(), nullable=False),
        sa.Column("required", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registry_collection"),
    )
    op.create_index("ix_registry_collection_path", "registry_collection", ["path"], unique=True)
    op.create_table(
        "registry_link",
        sa.Column("collection_key", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("collection_key", "number", name="pk_registry_link"),
    )
    op.create_index("ix_registry_link_digest", "registry_link", ["digest"])
    op.create_table(
        "registry_alias",
        sa.Column("collection_key", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("collection_key", "alias", name="pk_registry_alias"),
    )
