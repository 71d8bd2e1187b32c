"""The journal's records: facts, each idempotent and free of order. The format is `docs/format.md`.

Field order is the wire format (msgpack arrays): append new fields at the end with a default, never reorder, never reuse
a type id. A change that an old reader would misread takes a new `schema` number.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

SCHEMA = 1
"""The schema number that this version writes and the highest it reads, for every type that `HIGHER` does not name."""


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False, tag_field="record"):
    pass


class SegmentOpened(_Record, frozen=True, tag=1):
    """First frame of a segment: who writes it."""

    schema: int
    writer: bytes
    """8 random bytes a process, new after fork: a writer is alive while it holds the lock of any of its segments."""
    host: str
    pid: int
    started_ns: int
    weft_version: str
    python_version: str


class SegmentClosed(_Record, frozen=True, tag=2):
    """Last frame of a segment that its writer ended: by rotation (it lives on) or at exit."""

    schema: int
    reason: str
    """`rotate` or `exit`."""
    dropped: int = 0
    """Records that this writer could not write (a full disk), over its life."""


class SpanOpened(_Record, frozen=True, tag=10):
    """A call began. Its payloads are JSON in the tagged form of `docs/format.md`."""

    schema: int
    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    name: str
    kind: str
    start_ns: int
    project: str
    run_uid: bytes | None = None
    inputs: bytes | None = None
    """JSON object of the bound arguments."""
    attributes: bytes | None = None
    """JSON object."""
    thread_id: str | None = None
    """The conversation (session) this belongs to."""
    turn_id: str | None = None
    user_id: str | None = None
    version: str | None = None
    """Digest of the op's code."""
    links: bytes | None = None
    """JSON list of {trace_id, span_id, attributes}."""


class SpanUpdated(_Record, frozen=True, tag=11):
    """Something was added to an open or closed span. Later ones (by time, segment, offset) win by key."""

    schema: int
    trace_id: bytes
    span_id: bytes
    at_ns: int
    name: str | None = None
    attributes: bytes | None = None
    """JSON object, merged by key."""
    events: bytes | None = None
    """JSON list of {name, at_ns, attributes}, appended."""
    inputs: bytes | None = None
    thread_id: str | None = None
    turn_id: str | None = None
    user_id: str | None = None
    tags: bytes | None = None
    """JSON list of text, replacing."""
    links: bytes | None = None
    """JSON list of {trace_id, span_id, attributes}, appended."""


class SpanClosed(_Record, frozen=True, tag=12):
    """A call ended."""

    schema: int
    trace_id: bytes
    span_id: bytes
    end_ns: int
    duration_ns: int
    """A monotonic difference, the writing of the opening left out; `end_ns` is told on the time line of the start."""
    status: str
    """ok, error, cancelled."""
    output: bytes | None = None
    """JSON; None: nothing was captured, `null`: the call returned None."""
    error: bytes | None = None
    """JSON {type, message, stacktrace}."""
    model: str | None = None
    provider: str | None = None
    usage: dict[str, int] | None = None
    """Token counts by OpenTelemetry's inclusive names (input_tokens, output_tokens, cache_read_tokens, ...)."""
    attributes: bytes | None = None
    """JSON object, merged over the opened and updated ones."""
    events: bytes | None = None
    kind: str | None = None
    name: str | None = None
    links: bytes | None = None
    """JSON list of {trace_id, span_id, attributes}, appended."""


class ScoreLogged(_Record, frozen=True, tag=13):
    """A judgement of a span, a trace, a run or a table row."""

    schema: int
    uid: bytes
    target: str
    """span, trace, run or row."""
    at_ns: int
    name: str
    project: str
    value: float | None = None
    label: str | None = None
    reason: str | None = None
    trace_id: bytes | None = None
    span_id: bytes | None = None
    run_uid: bytes | None = None
    row_id: str | None = None
    source: bytes | None = None
    """JSON {scorer, version, params}: what made it."""
    error: str | None = None
    """Why there is no value, when the scorer failed."""
    kind: str = "score"
    """score, or what a person said afterwards: reaction, note, value, label."""
    author: str | None = None
    """Who said so."""


class SpanPriced(_Record, frozen=True, tag=14):
    """What a span cost, stated once by the ingester, so that a rebuild repeats it."""

    schema: int
    trace_id: bytes
    span_id: bytes
    at_ns: int
    cost_pico_usd: int
    """-1: not known, or no longer."""
    source: str
    """Price table and version; `sender`: the span's own word."""
    parts: bytes | None = None
    """JSON {bucket: pico-USD}: what the sum is made of."""
    flags: list[str] = []
    """What is to be known of usage and price: an inconsistent report, a tier without a price, an estimate."""
    usage: dict[str, int] | None = None
    """Estimated token counts of a span that reported none, which `flags` says."""


class RunStarted(_Record, frozen=True, tag=20):
    """A run began. `id` is unique in its project, `uid` everywhere."""

    schema: int
    uid: bytes
    id: str
    project: str
    name: str
    started_ns: int
    config: bytes | None = None
    """JSON object."""
    tags: list[str] = []
    group: str | None = None
    job_type: str | None = None
    notes: str | None = None
    parent_uid: bytes | None = None
    metadata: bytes | None = None
    """JSON object: host, argv, git, python."""
    elapsed_ns: int = 0
    """How long the run had gone on in earlier sessions, where this one resumes it."""
    forked_uid: bytes | None = None
    """The run whose history up to `forked_step`, and with it, is this one's beginning."""
    forked_step: int | None = None
    joined: bool = False
    """This process only adds to a run that another one leads (a rank above 0): what the leader says wins."""


class RunUpdated(_Record, frozen=True, tag=21):
    """Changed fields of a run. Each key of config and summary is won by its last writer."""

    schema: int
    uid: bytes
    at_ns: int
    config: bytes | None = None
    summary: bytes | None = None
    name: str | None = None
    tags: list[str] | None = None
    notes: str | None = None
    group: str | None = None
    metadata: bytes | None = None
    """JSON object: what was found out about the run's surroundings after its start; each key is won by its last
    writer."""
    summary_dropped: list[str] = []
    """Keys that were deleted from the summary."""


class RunFinished(_Record, frozen=True, tag=22):
    """A run ended by its own word; one that never does and whose writer is dead shows as crashed."""

    schema: int
    uid: bytes
    ended_ns: int
    state: str
    """finished, failed or killed."""
    exit_code: int = 0
    error: bytes | None = None
    """JSON {type, message, stacktrace}."""
    joined: bool = False
    """Said by a process that had only joined the run: holds where no other leads it."""


class MetricsLogged(_Record, frozen=True, tag=23):
    """One `run.log()`. Points are never overwritten: (run, key, segment, offset) is a point's identity."""

    schema: int
    run_uid: bytes
    step: int
    at_ns: int
    values: dict[str, int | float]
    """Scalars, nested names joined by dots; NaN and infinities are kept (msgpack floats). Whole numbers come as msgpack
    integers of at most 64 bits, each exactly a float."""
    rich: bytes | None = None
    """JSON object of whatever is no scalar (text, media, tables)."""
    late: bool = False
    """The step is below this writer's highest."""


class MetricDefined(_Record, frozen=True, tag=24):
    """What a metric of a run means, whole: the last writer of a name wins. A name may end in `*`."""

    schema: int
    run_uid: bytes
    at_ns: int
    name: str
    """Nested names joined by dots."""
    summary: list[str] = []
    """min, max, mean, last, first, copy, best, none: what the summary says of it; empty: its last value."""
    step_metric: str | None = None
    """The metric that is its x axis."""
    step_sync: bool = False
    goal: str | None = None
    """minimize or maximize."""
    hidden: bool = False


class RunRewound(_Record, frozen=True, tag=25):
    """A run goes on from an earlier step: its points beyond, of before this record, count no more. From step -1: its id
    was used again for a new run, and what was set in its config and summary counts no more, either."""

    schema: int
    run_uid: bytes
    at_ns: int
    step: int


class ConsoleLogged(_Record, frozen=True, tag=26):
    """Lines that a writer of a run printed, as a terminal would show them. A later one of a number replaces it."""

    schema: int
    run_uid: bytes
    at_ns: int
    stream: str
    """stdout or stderr."""
    first: int
    """Number of the first line, from 0, by writer and stream."""
    lines: list[str]


class SystemSampled(_Record, frozen=True, tag=27):
    """What the machine and the process took, at one time."""

    schema: int
    run_uid: bytes
    at_ns: int
    values: dict[str, float]


class FileSaved(_Record, frozen=True, tag=28):
    """A file of a run is in the blobs; a later one of a path replaces it."""

    schema: int
    run_uid: bytes
    at_ns: int
    path: str
    """Relative, with /."""
    digest: str
    """sha256 hex."""
    size_bytes: int
    kind: str = "saved"
    """saved (by the program), or what was recorded by itself: diff, requirements, code, graph."""


class AlertRaised(_Record, frozen=True, tag=29):
    """A run asks for somebody's attention."""

    schema: int
    run_uid: bytes
    at_ns: int
    title: str
    text: str
    level: str
    """INFO, WARN or ERROR."""


class ArtifactLogged(_Record, frozen=True, tag=30):
    """A version of an artifact: content addressed by the digest of its manifest. The store numbers it."""

    schema: int
    project: str
    name: str
    type: str
    digest: str
    """sha256 hex of the canonical manifest."""
    manifest: bytes
    """JSON {path: {digest, size_bytes}}, paths sorted; from schema 2 on compressed (zlib) where it is long."""
    size_bytes: int
    at_ns: int
    aliases: list[str] = []
    description: str | None = None
    metadata: bytes | None = None
    run_uid: bytes | None = None
    """The run that made it."""
    tags: list[str] = []
    ttl_s: int | None = None
    """Seconds after which it may be removed; None: never."""


class ArtifactUsed(_Record, frozen=True, tag=31):
    """A run read a version."""

    schema: int
    project: str
    name: str
    digest: str
    run_uid: bytes
    at_ns: int
    used_as: str | None = None


class VersionUpdated(_Record, frozen=True, tag=32):
    """Changed fields of a version. Each is won by its last writer."""

    schema: int
    project: str
    name: str
    digest: str
    at_ns: int
    description: str | None = None
    metadata: bytes | None = None
    """JSON object, replacing."""
    tags: list[str] | None = None
    ttl_s: int | None = None
    """-1: never."""
    aliases: list[str] = []
    """Aliases that move here."""
    dropped_aliases: list[str] = []


class RegistryChanged(_Record, frozen=True, tag=33):
    """Somebody did something to a collection of the registry. These are its history; nothing is ever taken from it."""

    schema: int
    uid: bytes
    collection: str
    """registry/name."""
    action: str
    """created, described, linked, unlinked, aliased, unaliased, promoted, refused (a promotion that the gate refused),
    protected, unprotected, deleted."""
    at_ns: int
    author: str
    project: str | None = None
    name: str | None = None
    digest: str | None = None
    """The version of an artifact (project, name, digest) that it was done to."""
    aliases: list[str] = []
    details: bytes | None = None
    """JSON object: type, description, what a promotion required and what was found, ..."""


class Removed(_Record, frozen=True, tag=40):
    """A tombstone: what it names is deleted and stays so through a rebuild."""

    schema: int
    target: str
    """trace, span, score, run or artifact."""
    key: bytes
    """trace id; trace id and span id (the span and all below it); score uid; run uid; or the artifact version's digest
    as ASCII, and `/name` behind it where only that artifact's is meant."""
    project: str
    at_ns: int


HIGHER: dict[type[_Record], int] = {ArtifactLogged: 2}
"""The highest schema number that this version reads, of types that have more than one."""

Record: TypeAlias = (
    SegmentOpened
    | SegmentClosed
    | SpanOpened
    | SpanUpdated
    | SpanClosed
    | ScoreLogged
    | SpanPriced
    | RunStarted
    | RunUpdated
    | RunFinished
    | MetricsLogged
    | MetricDefined
    | RunRewound
    | ConsoleLogged
    | SystemSampled
    | FileSaved
    | AlertRaised
    | ArtifactLogged
    | ArtifactUsed
    | VersionUpdated
    | RegistryChanged
    | Removed
)
