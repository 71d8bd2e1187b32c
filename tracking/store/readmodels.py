"""What `Reader` answers with: frozen, plain, no behaviour that reads. Ids are lower-case hex, times UTC nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from weft.tracking.runs.metricrules import Metric

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    rows: Sequence[T]
    total: int
    """How many match in all; where not `exact`, at least so many."""
    offset: int = 0
    cursor: str | None = None
    """Where the next page goes on (`after=`), in the same order whatever arrives; None: this was the last."""
    exact: bool = True
    """False: `total` is what was seen of them, for to count them would read every payload."""
    notes: Sequence[str] = ()
    """What is to be known of this page: rows that were not looked at, a text index that is behind."""


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One root call with the roll-ups of its tree."""

    trace_id: str
    project: str
    name: str
    kind: str
    status: str
    """ok, error, running, interrupted, cancelled: the root's."""
    start_ns: int
    end_ns: int | None
    duration_ns: int | None
    span_count: int
    error_count: int
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    """USD; None: nothing in it could be priced."""
    run_id: str | None
    """The run's id (unique in its project), as `RunRecord.id`."""
    thread_id: str | None
    user_id: str | None
    input_preview: str
    """The first few hundred characters, as text."""
    output_preview: str
    """The output's, or `Type: message` of the error."""
    root_span_id: str | None
    """None while only children have arrived."""
    tags: Sequence[str] = ()
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """Mean value by score name."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The last label by score name: what was said in words, or as a reaction."""


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One call. `inputs`, `output`, `attributes`, `events` are None unless payloads were asked for."""

    trace_id: str
    span_id: str
    parent_id: str | None
    project: str
    name: str
    kind: str
    status: str
    start_ns: int
    end_ns: int | None
    duration_ns: int | None
    model: str | None
    provider: str | None
    usage: Mapping[str, int] | None
    """Tokens by OpenTelemetry's inclusive names; None: not known."""
    cost: Decimal | None
    price_source: str | None
    run_id: str | None
    thread_id: str | None
    turn_id: str | None
    user_id: str | None
    version: str | None
    input_preview: str
    output_preview: str
    inputs: Any = None
    """Decoded from the tagged JSON (`weft.tracking.payloads.encoding.decode`)."""
    output: Any = None
    error: Mapping[str, Any] | None = None
    """{type, message, stacktrace}."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()
    links: Sequence[Mapping[str, Any]] = ()
    tags: Sequence[str] = ()
    scores: Sequence[ScoreRecord] = ()
    cost_parts: Mapping[str, Decimal] | None = None
    """USD by bucket; their sum is `cost`."""
    usage_flags: Sequence[str] = ()
    """What is to be known of `usage` and `cost`: counts that were estimated, a report that cannot be right, a service
    tier with no price of its own. Empty: nothing."""


@dataclass(frozen=True, slots=True)
class ThreadRecord:
    """One conversation: the turns that have its id."""

    thread_id: str
    project: str
    turn_count: int
    start_ns: int
    """When its first turn began."""
    last_ns: int
    """When it was last heard of: the latest end of a turn, or the begin of one that runs."""
    first_turn_id: str
    """Hex span id, as `SpanRecord.span_id`."""
    last_turn_id: str
    p50_ns: int | None
    """Of the turns that ended."""
    p99_ns: int | None
    error_count: int
    """Turns that failed."""
    input_tokens: int | None
    """Of the traces whose roots belong to it; None: not known."""
    output_tokens: int | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """A judgement of a span, a trace, a run or a row."""

    uid: str
    target: str
    name: str
    value: float | None
    label: str | None
    reason: str | None
    error: str | None
    at_ns: int
    trace_id: str | None
    span_id: str | None
    run_id: str | None
    row_id: str | None
    source: Mapping[str, Any] | None
    kind: str = "score"
    """score, or what a person said afterwards: reaction, note, value, label."""
    author: str | None = None


@dataclass(frozen=True, slots=True)
class TraceBucket:
    """Traces that started in one slice of time."""

    start_ns: int
    end_ns: int
    count: int
    error_count: int
    cost: Decimal | None
    tokens: int
    p50_ns: int | None
    p95_ns: int | None


@dataclass(frozen=True, slots=True)
class TraceStats:
    """Totals over a filter, and the same by time."""

    count: int
    error_count: int
    cost: Decimal | None
    tokens: int
    p50_ns: int | None
    p95_ns: int | None
    buckets: Sequence[TraceBucket] = ()
    names: Sequence[str] = ()
    """The root names that occur in the project, for a filter's choices."""
    notes: Sequence[str] = ()
    """What is to be known of these numbers: traces that were not looked at."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: training, evaluation or anything else."""

    uid: str
    id: str
    project: str
    name: str
    state: str
    """running, finished, failed, killed, crashed."""
    job_type: str | None
    group: str | None
    tags: Sequence[str]
    notes: str | None
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    """What every metric comes to, nested names joined by dots, and what was set by hand and not logged since."""
    metadata: Mapping[str, Any]
    started_ns: int
    ended_ns: int | None
    error: Mapping[str, Any] | None
    parent_id: str | None
    step: int | None
    """Highest step logged."""
    trace_count: int
    exit_code: int | None = None
    runtime_s: float = 0.0
    """Seconds that it went on, its sessions added up: each to its end, else to the last that was heard of the run."""
    sessions: Mapping[int, int] = field(default_factory=dict)
    """By the time each session started, how long the run had gone on before it; nanoseconds both."""
    forked_from: str | None = None
    """`uid` of the run whose history up to `forked_step` is this one's beginning."""
    forked_step: int | None = None
    heard_ns: int | None = None
    """When it was last heard of."""


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """One project."""

    name: str
    runs: int
    traces: int

    @property
    def id(self) -> str:
        """As `name`."""
        return self.name


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a run; `Blobs` opens it by its digest."""

    path: str
    """Relative, with /."""
    digest: str
    """sha256, hex."""
    size_bytes: int
    kind: str
    """saved (by the program), media (logged), or what was recorded by itself: diff, requirements, code, graph."""
    at_ns: int


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """A line that a run printed, as a terminal shows it."""

    at_ns: int
    """When it was last written to."""
    stream: str
    """stdout or stderr."""
    number: int
    """From 0, by writer and stream."""
    text: str
    styled: str
    """With its colours as ANSI codes (SGR), which are all the control characters that a program may have left in."""
    writer: str
    """The process that printed it, in hex."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """What a run wanted somebody to see."""

    run_id: str
    project: str
    at_ns: int
    title: str
    text: str
    level: str
    """INFO, WARN or ERROR."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric's history, in step order, perhaps downsampled to min/max/last by bucket.

    Its columns are arrays or ranges (a million points fit in 17 MB); `list(...)` makes lists of them.
    """

    key: str
    steps: Sequence[int]
    values: Sequence[float]
    times_ns: Sequence[int]
    total: int
    """Points stored; more than len(steps) when downsampled."""
    late: int = 0
    """How many came with a step below their writer's highest."""
    nonfinite: int = 0
    """How many are NaN or infinite: min, max and mean of the summary pass over them."""
    metric: Metric | None = None
    """What `define_metric` said of it."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a run's rows, in order of step."""

    rows: Sequence[Mapping[str, Any]]
    """Names and values, and `_step`, `_runtime` (s), `_timestamp` (Unix s)."""
    next_step: int | None
    """The next page's `min_step`; None: this was the last."""


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """One version of an artifact."""

    project: str
    name: str
    type: str
    version: int
    """0, 1, 2, ...; shown as v0."""
    digest: str
    aliases: Sequence[str]
    size_bytes: int
    created_ns: int
    description: str | None
    metadata: Mapping[str, Any]
    manifest: Mapping[str, Mapping[str, Any]]
    """{path: {digest, size_bytes}}, of a reference {ref, check} too; open a file through `Blobs`. Empty where it was
    not asked for; `file_count` says how many there are."""
    producer_run: str | None
    """Run id."""
    consumer_runs: Sequence[str] = ()
    maker_paths: Sequence[str] = ()
    """`project/id` of every run that logged it, first ones first; `producer_run` is the first one's id."""
    user_paths: Sequence[str] = ()
    """`project/id` of every run that used it."""
    file_count: int = 0
    tags: Sequence[str] = ()
    ttl_s: int | None = None
    """Seconds after `logged_ns` from when it may be removed; None: never."""
    logged_ns: int = 0
    """When this content was last logged."""
    updated_ns: int | None = None
    """When anything was last said of it."""


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A version in a collection of the registry."""

    number: int
    """Its own there; shown as v0."""
    project: str
    name: str
    digest: str
    """Of the version of an artifact that is linked."""
    version: int | None
    """That one's number; None: this store does not have it (any more)."""
    aliases: Sequence[str]
    """In the collection; `latest` first."""
    linked_ns: int
    author: str
    """Who linked it."""


@dataclass(frozen=True, slots=True)
class CollectionRecord:
    """A collection of the registry."""

    registry: str
    name: str
    type: str
    """Of all versions in it."""
    description: str | None
    """Its card, in markdown."""
    tags: Sequence[str]
    protected: Sequence[str]
    """Aliases that move by a promotion only."""
    required: Mapping[str, Sequence[Mapping[str, Any]]]
    """By protected alias: what every promotion to it must show, as `require=` takes it."""
    author: str
    """Who made it."""
    created_ns: int
    updated_ns: int
    links: Sequence[LinkRecord]
    """Newest first."""
    next_number: int
    last_ns: int
    """When anything was last done or tried in it."""

    @property
    def path(self) -> str:
        """`registry/name`."""
        return f"{self.registry}/{self.name}"

    @property
    def aliases(self) -> Mapping[str, int]:
        """Numbers by alias."""
        return {alias: link.number for link in self.links for alias in link.aliases}


@dataclass(frozen=True, slots=True)
class HeldLink:
    """Where a version is linked."""

    path: str
    """Of the collection."""
    number: int
    aliases: Sequence[str]
    protected: Sequence[str]
    """Those of the aliases that are."""


@dataclass(frozen=True, slots=True)
class RegistryEvent:
    """What somebody did to a collection."""

    uid: str
    collection: str
    action: str
    """created, described, linked, unlinked, aliased, unaliased, promoted, refused, protected, unprotected, deleted."""
    at_ns: int
    author: str
    project: str | None
    name: str | None
    digest: str | None
    """The version that it was done to."""
    version: int | None
    """That one's number in its project, where this store has it."""
    number: int | None
    """Its number in the collection at that time."""
    aliases: Sequence[str]
    details: Mapping[str, Any]
    """type, description, note; of a promotion what was required, and what was found where."""
    problem: str | None
    """Why nothing came of it (another process had been faster), or what of it did not."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """For `weft doctor` and for caches: `version` changes with every commit of the ingester."""

    version: int
    schema_revision: str
    traces: int
    spans: int
    runs: int
    size_bytes: int | None
    segments: int
    """Segments whose position the store keeps."""
    projects: Sequence[str] = ()
    text_lag: int = 0
    """Spans that the full-text index has not taken in yet, as they are now."""
