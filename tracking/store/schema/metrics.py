"""What runs logged: points of metrics, sealed chunks of them, what metrics mean, summaries, and what is no number."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, false, true

from weft.tracking.store.schema.base import Int, key, metadata

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
    Column("stream", Text, nullable=False, server_default=""),
    Column("nonfinite", Int, nullable=False, server_default="0"),
    Column("counted", Int, nullable=False, server_default="0"),
    Column("finite", Int, nullable=False, server_default="0"),
    Column("stale", Boolean, nullable=False, server_default=false()),
    Column("least", Float(53)),
    Column("greatest", Float(53)),
    Column("first", Float(53)),
    Column("total", Text),
    Column("rich", Text),
    Column("first_step", Int),
    Column("first_at_ns", Int),
    Column("first_segment", Text),
    Column("first_seq", Int),
    Column("first_on_time", Boolean),
    Column("last_on_time", Boolean, nullable=False, server_default=true()),
    Column("newest_ns", Int, nullable=False, server_default="0"),
    Column("unsealed", Int, nullable=False, server_default="0"),
    Column("whole", Boolean, nullable=False, server_default=false()),
    Index("ix_metric_key_run_key_stream_key", "run_key", "stream", "key", unique=True),
)
"""One metric of one run. A null number, here and below, is NaN: SQLite has none.

`stream`: empty, or `system` for what the machine took. `n`, `late` and `nonfinite` count the points that stand (a
rewind takes some away). The rest tells of the `counted` ones among them, those logged since the summary was last set
by hand: `finite` of them that are neither NaN nor infinite, their `least`, `greatest`, exact `total` (JSON,
`metricstats`), the first and the last in order of (step, on time, time, segment, seq). `rich`: JSON of the last value,
where that is no number.
`newest_ns`: the latest time of all its points. `unsealed`: how many of all points are rows, the others in chunks.
`whole`: every point came as an integer, and is shown as one.
`stale`: the aggregates await their first computation (a store from before they were kept).
"""

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

metric_chunk = Table(
    "metric_chunk",
    metadata,
    key(),
    Column("metric_key", Int, nullable=False),
    Column("n", Int, nullable=False),
    Column("first_step", Int, nullable=False),
    Column("first_at_ns", Int, nullable=False),
    Column("last_step", Int, nullable=False),
    Column("last_at_ns", Int, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("ix_metric_chunk_metric_key", "metric_key"),
)
"""Points as compressed columns (`chunks`), in order of (step, time, segment, seq); each is here or a row."""

metric_definition = Table(
    "metric_definition",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("name", Text, nullable=False),
    Column("summary", Text),
    Column("step_metric", Text),
    Column("step_sync", Boolean, nullable=False),
    Column("goal", Text),
    Column("hidden", Boolean, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    PrimaryKeyConstraint("run_key", "name"),
)
"""What a run said a metric means, by its last writer. `name` may end in `*`; `summary` is listed with commas."""

run_rewind = Table(
    "run_rewind",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("at_ns", Int, nullable=False),
    Column("segment", Text, nullable=False),
    Column("seq", Int, nullable=False),
    Column("step", Int, nullable=False),
    PrimaryKeyConstraint("run_key", "at_ns", "segment", "seq"),
)
"""From here on the run goes on behind `step`: what was logged before this, of a later step, stands no more."""

summary_value = Table(
    "summary_value",
    metadata,
    Column("run_key", Int, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Float(53)),
    Column("text", Text),
    PrimaryKeyConstraint("run_key", "name"),
    Index("ix_summary_value_name_number", "name", "number"),
)
"""Every number and text of a summary under its dotted name (`loss`, `loss.min`), to filter and order runs by."""

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
