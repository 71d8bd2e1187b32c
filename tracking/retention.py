"""What of a home may go: runs, traces and versions by age, project, tag or state; what it would free; and its removal.

A plan says what goes and what stays, and why. What is removed stays so through a rebuild of the store: tombstones are
records of the journal. Nothing that runs is touched, nor what the registry links, an alias of one's own names, a fork
reads, or a run that stays used. Called by `weft rm`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from weft.tracking import runtime
from weft.tracking.artifacts import protection, recording
from weft.tracking.collecting import Collected, collect
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, Removed
from weft.tracking.runs import runremoval
from weft.tracking.settings import Settings
from weft.tracking.store.access import drain_into, open_store
from weft.tracking.store.artifactsink import LATEST, remove_version
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import ArtifactRecord, Page, RunRecord, TraceRecord
from weft.tracking.store.removal import remove_trace
from weft.tracking.store.runsink import remove_run
from weft.tracking.store.store import Store
from weft.tracking.store.transaction import Transaction

KINDS = ("runs", "traces", "artifacts")
_PAGE = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """What may go: all that meets every part of it; and the traces of runs that go."""

    kinds: Sequence[str] = KINDS
    before_ns: int | None = None
    """Only what began, or was logged last, before this time."""
    project: str | None = None
    tag: str | None = None
    state: str | None = None
    """Of runs: of what is no run only their traces."""
    keep_last: int = 0
    """So many of the newest stay whatever else holds: runs and traces of each project, versions of each artifact."""
    everything: bool = False
    """Also the version that `latest` names, with a whole project for one."""

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise UsageError(f"{unknown[0] if unknown else 'nothing'!r} cannot be removed; valid: {', '.join(KINDS)}")
        if isinstance(self.keep_last, bool) or not isinstance(self.keep_last, int) or self.keep_last < 0:
            raise UsageError(f"keep_last is a whole number of at least 0, not {self.keep_last!r:.80}")
        narrow = (self.before_ns, self.tag, self.state, self.keep_last or None)
        if not self.everything and all(one is None for one in narrow):
            raise UsageError("this would remove everything: give an age, a tag or a state, or say that all is meant")


@dataclass(frozen=True, slots=True)
class Kept:
    """What the rule means, and stays all the same."""

    what: str
    """`run p/x1y2z3a4`, `artifact p/data:v3`."""
    why: str


@dataclass(slots=True)
class Plan:
    """What goes."""

    runs: list[RunRecord] = field(default_factory=list)
    traces: list[TraceRecord] = field(default_factory=list)
    artifacts: list[ArtifactRecord] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    points: int = 0
    spans: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing goes."""
        return not (self.runs or self.traces or self.artifacts)


def plan(store: Store, rule: Rule, within: Plan | None = None) -> Plan:
    """What goes by this rule, as the store stands.

    Args:
        within: an earlier plan: nothing that it does not name. What was linked, used or resumed since then stays.
    """
    reader, made = store.reader(), Plan(kept=[] if within is None else list(within.kept))
    named = None if within is None else _named(within)
    if "runs" in rule.kinds:
        found = _old(_runs(reader, rule), rule, lambda run: run.project, lambda run: run.started_ns)
        found = [run for run in found if named is None or run.uid in named]
        kept = runremoval.keepers(reader, found)
        made.runs = [run for run in found if run.uid not in kept]
        made.kept += [Kept(f"run {run.project}/{run.id}", kept[run.uid]) for run in found if run.uid in kept]
        made.points = reader.points([run.uid for run in made.runs])
    if "traces" in rule.kinds:
        old = [] if rule.state is not None else _traces(reader, _where(rule, "start_ns", tags=rule.tag))
        old = _old(old, rule, lambda trace: trace.project, lambda trace: trace.start_ns)
        each = {trace.trace_id: trace for trace in (*old, *_within(reader, made.runs))}
        traces = [trace for trace in each.values() if named is None or trace.trace_id in named]
        made.traces = [trace for trace in traces if trace.status != "running"]
        made.kept += [Kept(f"trace {one.trace_id}", "it is running") for one in traces if one.status == "running"]
        made.spans = sum(trace.span_count for trace in made.traces)
    if "artifacts" in rule.kinds and rule.state is None:
        logged = _old(_versions(reader, rule), rule, lambda one: (one.project, one.name), lambda one: one.logged_ns)
        logged = [one for one in logged if named is None or (one.project, one.name, one.digest) in named]
        going = {f"{run.project}/{run.id}" for run in made.runs}
        running = {f"{run.project}/{run.id}" for run in reader.runs({"state": "running"}, limit=None).rows}
        for version in logged:
            why = _why_kept(store, version, rule, going, running)
            if why is None:
                made.artifacts.append(version)
            else:
                made.kept.append(Kept(f"artifact {version.project}/{version.name}:v{version.version}", why))
    return made


def _named(found: Plan) -> set[object]:
    return {
        *(run.uid for run in found.runs),
        *(trace.trace_id for trace in found.traces),
        *((one.project, one.name, one.digest) for one in found.artifacts),
    }


def would_free(found: Plan, settings: Settings | None = None) -> Collected:
    """What files its removal would free: those that nothing else names. Nothing is changed.

    Raises:
        StoreError: the journal cannot be read wholly, so it cannot be known.
    """
    now = runtime.active().ids.wall_ns()

    def without(transaction: Transaction) -> None:
        for run in found.runs:
            remove_run(transaction, bytes.fromhex(run.uid))
        for trace in found.traces:
            remove_trace(transaction, bytes.fromhex(trace.trace_id))
        for version in found.artifacts:
            remove_version(transaction, f"{version.digest}/{version.name}", version.project, now)

    return collect(settings, dry_run=True, without=without)


def carry_out(found: Plan, settings: Settings | None = None) -> None:
    """Remove what is planned: in the journal when this returns, and in the store.

    Raises:
        UsageError: mode is disabled, which writes nothing.
        StoreError: the store cannot be written; the tombstones are in the journal all the same.
    """
    runremoval.remove_runs(found.runs)
    rt = runtime.active()
    for trace in found.traces:
        key = bytes.fromhex(trace.trace_id)
        rt.journal.append(Removed(SCHEMA, "trace", key, trace.project, rt.ids.wall_ns()))
    for version in found.artifacts:
        recording.remove(version.project, version.name, version.digest)
    rt.journal.sync()
    settings = settings or rt.settings
    with open_store(settings, drain=False) as store:
        drain_into(store, settings)


def _why_kept(store: Store, version: ArtifactRecord, rule: Rule, going: set[str], running: set[str]) -> str | None:
    held = protection.protected_by(store, version)
    own = protection.own_aliases(version)
    if held or own:
        return "; ".join([*held, *([f"it has the alias {', '.join(own)}"] if own else [])])
    if LATEST in version.aliases and not rule.everything:
        return "it is the latest"
    at_work = [path for path in version.maker_paths if path in running]
    if at_work and rule.everything:
        return f"run {at_work[0]} made it, and is running"
    users = [path for path in version.user_paths if path not in going]
    return f"run {users[0]} used it, and stays" if users else None


def _runs(reader: Reader, rule: Rule) -> list[RunRecord]:
    where = _where(rule, "started_ns", state=rule.state, tags=rule.tag)
    return list(_all(lambda after: reader.runs(where, limit=_PAGE, after=after)))


def _traces(reader: Reader, where: Mapping[str, Any]) -> list[TraceRecord]:
    return list(_all(lambda after: reader.traces(where, limit=_PAGE, after=after)))


def _within(reader: Reader, runs: Sequence[RunRecord]) -> Iterator[TraceRecord]:
    """The traces of these runs."""
    for start in range(0, len(runs), _PAGE):
        where = {"run_uid": {"$in": [run.uid for run in runs[start : start + _PAGE]]}}
        yield from _traces(reader, where)


def _versions(reader: Reader, rule: Rule) -> list[ArtifactRecord]:
    where = _where(rule, "logged_ns", tags=rule.tag)
    asked = _all(lambda after: reader.artifacts(where, order="-logged_ns", limit=_PAGE, after=after, manifests=False))
    return list(asked)


def _where(rule: Rule, time_field: str, **asked: Any) -> Mapping[str, Any]:
    """The age is not asked here: how many newest ones stay is counted among all of them."""
    found = {name: value for name, value in asked.items() if value is not None}
    if rule.project is not None:
        found["project"] = rule.project
    if rule.before_ns is not None and not rule.keep_last:
        found[time_field] = {"$lt": rule.before_ns}
    return found


def _all(ask: Callable[[str | None], Page[T]]) -> Iterator[T]:
    after: str | None = None
    while True:
        page = ask(after)
        yield from page.rows
        after = page.cursor
        if after is None:
            return


def _old(rows: Sequence[T], rule: Rule, of: Callable[[T], Any], at_ns: Callable[[T], int]) -> list[T]:
    """Those before the rule's time, without the newest of each group that are to stay; the rows come newest first."""
    seen: dict[Any, int] = {}
    found = []
    for row in rows:
        group = of(row)
        seen[group] = seen.get(group, 0) + 1
        if seen[group] > rule.keep_last and (rule.before_ns is None or at_ns(row) < rule.before_ns):
            found.append(row)
    return found
