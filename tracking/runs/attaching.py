"""A run in another process than the one that started it: what travels, and the run that it becomes there.

A run that is pickled to a child (spawn, forkserver) is the same run there: the child may log to it, never end it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.tracking import runtime
from weft.tracking.faults import let_through
from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.payloads.redaction import OPTIONS, redaction
from weft.tracking.runs import starting
from weft.tracking.runs.metricrules import Metric
from weft.tracking.runs.metricstats import Standing
from weft.tracking.runs.resuming import Earlier, Way
from weft.tracking.runs.run import Run
from weft.tracking.runs.runarguments import Start
from weft.tracking.settings import Settings

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Attachment:
    """All that travels; plain values alone."""

    uid: bytes
    id: str
    project: str
    name: str
    tags: tuple[str, ...]
    notes: str | None
    group: str | None
    job_type: str | None
    entity: str | None
    config: Mapping[str, Any]
    step: int
    metrics: tuple[Metric, ...]
    """What `define_metric` said."""
    mode: str
    state: str
    folder: Path | None
    home: Path | None
    """Where it is recorded; None: where the environment, which is inherited, says."""
    store_url: str | None
    redact: Any


def attachment(run: Run) -> Attachment:
    """What a child process needs to know of a run."""
    settings = run.settings
    return Attachment(
        uid=run.uid,
        id=run.id,
        project=run.project,
        name=run.name,
        tags=run.tags,
        notes=run.notes,
        group=run.group,
        job_type=run.job_type,
        entity=run.entity,
        config={key: _sendable(value) for key, value in run.config.items()},
        step=run.step,
        metrics=run.defined_metrics,
        mode="disabled" if run.disabled else "offline" if run.offline else "online",
        state=run.state,
        folder=run.folder,
        home=None if run.runtime.origin == "environment" else settings.home,
        store_url=settings.store_url,
        redact=_sendable_rules(settings.redact),
    )


def attach(found: Attachment) -> Run:
    """In the child: the run, to log to. In the process that has it already: that one."""
    known = starting.known(found.uid)
    if known is not None:
        return known
    active = _runtime(found)
    start = Start(
        project=found.project,
        way=Way(found.id, _earlier(found)),
        entity=found.entity,
        mode=found.mode,
        folder=found.folder,
        settings=active.settings,
        joined=True,
    )
    made = Run(active.view(active.settings, start.recording), start, on_end=starting.forget, attached_at=found.step)
    made.state = found.state
    starting.attached(made)
    return made


def _earlier(found: Attachment) -> Earlier:
    return Earlier(
        uid=found.uid,
        name=found.name,
        tags=found.tags,
        notes=found.notes,
        group=found.group,
        job_type=found.job_type,
        config=found.config,
        summary={},
        last_step=None,
        elapsed_ns=0,
        state="running",
        standing=Standing({}, {}, {}, found.metrics),
    )


def _runtime(found: Attachment) -> Runtime:
    """This process's own, recording where the run is recorded, unless its own code has chosen another place."""
    active = runtime.active()
    if found.home is None or active.origin == "code" or active.settings.home == found.home:
        return active
    settings: Settings = replace(active.settings, home=found.home, store_url=found.store_url, redact=found.redact)
    return runtime.configure(settings, origin="parent")


def _sendable(value: Any) -> Any:
    try:
        pickle.dumps(value)
    except Exception as error:  # of any type: what a record would hold of it must do
        let_through(error)
        return decode(encode(value))
    return value


def _sendable_rules(rules: Any) -> Any:
    """A function of the user's that cannot travel fails closed: everything that can be replaced is."""
    try:
        pickle.dumps(rules)
    except Exception as error:
        let_through(error)
        return redaction(",".join(OPTIONS))
    return rules
