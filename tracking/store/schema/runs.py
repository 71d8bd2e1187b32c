"""Runs, and what is kept of them besides their metrics."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text

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
    Column("heard_ns", Int),
    Column("sessions", Text),
    Column("forked_uid", LargeBinary),
    Column("forked_step", Int),
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
`sessions` (JSON): by the time a session of the run started (ns, as text), how long the run had gone on before it (ns).
`heard_ns`: the time of its latest record.
"""

run_file = Table(
    "run_file",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("path", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size_bytes", Int, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    PrimaryKeyConstraint("run_key", "path"),
)
"""A file of a run, in the blobs; of several of one path the last writer's (at_ns, segment, seq)."""

console_line = Table(
    "console_line",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("writer", LargeBinary, nullable=False),
    Column("stream", Text, nullable=False),
    Column("number", Int, nullable=False),
    Column("began_ns", Int, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("text", Text, nullable=False),
    Column("styled", Text),
    PrimaryKeyConstraint("run_key", "writer", "stream", "number"),
    Index("ix_console_line_run_key_began_ns", "run_key", "began_ns"),
    sqlite_with_rowid=False,
)
"""A line that a run printed; of several of one place the last writer's (at_ns, content). `styled`: with its colours,
where it has any; `began_ns`: when it was first heard of."""

alert = Table(
    "alert",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("segment_key", Int, nullable=False),
    Column("seq", Int, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("level", Text, nullable=False),
    PrimaryKeyConstraint("run_key", "segment_key", "seq"),
)
"""What a run wanted somebody to see."""
