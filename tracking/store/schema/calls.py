"""Traces, spans, what they said, and the scores on them."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Table, Text, text

from weft.tracking.store.schema.base import Int, key, metadata

trace = Table(
    "trace",
    metadata,
    key(),
    Column("trace_id", LargeBinary, nullable=False),
    Column("project_key", Int),
    Column("run_key", Int),
    Column("root_key", Int, nullable=False),
    Column("root_rank", Integer, nullable=False),
    Column("root_span_id", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_ns", Int, nullable=False),
    Column("end_ns", Int),
    Column("duration_ns", Int),
    Column("span_count", Int, nullable=False),
    Column("error_count", Int, nullable=False),
    Column("input_tokens", Int),
    Column("output_tokens", Int),
    Column("cost_pico_usd", Int),
    Column("thread_id", Text),
    Column("user_id", Text),
    Column("tags", Text),
    Column("input_preview", Text, nullable=False),
    Column("output_preview", Text, nullable=False),
    Index("ix_trace_trace_id", "trace_id", unique=True),
    Index("ix_trace_start_ns", "start_ns"),
    Index("ix_trace_project_key_start_ns", "project_key", "start_ns"),
    Index("ix_trace_status_start_ns", "status", "start_ns"),
    Index("ix_trace_name_start_ns", "name", "start_ns"),
    Index("ix_trace_run_key_start_ns", "run_key", "start_ns"),
)
"""One row a trace: sums over its spans, and its root's own fields. `root_rank`: see `spanfacts`."""

span = Table(
    "span",
    metadata,
    key(),
    Column("trace_key", Int, nullable=False),
    Column("span_id", LargeBinary, nullable=False),
    Column("parent_id", LargeBinary),
    Column("project_key", Int),
    Column("run_key", Int),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_ns", Int, nullable=False),
    Column("end_ns", Int),
    Column("duration_ns", Int),
    Column("model", Text),
    Column("provider", Text),
    Column("input_tokens", Int),
    Column("output_tokens", Int),
    Column("usage", Text),
    Column("cost_pico_usd", Int),
    Column("price_source", Text),
    Column("cost_parts", Text),
    Column("usage_flags", Text),
    Column("priced_ns", Int),
    Column("thread_id", Text),
    Column("turn_id", Text),
    Column("user_id", Text),
    Column("version", Text),
    Column("writer", LargeBinary),
    Index("ix_span_trace_key_span_id", "trace_key", "span_id", unique=True),
    Index(
        "ix_span_run_key",
        "run_key",
        sqlite_where=text("run_key IS NOT NULL"),
        postgresql_where=text("run_key IS NOT NULL"),
    ),
    Index("ix_span_start_ns", "start_ns"),
    Index(
        "ix_span_thread_id",
        "thread_id",
        sqlite_where=text("thread_id IS NOT NULL"),
        postgresql_where=text("thread_id IS NOT NULL"),
    ),
    Index(
        "ix_span_running_writer",
        "writer",
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
)
"""One narrow row a call. `project_key` is null until its `SpanOpened` arrives; `writer` wrote that record."""

span_payload = Table(
    "span_payload",
    metadata,
    key(),
    Column("inputs", Text),
    Column("output", Text),
    Column("error", Text),
    Column("attributes", Text),
    Column("closed_attributes", Text),
    Column("more", Text),
)
"""What the records of one span said, JSON as it came; keyed like `span`. Folded when read (`spanpayload`).

`more` is a JSON object of what few spans have: `links`, `closed_links`, `events` (texts of JSON), `name`, `kind` (as
the close had them), `updates` (list of [at_ns, segment, offset, {fields}]), `opened` (name, kind, thread, turn and user
of the opening, where something later replaced one of them).
"""

text_state = Table(
    "text_state",
    metadata,
    key(),
    Column("position", Int, nullable=False),
    Column("format", Int, nullable=False),
)
"""One row: the last span that the full-text index has taken in (`textindex`). The index itself is made at first use."""

text_queue = Table(
    "text_queue",
    metadata,
    key(),
    Column("words", Text),
)
"""Spans that the index holds and that have changed or gone since, with the words that it knows them by."""

score = Table(
    "score",
    metadata,
    key(),
    Column("uid", LargeBinary, nullable=False),
    Column("target", Text, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("name", Text, nullable=False),
    Column("project_key", Int, nullable=False),
    Column("value", Float(53)),
    Column("label", Text),
    Column("reason", Text),
    Column("error", Text),
    Column("trace_id", LargeBinary),
    Column("span_id", LargeBinary),
    Column("run_key", Int),
    Column("row_id", Text),
    Column("source", Text),
    Column("kind", Text),
    Column("author", Text),
    Index("ix_score_uid", "uid", unique=True),
    Index("ix_score_trace_id", "trace_id"),
    Index("ix_score_run_key", "run_key"),
    Index("ix_score_project_key_at_ns", "project_key", "at_ns"),
)
