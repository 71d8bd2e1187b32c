"""Runs that go on: which one, from which step, with what it had. Asked before a run starts; this is where one reads.

Nothing is written but the note that `resume="auto"` leaves in the home until a run ends well.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.tracking import names
from weft.tracking.errors import Error, UsageError
from weft.tracking.runs import lives

if TYPE_CHECKING:
    from weft.tracking.runs.metricstats import Standing
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.readmodels import RunRecord

log = logging.getLogger("weft.recording")

DRAIN_SECONDS = 30.0
"""So long at most other processes' records are taken in before a run is looked up."""
_MODES = ("allow", "must", "never", "auto")
_MOMENT = re.compile(r"([^?]+)\?_step=(\d+)")


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run as the store knows it."""

    uid: bytes
    name: str
    tags: tuple[str, ...]
    notes: str | None
    group: str | None
    job_type: str | None
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    last_step: int | None
    elapsed_ns: int
    """How long it went on, over all of its sessions."""
    state: str
    standing: Standing
    """What its summary goes on from."""


class Moment(NamedTuple):
    """A step of a run: `"<run id>?_step=<N>"`."""

    id: str
    step: int


class Way(NamedTuple):
    """How a run comes to be."""

    id: str | None
    """None: a new one."""
    earlier: Earlier | None = None
    """What it goes on from."""
    rewound: int | None = None
    """The step that it goes back to first."""
    forked: tuple[bytes, int] | None = None
    """The run whose history up to a step is its beginning."""
    auto: bool = False
    """Its id is noted until it ends well."""
    replaced: Earlier | None = None
    """The run that had this id before, and whose steps count no more; nothing of it is taken over."""


def way(
    rt: Runtime,
    project: str,
    ident: str | None,
    *,
    resume: object = None,
    resume_from: object = None,
    fork_from: object = None,
) -> Way:
    """Decide how a run comes to be, as the arguments of `init` ask for it.

    Raises:
        UsageError: they contradict each other or what there is: no such run to resume or fork, one that must not exist.
        StoreError: the store cannot be read, and the arguments demand what only it knows.
    """
    mode = resume_mode(resume)
    if sum(asked is not None for asked in (mode, resume_from, fork_from)) > 1:
        raise UsageError("init() takes one of resume=, resume_from= and fork_from=: they say different things")
    if resume_from is not None:
        return _rewound(rt, project, ident, moment("resume_from", resume_from))
    if fork_from is not None:
        return _forked(rt, project, ident, moment("fork_from", fork_from))
    if mode == "auto":
        noted = _noted(rt, project)
        if ident is not None and noted is not None and noted != ident:
            log.warning(
                "init(resume='auto'): id=%r was given, so run %r that did not end well is not resumed", ident, noted
            )
        ident = ident or noted
    if mode is None or ident is None:
        if mode == "must":
            raise UsageError("init(resume='must') needs the id of the run: init(id=..., resume='must')")
        return Way(ident, auto=mode == "auto")
    earlier = _looked_up(rt, project, ident, demanded=mode in ("must", "never"))
    if mode == "must" and earlier is None:
        raise UsageError(
            f"init(resume='must'): there is no run {project}/{ident} in {rt.settings.home}. `weft runs ls`"
        )
    if mode == "never" and earlier is not None:
        raise UsageError(f"init(resume='never'): there is a run {project}/{ident} already. Choose another id")
    return Way(ident, earlier, auto=mode == "auto")


def replacing(rt: Runtime, project: str, ident: str) -> Way:
    """How a run begins whose id was given by its program without a word of resuming: anew, where it exists already.

    A run that somebody still writes is left alone: this is another process of it, or a second writer that is told so.
    """
    if not _may_exist(rt, lives.uid(rt.home, project, ident)):
        return Way(ident)
    found = _looked_up(rt, project, ident, demanded=False)
    return Way(ident, replaced=None if found is None or found.state == "running" else found)


def _may_exist(rt: Runtime, uid: bytes) -> bool:
    """Whether this home knows a run of this uid, perhaps: told without loading what reads the store, which takes longer
    than all else at a start."""
    import sqlite3  # late, as the rest here: few programs name the ids of their runs
    from contextlib import closing

    from weft.tracking.journal.segments import Segments
    from weft.tracking.store.sqlitefile import read_only_uri

    try:
        if any(_holds(segment.path, uid) for segment in Segments(rt.home).pending()):
            return True
        if rt.settings.store_url is not None:
            return True
        place = rt.home.path / "weft.db"
        if not place.is_file():
            return False
        with closing(sqlite3.connect(read_only_uri(place), uri=True, timeout=10)) as store:
            return store.execute("SELECT 1 FROM run WHERE uid = ?", (uid,)).fetchone() is not None
    except (OSError, Error, sqlite3.Error):
        return True  # who reads it properly says what is wrong


def _holds(path: Path, wanted: bytes) -> bool:
    import mmap  # as above

    if not path.stat().st_size:  # nothing can be mapped then
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(wanted) >= 0


def moment(argument: str, given: object) -> Moment:
    """
    Raises:
        UsageError: it is no moment.
    """
    found = _MOMENT.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise UsageError(f'init({argument}=) takes "<run id>?_step=<N>", not {given!r:.80}')
    return Moment(names.check_run_id(found[1]), int(found[2]))


def resume_mode(resume: object) -> str | None:
    """What `init(resume=)` asks for; None: nothing.

    Raises:
        UsageError: it is none of the words.
    """
    if resume is None or resume is False:
        return None
    chosen = "auto" if resume is True else resume
    if chosen not in _MODES:
        raise UsageError(f"init(resume=) is one of {', '.join(_MODES)} or a bool, not {resume!r:.80}")
    return str(chosen)


def _rewound(rt: Runtime, project: str, ident: str | None, to: Moment) -> Way:
    if ident is not None and ident != to.id:
        raise UsageError(f"init(resume_from={to.id!r}...) goes on with that run; id={ident!r} is another one")
    return Way(to.id, _at(rt, project, to, "resume_from", until=to.step), rewound=to.step)


def _forked(rt: Runtime, project: str, ident: str | None, at: Moment) -> Way:
    if ident == at.id:
        raise UsageError(
            f"init(fork_from=) makes a new run: id={ident!r} is the one it is forked from. Choose another id"
        )
    return Way(ident, forked=(_at(rt, project, at, "fork_from").uid, at.step))


def _at(rt: Runtime, project: str, at: Moment, argument: str, until: int | None = None) -> Earlier:
    earlier = _looked_up(rt, project, at.id, demanded=True, until=until)
    if earlier is None:
        raise UsageError(f"init({argument}=): there is no run {project}/{at.id} in {rt.settings.home}. `weft runs ls`")
    if earlier.last_step is None or at.step > earlier.last_step:
        reached = "has no steps" if earlier.last_step is None else f"ends with step {earlier.last_step}"
        raise UsageError(f"init({argument}=): run {at.id} {reached}; there is no step {at.step} in it")
    return earlier


def _looked_up(rt: Runtime, project: str, ident: str, *, demanded: bool, until: int | None = None) -> Earlier | None:
    try:
        return look_up(rt, project, ident, until)
    except Error as error:
        if demanded:
            raise
        rt.faults.note(
            f"look up run {project}/{ident} to resume it", error, hint="It goes on, its steps counted from 0."
        )
        return None


def look_up(rt: Runtime, project: str, ident: str, until: int | None = None) -> Earlier | None:
    """A run of this id, with all that its processes have written by now; None: there is none.

    Args:
        until: the step that it is about to be taken back to.

    Raises:
        StoreError: the store cannot be read.
        HomeError: the home cannot be used.
    """
    from weft.tracking.store.access import drain_into, open_store  # late: who resumes nothing needs no database

    if not rt.home.path.exists() and rt.settings.store_url is None:
        return None
    with open_store(rt.settings, drain=False) as store:
        if not rt.home.read_only:
            left = drain_into(store, rt.settings, foreign_s=DRAIN_SECONDS).waiting_bytes
            if left:
                log.warning(
                    "%d bytes of journal could not be taken in: run %s may go on from too low a step", left, ident
                )
        reader = store.reader()
        found = reader.runs({"project": project, "id": ident}, limit=1).rows
        return _earlier(found[0], reader.standing(found[0].uid, until)) if found else None


def _earlier(record: RunRecord, standing: Standing) -> Earlier:
    return Earlier(
        uid=bytes.fromhex(record.uid),
        name=record.name,
        tags=tuple(record.tags),
        notes=record.notes,
        group=record.group,
        job_type=record.job_type,
        config=record.config,
        summary=record.summary,
        last_step=record.step,
        elapsed_ns=round(record.runtime_s * 1e9),
        state=record.state,
        standing=standing,
    )


def note(rt: Runtime, project: str, ident: str) -> None:
    """Keep the id of a run for `resume="auto"`, until `forget`."""
    place = _place(rt, project)
    draft = place.with_name(f"{place.name}.{os.getpid()}.new")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps({"run_id": ident}), encoding="utf-8")
        draft.replace(place)
    except OSError as error:
        rt.faults.note("keep the id of a run for resume='auto'", error)


def forget(rt: Runtime, project: str) -> None:
    """The run ended well: the next one is a new one."""
    try:
        _place(rt, project).unlink(missing_ok=True)
    except OSError as error:
        rt.faults.note("forget the id of a run that ended well", error)


def _noted(rt: Runtime, project: str) -> str | None:
    """The run that did not end well here, where there is one; what cannot be read says nothing."""
    try:
        found = json.loads(_place(rt, project).read_text(encoding="utf-8"))
        return names.check_run_id(found["run_id"])
    except (OSError, ValueError, LookupError, TypeError, UsageError):
        return None


def _place(rt: Runtime, project: str) -> Path:
    """By project, program and working directory: what makes it the same program that goes on."""
    program = getattr(sys, "argv", [""])[0] if getattr(sys, "argv", None) else ""
    try:
        folder = str(Path.cwd())
    except OSError:  # it was removed under us
        folder = ""
    key = hashlib.sha256(json.dumps([project, folder, program]).encode()).hexdigest()[:16]
    return rt.home.path / "resume" / f"{key}.json"
