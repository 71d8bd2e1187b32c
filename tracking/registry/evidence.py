"""Which evaluation speaks for a version: found along its lineage, read through `Reader`. `requirements` judges it.

The rule: of the runs with job type `evaluation` and that name which used exactly this content (as the model: an edge
that says it was used as something else does not count), the newest one that finished. Those that crashed, failed or
still run say nothing of it, and are mentioned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from weft.tracking.registry.requirements import Finding, Requirement, check

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import RunRecord

JOB_TYPE = "evaluation"
AS_MODEL = (None, "", "model")
"""What a version that is evaluated is used as, where anything is said."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one evaluation says of a version."""

    evaluation: str
    run: str | None
    """`project/id`; None: there is none that counts."""
    ended_ns: int | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What is to be known besides: other evaluations, the dataset."""

    @property
    def passed(self) -> bool:
        """All that was required was found."""
        return self.run is not None and all(finding.passed for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """For the history and for JSON."""
        return asdict(self) | {"passed": self.passed}


@dataclass(frozen=True, slots=True)
class Subject:
    """The version that is judged, as the store has it."""

    project: str
    name: str
    version: int


def gather(reader: Reader, subject: Subject | None, requirements: Iterable[Requirement]) -> list[Evidence]:
    """What the evaluations found; `subject` None: the store does not have that version."""
    wanted = list(requirements)
    runs = _evaluations(reader, subject) if wanted and subject is not None else {}
    return [_evidence(one, runs.get(one.evaluation, []), sorted(runs)) for one in wanted]


def _evaluations(reader: Reader, subject: Subject) -> dict[str, list[RunRecord]]:
    """Evaluations that used it, newest first, by name."""
    graph = reader.lineage(subject.project, subject.name, subject.version, direction="down", depth=1)
    used = {edge.target for edge in graph.edges if edge.role == "used" and edge.used_as in AS_MODEL}
    found: dict[str, list[RunRecord]] = {}
    for node in graph.nodes:
        if node.kind == "run" and node.type == JOB_TYPE and node.id in used:
            for run in reader.runs({"project": node.project, "id": node.name}, limit=1).rows:
                found.setdefault(run.name, []).append(run)
    return {name: sorted(runs, key=lambda run: (-run.started_ns, run.uid)) for name, runs in found.items()}


def _evidence(requirement: Requirement, runs: list[RunRecord], known: list[str]) -> Evidence:
    finished = [run for run in runs if run.state == "finished"]
    if not finished:
        states = ", ".join(f"{run.project}/{run.id} {run.state}" for run in runs[:5])
        others = f"; it was used by evaluations called {', '.join(known[:5])}" if known and not runs else ""
        why = f"none finished: {states}" if runs else f"none used exactly this version{others}"
        return Evidence(requirement.evaluation, None, None, (Finding("a finished evaluation", why, False),))
    run, newer = finished[0], runs[: runs.index(finished[0])]
    notes = [f"newer, and no evidence: {one.project}/{one.id} {one.state}" for one in newer[:5]]
    if len(finished) > 1:
        notes.append(f"the newest of {len(finished)} that finished")
    notes += _of_the_data(run.config)
    found = check(requirement, run.summary)
    return Evidence(requirement.evaluation, f"{run.project}/{run.id}", run.ended_ns, tuple(found), tuple(notes))


def _of_the_data(config: Mapping[str, Any]) -> Iterable[str]:
    dataset, limit = config.get("dataset"), config.get("limit")
    if isinstance(dataset, Mapping) and "name" in dataset:
        rows = dataset.get("rows")
        part = f", the first {limit} of {rows} rows" if isinstance(limit, int) and limit != rows else ""
        yield f"on {dataset['name']} ({str(dataset.get('digest', ''))[:12]}){part}"
