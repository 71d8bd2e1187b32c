"""The store's tables, once: `Sink` fills them, `Reader` asks them, migrations create them. Holds no behaviour.

Rows have local integer keys, given by the sink; ids are bytes, times UTC nanoseconds, money pico-USD, JSON is text. The
big tables (span, span_payload, metric_point, rich_point) declare no foreign keys: only the sink writes them, and the
checks would cost a look-up a row.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

Int = BigInteger
_Key = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is SQLite's own row id


def _key() -> Column[int]:
    return Column("id", _Key, primary_key=True, autoincrement=False)


meta = Table(
    "meta",
    metadata,
    _key(),
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
    _key(),
    Column("name", Text, nullable=False),
    Index("ix_project_name", "name", unique=True),
)

segment = Table(
    "segment",
    metadata,
    _key(),
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

trace = Table(
    "trace",
    metadata,
    _key(),
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
    _key(),
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
    _key(),
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
    _key(),
    Column("position", Int, nullable=False),
    Column("format", Int, nullable=False),
)
"""One row: the last span that the full-text index has taken in (`textindex`). The index itself is made at first use."""

text_queue = Table(
    "text_queue",
    metadata,
    _key(),
    Column("words", Text),
)
"""Spans that the index holds and that have changed or gone since, with the words that it knows them by."""

score = Table(
    "score",
    metadata,
    _key(),
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

run = Table(
    "run",
    metadata,
    _key(),
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
    _key(),
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

artifact = Table(
    "artifact",
    metadata,
    _key(),
    Column("project_key", Int, nullable=False),
    Column("name", Text, nullable=False),
    Column("next_number", Int, nullable=False),
    Index("ix_artifact_project_key_name", "project_key", "name", unique=True),
)

artifact_version = Table(
    "artifact_version",
    metadata,
    _key(),
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
