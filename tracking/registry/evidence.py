"""Which evaluation speaks for a version: found along its lineage, read through `Reader`. `requirements` judges it.

The rule: of the runs with job type `evaluation` and that name which used exactly this content (as the model: an edge
that says it was used as something else does not count), the newest one that finished. Those that crashed, failed,
still run, took only the first rows, or ran on other data than is asked say nothing of it, and are mentioned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from weft.tracking.registry.requirements import DATASET, Finding, Requirement, check

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import RunRecord

JOB_TYPE = "evaluation"
ROWS = "rows"
"""Who says in so many words how many rows there must be is content with a part of them."""
_SHORTEST = 8
"""Characters of a digest that name it."""
_MOST = 1 << 31
"""No user of a version is left out, however many there are: the newest is what counts."""
_ON = "on "
"""How the note of the data begins."""
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
    names = {one.evaluation for one in wanted}
    runs = _evaluations(reader, subject, names) if wanted and subject is not None else {}
    return _merged([_evidence(one, runs.get(one.evaluation, []), sorted(runs)) for one in wanted])


def _merged(found: Iterable[Evidence]) -> list[Evidence]:
    """Where several requirements (of the call, of the alias) are answered by one run, each thing once."""
    by_run: dict[tuple[str, str | None], Evidence] = {}
    for one in found:
        first = by_run.get((one.evaluation, one.run))
        if first is not None:
            findings = tuple(dict.fromkeys((*first.findings, *one.findings)))
            notes = dict.fromkeys((*first.notes, *one.notes))
            if any(finding.required.startswith(f"{DATASET} ") for finding in findings):  # which says it already
                notes = {note: None for note in notes if not note.startswith(_ON)}
            one = replace(first, findings=findings, notes=tuple(notes))
        by_run[one.evaluation, one.run] = one
    return list(by_run.values())


def _evaluations(reader: Reader, subject: Subject, names: Collection[str]) -> dict[str, list[RunRecord]]:
    """Evaluations that used it, newest first, by name; of names that nobody asks for none."""
    graph = reader.lineage(subject.project, subject.name, subject.version, direction="down", depth=1, limit=_MOST)
    used = {edge.target for edge in graph.edges if edge.role == "used" and edge.used_as in AS_MODEL}
    found: dict[str, list[RunRecord]] = {}
    for node in graph.nodes:
        if node.kind == "run" and node.type == JOB_TYPE and node.id in used:
            of_name = found.setdefault(node.label, [])
            if node.label in names:
                of_name += reader.runs({"project": node.project, "id": node.name}, limit=1).rows
    return {name: sorted(runs, key=lambda run: (-run.started_ns, run.uid)) for name, runs in found.items()}


def _evidence(requirement: Requirement, runs: list[RunRecord], known: list[str]) -> Evidence:
    finished = [run for run in runs if run.state == "finished" and _speaks(run.config, requirement)]
    if not finished:
        states = "; ".join(f"{run.project}/{run.id} {_state(run)}" for run in runs[:5])
        asked = "".join(f" on {dataset}" for dataset in requirement.datasets)
        others = f"; it was used by evaluations called {', '.join(known[:5])}" if known and not runs else ""
        why = f"none that counts: {states}" if runs else f"none used exactly this version{others}"
        return Evidence(requirement.evaluation, None, None, (Finding(f"a finished evaluation{asked}", why, False),))
    run, newer = finished[0], runs[: runs.index(finished[0])]
    notes = [f"newer, and no evidence: {one.project}/{one.id} {_state(one)}" for one in newer[:5]]
    if len(finished) > 1:
        notes.append(f"the newest of {len(finished)} that finished")
    on = _data(run.config)
    notes += [f"{_ON}{on}"] if on and not requirement.datasets else []
    found = [Finding(f"{DATASET} {name}", on, True) for name in requirement.datasets] + check(requirement, run.summary)
    return Evidence(requirement.evaluation, f"{run.project}/{run.id}", run.ended_ns, tuple(found), tuple(notes))


def _speaks(config: Mapping[str, Any], requirement: Requirement) -> bool:
    """Whether an evaluation that finished ran on what is asked, and on all of it."""
    some = any(condition.field == ROWS for condition in requirement.conditions)
    name, digest = _dataset(config)
    return (some or _limited(config) is None) and all(
        asked == name or (len(asked) >= _SHORTEST and digest.startswith(asked.lower()))
        for asked in requirement.datasets
    )


def _dataset(config: Mapping[str, Any]) -> tuple[str, str]:
    """Name and digest of the data; empty where they are not told."""
    dataset = config.get("dataset")
    if isinstance(dataset, Mapping):
        return str(dataset.get("name") or ""), str(dataset.get("digest") or "")
    return (dataset, "") if isinstance(dataset, str) else ("", "")


def _data(config: Mapping[str, Any]) -> str:
    """`digits (0bd39a493a11), the first 5 of 400 rows`; empty where nothing is told."""
    name, digest = _dataset(config)
    told = (name + (f" ({digest[:12]})" if digest else "")).strip()
    return ", ".join(part for part in (told, _limited(config)) if part)


def _limited(config: Mapping[str, Any]) -> str | None:
    """`the first 5 of 400 rows`, where an evaluation was told to take no more (`limit=`)."""
    dataset, limit = config.get("dataset"), config.get("limit")
    rows = dataset.get("rows") if isinstance(dataset, Mapping) else None
    if isinstance(limit, int) and isinstance(rows, int) and limit < rows:
        return f"the first {limit} of {rows} rows"
    return None


def _state(run: RunRecord) -> str:
    on = _data(run.config) if run.state == "finished" else ""
    return run.state + (f" on {on}" if on else "")
