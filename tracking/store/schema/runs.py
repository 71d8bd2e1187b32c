"""Runs, their metrics, and whatever else they logged."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from weft.tracking.store.schema.base import Int, key, metadata

run = Table(
    "run",
    metadata,
    key(),
    Column("uid", LargeBinary, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("project_key", Int),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("job_type", Text),
    Column("run_group", Text),
    Column("tags", Text),
    Column("notes", Text),
    Column("config", Text),
    Column("summary", Text),
    Column("metadata", Text),
    Column("started_ns", Int),
    Column("resumed_ns", Int),
    Column("ended_ns", Int),
    Column("exit_code", Int),
    Column("ended_state", Text),
    Column("error", Text),
    Column("parent_uid", LargeBinary),
    Column("writer", LargeBinary),
    Column("last_step", Int),
    Column("stamps", Text),
    Index("ix_run_uid", "uid", unique=True),
    Index("ix_run_project_key_started_ns", "project_key", "started_ns"),
    Index("ix_run_project_key_run_id", "project_key", "run_id"),
    Index("ix_run_started_ns", "started_ns"),
    Index(
        "ix_run_running_writer",
        "writer",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)
"""A run. Without `started_ns` it is only known by name: others refer to it, no record of its own has arrived.

`stamps` (JSON): the last writer [at_ns, segment, offset] of each changeable field and of each config and summary key.
"""

metric_key = Table(
    "metric_key",
    metadata,
    key(),
    Column("run_key", Int, nullable=False),
    Column("key", Text, nullable=False),
    Column("n", Int, nullable=False),
    Column("late", Int, nullable=False),
    Column("last", Float(53)),
    Column("last_step", Int, nullable=False),
    Column("last_at_ns", Int, nullable=False),
    Column("last_segment", Text, nullable=False),
    Column("last_seq", Int, nullable=False),
    Index("ix_metric_key_run_key_key", "run_key", "key", unique=True),
)
"""One metric of one run. A null value, here and below, is NaN: SQLite has none."""

metric_point = Table(
    "metric_point",
    metadata,
    Column("metric_key", Int, nullable=False),
    Column("segment_key", Int, nullable=False),
    Column("seq", Int, nullable=False),
    Column("step", Int, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("value", Float(53)),
    Column("late", Boolean, nullable=False),
    PrimaryKeyConstraint("metric_key", "segment_key", "seq"),
    sqlite_with_rowid=False,
)
"""`seq` is the record's offset in its segment: points are never overwritten."""

rich_point = Table(
    "rich_point",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("key", Text, nullable=False),
    Column("segment_key", Int, nullable=False),
    Column("seq", Int, nullable=False),
    Column("step", Int, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run_key", "key", "segment_key", "seq"),
)
